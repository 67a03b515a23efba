"""Ids of requests and attempts."""

from __future__ import annotations

import random

# A generator of its own, seeded by the system: nobody's `random.seed` makes ids repeat. Ids are no secrets,
# and asking the system for each would let go of the interpreter's lock, which costs more than the id.
_GENERATOR = random.Random()  # noqa: S311


def new_id() -> str:
    """128 random bits in hex."""
    return f"{_GENERATOR.getrandbits(128):032x}"
