"""Errors as OpenAI writes them."""

from __future__ import annotations

import orjson

from coderouter_core.model import Dialect, Fault
from coderouter_core.wire import sse
from coderouter_core.wire.messages.errors import one_line

DONE = b"data: [DONE]\n\n"

_TYPES = {
    "billing_error": "insufficient_quota",
    "conflict_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "api_error": "server_error",
    "timeout_error": "server_error",
    "overloaded_error": "server_error",
}
_CODES = {
    "billing_error": "insufficient_quota",
    "rate_limit_error": "rate_limit_exceeded",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
}


def kind_of(fault: Fault) -> tuple[str, str | None]:
    """OpenAI's type and code of an error."""
    return _TYPES.get(fault.kind, fault.kind), fault.code or _CODES.get(fault.kind)


def error_body(fault: Fault, request_id: str) -> bytes:
    """The body of an HTTP answer; the upstream's own where it speaks this dialect, since clients read its words."""
    if fault.body is not None and fault.dialect == Dialect.CHAT:
        return fault.body
    kind, code = kind_of(fault)
    error = {**fault.extra, "message": fault.message, "type": kind, "param": None, "code": code}
    return orjson.dumps({"error": error, "request_id": request_id})


def error_frames(fault: Fault, request_id: str) -> bytes:
    """The last frames of a stream."""
    return sse.write(one_line(error_body(fault, request_id))) + DONE
