"""Errors as Anthropic writes them."""

from __future__ import annotations

import orjson
from attrs import evolve

from coderouter_core.model import Dialect, Fault
from coderouter_core.wire import sse
from coderouter_core.wire.overflow import for_anthropic_clients

#: What clients look for in an error's words where no status tells that another try is worth while.
AGAIN = "try again later"


def error_body(fault: Fault, request_id: str) -> bytes:
    """The body of an HTTP answer; the upstream's own where it speaks this dialect, since clients read its words."""
    if fault.body is not None and fault.dialect == Dialect.MESSAGES:
        return fault.body
    error = {**fault.extra, "type": fault.kind, "message": for_anthropic_clients(fault)}
    return orjson.dumps({"type": "error", "error": error, "request_id": request_id})


def error_frames(fault: Fault, request_id: str) -> bytes:
    """The last frame of a stream, which tells clients in words that the upstream broke and may be well the next time."""
    if fault.status in (502, 504) and fault.body is None and AGAIN not in fault.message:
        fault = evolve(fault, message=f"{fault.message}; {AGAIN}")
    return sse.write(one_line(error_body(fault, request_id)), "error")


def one_line(body: bytes) -> bytes:
    """JSON without line ends, so that it fits a ``data:`` line."""
    return orjson.dumps(orjson.loads(body)) if b"\n" in body or b"\r" in body else body
