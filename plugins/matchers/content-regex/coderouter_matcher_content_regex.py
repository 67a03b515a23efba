"""A rule that holds when what the human last wrote matches a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from coderouter_core.api import Config, EventSpec, Level, Option, Request, Router, Scope, hookimpl

if TYPE_CHECKING:
    import regex  # type: ignore[import-untyped,unused-ignore]

#: Seconds that a pattern may take over one request.
TIMEOUT_S = 0.005
#: Characters at the end of a text that are searched; a longer text is nearly always a paste before a question.
LONGEST_TEXT = 65_536
#: A literal text so long takes the engine seconds to make ready, at its first search, which no timeout ends.
LONGEST_LITERAL = 256
_ONE = r"(?:[^\\\[\](){}|.*+?^$]|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[^\w])|\[[^\]\\]\])"
_LITERAL = re.compile(rf"{_ONE}{{{LONGEST_LITERAL + 1}}}")


def _compiles(_instance: object, _attribute: object, value: str) -> None:
    if _LITERAL.search(value):
        raise ValueError(
            f"holds a literal text of more than {LONGEST_LITERAL} characters: shorten it, or search with content_contains"
        )
    # Here, since without such a rule nobody needs the library.
    import regex  # type: ignore[import-untyped,unused-ignore]

    try:
        regex.compile(value)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}: {value!r}") from None


@frozen
class ContentRegex:
    """Key of a rule: a regular expression that must be found in the text."""

    content_regex: str = field(validator=_compiles)


class ContentRegexMatcher:
    def __init__(self) -> None:
        self._compiled: dict[str, regex.Pattern[str]] = {}
        self._router: Router | None = None

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, ContentRegex, content=True)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        fields = ("pattern", "timeout_ms", "content_len")
        return [
            EventSpec(
                "content-regex-timeout",
                Level.WARNING,
                fields,
                "a pattern took too long; its rule did not hold",
            )
        ]

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._router = router
        for rule in config.auto_router.rules if config.auto_router is not None else ():
            if isinstance(rule.condition, ContentRegex):
                self._pattern(rule.condition.content_regex)

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, ContentRegex):
            return None
        text = request.latest_user_text
        start = max(0, len(text) - LONGEST_TEXT)
        try:
            found = self._pattern(condition.content_regex).search(text, pos=start, timeout=TIMEOUT_S)
            return found is not None
        except TimeoutError:
            if self._router is not None:
                self._router.emit(
                    "content-regex-timeout",
                    pattern=condition.content_regex[:200],
                    timeout_ms=round(TIMEOUT_S * 1000),
                    content_len=len(text),
                )
            return False

    def _pattern(self, source: str) -> regex.Pattern[str]:
        pattern = self._compiled.get(source)
        if pattern is None:
            import regex

            pattern = self._compiled[source] = regex.compile(source)
        return pattern
