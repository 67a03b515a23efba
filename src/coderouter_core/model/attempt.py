"""One try of one provider: what is asked, what comes back, what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import StrEnum

from attrs import field, frozen

from coderouter_core.model.provider import Profile, Provider
from coderouter_core.model.request import Dialect, Operation
from coderouter_core.model.usage import NOTHING, Cost, Usage

#: Our own entry in a ``via`` header (RFC 9110, section 7.6.3).
VIA = "1.1 coderouter"


class Outcome(StrEnum):
    """How an attempt ended. UNSETTLED: the process died under it."""

    STARTED = "started"
    OK = "ok"
    FAILED = "failed"
    BROKEN = "broken"
    CANCELLED = "cancelled"
    UNSETTLED = "unsettled"


@frozen
class Limits:
    """Seconds an upstream may take: to accept a connection, to its first content, between content; and to its first
    content when it said that it began and may think without a word."""

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 120.0
    thinking_s: float = 600.0


@frozen(eq=False)
class Call:
    """What an adapter is asked to send. `body` is encoded in `dialect`, one of the adapter's.

    `headers` are those of the client that may travel (``anthropic-*``), lower case, never credentials.
    `via` is the standard header that lets routers in a row notice a loop; `trace` are those of W3C Trace Context.
    """

    provider: Provider
    request_id: str
    dialect: Dialect
    operation: Operation
    body: bytes = field(repr=False)
    stream: bool
    limits: Limits
    headers: Mapping[str, str] = field(factory=dict)
    via: str = VIA
    trace: Mapping[str, str] = field(factory=dict)


async def _nothing() -> None:
    return None


@frozen(eq=False)
class Answer:
    """What an upstream sends back. `chunks` are bytes of the call's dialect as they come,
    split anywhere; `aclose` ends the exchange and must be called. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes] = field(repr=False)
    aclose: Callable[[], Awaitable[None]] = field(default=_nothing, repr=False)


@frozen(eq=False)
class Attempt:
    """One try of one provider. Times in seconds; `started_at` is Unix time, UTC.

    `first_token_s` is from the start of the attempt to the first content. `usage` is what the upstream
    reported, or estimated where `estimated` says so. `error_text` is the upstream's own words, at
    most 2,000 characters; `error_kind` is one of ``transport``, ``timeout``, ``status``, ``garbage``,
    ``empty``, ``stream``, ``context``, ``plugin``.
    """

    id: str
    request_id: str
    profile: Profile
    provider: Provider
    number: int
    dialect: Dialect
    stream: bool
    started_at: float
    model: str = ""
    session_id: str | None = None
    client_key: str | None = None
    operation: Operation = Operation.GENERATE
    outcome: Outcome = Outcome.STARTED
    status: int | None = None
    error_kind: str | None = None
    error_text: str = ""
    retry_after_s: float | None = None
    seconds: float = 0.0
    first_token_s: float | None = None
    usage: Usage = NOTHING
    estimated: bool = False
    cost: Cost | None = None
