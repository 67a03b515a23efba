"""Leave the reasoning out of an answer, for clients that were promised none."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from coderouter_core.model import Capabilities, Dialect, Request, StreamEvent

#: The fields in which chat backends send it, and why they are left out: the words of CodeRouter 1.10.
FIELDS = ("reasoning", "reasoning_content")
REASON = "non-standard-field"


def hides_reasoning(can: Capabilities, request: Request, dialect: Dialect) -> bool:
    """Whether an answer's reasoning is left out: where a chat client asks a chat provider, and somebody said so. Else it
    passes as it came, byte for byte, since clients skip fields that they do not know."""
    if can.reasoning_passthrough is not False:
        return False
    return request.dialect is Dialect.CHAT is dialect and request.body.get("n") in (None, 1)


class Unreasoned:
    """A stream filter. `tell` is called when the first of the reasoning was left out."""

    stage = -90

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._told = False

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        if event.block != "thinking":
            return (event,)
        if not self._told:
            self._told = True
            self._tell()
        return ()

    def flush(self) -> Iterable[StreamEvent]:
        return ()
