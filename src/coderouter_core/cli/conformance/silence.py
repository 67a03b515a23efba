"""The check of what a client hears while the upstream is silent."""

from __future__ import annotations

from itertools import islice

from coderouter_core.cli.conformance.check import Skipped, dialect_check, expect
from coderouter_core.cli.conformance.gateway import Gateway
from coderouter_core.model import Dialect
from coderouter_core.testing import Hang

NEEDS_SILENCE = "say how long an upstream thinks before its first word: --silence SECONDS"


@dialect_check(
    "keep-alive",
    "While the upstream thinks, a client that streams hears that somebody is there.",
    source="Claude Code, LLM gateway protocol; gateways in the wild",
    scripted=True,
)
def keep_alive(gateway: Gateway, dialect: Dialect) -> None:
    if gateway.silence_s is None:
        raise Skipped(NEEDS_SILENCE)
    gateway.ask(dialect)  # Skips where there is no such route.
    before = len(gateway.behind.calls)
    gateway.play(Hang(gateway.silence_s))
    with gateway.left(dialect) as response:
        # A stream that is opened at once and says no more is taken for dead as well: the second word counts.
        heard = [*islice(response.iter_raw(), 2)]
        # Asked again, or told of an error: the silence was over before.
        silent = len(gateway.behind.calls) == before + 1 and not any(b"error" in piece for piece in heard)
    expect(
        response.status_code == 200 and len(heard) == 2 and silent,
        f"nothing was heard for the {gateway.silence_s:g} s in which the upstream was silent",
    )
