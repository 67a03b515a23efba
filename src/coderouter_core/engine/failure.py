"""What a failed attempt means: go on or stop, and which error the client is told in the end."""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson
from attrs import evolve, frozen

from coderouter_core.capabilities.gates import SKIP_WINDOW
from coderouter_core.errors import UpstreamError, listing
from coderouter_core.model import Fault, Provider, Rejection
from coderouter_core.wire import too_long

#: A 400 whose words say that this provider cannot, not that the request is wrong.
_PROVIDERS_OWN = re.compile(
    r"not enabled|not support|n't support|unsupported|not available|not found|no such model|unknown model"
    r"|failed to parse grammar|unable to generate parser|json schema (?:error|conversion)"
    r"|stream_options|invalid model|not a valid model|credit balance|insufficient (?:credit|quota|balance)|api key",
    re.IGNORECASE,
)

CONTEXT = "context_length_exceeded"

#: A piece of a key this long, where a message was cut, is as bad as the key.
SHORTEST_PIECE = 6


@frozen(eq=False)
class Failed:
    """One provider that did not answer, and why."""

    provider: Provider
    error: UpstreamError


def forgotten(error: UpstreamError) -> UpstreamError:
    """`error` without the frames it was raised in: kept with them, it would keep the request's body alive until the
    garbage collector comes by."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def says_context(error: UpstreamError) -> bool:
    return error.kind == "context" or error.fault.code == CONTEXT


def is_clients_fault(error: UpstreamError) -> bool:
    """True for an answer that any other provider would give as well: 400 and 422 about the request itself."""
    if error.kind != "status" or error.status not in (400, 422) or says_context(error):
        return False
    return _PROVIDERS_OWN.search(error.fault.message) is None


def refuses_usage(error: UpstreamError) -> bool:
    """Whether a provider takes offence at ``stream_options``, which the router had put into the body."""
    return error.kind == "status" and error.status in (400, 422) and "stream_options" in error.fault.message


def _rank(failed: Failed) -> int:
    """How useful an error is to the client; the smallest wins, among equals the last."""
    error, status = failed.error, failed.error.status
    if says_context(error) or is_clients_fault(error):
        return 0
    if status == 413:
        return 1
    if status == 429:
        return 2
    if status in (401, 402, 403):
        return 3
    if status in (404, 410):
        return 4
    return 5 if error.kind == "status" else 6


def brief(error: UpstreamError, how: str) -> str:
    """A failure in a few words, for a header, which others log: as much of the upstream's words as `quoted` gives."""
    words = quoted(error.fault.message, how)[:200]
    return ": ".join(str(part) for part in (error.status, words) if part) or error.kind


def summary(error: UpstreamError) -> str:
    """A failure in a few words, for lists: status and the upstream's own message."""
    status = f"{error.status}: " if error.status else ""
    wait = error.fault.retry_after_s
    after = f", retry after {wait:.0f} s" if wait is not None else ""
    return f"{status}{error.fault.message}{after}"


def without_key(fault: Fault, provider: Provider) -> Fault:
    """Some upstreams quote the key they were sent, in an error or in garbage; it must not reach clients, logs or
    the ledger: not spelled with escapes, nor in a field beside the message, nor cut off at the message's end."""
    for secret in provider.secrets():
        fault = _without(fault, secret)
    return fault


def _without(fault: Fault, key: str) -> Fault:
    body = fault.body
    if body is not None:
        body = body.replace(key.encode(), b"***")
        if _holds(body, key):
            body = None
    extra = {} if key in repr(dict(fault.extra)) else fault.extra
    code = None if fault.code is not None and key in fault.code else fault.code
    return evolve(fault, message=_masked(fault.message, key), body=body, extra=extra, code=code)


def _holds(body: bytes, key: str) -> bool:
    """Whether JSON in `body` spells `key` once it is decoded."""
    try:
        return key.encode() in orjson.dumps(orjson.loads(body))
    except ValueError:
        return False


def _masked(text: str, key: str) -> str:
    text = text.replace(key, "***")
    for length in range(len(key) - 1, SHORTEST_PIECE - 1, -1):
        at = text.rfind(key[:length])
        if at >= 0 and len(text) - at - length <= 3:
            return f"{text[:at]}***"
    return text


def quoted(text: str, how: str) -> str:
    """An upstream's words, which may quote the prompt, cut as the operator wants them (`log_upstream_errors`)."""
    return "" if how == "none" else text if how == "full" else text[:200]


def verdict(profile: str, failed: Sequence[Failed], rejected: Sequence[Rejection]) -> Fault:
    """The error for a request that no provider could answer."""
    reasons = [(each.provider.name, f"skipped, {each.reason}") for each in rejected]
    reasons += [(each.provider.name, summary(each.error)) for each in failed]
    text = listing(f"no provider could answer {profile!r}", reasons)
    if failed:
        best = min(reversed(failed), key=_rank)
        fault = best.error.fault
        if _rank(best) <= 4 and fault.message:
            return fault
        return (
            fault if fault.body is not None and len(reasons) == 1 else evolve(fault, message=text, body=None)
        )
    return _nobody(text, rejected)


def _fits_nowhere(rejected: Sequence[Rejection]) -> Fault | None:
    """The prompt is too long for all whom no other lasting reason keeps away: the client can make it shorter."""
    small = [each for each in rejected if each.event == SKIP_WINDOW]
    names = {each.provider.name for each in small}
    if not small or any(not _is_for_good(each) and each.provider.name not in names for each in rejected):
        return None
    told = max(small, key=lambda each: each.fields["window"]).fields
    return too_long(f"{told['tokens']} tokens > {told['window']} maximum")


def _is_for_good(rejection: Rejection) -> bool:
    return rejection.status in (402, 501) or rejection.event == "skip-missing-key"


def _nobody(text: str, rejected: Sequence[Rejection]) -> Fault:
    """Everybody was skipped: 402 when only money is in the way, 501 when nobody has what is asked for, else 503 with the soonest return."""
    if (fault := _fits_nowhere(rejected)) is not None:
        return fault
    statuses = {each.status for each in rejected}
    if statuses == {501}:
        return Fault(501, "api_error", text, code="no_provider_eligible", should_retry=False)
    if statuses and statuses <= {402, 501}:
        return Fault(402, "billing_error", text, code="no_provider_eligible", should_retry=False)
    for_good = all(map(_is_for_good, rejected))
    waits = [each.retry_after_s for each in rejected if each.retry_after_s is not None]
    return Fault(
        503,
        "overloaded_error" if waits else "api_error",
        text,
        code="no_provider_eligible",
        retry_after_s=min(waits, default=None),
        should_retry=False if rejected and for_good else None,
    )
