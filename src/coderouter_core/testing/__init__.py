"""For tests of plugins and of the router itself: scripted upstreams, a router around them, a clock to turn."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from coderouter_core.testing.asked import Asked
from coderouter_core.testing.certificates import self_signed
from coderouter_core.testing.clock import FakeClock
from coderouter_core.testing.conformance import conformance
from coderouter_core.testing.peer import Received
from coderouter_core.testing.steps import (
    Close,
    CutAfter,
    Depends,
    DripBody,
    DripHead,
    EmptyStream,
    ErrorAfter,
    ErrorFirst,
    GarbageAfter,
    Hang,
    Html,
    ProviderError,
    Quirk,
    Raw,
    Refuse,
    Reply,
    StallAfter,
    Step,
    Steps,
    ToolCall,
)
from coderouter_core.testing.upstream import Upstream

if TYPE_CHECKING:
    from coderouter_core.testing.router import make_router
    from coderouter_core.testing.script import Script
    from coderouter_core.testing.served import ServedRouter

__all__ = [
    "Asked",
    "Close",
    "CutAfter",
    "Depends",
    "DripBody",
    "DripHead",
    "EmptyStream",
    "ErrorAfter",
    "ErrorFirst",
    "FakeClock",
    "GarbageAfter",
    "Hang",
    "Html",
    "ProviderError",
    "Quirk",
    "Raw",
    "Received",
    "Refuse",
    "Reply",
    "Script",
    "ServedRouter",
    "StallAfter",
    "Step",
    "Steps",
    "ToolCall",
    "Upstream",
    "conformance",
    "make_router",
    "self_signed",
]

#: What brings the web server and every other part of a router along; tests that need none do without.
_LATER = {"Script": "script", "ServedRouter": "served", "make_router": "router"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
