"""Read ``auth:``, without ever repeating what may be a key."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve

from coderouter_core.config.reading import Reading
from coderouter_core.config.schema import VARIABLE, AuthEntry, AuthKeys
from coderouter_core.config.tree import KeyPath
from coderouter_core.config.words import looks_secret, quote
from coderouter_core.model import AuthKey, Scope

_PREFIX = "sha256:"
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_FORMS = (
    "must be the NAME of an environment variable, or sha256:<64 hex digits>, or a mapping with a name and "
    "either of them as env or sha256 (what stands here is not shown, it may be a key)"
)


def read_auth(reading: Reading, keys: AuthKeys | None) -> tuple[AuthKey, ...]:
    """The keys that clients may use; none when ``auth:`` is not written."""
    found: list[AuthKey] = []
    for index, entry in enumerate(keys.keys if keys else ()):
        path: KeyPath = ("auth", "keys", index)
        key = _entry(reading, path, entry)
        if key and key.name in {other.name for other in found}:
            reading.problem(path, f"a key named {quote(key.name)} stands here twice; give one another name")
        elif key:
            found.append(key)
    return tuple(found)


def _entry(reading: Reading, path: KeyPath, entry: Any) -> AuthKey | None:
    if isinstance(entry, str):
        return _text(reading, path, entry)
    if not isinstance(entry, dict):
        reading.problem(path, _FORMS)
        return None
    before = len(reading.document.problems)
    options = reading.section(path, Scope.KEY, entry)
    said: AuthEntry | None = options.pop(AuthEntry, None)
    if said is None or len(reading.document.problems) > before:
        return None
    key = _named(reading, path, said)
    return None if key is None else evolve(key, options=options)


def _named(reading: Reading, path: KeyPath, said: AuthEntry) -> AuthKey | None:
    if (said.env is None) == (said.sha256 is None):
        reading.problem(path, "must have either env or sha256")
    elif said.env is not None:
        return _variable(reading, (*path, "env"), said.env, said.name)
    elif said.sha256 is not None:
        return _hash(reading, (*path, "sha256"), said.sha256.removeprefix(_PREFIX), said.name)
    return None


def _text(reading: Reading, path: KeyPath, entry: str) -> AuthKey | None:
    if entry.startswith(_PREFIX):
        return _hash(reading, path, entry.removeprefix(_PREFIX), None)
    if VARIABLE.fullmatch(entry) and not looks_secret(entry):
        return _variable(reading, path, entry, None)
    reading.problem(path, _FORMS)
    return None


def _variable(reading: Reading, path: KeyPath, variable: str, name: str | None) -> AuthKey | None:
    if reading.environ.get(variable, "").strip():
        return AuthKey(name or variable, env=variable)
    message = f"the environment variable {variable!r} is not set; set it, or remove this entry"
    reading.problem(path, message)
    return None


def _hash(reading: Reading, path: KeyPath, digits: str, name: str | None) -> AuthKey | None:
    if _HASH.fullmatch(digits):
        return AuthKey(name or f"key-{digits[:8].lower()}", sha256=digits.lower())
    reading.problem(path, "must be the SHA-256 of a key, 64 hex digits (what stands here is not shown)")
    return None
