"""What a check is, and the list that each module of checks adds to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from coderouter_core.model import Dialect

if TYPE_CHECKING:
    from coderouter_core.cli.conformance.gateway import Gateway

Verdict = Literal["pass", "fail", "skip"]

EVERY_DIALECT = (Dialect.MESSAGES, Dialect.CHAT, Dialect.RESPONSES)
ANTHROPIC_AND_CHAT = (Dialect.MESSAGES, Dialect.CHAT)

#: Why every check of what upstreams do is skipped where none is scripted.
NEEDS_UPSTREAM = "it needs a scripted upstream behind the gateway: --upstream PORT"


class Failed(Exception):  # noqa: N818  (it is a finding about somebody else)
    """The gateway does not do what is asserted; the words say what it does instead."""


class Skipped(Exception):  # noqa: N818  (it is no error)
    """It cannot be told whether the gateway does it; the words say why."""


@frozen
class Check:
    """One assertion about a gateway. `source` is where it is written that a gateway must do so.

    `dialect` None: it belongs to no dialect. `scripted`: it needs the scripted upstream behind the gateway. `module`
    is where it stands.
    """

    id: str
    asserts: str
    source: str
    run: Callable[[Gateway], None]
    module: str
    dialect: Dialect | None = None
    scripted: bool = False


@frozen
class Result:
    """What became of a check. `reason` is empty for one that passed."""

    check: Check
    verdict: Verdict
    reason: str
    seconds: float


#: Every check of the modules that were imported.
CHECKS: list[Check] = []


def check(name: str, asserts: str, *, source: str) -> Callable[[Callable[[Gateway], None]], Any]:
    """Add a check that belongs to no dialect."""

    def add(run: Callable[[Gateway], None]) -> Any:
        CHECKS.append(Check(name, asserts, source, run, run.__module__))
        return run

    return add


def dialect_check(
    name: str,
    asserts: str,
    *,
    source: str,
    dialects: Sequence[Dialect] = EVERY_DIALECT,
    scripted: bool = False,
) -> Callable[[Callable[[Gateway, Dialect], None]], Any]:
    """Add a check for each of `dialects`."""

    def add(run: Callable[[Gateway, Dialect], None]) -> Any:
        for dialect in dialects:
            bound = _bound(run, dialect)
            known = Check(
                f"{dialect.value}-{name}", asserts, source, bound, run.__module__, dialect, scripted
            )
            CHECKS.append(known)
        return run

    return add


def _bound(run: Callable[[Gateway, Dialect], None], dialect: Dialect) -> Callable[[Gateway], None]:
    return lambda gateway: run(gateway, dialect)


def expect(holds: object, otherwise: str) -> None:
    """Fail with `otherwise` unless it holds."""
    if not holds:
        raise Failed(otherwise)


def judge(one: Check, gateway: Gateway) -> Result:
    """Run a check. A gateway that answers with what nobody can read has failed it."""
    began = time.perf_counter()
    verdict: Verdict = "pass"
    reason = ""
    try:
        if one.scripted and gateway.upstream is None:
            raise Skipped(NEEDS_UPSTREAM)
        one.run(gateway)
    except Skipped as told:
        verdict, reason = "skip", str(told)
    except Failed as told:
        verdict, reason = "fail", str(told)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        verdict, reason = (
            "fail",
            f"the answer is not of the dialect's shape ({type(error).__name__}: {error})",
        )
    return Result(one, verdict, reason, time.perf_counter() - began)
