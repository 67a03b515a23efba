"""A rule that holds when much of what the human last wrote is fenced code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen, validators

from coderouter_core.api import Option, Request, Scope, hookimpl


@frozen
class CodeFenceRatio:
    """Key of a rule: the least share of the text, 0 to 1, that stands in closed fences of three backticks."""

    code_fence_ratio_min: float = field(validator=[validators.ge(0), validators.le(1)])


class CodeFenceRatioMatcher:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, CodeFenceRatio, facts=("code_fence_ratio",), content=True)]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, CodeFenceRatio):
            return None
        return request.code_fence_ratio >= condition.code_fence_ratio_min
