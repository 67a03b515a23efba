"""Make a `Config` of a file, or say everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coderouter_core.config.document import Document
from coderouter_core.config.owners import Owners, normal
from coderouter_core.config.reading import Reading
from coderouter_core.config.schema import CORE_OPTIONS
from coderouter_core.config.toplevel import read_router
from coderouter_core.config.tree import KeyPath
from coderouter_core.config.words import near_or_all, quote
from coderouter_core.errors import ConfigError
from coderouter_core.model import Config, Option

DISABLE = "CODEROUTER_DISABLE"


def load(path: Path, options: Sequence[tuple[str, Option]], environ: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`.

    `options` are all that plugins declare, with the plugins' names; those of disabled plugins may be
    among them. Raises `ConfigError` with all problems, in order of place.
    """
    return _read(Document.read(path), options, environ, ())


def parse(
    text: str,
    file: str,
    options: Sequence[tuple[str, Option]],
    environ: Mapping[str, str],
    *,
    disabled: Iterable[str] = (),
) -> Config:
    """As `load`, of a text; `file` names it in problems, `disabled` are plugins that are off as well."""
    return _read(Document.parse(text, file), options, environ, disabled)


def disabled_plugins(source: Path | str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The plugins that a file (or its text) and CODEROUTER_DISABLE switch off, with ``-`` for ``_``.

    Never raises: what is wrong with the file is for `load` to say.
    """
    try:
        document = Document.read(source) if isinstance(source, Path) else Document.parse(source, "")
    except ConfigError:
        return tuple(_switched_off(None, environ))
    return tuple(_switched_off(document.tree, environ))


def _read(
    document: Document,
    options: Sequence[tuple[str, Option]],
    environ: Mapping[str, str],
    disabled: Iterable[str],
) -> Config:
    off = {normal(name): "what is disabled" for name in disabled}
    off |= _switched_off(document.tree, environ)
    named = [(normal(owner), option) for owner, option in options]
    reading = Reading(
        document,
        environ,
        active=Owners([*CORE_OPTIONS, *((owner, option) for owner, option in named if owner not in off)]),
        idle=tuple((owner, option) for owner, option in named if owner in off),
        disabled=off,
        plugins=frozenset(owner for owner, _ in named),
    )
    if not isinstance(document.tree, dict):
        what = "the file is empty" if document.tree is None else f"the file holds {quote(document.tree)}"
        reading.problem((), f"{what}; write a mapping with providers and profiles")
        document.raise_problems()
    _check_disabled(reading)
    config = read_router(reading, document.tree)
    document.raise_problems()
    return config


def _switched_off(tree: Any, environ: Mapping[str, str]) -> dict[str, str]:
    """Plugins that are switched off, and where that is written."""
    section = tree.get("plugins") if isinstance(tree, dict) else None
    listed = section.get("disabled") if isinstance(section, dict) else None
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    off = {normal(name): "plugins.disabled" for name in names}
    return off | {normal(name): DISABLE for name in _in_environment(environ)}


def _in_environment(environ: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in environ.get(DISABLE, "").split(",") if name.strip()]


def _check_disabled(reading: Reading) -> None:
    """A misspelt name would leave a plugin on that somebody wanted off."""
    section = reading.document.tree.get("plugins")
    listed = section.get("disabled") if isinstance(section, dict) else None
    written = list(enumerate(listed)) if isinstance(listed, list) else []
    told = _in_environment(reading.environ)
    if not written and not told:
        return
    known = {*reading.plugins, *reading.features.extras, *reading.features.installed}
    for index, name in written:
        if isinstance(name, str) and normal(name) not in known:
            path: KeyPath = ("plugins", "disabled", index)
            reading.problem(
                path, f"no plugin is named {quote(name)}{near_or_all(normal(name), sorted(known))}"
            )
    for name in told:
        if normal(name) not in known:
            near = near_or_all(normal(name), sorted(known))
            reading.elsewhere(DISABLE, f"no plugin is named {quote(name)}{near}")
