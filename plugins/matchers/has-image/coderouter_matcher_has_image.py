"""A rule that holds when the request carries an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen, validators

from coderouter_core.api import Option, Request, Scope, hookimpl


@frozen
class HasImage:
    """Key of a rule. `false` loads and never holds, as it always did."""

    has_image: bool = field(validator=validators.instance_of(bool))


class HasImageMatcher:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, HasImage, content=True)]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if not isinstance(condition, HasImage):
            return None
        return condition.has_image and request.has_image
