"""What a scripted upstream can be told to do with a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeAlias

from attrs import field, frozen, validators

from coderouter_core.model import Usage


class Quirk(StrEnum):
    """Ways in which servers depart from the dialect they claim to speak."""

    ARGS_OBJECT = "args-object"
    """Tool arguments are a JSON object, whole, not a string."""
    COMMENTS = "comments"
    """A comment line before the first event."""
    CONTENT_PARTS = "content-parts"
    """Chat content is a list of parts."""
    CRLF = "crlf"
    DATA_ONLY = "data-only"
    """Messages events without their ``event:`` line."""
    INTERLEAVED = "interleaved"
    """The argument pieces of parallel calls take turns."""
    NO_DONE = "no-done"
    """The stream ends well, but without ``[DONE]`` or ``message_stop``."""
    NO_FINISH = "no-finish"
    """No finish reason; ``[DONE]`` comes."""
    NO_INDEX = "no-index"
    NO_ROLE = "no-role"
    NO_SPACE = "no-space"
    """``data:{`` for ``data: {``."""
    NO_TOOL_ID = "no-tool-id"
    NO_USAGE = "no-usage"
    NULL_CONTENT = "null-content"
    REASONING = "reasoning"
    """Thinking in ``reasoning``, not in ``reasoning_content``."""
    REPEAT_ID = "repeat-id"
    """Id and name on every piece of a call."""
    SAME_INDEX = "same-index"
    """Parallel calls, each whole, all of index 0."""
    SPLIT_BYTES = "split-bytes"
    """Three bytes a write, across frames and characters."""
    TOOL_FINISH_STOP = "tool-finish-stop"
    """Finish reason ``stop`` after tool calls."""
    UNASKED_USAGE = "unasked-usage"
    """The usage chunk comes without having been asked for."""
    USAGE_ON_FINISH = "usage-on-finish"
    """Usage on the chunk with the finish reason."""
    WHOLE_ARGS = "whole-args"
    """Each call in one piece."""


@frozen
class ToolCall:
    """A call of a tool. `arguments` as a str are sent as they are, whole JSON or not.

    An empty `id` is made up in the dialect's fashion.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(factory=dict)
    id: str = ""


def _usage(value: Usage | tuple[int, int]) -> Usage:
    return value if isinstance(value, Usage) else Usage(input=value[0], output=value[1], reported=True)


def _quirks(values: Iterable[str]) -> frozenset[Quirk]:
    return frozenset(Quirk(value) for value in values)


@frozen
class Reply:
    """An answer, streamed when the request asks for a stream.

    `usage` is (input, output) or a `Usage`. `stop` is a stop reason in the words of the messages dialect;
    the chat dialect gets its own word for it. A delta holds `chunk` characters, and `delay_s` passes
    between two events; `first_delay_s` passes before the status line, `head_delay_s` between headers and
    first event, with a keep-alive every `ping_s`. Not streamed, all of that passes before the status line.
    """

    text: str = ""
    thinking: str = ""
    calls: Sequence[ToolCall] = ()
    usage: Usage = field(default=Usage(input=17, output=23, reported=True), converter=_usage)
    stop: str | None = None
    chunk: int = field(default=8, validator=validators.ge(1))
    delay_s: float = 0.0
    first_delay_s: float = 0.0
    head_delay_s: float = 0.0
    ping_s: float | None = None
    quirks: frozenset[Quirk] = field(default=frozenset(), converter=_quirks)


#: What a stream says before a fault ends it, where the script does not say otherwise.
SOME_TEXT = Reply("All good things come to those who wait, and some come sooner.")


@frozen
class ProviderError:
    """An HTTP error in the words of the dialect asked; `body` replaces them."""

    message: str
    status: int = 500
    headers: Mapping[str, str] = field(factory=dict)
    body: str | bytes | None = None
    content_type: str = "application/json"


@frozen
class Raw:
    """Any status, headers and body. ``content-length`` is added where neither it nor
    ``transfer-encoding`` is given."""

    status: int
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""


@frozen
class Html:
    """A page where an answer was asked for: a login, a proxy's error."""

    status: int = 200


@frozen
class Refuse:
    """Nobody listens: once this is the next step, connections are refused until `Upstream.accept`."""


@frozen
class Close:
    """The connection ends before a status line: by FIN, or by RST with `rst`."""

    rst: bool = False


@frozen
class Hang:
    """Nothing comes for `seconds`, then the connection ends."""

    seconds: float = 60.0


@frozen
class EmptyStream:
    """200, and a stream that ends without an answer: no content, no stop reason."""


@frozen
class ErrorFirst:
    """200, and an error as the first event; not streamed, as the body."""

    kind: str = "overloaded_error"
    message: str = "overloaded"


@frozen
class CutAfter:
    """The answer ends after `events` events: by RST with `rst`, else as a body that ends properly where
    the dialect has not. Not streamed, half of the body comes, and the connection ends."""

    events: int = 4
    rst: bool = False
    reply: Reply = SOME_TEXT


@frozen
class ErrorAfter:
    """An error event after `events` events. Not streamed, it is an HTTP error."""

    events: int = 4
    kind: str = "overloaded_error"
    message: str = "overloaded"
    reply: Reply = SOME_TEXT


@frozen
class StallAfter:
    """Nothing more for `seconds` after `events` events, then the connection ends. Not streamed, half of the body comes."""

    events: int = 4
    seconds: float = 60.0
    reply: Reply = SOME_TEXT


@frozen
class GarbageAfter:
    """A frame that is not JSON after `events` events, then the rest. Not streamed, half of the body is all."""

    events: int = 4
    reply: Reply = SOME_TEXT


@frozen
class DripHead:
    """A head that grows by a byte every `delay_s` and does not end within 4,000 bytes."""

    delay_s: float = 0.05


@frozen
class DripBody:
    """A body that grows by a byte every `delay_s`."""

    delay_s: float = 0.05
    reply: Reply = SOME_TEXT


@frozen
class Depends:
    """A step that depends on the request: what `on` makes of its decoded body. That is never a `Refuse`."""

    on: Callable[[Any], str | Step]


Step: TypeAlias = (
    Reply
    | ProviderError
    | Raw
    | Html
    | Refuse
    | Close
    | Hang
    | EmptyStream
    | ErrorFirst
    | CutAfter
    | ErrorAfter
    | StallAfter
    | GarbageAfter
    | DripHead
    | DripBody
    | Depends
)
Steps: TypeAlias = str | Step | Sequence[str | Step]


def read_steps(script: Steps) -> tuple[Step, ...]:
    """The steps of a script: a str is a Reply, a single step is a list of one."""
    if isinstance(script, str):
        return (Reply(script),)
    if isinstance(script, Sequence):
        if not script:
            raise ValueError("a script needs at least one step")
        return tuple(Reply(step) if isinstance(step, str) else step for step in script)
    return (script,)
