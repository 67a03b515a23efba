"""What is done to sockets directly."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket

#: When to begin asking a silent peer whether it is still there. Load balancers and home routers
#: forget connections that are silent for minutes, and a long prefill is.
KEEPALIVE_S = 60


def tune(transport: asyncio.BaseTransport) -> None:
    """Small writes leave at once, and a peer that vanished is noticed."""
    sock = transport.get_extra_info("socket")
    # Some systems refuse for a peer that has left already, which is found out soon enough.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)


def has_something_to_say(transport: asyncio.BaseTransport) -> bool:
    """Whether something lies ready to be read, which on a kept connection is nearly always its end.

    The event loop would tell too, but only after what runs now.
    """
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
