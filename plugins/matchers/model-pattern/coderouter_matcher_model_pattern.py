"""A rule that holds when the client's model id matches a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from attrs import field, frozen

from coderouter_core.api import Config, EventSpec, Level, Option, Request, Router, Scope, hookimpl

#: Seconds that a pattern may take over one request.
TIMEOUT_S = 0.005
#: A model id longer than this is nobody's.
LONGEST_ID = 256
#: Repeats, and what is in a pattern besides letters and sets: groups that repeat or look around, and references.
_REPEATS = re.compile(r"[*+?{]")
_INVOLVED = re.compile(r"\)[*+?{]|\\[1-9]|\(\?")


def _compiles(_instance: object, _attribute: object, value: str) -> None:
    # Here, since without such a rule nobody needs the library.
    import regex  # type: ignore[import-untyped,unused-ignore]

    try:
        regex.compile(value)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}: {value!r}") from None


@frozen
class ModelPattern:
    """Key of a rule: a regular expression that the whole model id must match."""

    model_pattern: str = field(validator=_compiles)


class ModelPatternMatcher:
    def __init__(self) -> None:
        self._compiled: dict[str, Callable[[str], object]] = {}
        self._router: Router | None = None

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, ModelPattern)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        fields = ("pattern", "timeout_ms", "model_len")
        return [
            EventSpec(
                "model-pattern-timeout",
                Level.WARNING,
                fields,
                "a pattern took too long; its rule did not hold",
            )
        ]

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:
        self._router = router
        for rule in config.auto_router.rules if config.auto_router is not None else ():
            if isinstance(rule.condition, ModelPattern):
                self._compile(rule.condition.model_pattern)

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, ModelPattern):
            return None
        model = request.model
        if not model or len(model) > LONGEST_ID:
            return False
        whole = self._compiled.get(condition.model_pattern) or self._compile(condition.model_pattern)
        try:
            return whole(model) is not None
        except TimeoutError:
            if self._router is not None:
                self._router.emit(
                    "model-pattern-timeout",
                    pattern=condition.model_pattern[:200],
                    timeout_ms=round(TIMEOUT_S * 1000),
                    model_len=len(model),
                )
            return False

    def _compile(self, source: str) -> Callable[[str], object]:
        """What matches a whole id; under watch where it could take long, since a watch costs more than most ids."""
        import regex

        whole: Callable[..., object] = regex.compile(source).fullmatch
        made = self._compiled[source] = whole if _is_quick(source) else partial(whole, timeout=TIMEOUT_S)
        return made


def _is_quick(source: str) -> bool:
    """Whether a pattern tries at most every two places of an id, of which there are a few ten thousand."""
    return len(_REPEATS.findall(source)) <= 2 and not _INVOLVED.search(source)
