"""A rule that holds when the client's model id matches a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from coderouter_core.api import Option, Request, Scope, hookimpl

#: A model id longer than this is nobody's; the bound keeps an operator's pattern from running long.
LONGEST_ID = 256


def _compiles(_instance: object, _attribute: object, value: str) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}: {value!r}") from None


@frozen
class ModelPattern:
    """Key of a rule: a regular expression that the whole model id must match."""

    model_pattern: str = field(validator=_compiles)


class ModelPatternMatcher:
    def __init__(self) -> None:
        self._compiled: dict[str, re.Pattern[str]] = {}

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, ModelPattern)]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, ModelPattern):
            return None
        pattern = self._compiled.get(condition.model_pattern)
        if pattern is None:
            pattern = self._compiled[condition.model_pattern] = re.compile(condition.model_pattern)
        if not request.model or len(request.model) > LONGEST_ID:
            return False
        return pattern.fullmatch(request.model) is not None
