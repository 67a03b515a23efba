"""How values, choices and near misses are put into the words of a problem."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

#: Longer values are cut: a problem is one line.
LONGEST = 60

#: What issuers of keys begin them with.
_PREFIXED = re.compile(
    r"(?:sk|pk|rk|gsk|hf|r8|nvapi|ghp|gho|ghs|github_pat|glpat|xox[abeprs]|AIza|AKIA|eyJ|Bearer )[-_A-Za-z0-9]{8}"
)
#: A run this long of letters and digits is not a word, a host or a model.
_RANDOM = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}")


def looks_secret(text: str) -> bool:
    """Whether `text` may be a key, so that nobody repeats it in a message."""
    return bool(_PREFIXED.match(text.strip()) or _RANDOM.search(text))


def quote(value: object) -> str:
    """`value` as a problem shows it: text in quotes, containers by their kind, secrets not at all."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list"
    if isinstance(value, str) and looks_secret(value):
        return "what looks like a secret (not shown)"
    shown = f"{value:g}" if isinstance(value, float) else repr(value)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def shown_key(key: str) -> str:
    """A key of a mapping as it stands in a path: short, on one line, and nothing that a terminal would act on."""
    if looks_secret(key):
        return "(not shown)"
    shown = key if key.isprintable() else repr(key)[1:-1]
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` when one of `known` is near, else nothing."""
    near = get_close_matches(str(word), sorted(name for name in known if not looks_secret(name)), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def near_or_all(word: object, known: Iterable[str], label: str = "known") -> str:
    """The near one of `known`, or else all of them."""
    names = [name for name in known if not looks_secret(name)]
    return did_you_mean(word, names) or (f"; {label}: {', '.join(names)}" if names else "")


def one_of(value: object, choices: Iterable[object]) -> str:
    """That `value` is none of `choices`, and which was meant."""
    names = [choice if isinstance(choice, str) else quote(choice) for choice in choices]
    near = did_you_mean(value, names) if isinstance(value, str) else ""
    choice = "" if len(names) == 1 else "one of "
    return f"must be {choice}{', '.join(names)}, not {quote(value)}{near}"
