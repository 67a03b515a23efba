"""Read an error from whatever an upstream answers; words for the errors that are found on the way."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from attrs import evolve

from coderouter_core.model import Dialect, Fault
from coderouter_core.wire.lenient import table
from coderouter_core.wire.overflow import CODE, says_too_long

#: An upstream's own words are kept up to this many characters.
MOST_WORDS = 2000

STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_KIND_OF = {status: kind for kind, status in STATUS_OF.items()} | {
    408: "timeout_error",
    503: "overloaded_error",
}
#: What OpenAI-like servers call things, for errors that come without an HTTP status of their own.
_STATUS_BY_WORD = {
    "exceed_context_size_error": 400,
    "invalid_api_key": 401,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "not_supported_error": 501,
    "server_error": 500,
    "unavailable_error": 503,
    "service_unavailable": 503,
    "timeout": 504,
    **STATUS_OF,
}
#: Fields of an error object that travel with it, beside its words.
_KEPT = ("n_ctx", "n_prompt_tokens", "details")


def garbage(message: str) -> Fault:
    """The upstream's bytes are not what its dialect allows."""
    return Fault(502, "api_error", message, code="garbage")


def truncated() -> Fault:
    """The upstream's stream ended too early."""
    return Fault(502, "api_error", "the upstream ended its answer before it was complete", code="truncated")


def finished_badly(finish: str, kind: str) -> Fault:
    """The upstream's finish reason says that it failed."""
    return Fault(STATUS_OF[kind], kind, f"the upstream ended its answer with finish_reason {finish!r}")


def kind_of(status: int) -> str:
    """The Anthropic error type of an HTTP status."""
    return _KIND_OF.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def read(
    status: int, headers: Mapping[str, str], body: bytes, dialect: Dialect, *, now: float | None = None
) -> Fault:
    """What an answer with an error status says; any bytes may come.

    `now` is Unix time, for a ``retry-after`` that is a date where the answer itself carries no ``date``.
    """
    wait = retry_after_s(headers, now)
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        fault = _of(status, _prose(status, headers, body))
        return evolve(fault, retry_after_s=wait)
    return evolve(of_json(decoded, dialect, status, body), retry_after_s=wait)


def of_json(decoded: Any, dialect: Dialect, status: int | None = None, raw: bytes | None = None) -> Fault:
    """What a decoded error says, of whatever shape. `status` None: it came inside a 200, and says its own."""
    error = _error_part(decoded)
    names = tuple(str(error[key]) for key in ("type", "code", "status") if error.get(key) not in (None, ""))
    if status is None or status < 400:
        status = _own_status(error, names)
    message = _words(error) or f"answered {status} without saying why"
    fault = _of(status, message[:MOST_WORDS], names)
    code = error.get("code")
    if fault.code is None and isinstance(code, str) and not code.isdigit():
        fault = evolve(fault, code=code[:100])
    if extra := {key: error[key] for key in _KEPT if error.get(key) is not None}:
        fault = evolve(fault, extra=extra)
    if _well_formed(decoded, dialect):
        fault = evolve(fault, body=orjson.dumps(decoded) if raw is None else raw, dialect=dialect.value)
    return fault


def _of(status: int, message: str, names: tuple[str, ...] = ()) -> Fault:
    if says_too_long(status, names, message):
        return Fault(400, "invalid_request_error", message, code=CODE)
    kind = kind_of(status)
    if kind == "api_error" and (said := [name for name in names if STATUS_OF.get(name, 0) >= 500]):
        kind = said[0]
    return Fault(status, kind, message)


def _error_part(decoded: Any) -> dict[str, Any]:
    """The object that holds the words: Anthropic's, OpenAI's, Ollama's, FastAPI's, Gemini's list of one."""
    if isinstance(decoded, list):
        decoded = next((item for item in decoded if isinstance(item, dict)), {})
    if not isinstance(decoded, dict):
        return {"message": decoded} if isinstance(decoded, str) else {}
    error = decoded.get("error")
    return error if isinstance(error, dict) else decoded


def _words(error: Mapping[str, Any]) -> str:
    for key in ("message", "detail", "msg", "error_description", "title", "error"):
        if text := _text(error.get(key)):
            return text
    return _text(error.get("errors"))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return _words(value)
    if isinstance(value, list):
        return "; ".join(filter(None, (_problem(item) for item in value[:20])))
    return ""


def _problem(item: Any) -> str:
    """One entry of FastAPI's ``detail`` list: where, and what."""
    if not isinstance(item, dict):
        return _text(item)
    place = item.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    return ": ".join(filter(None, (where, _words(item))))


def _own_status(error: Mapping[str, Any], names: tuple[str, ...]) -> int:
    code = error.get("code", error.get("status"))
    number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code
    if isinstance(number, int) and 400 <= number < 600:
        return number
    return next((_STATUS_BY_WORD[name] for name in names if name in _STATUS_BY_WORD), 500)


def _well_formed(decoded: Any, dialect: Dialect) -> bool:
    outer = table(decoded)
    error = table(outer.get("error"))
    if not isinstance(error.get("message"), str):
        return False
    if dialect is Dialect.MESSAGES:
        return outer.get("type") == "error" and isinstance(error.get("type"), str)
    return outer.get("type") != "error"


def _prose(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Words for a body that is not JSON. A page of HTML is named, never quoted."""
    start = body[:512].lstrip().lower()
    if "html" in headers.get("content-type", "").lower() or (start[:1] == b"<" and b"html" in start):
        return f"answered {status} with HTML"
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        return f"answered {status} with {len(body)} bytes that are not text"
    if not text.isprintable() and any(ord(char) < 32 and char not in "\t\r\n" for char in text[:MOST_WORDS]):
        return f"answered {status} with {len(body)} bytes that are not text"
    return text[:MOST_WORDS] or f"answered {status} with an empty body"


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait: ``retry-after-ms`` first, then ``retry-after`` as seconds or HTTP date.

    A date is measured from the answer's own ``date``, so that two clocks need not agree; without one from `now`.
    """
    if (wait := _number(headers.get("retry-after-ms"))) is not None:
        return wait / 1000
    said = headers.get("retry-after")
    if said is None or (wait := _number(said)) is not None:
        return wait
    then, since = _date(said), _date(headers.get("date"))
    since = now if since is None else since
    return None if then is None or since is None else max(0.0, then - since)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _date(text: str | None) -> float | None:
    try:
        value = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
