"""Find where brackets that have opened are closed again, in text that comes in pieces."""

from __future__ import annotations

import re

#: Deeper nesting is no call.
DEEPEST = 64

#: Anything that is not a bracket, whole strings included.
_PLAIN = re.compile(
    r"""(?:[^"'{}\[\]()]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+')*+""", re.DOTALL
)
#: A bracket, or a string that does not end here.
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
        while (token := _token(text, at)) is not None:
            mark, at = text[token.start()], token.end()
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


def _token(text: str, at: int) -> re.Match[str] | None:
    """The next thing from `at` on that is not plain."""
    plain = _PLAIN.match(text, at)
    return _TOKEN.match(text, plain.end() if plain else at)


def closed(text: str) -> str | None:
    """`text` with the brackets that it lacks at its end; None where a string has not ended, or nothing is lacking."""
    balance = Balance()
    if balance.take(text) >= 0 or balance.broken or balance.quote or not balance.open:
        return None
    return text.rstrip().rstrip(",") + "".join(reversed(balance.open))
