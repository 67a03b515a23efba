"""What went wrong with one answer, as its provider's error."""

from __future__ import annotations

from attrs import evolve

from coderouter_core.engine.failure import without_key
from coderouter_core.errors import PluginError, UpstreamError
from coderouter_core.model import Fault, Provider


def refused(fault: Fault, status: int, provider: Provider) -> UpstreamError:
    """For a status that is not 2xx; `fault` is what the upstream said with it."""
    fault = without_key(fault, provider)
    if not 400 <= status < 600:
        # A redirect is not followed, and it is not the client's to follow either; 600 and more are no statuses.
        fault = evolve(fault, status=502, kind="api_error", body=None)
    kind = "context" if fault.code == "context_length_exceeded" else "status"
    window = fault.extra.get("n_ctx")
    return UpstreamError(kind, fault, status=status, window=window if isinstance(window, int) else None)


def said(fault: Fault, status: int | None, provider: Provider) -> UpstreamError:
    """For what the upstream said inside an answer with status 200."""
    fault = without_key(fault, provider)
    kinds = {"garbage": "garbage", "context_length_exceeded": "context"}
    return UpstreamError(kinds.get(fault.code or "", "stream"), fault, status=status)


def empty(status: int | None) -> UpstreamError:
    """For an answer that ended properly and said nothing."""
    fault = Fault(502, "api_error", "answered without any content", code="empty")
    return UpstreamError("empty", fault, status=status)


def garbage(fault: Fault, status: int | None) -> UpstreamError:
    """For a body that is no answer; `fault` is what can be made of it."""
    fault = evolve(fault, status=502, kind="api_error", code="garbage")
    return UpstreamError("garbage", fault, status=status)


def unread(error: Exception, status: int | None) -> UpstreamError:
    """For an answer that the router could not work with, in a way that nobody thought of."""
    if isinstance(error, PluginError):
        return UpstreamError("plugin", error.fault, status=status)
    message = f"answered with something that cannot be read ({type(error).__name__})"
    return UpstreamError("garbage", Fault(502, "api_error", message, code="garbage"), status=status)
