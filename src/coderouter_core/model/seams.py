"""The seams: what adapters, ledgers, clocks, filters and the router itself promise each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from coderouter_core.model.attempt import Answer, Attempt, Call
from coderouter_core.model.provider import Provider
from coderouter_core.model.request import Dialect, Operation
from coderouter_core.model.usage import Cost, Usage
from coderouter_core.model.verdicts import Said
from coderouter_core.model.views import BudgetStanding, ChainView, Live, Standing

if TYPE_CHECKING:
    from coderouter_core.model.stream import StreamEvent


class Clock(Protocol):
    """Time, passed in so that tests can turn it."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations and deadlines."""

    def utc(self) -> dt.datetime:
        """Now, aware, in UTC."""


@runtime_checkable
class Adapter(Protocol):
    """Speaks to one provider; the only thing that does upstream I/O.

    `dialects` are those it can be called in, the best one first. One that can do more than generate says so in
    `operations`, a collection of `Operation`; what else than to generate is asked for is asked for in the chat
    dialect, in OpenAI's words.
    """

    dialects: Sequence[Dialect]

    async def start(self) -> None:
        """Make ready. Called once, in the event loop, before the first call."""

    async def open(self, call: Call) -> Answer:
        """Send the call and return when the upstream's status and headers are there.

        Any HTTP status is an answer. Raises `UpstreamError` of kind ``transport`` or ``timeout``.
        """

    async def vitals(self) -> Mapping[str, Any]:
        """What the backend tells of its load and memory; empty when it tells nothing."""

    async def count_tokens(self, call: Call) -> int | None:
        """Tokens of the call's prompt by the backend's own count; None when it cannot say."""

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """The models it offers, each with at least `id`; `context_window` in tokens where known."""

    async def aclose(self) -> None:
        """Let go of connections and processes. Called once, after the last answer."""


def operations_of(adapter: Adapter) -> Collection[Operation]:
    """What `adapter` can be asked for: to generate, unless it says more."""
    said: Collection[Operation] = getattr(adapter, "operations", (Operation.GENERATE,))
    return said


class StreamFilter(Protocol):
    """Changes the events of one answer. `stage` orders filters: strip before repair.

    One that can tell at little cost has also ``passes(text: str) -> bool``, which is asked in place of everything
    else: whether it would have nothing to change, nor to tell, in a whole answer that is this one text.
    """

    stage: int

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        """The events to pass on in place of `event`, perhaps none, perhaps held-back ones too."""

    def flush(self) -> Iterable[StreamEvent]:
        """What is still held back, when the answer ends."""


def passes(filter_: StreamFilter, text: str) -> bool:
    """Whether `filter_` is known to leave a whole answer alone that is this one `text`."""
    asked: Callable[[str], bool] | None = getattr(filter_, "passes", None)
    return asked is not None and asked(text)


class Ledger(Protocol):
    """The durable record of attempts, and the counters and marks that guards share.

    All but `reserve`, `open` and `aclose` return at once: reads are from memory, writes are carried
    to the store by the ledger itself.
    """

    async def open(self) -> None:
        """Make ready; recover what an earlier process left."""

    async def aclose(self) -> None:
        """Carry everything to the store, then let go of it."""

    def start(self, attempt: Attempt) -> None:
        """Record that the attempt begins. On disk when this returns, should the process die."""

    def settle(self, attempt: Attempt) -> None:
        """Record how the attempt ended, and add what it cost to the spending (see `spending`) of its provider, its
        profile and its client key, in one step. Once for each attempt."""

    def trace(self, request_id: str, facts: Mapping[str, Any]) -> None:
        """Record the way a request took."""

    def traces(self, request_id: str | None = None, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """Recorded ways, newest first: `request_id`, `at` (Unix time), `facts`. May be called in a thread."""

    def add(self, counter: str, amount: float) -> None:
        """Add to a counter."""

    def total(self, counter: str) -> float:
        """A counter's value over all workers, at most a second old."""

    async def reserve(self, counter: str, amount: float, cap: float) -> str | None:
        """Hold `amount`; a token to release it by, or None when settled plus held has reached `cap`.

        Atomic across workers."""

    def release(self, token: str) -> None:
        """Let go of a held amount. Twice is once."""

    def mark(self, key: str, ttl_s: float) -> None:
        """Set a mark that lasts `ttl_s` seconds; marking again extends it."""

    def marked(self, key: str) -> float:
        """Seconds a mark still lasts; 0.0 when there is none."""

    def attempts(self, request_id: str | None = None, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        """Recorded attempts, newest first, as plain values."""

    def sums(self, by: str, since: float = 0.0, zone: dt.tzinfo = dt.UTC) -> Mapping[str, Mapping[str, Any]]:
        """What attempts that began since `since` (Unix time) used and cost, by ``day`` or ``month`` of `zone`, oldest
        first, or by ``provider`` or ``profile``, the dearest first: `requests`, `attempts`, tokens, `cost_usd`,
        `savings_usd`, `unpriced`. What was recorded within the last second may be missing. May be called in a thread."""

    def health(self) -> Mapping[str, Any]:
        """`ok`, and figures of the store for metrics."""


class Router(Protocol):
    """All that a plugin may reach."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def draining(self) -> bool:
        """Whether it was told to stop: what never ends by itself, like a stream of news, ends now."""

    def emit(self, name: str, /, **fields: Any) -> None:
        """Emit an event of the catalogue (see `declare_events`)."""

    def price(self, provider: Provider, usage: Usage) -> Cost:
        """What `usage` costs at `provider`, as `compute_cost` would say."""

    async def vitals(self, provider: Provider) -> Mapping[str, Any]:
        """What the provider's adapter tells of its backend."""

    def live(self) -> Sequence[Live]:
        """The requests in flight, oldest first."""

    def chains(self) -> Sequence[ChainView]:
        """What a plain request would get of each profile now. Nothing is told of it, and nothing held for it."""

    def standings(self) -> Sequence[Said[Standing | BudgetStanding]]:
        """What every plugin tells of providers and budgets (see `report_standing`)."""

    def held(self, counter: str) -> float:
        """What attempts under way in this process hold of a counter of the ledger (see `Reservation`)."""

    def log_health(self) -> Mapping[str, Mapping[str, int]]:
        """By sink of the log: lines `written`, and those `dropped` because it could not keep up or failed."""
