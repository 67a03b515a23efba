"""Words of others on a terminal: shown, and never obeyed."""

from __future__ import annotations

from typing import Any

#: Stands for a character that a terminal would act upon, or that turns the direction of what follows.
INSTEAD = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, keep: str = "\n") -> str:
    """`text`, in which everything that cannot be printed is replaced, but for what `keep` holds."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else INSTEAD for each in text)


def all_printable(value: Any) -> Any:
    """A value of JSON with each of its texts on one line, and printable."""
    if isinstance(value, str):
        return value if value.isprintable() else printable(" ".join(value.splitlines()))
    if isinstance(value, dict):
        return {all_printable(key): all_printable(each) for key, each in value.items()}
    return [all_printable(each) for each in value] if isinstance(value, list) else value
