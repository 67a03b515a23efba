"""Play one step of a script to one request."""

from __future__ import annotations

from typing import TypeAlias

from coderouter_core.testing import steps
from coderouter_core.testing.frames import GARBAGE
from coderouter_core.testing.sender import Sender
from coderouter_core.testing.steps import Reply, Step

Broken: TypeAlias = steps.CutAfter | steps.ErrorAfter | steps.StallAfter | steps.GarbageAfter

#: What the status of an error is called in its body.
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
STATUSES = {kind: status for status, kind in KINDS.items()}
PAGE = b"<!doctype html><title>Log in</title><h1>Log in to go on</h1>"
LONG_HEAD = b"HTTP/1.1 200 OK\r\nx-drip: " + b"a" * 4000


async def play(step: Step, sender: Sender) -> None:
    """Do to the request what `step` says."""
    match step:
        case Reply():
            await _reply(step, sender)
        case steps.ProviderError():
            await _provider_error(step, sender)
        case steps.Raw():
            await _raw(step, sender)
        case steps.Html(status=status):
            await sender.whole(status, PAGE, {"content-type": "text/html; charset=utf-8"})
        case steps.Close(rst=rst):
            if rst:
                sender.peer.reset()
        case steps.Hang(seconds=seconds):
            await sender.peer.pause(seconds)
        case steps.DripHead(delay_s=delay_s):
            await sender.drip(LONG_HEAD, delay_s)
        case steps.DripBody():
            await _drip_body(step, sender)
        case steps.EmptyStream():
            await _empty(sender)
        case steps.ErrorFirst(kind=kind, message=message):
            await _error_first(kind, message, sender)
        case steps.CutAfter() | steps.ErrorAfter() | steps.StallAfter() | steps.GarbageAfter():
            await sender.peer.pause(step.reply.first_delay_s)
            await (_break_stream(step, sender) if sender.streamed else _break_whole(step, sender))
        case steps.Refuse():
            # A request that was under way when the upstream shut: to its client, nobody is there.
            sender.peer.reset()


async def _reply(reply: Reply, sender: Sender) -> None:
    await sender.peer.pause(reply.first_delay_s)
    if not sender.streamed:
        count = len(sender.frames(reply)) if reply.delay_s else 0
        await sender.peer.pause(reply.head_delay_s + reply.delay_s * count)
        await sender.whole(200, sender.body(reply))
        return
    await sender.open_stream(reply)
    await sender.events(sender.frames(reply), reply)
    await sender.end_stream()


async def _provider_error(step: steps.ProviderError, sender: Sender) -> None:
    body = step.body
    if body is None:
        kind = KINDS.get(step.status, "api_error" if step.status >= 500 else "invalid_request_error")
        body = sender.error_body(kind, step.message)
    headers = {"content-type": step.content_type, **step.headers}
    await sender.whole(step.status, body.encode() if isinstance(body, str) else body, headers)


async def _raw(step: steps.Raw, sender: Sender) -> None:
    headers = {name.lower(): value for name, value in step.headers.items()}
    if "transfer-encoding" not in headers:
        headers.setdefault("content-length", str(len(step.body)))
    await sender.peer.head(step.status, headers)
    # Never `complete`: what the headers tell of the length may be a lie, and the end of the connection is not.
    await sender.peer.write(step.body)


async def _drip_body(step: steps.DripBody, sender: Sender) -> None:
    if not sender.streamed:
        body = sender.body(step.reply)
        await sender.part(b"", len(body))
        await sender.drip(body, step.delay_s)
        sender.complete = True
        return
    await sender.open_stream(step.reply)
    for frame in sender.frames(step.reply):
        for byte in frame.encode(step.reply.quirks):
            await sender.chunk(bytes([byte]))
            await sender.peer.pause(step.delay_s)
    await sender.end_stream()


async def _empty(sender: Sender) -> None:
    if not sender.streamed:
        await sender.whole(200, b"")
        return
    await sender.open_stream(Reply())
    await sender.events(list(sender.end_marks), Reply())
    await sender.end_stream()


async def _error_first(kind: str, message: str, sender: Sender) -> None:
    if not sender.streamed:
        await sender.whole(200, sender.error_body(kind, message))
        return
    await sender.open_stream(Reply())
    await sender.events([sender.error_frame(kind, message)], Reply())
    await sender.end_stream()


async def _break_stream(step: Broken, sender: Sender) -> None:
    frames = sender.frames(step.reply)
    await sender.open_stream(step.reply)
    await sender.events(frames[: step.events], step.reply)
    match step:
        case steps.CutAfter(rst=True):
            sender.peer.reset()
            return
        case steps.StallAfter(seconds=seconds):
            await sender.peer.pause(seconds)
            return
        case steps.ErrorAfter(kind=kind, message=message):
            await sender.events([sender.error_frame(kind, message)], step.reply)
        case steps.GarbageAfter():
            await sender.chunk(GARBAGE)
            await sender.events(frames[step.events :], step.reply)
    await sender.end_stream()


async def _break_whole(step: Broken, sender: Sender) -> None:
    body = sender.body(step.reply)
    half = body[: len(body) // 2]
    match step:
        case steps.ErrorAfter(kind=kind, message=message):
            await sender.whole(STATUSES.get(kind, 500), sender.error_body(kind, message))
        case steps.GarbageAfter():
            await sender.whole(200, half)
        case steps.StallAfter(seconds=seconds):
            await sender.part(half, len(body))
            await sender.peer.pause(seconds)
        case steps.CutAfter(rst=rst):
            await sender.part(half, len(body))
            if rst:
                sender.peer.reset()
