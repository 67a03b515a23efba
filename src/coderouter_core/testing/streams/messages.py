"""Streams of Messages as servers of all kinds write them."""

from __future__ import annotations

import json
from typing import Any

from coderouter_core.model import Dialect, Usage
from coderouter_core.testing.streams.said import Dice, Said, Stream, ended, frames, place_of, said

Event = dict[str, Any]

_ERRORS = (
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n',
    b'data: {"type":"error","error":{"type":"api_error","message":"busy"}}\n\n',
    b'event: error\ndata: {"error":{"message":"busy"}}\n\n',
    b'data: {"error":{"message":"busy","code":503}}\n\n',
    b"event: content_block_delta\ndata: {not json\n\n",
)
_FOREIGN: tuple[Event, ...] = (
    {"type": "redacted_thinking", "data": "x"},
    {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}},
)


class Blocks:
    """The events of one answer's blocks."""

    def __init__(self, dice: Dice, words: Said) -> None:
        self._dice = dice
        self._words = words
        self._index = 0
        self._no_stops = dice.odd("no-block-stops", 12)
        self._wrong_index = dice.odd("wrong-index", 12)
        self._bare = dice.odd("bare-block-starts", 12)
        self.ids = dice.one("ids", "no-ids", "same-id")
        self.events: list[Event] = []

    def write(self) -> list[Event]:
        dice, words = self._dice, self._words
        blocks = [self._thinking] if words.thinking else []
        blocks += [self._text] if words.text else []
        blocks += [lambda number=number: self._call(number) for number in range(len(words.calls))]  # type: ignore[misc]
        for block in blocks:
            if dice.odd("foreign-block", 12):
                self._block(dict(dice.random.choice(_FOREIGN)), [])
            block()
        return self.events

    def _block(self, opened: Event, deltas: list[Event]) -> None:
        index = 0 if self._wrong_index else self._index
        self._index += 1
        self.events.append({"type": "content_block_start", "index": index, "content_block": opened})
        for delta in deltas:
            self.events.append({"type": "content_block_delta", "index": index, "delta": delta})
        if not self._no_stops:
            self.events.append({"type": "content_block_stop", "index": index})

    def _text(self) -> None:
        told = self._dice.pieces(self._words.text)
        opened: Event = {"type": "text"} if self._bare else {"type": "text", "text": ""}
        if not self._bare and self._dice.odd("text-in-start", 12) and _is_whole(told[0]):
            opened["text"] = told.pop(0)
        self._block(opened, [{"type": "text_delta", "text": piece} for piece in told])

    def _thinking(self) -> None:
        deltas = [
            {"type": "thinking_delta", "thinking": piece} for piece in self._dice.pieces(self._words.thinking)
        ]
        if not self._dice.odd("unsigned", 4):
            deltas.append({"type": "signature_delta", "signature": "c2lnbmVk"})
        opened = {"type": "thinking"} if self._bare else {"type": "thinking", "thinking": "", "signature": ""}
        self._block(opened, deltas)

    def _call(self, number: int) -> None:
        name, arguments = self._words.calls[number]
        opened: Event = {"type": "tool_use", "name": name}
        if self.ids != "no-ids":
            opened["id"] = self._words.ids[number if self.ids == "ids" else 0]
        if not self._bare:
            opened["input"] = {}
        if arguments and self._dice.odd("input-in-start", 8):
            self._block({**opened, "input": arguments}, [])
            return
        text = (
            json.dumps(arguments, ensure_ascii=self._dice.chance(2))
            if arguments or self._dice.chance(2)
            else ""
        )
        told = self._dice.pieces(text)
        if self._dice.odd("empty-first-piece", 3):
            told.insert(0, "")
        self._block(opened, [{"type": "input_json_delta", "partial_json": piece} for piece in told])


def _is_whole(piece: str) -> bool:
    return bool(piece) and not any("\ud800" <= char <= "\udfff" for char in piece)


def _usage(dice: Dice) -> tuple[Event, Event, Usage]:
    """The ``usage`` of the first event, that of the last, and what they mean together."""
    random = dice.random
    given, read, written, hour = (random.randrange(3000) for _ in range(4))
    output = random.randrange(2, 900)
    first: Event = {"input_tokens": given, "output_tokens": 1}
    meant = Usage(given, output=output, reported=True)
    if not dice.odd("usage-bare", 3):
        hour = min(hour, written)
        first |= {"cache_read_input_tokens": read, "cache_creation_input_tokens": written}
        first["cache_creation"] = {
            "ephemeral_5m_input_tokens": written - hour,
            "ephemeral_1h_input_tokens": hour,
        }
        meant = Usage(given, read, written - hour, hour, output, reported=True)
    last: Event = {"output_tokens": output}
    if dice.odd("usage-all-in-the-end", 4):
        last |= first | last
    return first, last, meant


def generate(dice: Dice) -> Stream:
    """A stream."""
    words = said(dice)
    blocks = Blocks(dice, words)
    body = blocks.write()
    first, last, usage = _usage(dice)
    meant: Usage | None = usage
    start: Event = {"id": "msg_7", "type": "message", "role": "assistant", "model": "m", "content": []}
    final: Event = {"type": "message_delta", "delta": {"stop_reason": words.reason, "stop_sequence": None}}
    place = dice.one("usage-twice", "usage-only-at-the-end", "no-usage")
    if place == "usage-twice":
        start["usage"] = first
    if place == "no-usage":
        meant = None
    else:
        final["usage"] = last if place == "usage-twice" else first | last
    events = [{"type": "message_start", "message": start}, *body]
    _sprinkle(dice, events)
    mark = (
        dice.one("stop", "no-message-stop", "no-message-delta")
        if meant is None
        else dice.one("stop", "no-message-stop")
    )
    finish = len(events)
    if mark != "no-message-delta":
        events.append(final)
    if mark != "no-message-stop":
        events.append({"type": "message_stop"})
    names = "" if dice.odd("data-only", 8) else None
    pairs = [(event["type"] if names is None else names, event) for event in events]
    out = frames(dice, pairs)
    data, end = ended(dice, out, range(place_of(out, finish)), _ERRORS)
    kept = words.ids if blocks.ids == "ids" else ()
    reason = words.reason
    if mark == "no-message-delta" and not words.calls:
        reason = "end_turn"
    told = Said(words.thinking, words.text, words.calls, kept, reason)
    return Stream(Dialect.MESSAGES, data, (told,), meant, end, tuple(dice.quirks))


def _sprinkle(dice: Dice, events: list[Event]) -> None:
    """Pings, and an event that nobody knows, anywhere after the first."""
    for quirk, event in (("pings", {"type": "ping"}), ("unknown-event", {"type": "brand_new", "x": 1})):
        if dice.odd(quirk, 4):
            events.insert(dice.random.randint(1, len(events)), event)
