"""What of a request becomes the prompt: its text in pieces, and its images and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coderouter_core.model.images import IMAGE_TYPES, image_tokens

#: Characters that are counted at a time: well below a millisecond.
PIECE = 16_384
#: Bits of text that are put together for it, at most.
MOST_BITS = 1_024
#: What a chat template puts round each message, in tokens.
PER_MESSAGE = 4
#: Of a file that is sent as base64, a token is about so many characters of it.
FILE_CHARACTERS_PER_TOKEN = 30
#: Of thinking that is sent back encrypted.
SEALED_CHARACTERS_PER_TOKEN = 5

#: Fields that serve the exchange and are no part of what a model reads.
_ENVELOPE = frozenset(
    {
        "role",
        "type",
        "id",
        "tool_use_id",
        "tool_call_id",
        "call_id",
        "cache_control",
        "signature",
        "media_type",
        "is_error",
        "status",
        "index",
        "phase",
    }
)
#: Fields that hold JSON of the client's own, in which every key is text of the prompt.
_JSON = frozenset({"input", "parameters", "input_schema", "arguments"})
_SEALED = frozenset({"encrypted_content"})
_FILE_FIELDS = ("data", "file_data", "url")


def joined(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in pieces of about `PIECE` characters, none longer."""
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        if (size + len(piece) > PIECE or len(waiting) == MOST_BITS) and waiting:
            yield "".join(waiting)
            waiting, size = [], 0
        if len(piece) > PIECE:
            yield from (piece[at : at + PIECE] for at in range(0, len(piece), PIECE))
            continue
        waiting.append(piece)
        size += len(piece)
    if waiting:
        yield "".join(waiting)


class Prompt:
    """Reads a decoded body. `media` holds the tokens of images and files seen so far, `messages` their number."""

    def __init__(self, body: Mapping[str, Any], turns: Iterable[Mapping[str, Any]]) -> None:
        self.media = 0
        self.messages = 0
        self._body = body
        self._turns = turns

    def texts(self) -> Iterator[str]:
        """Every piece of text of the prompt: system, turns with their calls, results and thinking, and tools."""
        for key in ("system", "instructions"):
            yield from self._said(self._body.get(key))
        for turn in self._turns:
            self.messages += 1
            if turn.get("type") == "reasoning" and turn.get("encrypted_content"):
                # What is shown of it does not travel.
                turn = {"encrypted_content": turn["encrypted_content"]}
            yield from self._said(turn)
        for key in ("tools", "functions"):
            tools = self._body.get(key)
            for tool in tools if isinstance(tools, list) else ():
                yield from _json(
                    {k: v for k, v in tool.items() if k != "cache_control"}
                    if isinstance(tool, dict)
                    else tool
                )
        for key in ("response_format", "output_format", "text"):
            yield from _json(self._body.get(key))

    def _said(self, value: Any) -> Iterator[str]:
        """The text below messages and blocks; on a stack of its own, since a body may be nested deeply."""
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                yield item
                yield "\n"
            elif isinstance(item, list):
                stack.extend(reversed(item))
            elif isinstance(item, dict) and not self._is_media(item):
                for key, inner in item.items():
                    if key in _SEALED or (key == "data" and item.get("type") == "redacted_thinking"):
                        self.media += (
                            len(inner) // SEALED_CHARACTERS_PER_TOKEN if isinstance(inner, str) else 0
                        )
                    elif key in _JSON and not isinstance(inner, str):
                        yield from _json(inner)
                    elif key not in _ENVELOPE:
                        stack.append(inner)

    def _is_media(self, block: Mapping[str, Any]) -> bool:
        """Whether `block` is an image or a file, which is then counted."""
        kind = block.get("type")
        if not isinstance(kind, str):
            # A schema's type may be a list of types.
            return False
        if kind in IMAGE_TYPES:
            self.media += image_tokens(block)
            return True
        inner: Any = block.get("source", block.get("file", block.get("input_audio")))
        holder = inner if isinstance(inner, dict) else block
        if kind in ("file", "input_file", "input_audio") or holder.get("type") in ("base64", "url", "file"):
            said = (holder.get(name) for name in _FILE_FIELDS)
            self.media += sum(len(one) for one in said if isinstance(one, str)) // FILE_CHARACTERS_PER_TOKEN
            return True
        return False


def _json(value: Any) -> Iterator[str]:
    """About the compact JSON of `value`, in no particular order."""
    stack = [] if value is None else [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield f'"{item}",'
        elif isinstance(item, dict):
            yield "{},"
            for key, inner in item.items():
                if isinstance(inner, str):
                    yield f'"{key}":"{inner}",'
                else:
                    yield f'"{key}":'
                    stack.append(inner)
        elif isinstance(item, list):
            yield "[],"
            stack.extend(item)
        else:
            yield f"{item},"
