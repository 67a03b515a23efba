"""A rule that holds when what the human last wrote contains some words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen, validators

from coderouter_core.api import Option, Request, Scope, hookimpl


@frozen
class ContentContains:
    """Key of a rule: text that must occur as it is written, upper and lower case apart."""

    content_contains: str = field(validator=validators.instance_of(str))


class ContentContainsMatcher:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, ContentContains, content=True)]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, ContentContains):
            return None
        return condition.content_contains in request.latest_user_text
