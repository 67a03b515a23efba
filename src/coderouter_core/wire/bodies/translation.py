"""Translate a request's body, and tell what of it could not be carried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from coderouter_core.model import Dialect
from coderouter_core.wire.bodies.losses import Losses
from coderouter_core.wire.bodies.to_chat import to_chat
from coderouter_core.wire.bodies.to_messages import to_messages


@frozen
class Translated:
    """A body in another dialect. `dropped` are (field, reason) of what has no form there."""

    body: dict[str, Any]
    dropped: tuple[tuple[str, str], ...] = ()


def translate(
    body: Mapping[str, Any],
    source: Dialect,
    target: Dialect,
    *,
    effort: bool = False,
    reasoning: bool = False,
) -> Translated:
    """`body`, which `source`'s check has passed, as a request in `target`.

    `effort`: the provider takes the dialect's field for how hard to think; others refuse a request that has it.
    `reasoning`: the provider wants the thinking of earlier turns back. Neither `body` nor what is in it is
    changed, but parts of it are shared. LookupError for dialects between which nothing is translated.
    """
    losses = Losses()
    if source is target:
        out = {key: value for key, value in body.items() if key != "profile"}
    elif (source, target) == (Dialect.MESSAGES, Dialect.CHAT):
        out = to_chat(body, losses, effort=effort, reasoning=reasoning)
    elif (source, target) == (Dialect.CHAT, Dialect.MESSAGES):
        out = to_messages(body, losses, effort=effort)
    else:
        raise LookupError(f"requests are not translated from {source.value!r} to {target.value!r}")
    return Translated(out, losses.all())
