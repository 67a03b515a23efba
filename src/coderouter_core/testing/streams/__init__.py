"""Streams as upstreams of all kinds send them, made by chance, and a judge of what becomes of them."""

from __future__ import annotations

from random import Random

from coderouter_core.model import Dialect
from coderouter_core.testing.streams import chat, messages
from coderouter_core.testing.streams.judge import Way, judge
from coderouter_core.testing.streams.said import Dice, End, Said, Stream


def generate(random: Random, dialect: Dialect, choices: int = 1) -> Stream:
    """A stream of an upstream that speaks `dialect`; of several `choices`, which only chat has."""
    dice = Dice(random)
    return chat.generate(dice, choices) if dialect is Dialect.CHAT else messages.generate(dice)


__all__ = ["End", "Said", "Stream", "Way", "generate", "judge"]
