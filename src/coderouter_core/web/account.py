"""That a request came, and how it ended: two events, each told once, whatever happens in between."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from coderouter_core.engine import Report
from coderouter_core.engine.report import Total
from coderouter_core.events import current_request, current_session
from coderouter_core.ids import new_id
from coderouter_core.model import Dialect
from coderouter_core.model.request import session_of
from coderouter_core.router import CodeRouter

#: The status of a request whose client did not wait for one.
CLIENT_GONE = 499
#: W3C Trace Context. A later version of it than 00 may say more after a dash.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{0,70})?")
TRACESTATE = re.compile(r"[\t -~]*")
#: Characters; longer ones are not the standard's.
MOST_TRACESTATE = 512
NOTHING = Total(0, 0, 0, 0, 0, 0.0, 0.0, priced=True, estimated=False)


class Account:
    """One request, from its first byte on; it gets its id here, and every event meanwhile has it.

    A context: whoever leaves it without having told an end has failed.
    """

    def __init__(
        self,
        router: CodeRouter,
        dialect: Dialect,
        operation: str,
        headers: Mapping[str, str],
    ) -> None:
        self.began = time.perf_counter()
        self.id = f"req_{new_id()}"
        self._router = router
        self._dialect = dialect
        self._operation = operation
        self._traceparent, self._tracestate = _traced(headers) if "traceparent" in headers else (None, None)
        self._stream = False
        self._came = False
        self._ended = False
        current_request.set(self.id)
        current_session.set(session_of(headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended(500, "failed")

    def came(self, model: str = "", *, stream: bool = False, size: int = 0) -> None:
        """The request is read, or as much of it as will be."""
        if self._came:
            return
        self._came, self._stream = True, stream
        self._router.events.emit(
            "request-received",
            dialect=self._dialect.value,
            operation=self._operation,
            model=model[:200],
            stream=stream,
            bytes=size,
            traceparent=self._traceparent,
            tracestate=self._tracestate,
        )

    def left(self) -> None:
        """The client left while its request was read."""
        self.came()
        self._router.events.emit("client-disconnected", profile=None, provider=None, phase="reading")
        self.ended(CLIENT_GONE, "cancelled")

    def ended(
        self, status: int, outcome: str, report: Report | None = None, profile: str | None = None
    ) -> None:
        """How it ended; whatever is said after the first time is not told."""
        if self._ended:
            return
        self.came()
        self._ended = True
        total_s = time.perf_counter() - self.began
        waited_s, first_s, total = 0.0, None, NOTHING
        provider, attempts = None, 0
        if report is not None:
            waited_s, first_s, total = report.waited_s, report.first_token_s, report.total
            profile = report.profile.name if report.profile else None
            provider, attempts = report.provider.name if report.provider else None, report.attempts
        self._router.events.emit(
            "request-finished",
            profile=profile,
            provider=provider,
            dialect=self._dialect.value,
            operation=self._operation,
            stream=self._stream,
            attempts=attempts,
            status=status,
            outcome=outcome,
            input_tokens=total.input,
            output_tokens=total.output,
            cache_read_tokens=total.cache_read,
            cache_write_tokens=total.cache_write,
            reasoning_tokens=total.reasoning,
            cost_usd=total.cost_usd,
            savings_usd=total.savings_usd,
            priced=total.priced,
            estimated=total.estimated,
            ttft_ms=None if first_s is None else round(first_s * 1000, 1),
            duration_ms=round(total_s * 1000, 1),
            overhead_ms=round((total_s - waited_s) * 1000, 2),
        )


def _traced(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The trace that the request belongs to. Anything else in these headers is nothing to write down."""
    parent, state = headers["traceparent"].strip(), headers.get("tracestate", "")
    if not TRACEPARENT.fullmatch(parent):
        return None, None
    return parent, (_whole_members(state) if TRACESTATE.fullmatch(state) else "") or None


def _whole_members(tracestate: str) -> str:
    """As many members as may be kept: half of one would be another value."""
    if len(tracestate) <= MOST_TRACESTATE:
        return tracestate
    return tracestate[: MOST_TRACESTATE + 1].rpartition(",")[0]
