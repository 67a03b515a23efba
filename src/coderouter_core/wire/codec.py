"""What every dialect can do: check a request, read and write answers, say an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen

from coderouter_core.errors import PluginError
from coderouter_core.model import Dialect, Fault, StreamEvent, Usage


@frozen
class Plain:
    """A whole answer that is one text, came to its proper end and says nothing else."""

    text: str
    usage: Usage


class Reader(Protocol):
    """Reads the streamed answer of one attempt, frame by frame.

    `usage` is the running total. `finished`: the answer came to its proper end (a finish reason or ``[DONE]``;
    a stop reason or ``message_stop``). `ended`: its very last frame came.
    """

    dialect: Dialect

    @property
    def usage(self) -> Usage: ...

    @property
    def finished(self) -> bool: ...

    @property
    def ended(self) -> bool: ...

    def read(self, frame: bytes) -> Sequence[StreamEvent]:
        """The events of one whole SSE frame (`frame` ends with its blank line).

        An event carries `frame` where the frame can stand for it; what was held back from earlier frames carries
        none. A frame of which all is held gives no events, nor does a bad one after the proper end. ``usage``
        events are running totals. A frame that means nothing gives one ``other`` or ``ping`` event.
        A frame that is not what the dialect allows gives one ``error`` event of kind ``api_error``
        whose `fault.code` is ``garbage``; an error of the upstream gives one ``error`` event.
        """

    def close(self) -> Sequence[StreamEvent]:
        """The upstream's stream is over: close open blocks, and give the ``stop`` that the dialect allows to be
        missing (a chat stream with ``[DONE]`` and no finish_reason, or the reverse). Nothing when it was cut."""


class Writer(Protocol):
    """Writes one streamed answer in a dialect, for a client."""

    dialect: Dialect

    def write(self, event: StreamEvent) -> bytes:
        """The frames for an event; empty when it waits for others, or has no form in this dialect."""

    def relay(self, frame: bytes, events: Sequence[StreamEvent]) -> bytes:
        """`frame`, which is of this dialect and whose `events` nobody changed, as it came where it still fits."""

    def close(self) -> bytes:
        """The last frames of an answer that ended properly (``message_stop``; usage chunk and ``[DONE]``)."""

    def fail(self, fault: Fault, request_id: str) -> bytes:
        """The last frames of an answer that breaks: an error."""


class Lane(Protocol):
    """One answer's way from an upstream's bytes to a client's, and what was seen on the way.

    `content`: real content was seen: non-empty text or thinking, a tool call with a name, or a stop reason
    other than ``end_turn``, ``tool_use``. `stopped`: the answer came to its proper end (a stop reason).
    `done`: its very last frame came (``message_stop``, ``[DONE]``). `steps` counts events other than pings and unknown
    frames, so that a caller can see progress. `fault`: the upstream said an error, or something
    that is not the dialect; nothing after it is passed on. `failed`: what a filter of a plugin raised; likewise.
    `usage`: the larger value of each field so far.
    `size`: UTF-8 bytes of text, thinking and tool arguments so far, to tell tokens from where `usage` does not.
    """

    content: bool
    stopped: bool
    done: bool
    steps: int
    size: int
    fault: Fault | None
    failed: PluginError | None
    stop_reason: str

    @property
    def usage(self) -> Usage: ...

    def feed(self, data: bytes) -> bytes:
        """What `data` (as read, split anywhere) becomes for the client: whole frames only."""

    def close(self) -> bytes:
        """The upstream ended its body: the frames that are still due. An answer without its proper end sets `fault`
        with code ``truncated``; call `fail` with it."""

    def fail(self, fault: Fault, request_id: str) -> bytes:
        """The last frames of an answer that breaks after content: an error in the client's dialect."""


class ClientSide(Protocol):
    """What a dialect needs that clients speak. Stateless; writers hold the state of one answer."""

    dialect: Dialect
    ping: bytes

    def check(self, body: Mapping[str, Any]) -> None:
        """Raise `RequestError` (400, ``invalid_request_error``) where a request is not what the dialect allows.

        The message says where (``messages.2.role``), what, and what would be right; it never quotes the prompt.
        """

    def writer(
        self, *, include_usage: bool = True, created: int = 0, asked: Mapping[str, Any] | None = None
    ) -> Writer:
        """`created` is Unix time in seconds, for a dialect that dates its answers; `asked` the request's body, for
        one whose answers repeat what was asked."""

    def fold(
        self, events: Iterable[StreamEvent], *, created: int = 0, asked: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """A whole answer of this dialect from the events of one; ``error`` events are left out."""

    def error_body(self, fault: Fault, request_id: str) -> bytes:
        """An error as the body of an HTTP answer."""

    def error_frames(self, fault: Fault, request_id: str) -> bytes:
        """An error as the last frames of a stream that was opened."""


class Codec(ClientSide, Protocol):
    """A dialect that upstreams speak too. Stateless; readers and lanes hold the state of one answer."""

    def reader(self) -> Reader: ...

    def relay(self, *, hide_usage: bool = False) -> Lane:
        """A lane whose both sides speak this dialect: frames pass as they came.

        `hide_usage` keeps the usage-only chunk, which the router asked for, from a client that did not.
        """

    def mended(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """A whole answer of this dialect that is relayed, written as its clients read it; None where it is so already."""

    def plain(self, body: Mapping[str, Any]) -> Plain | None:
        """What a whole answer says that is nothing but one text; None for any other, or where that takes a closer look.

        What `events` and `mended` would say of it is known then: this text and usage, a proper end, and None.
        """

    def events(self, body: Mapping[str, Any]) -> Sequence[StreamEvent]:
        """The events of a whole (not streamed) answer. An error body, or one that is not an answer of this dialect,
        gives an ``error`` event as `Reader.read` does."""

    def fault(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None
    ) -> Fault:
        """What an upstream's answer with an error status says. Never raises: any bytes may come.

        Carries `body` and `dialect` when the body is a well-formed error of this dialect;
        `retry_after_s` from ``retry-after-ms``, ``retry-after`` (seconds, or an HTTP date, which is
        measured from the answer's ``date`` header, or from `now`, Unix time, where it has none).
        Kind ``context`` is told by `code` ``context_length_exceeded``.
        """
