"""Open connections."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import httpx

#: How long an address may take before the next one is tried beside it (RFC 8305, section 5).
STAGGER_S = 0.25

Address = tuple[int, int, int, str, tuple[Any, ...]]


def place(host: str, port: int) -> str:
    """Whom a connection leads to, for people."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def dial(
    protocol: asyncio.Protocol, host: str, port: int, context: ssl.SSLContext | None, connect_s: float | None
) -> None:
    """Connect `protocol`, over TLS when there is a `context`.

    Raises `httpx.ConnectTimeout` or `httpx.ConnectError`.
    """
    where = place(host, port)
    try:
        async with asyncio.timeout(connect_s):
            await _connect(protocol, host, port, context)
    except TimeoutError as error:
        raise httpx.ConnectTimeout(_late(where, connect_s)) from error
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(_said(where, error)) from error


async def _connect(protocol: asyncio.Protocol, host: str, port: int, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    name = host if context is not None else None
    if _is_address(host):
        await loop.create_connection(lambda: protocol, host, port, ssl=context, server_hostname=name)
        return
    addresses: Sequence[Address] = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # The loop's own staggering is not used: uvloop has none.
    sock = await first_to_accept(_alternating(addresses))
    # From here the loop owns the socket, and closes it when this fails.
    await loop.create_connection(lambda: protocol, sock=sock, ssl=context, server_hostname=name)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def first_to_accept(addresses: Sequence[Address]) -> socket.socket:
    """A socket connected to one of the addresses.

    They are tried in order, each when the one before has failed or has not answered for
    `STAGGER_S`: an address family that leads nowhere costs a moment and not the connection.
    """
    loop = asyncio.get_running_loop()
    errors: list[OSError] = []
    tasks: list[asyncio.Task[socket.socket]] = []
    trying: set[asyncio.Task[socket.socket]] = set()
    winner: asyncio.Task[socket.socket] | None = None
    waiting = list(addresses)
    try:
        while waiting or trying:
            if waiting:
                tasks.append(loop.create_task(_socket_to(loop, waiting.pop(0))))
                trying.add(tasks[-1])
            done, trying = await asyncio.wait(
                trying,
                timeout=STAGGER_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                error = task.exception()
                if error is None:
                    winner = task
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
                errors.append(error)
        # The one that says most: a machine that refuses is there, whatever another route says.
        raise next((error for error in errors if isinstance(error, ConnectionRefusedError)), errors[0])
    finally:
        for task in tasks:
            if task is not winner:
                task.cancel()
                task.add_done_callback(_discard)


async def _socket_to(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    family, kind, proto, _, place = address
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def _discard(task: asyncio.Task[socket.socket]) -> None:
    """Nobody waits for this one any more."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _alternating(addresses: Sequence[Address]) -> list[Address]:
    """One of each family in turn, in the order the resolver gave."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    other = [address for address in addresses if address[0] != addresses[0][0]]
    pairs = itertools.zip_longest(first, other)
    return [address for pair in pairs for address in pair if address is not None]


def _late(where: str, seconds: float | None) -> str:
    limit = "in time" if seconds is None else f"within {seconds:g} s"
    return f"{where} accepted no connection {limit}"


def _said(where: str, error: OSError | UnicodeError) -> str:
    match error:
        case ConnectionRefusedError():
            return f"connection refused by {where}"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {where} is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"{where} does not speak TLS as it should: {error.reason or error}"
        case socket.gaierror() | UnicodeError():
            return f"the name of {where} leads to no address"
        case _:
            return f"{where} cannot be reached: {error.strerror or error}"
