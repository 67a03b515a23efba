"""Translate a request's body, and tell what of it could not be carried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from coderouter_core.model import Dialect
from coderouter_core.wire.bodies.from_responses import responses_to_chat, responses_to_messages
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.to_chat import to_chat
from coderouter_core.wire.bodies.to_messages import to_messages


@frozen
class Translated:
    """A body in another dialect. `dropped` are (field, reason) of what has no form there; `names` leads from names of
    tools that the dialect does not allow as they are to what the client calls them."""

    body: dict[str, Any]
    dropped: tuple[tuple[str, str], ...] = ()
    names: Mapping[str, str] = field(factory=dict)


def translate(
    body: Mapping[str, Any],
    source: Dialect,
    target: Dialect,
    *,
    reasoning: bool = False,
    control: str = "none",
    structured: bool = False,
) -> Translated:
    """`body`, which `source`'s check has passed, as a request in `target`.

    `reasoning`: the provider wants the thinking of earlier turns back. `control`: its ``reasoning_control``; others
    refuse a request that says how hard to think. `structured`: it takes a schema for its answer in the Messages
    dialect. Neither `body` nor what is in it is changed, but parts of it are shared. `RequestError` for what has no
    form and cannot be left out (``n``). LookupError for dialects between which nothing is translated.
    """
    losses = Losses()
    names: Mapping[str, str] = {}
    if source is target:
        out = {key: value for key, value in body.items() if key != "profile"}
    elif (source, target) == (Dialect.MESSAGES, Dialect.CHAT):
        out, names = to_chat(body, losses, control=control, reasoning=reasoning)
    elif (source, target) == (Dialect.CHAT, Dialect.MESSAGES):
        out, names = to_messages(body, losses, control=control, reasoning=reasoning, structured=structured)
    elif (source, target) == (Dialect.RESPONSES, Dialect.CHAT):
        out, names = responses_to_chat(body, losses, control=control, reasoning=reasoning)
    elif (source, target) == (Dialect.RESPONSES, Dialect.MESSAGES):
        out, names = responses_to_messages(
            body, losses, control=control, reasoning=reasoning, structured=structured
        )
    else:
        raise LookupError(f"requests are not translated from {source.value!r} to {target.value!r}")
    return Translated(out, losses.all(), names)
