"""The chunk that ends a choice, which must stay the last one of it though some servers go on."""

from __future__ import annotations

import json
from typing import Any

import orjson

from coderouter_core.wire import sse
from coderouter_core.wire.lenient import table

#: Fields of a choice that belong to what it says.
_SAID = ("message", "logprobs", "usage")


def says(choice: dict[str, Any]) -> bool:
    """Whether a choice says anything beside its end."""
    return any(table(choice.get("delta")).values())


def goes_on(choice: dict[str, Any]) -> bool:
    """Whether a choice that has ended says more."""
    return any(value for key, value in table(choice.get("delta")).items() if key != "role")


def parted(chunk: dict[str, Any], choice: dict[str, Any]) -> tuple[bytes, bytes]:
    """A chunk of one choice as two frames: what it says, and the end."""
    rest = {key: value for key, value in choice.items() if key not in _SAID}
    said = {**chunk, "choices": [{**choice, "finish_reason": None}]}
    last = {key: value for key, value in chunk.items() if key != "usage"}
    return written(said), written({**last, "choices": [{**rest, "delta": {}}]})


class End:
    """The chunk that ended an answer, which waits for the next. `frame` is what is left of it to send."""

    def __init__(self, chunk: dict[str, Any], choice: dict[str, Any], frame: bytes) -> None:
        self.finish: str = choice["finish_reason"]
        self.frame = frame
        self._chunk = chunk
        self._choice = choice
        self._is_parted = False

    def said(self) -> bytes:
        """What the chunk says beside the end, once: it comes before what came later."""
        if not says(self._choice):
            return b""
        said, self.frame = parted(self._chunk, self._choice)
        self._choice = {**self._choice, "delta": {}}
        return said

    def called(self) -> None:
        """A call came later: the end tells of it."""
        if self.finish == "stop":
            self.finish = "tool_calls"
            self._choice = {**self._choice, "finish_reason": self.finish}
            self.frame = written({**self._chunk, "choices": [self._choice]})


def written(chunk: dict[str, Any]) -> bytes:
    """A chunk as a frame."""
    try:
        return sse.write(orjson.dumps(chunk))
    except TypeError:
        # Half a character, whose other half came before, stands in an escape only.
        return sse.write(json.dumps(chunk, separators=(",", ":")).encode())
