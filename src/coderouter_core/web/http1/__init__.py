"""HTTP/1 of clients, on httptools.

Hypercorn reads HTTP/1 with h11, through asyncio's streams, with tasks and locks for each request: correct, and
several times the cost of everything else that happens to a small request. Here its connections are replaced by one
`asyncio.Protocol`; sockets, TLS, HTTP/2, lifespan and shutdown stay hypercorn's.

::

    choice      which of the two it is, and why not the other
    server      hypercorn's connection class, which lets ours at the bytes and takes upgrades back
    site        what the connections of a server share: settings, the date, the end
    connection  bytes in and out, one request after the other, time
    unread      what the client does not read
    exchange    a request as ASGI: scope, receive, send
    heads       the first line and the headers; what is refused of them
    bodies      where a body ends
    answers     a response in bytes

To read it with an eye on security: everything a client can do wrong is a `ProtocolError` raised in ``heads`` or
``bodies``; everything an application can, an `AnswerError` raised in ``answers``.
"""

from coderouter_core.web.http1.choice import H11, HTTPTOOLS, Choice, choose, settle

__all__ = ["H11", "HTTPTOOLS", "Choice", "choose", "settle"]
