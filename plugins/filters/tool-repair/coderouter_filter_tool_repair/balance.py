"""Find where brackets that have opened are closed again, in text that comes in pieces."""

from __future__ import annotations

import re

#: Deeper nesting is no call.
DEEPEST = 64

#: A string as far as it stands here, or a bracket.
_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*("|\\?\Z)|\'[^\'\\]*(?:\\.[^\'\\]*)*(\'|\\?\Z)|[{}\[\]()]', re.DOTALL
)
_REST = {
    '"': re.compile(r'[^"\\]*(?:\\.[^"\\]*)*("|\\?\Z)', re.DOTALL),
    "'": re.compile(r"[^'\\]*(?:\\.[^'\\]*)*('|\\?\Z)", re.DOTALL),
}
_CLOSERS = {"{": "}", "[": "]", "(": ")"}


class Balance:
    """Reads a text from its first bracket on. `open` are the brackets that are still to be closed, the last one last;
    `quote` is that of a string that has not ended."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.quote = ""
        self.broken = False
        self._escaped = False

    def take(self, text: str) -> int:
        """Where in `text` the first bracket is closed, counted behind it; -1 while it is open. Where brackets do not
        match, `broken` is set, and that is the end."""
        at = 0
        if self.quote:
            if self._escaped and text:
                at, self._escaped = 1, False
            at = self._string(text, _REST[self.quote].match(text, at))
            if self.quote:
                return -1
        for token in _TOKEN.finditer(text, at):
            mark = text[token.start()]
            if mark in "\"'":
                self.quote = mark
                self._string(text, token)
            elif mark in _CLOSERS:
                self.open.append(_CLOSERS[mark])
                if len(self.open) > DEEPEST:
                    self.broken = True
                    return token.end()
            elif not self.open or self.open.pop() != mark:
                self.broken = True
                return token.end()
            elif not self.open:
                return token.end()
        return -1

    def _string(self, text: str, token: re.Match[str] | None) -> int:
        """Note how a string ends, and where."""
        if token is None:
            return len(text)
        end = token[token.lastindex or 0]
        if end in ('"', "'") and end:
            self.quote = ""
        else:
            self._escaped = end == "\\"
        return token.end()


def closed(text: str) -> str | None:
    """`text` with the brackets that it lacks at its end; None where a string has not ended, or nothing is lacking."""
    balance = Balance()
    if balance.take(text) >= 0 or balance.broken or balance.quote or not balance.open:
        return None
    return text.rstrip().rstrip(",") + "".join(reversed(balance.open))
