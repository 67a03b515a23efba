"""What is wrong with a stream, by the grammar of its dialect or of events; for tests of anything that writes one."""

from __future__ import annotations

from coderouter_core.model import Dialect
from coderouter_core.wire.grammar import chat, messages
from coderouter_core.wire.grammar.events import EventGrammar
from coderouter_core.wire.responses import grammar as responses
from coderouter_core.wire.sse import Framer, fields

_CHECKS = {
    Dialect.MESSAGES: messages.problems,
    Dialect.CHAT: chat.problems,
    Dialect.RESPONSES: responses.problems,
}


def problems(dialect: Dialect, stream: bytes) -> list[str]:
    """Everything in `stream` that a client of `dialect` could stumble over; empty for a correct one.

    A stream may end well or with an error, but must end.
    """
    framer = Framer()
    frames = framer.feed(stream)
    if framer.close():
        return ["the stream does not end with a whole frame"]
    pairs = [fields(frame) for frame in frames]
    try:
        return list(_CHECKS[dialect]([(event, data) for event, data in pairs if data]))
    except ValueError as error:
        return [f"the data of a frame is not JSON: {error}"]


__all__ = ["EventGrammar", "problems"]
