"""Which profile serves a request, and what chose it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from coderouter_core.model.provider import Profile

ChosenBy = Literal["body", "header", "mode", "model", "rule", "fallthrough", "default", "conversation"]


@frozen(eq=False)
class Choice:
    """`word` is what the client said, or the id of the rule that held; `signals` are what rules saw.

    `fallthrough`: there are rules, and none of them held.
    """

    profile: Profile
    by: ChosenBy
    word: str = ""
    signals: Mapping[str, Any] = field(factory=dict)
