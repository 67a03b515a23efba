"""A rule that holds when the prompt is long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen, validators

from coderouter_core.api import Option, Request, Scope, hookimpl


@frozen
class ContentTokenCount:
    """Key of a rule: the fewest tokens of the whole prompt."""

    content_token_count_min: int = field(validator=validators.ge(1))


class ContentTokenCountMatcher:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, ContentTokenCount, facts=("tokens",))]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, ContentTokenCount):
            return None
        return request.tokens >= condition.content_token_count_min
