"""One step of a streamed answer, dialect-neutral, and the neutral form of an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from coderouter_core.model.usage import NOTHING, Usage

Block = Literal["text", "thinking", "tool_call"]
Kind = Literal["start", "block_start", "delta", "block_stop", "usage", "stop", "error", "ping", "other"]


@frozen
class Fault:
    """An error as a client will see it, before it is written in the client's dialect.

    `kind` is the Anthropic error type (``invalid_request_error``, ``overloaded_error`` …);
    codecs of other dialects map it. `status` is the HTTP status it has or would have had.
    `should_retry` False is written as ``x-should-retry: false`` and means that no later try can help.
    `extra` is merged into the error object. `body` is the upstream's own answer, relayed
    untouched when its `dialect` is the client's.
    """

    status: int
    kind: str
    message: str
    code: str | None = None
    retry_after_s: float | None = None
    should_retry: bool | None = None
    extra: Mapping[str, Any] = field(factory=dict)
    body: bytes | None = field(default=None, repr=False)
    dialect: str | None = None


@frozen(eq=False)
class StreamEvent:
    """One step of an answer. `kind` says which fields carry a value:

    - ``start``: `id`, `model`, `usage` so far;
    - ``block_start``: `index`, `block`; for a tool call `id` and `name`;
    - ``delta``: `index`, `block`, `text` (a piece of text, of thinking, or of the JSON of a tool call's arguments);
    - ``block_stop``: `index`, `block`; for thinking `signature`;
    - ``usage``: `usage`;
    - ``stop``: `reason` (an Anthropic stop reason, an open set), `stop_sequence`;
    - ``error``: `fault`;
    - ``ping``, ``other``: nothing; a frame that means nothing to other dialects.

    Blocks do not overlap: one is closed before the next starts, and `index` counts them from 0.
    `frame` is the SSE frame the event was read from, whole, as bytes; a writer of the same
    dialect emits it instead of writing the event anew.
    """

    kind: Kind
    index: int = 0
    block: Block = "text"
    text: str = ""
    id: str = ""
    name: str = ""
    signature: str = ""
    model: str = ""
    usage: Usage = NOTHING
    reason: str = ""
    stop_sequence: str | None = None
    fault: Fault | None = None
    frame: bytes | None = None
