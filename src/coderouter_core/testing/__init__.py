"""For tests of plugins and of the router itself: scripted upstreams, a router around them, a clock to turn."""

from coderouter_core.testing.asked import Asked
from coderouter_core.testing.clock import FakeClock
from coderouter_core.testing.conformance import conformance
from coderouter_core.testing.peer import Received
from coderouter_core.testing.router import make_router
from coderouter_core.testing.script import Script
from coderouter_core.testing.served import ServedRouter
from coderouter_core.testing.steps import (
    Close,
    CutAfter,
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

__all__ = [
    "Asked",
    "Close",
    "CutAfter",
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
]
