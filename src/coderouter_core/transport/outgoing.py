"""A request as the bytes that go out."""

from __future__ import annotations

import httpx


async def outgoing(request: httpx.Request) -> tuple[bytes, bytes]:
    """Head and body. `httpx.LocalProtocolError` for what cannot be said in HTTP/1.1.

    A body that is a stream is read first: nothing here sends one that does not fit into memory.
    """
    stream = request.stream
    body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else await request.aread()
    url = request.url
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), url.raw_path)]
    unnamed = True
    length = None
    for name, value in request.headers.raw:
        lowered = name.lower()
        if lowered == b"host":
            unnamed = False
        elif lowered == b"content-length":
            length = value
        elif lowered == b"transfer-encoding":
            continue  # the length is known by now
        lines.append(b"%b: %b" % (name, value))
    if unnamed:
        lines.append(b"host: " + url.netloc)
    if length is None:
        if body:
            lines.append(b"content-length: %d" % len(body))
    elif length != b"%d" % len(body):
        raise httpx.LocalProtocolError(f"content-length is wrong: the body has {len(body):,} bytes")
    return _head(lines), body


def _head(lines: list[bytes]) -> bytes:
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    expected = len(lines) + 1
    if head.count(b"\n") != expected or head.count(b"\r") != expected or b"\0" in head:
        # Whose value it was stays unsaid: it may be a key.
        raise httpx.LocalProtocolError("a header holds a line break or a NUL")
    return head
