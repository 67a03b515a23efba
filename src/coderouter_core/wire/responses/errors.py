"""Errors as the Responses API writes them."""

from __future__ import annotations

from typing import Any

import orjson

from coderouter_core.model import Fault
from coderouter_core.wire.chat.errors import kind_of
from coderouter_core.wire.overflow import CODE

#: The codes that clients of a stream act upon: wait, give up. Anything else is tried again, which is right for a
#: provider that is overloaded: clients give up on a code that says so.
_CODES = {
    "rate_limit_error": "rate_limit_exceeded",
    "billing_error": "insufficient_quota",
    "invalid_request_error": "invalid_prompt",
    "request_too_large": "invalid_prompt",
}


def error_body(fault: Fault, request_id: str) -> bytes:
    """The body of an HTTP answer. Always written anew: no upstream speaks this dialect."""
    kind, code = kind_of(fault)
    error = {"param": None, **fault.extra, "message": fault.message, "type": kind, "code": code}
    return orjson.dumps({"error": error, "request_id": request_id})


def error_of(fault: Fault) -> dict[str, Any]:
    """The ``error`` of a failed response. How long to wait stands in its words, where clients look for it."""
    message = fault.message
    if fault.kind == "rate_limit_error" and fault.retry_after_s is not None:
        message = f"{message} (try again in {fault.retry_after_s:g}s)"
    return {
        "code": CODE if fault.code == CODE else _CODES.get(fault.kind, "server_error"),
        "message": message,
    }
