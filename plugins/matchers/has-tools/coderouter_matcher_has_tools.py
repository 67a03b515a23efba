"""A rule that holds when the request declares tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen, validators

from coderouter_core.api import Option, Request, Scope, hookimpl


@frozen
class HasTools:
    """Key of a rule. `false` loads and never holds, as it always did."""

    has_tools: bool = field(validator=validators.instance_of(bool))


class HasToolsMatcher:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, HasTools)]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, HasTools):
            return None
        return condition.has_tools and request.has_tools
