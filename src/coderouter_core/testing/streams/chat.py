"""Streams of Chat Completions as servers of all kinds write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from coderouter_core.model import Dialect, Usage
from coderouter_core.testing.streams.said import Dice, Said, Stream, ended, frames, interleaved, said

Chunk = dict[str, Any]
Move = tuple[str, int, str]

_FINISHES = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
}
_ERRORS = (
    b'data: {"error":{"message":"busy","type":"server_error","code":503}}\n\n',
    b'data: {"error":"busy"}\n\n',
    b'data: {"object":"error","message":"busy","code":400}\n\n',
    b'event: error\ndata: {"message":"busy"}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n',
    b"data: {not json\n\n",
)


class Calls:
    """How a server writes the calls of one choice: entries of ``tool_calls``."""

    def __init__(self, dice: Dice, words: Said) -> None:
        self.dice = dice
        self.words = words
        self.index = dice.one("index", "index-zero", "no-index")
        self.ids = dice.one("ids", "no-ids", "repeated-ids", "fresh-ids")
        self.form = dice.one("pieces", "whole", "object")
        numbered = self.index == "index"
        self.late_name = numbered and self.form == "pieces" and dice.odd("late-name")
        self.empty_first = dice.odd("empty-first-piece", 3)
        self.after_finish = numbered and not self.late_name and dice.odd("after-finish", 8)
        self.again = numbered and self.ids in ("ids", "repeated-ids") and dice.odd("again", 8)
        #: Pieces of several calls can be told apart.
        self.mixable = numbered or (self.index == "no-index" and self.ids == "repeated-ids")
        self._seen: set[int] = set()
        self._named: set[int] = set()

    @property
    def kept_ids(self) -> tuple[str, ...]:
        """The ids that must arrive."""
        return self.words.ids if self.ids in ("ids", "repeated-ids") else ()

    def moves(self, number: int) -> list[Move]:
        """The pieces of one call's arguments."""
        _, arguments = self.words.calls[number]
        text = json.dumps(arguments, ensure_ascii=self.dice.chance(2))
        if not arguments and self.index == "index" and self.dice.chance(2):
            text = ""
        if self.form == "object" or (self.form == "whole" and not self.after_finish):
            return [("call", number, text)]
        told = self.dice.pieces(text)
        # Whether a piece that has no text opens the call, or its first piece does.
        return [("call", number, piece) for piece in (["", *told] if self._opens(told) else told)]

    def _opens(self, told: list[str]) -> bool:
        return (self.empty_first and not self.late_name) or self.after_finish or not told

    def entry(self, number: int, piece: str) -> Chunk:
        """One piece as an entry of ``tool_calls``."""
        first = number not in self._seen
        self._seen.add(number)
        entry: Chunk = {}
        if self.index != "no-index":
            entry["index"] = number if self.index == "index" else 0
        if self.ids == "fresh-ids":
            entry["id"] = f"fresh_{self.dice.random.randrange(10**9)}"
        elif self.ids == "repeated-ids" or (self.ids == "ids" and first):
            entry["id"] = self.words.ids[number]
        function: Chunk = {"arguments": self._arguments(piece)}
        names = number not in self._named and not (self.late_name and first)
        if names or (self.ids == "repeated-ids" and not self.late_name):
            self._named.add(number)
            function["name"] = self.words.calls[number][0]
        if first:
            entry["type"] = "function"
        return {**entry, "function": function}

    def _arguments(self, piece: str) -> Any:
        return json.loads(piece) if self.form == "object" and piece else piece

    def names_due(self) -> Iterator[Chunk]:
        """Entries for calls whose name has still not come."""
        for number in sorted(self._seen - self._named):
            yield self.entry(number, "")

    def repeated(self) -> list[Chunk]:
        """All calls once more, whole, as some servers send them in their last item."""
        return [
            {
                "index": number,
                "id": self.words.ids[number],
                "type": "function",
                "function": {"name": name, "arguments": "".join(self._sent[number])},
            }
            for number, (name, _) in enumerate(self.words.calls)
        ]

    def sends(self, moves: dict[int, list[Move]]) -> None:
        self._sent = {number: [move[2] for move in each] for number, each in moves.items()}


class Choice:
    """The chunks of one choice, before they are wrapped: deltas, then the finish reason."""

    def __init__(self, dice: Dice, words: Said) -> None:
        self.dice = dice
        self.calls = Calls(dice, words)
        self.words = words
        self._reasoning = dice.one(
            "reasoning_content", "reasoning", "reasoning_details", "reasoning-and-details"
        )
        self._roles = dice.one("role-first", "role-alone", "no-role", "role-always")
        self._null = dice.odd("null-content")

    def deltas(self) -> tuple[list[Chunk], list[Chunk]]:
        """The deltas before the finish reason, and those behind it."""
        dice, words, calls = self.dice, self.words, self.calls
        of_calls = {number: calls.moves(number) for number in range(len(words.calls))}
        calls.sends(of_calls)
        late: list[Move] = []
        if calls.after_finish:
            late = [move for moves in of_calls.values() for move in moves[1:]]
            of_calls = {number: moves[:1] for number, moves in of_calls.items()}
        texts = [("text", 0, piece) for piece in dice.pieces(words.text)] if words.text else []
        thoughts = [("thinking", 0, piece) for piece in dice.pieces(words.thinking)] if words.thinking else []
        mixed = dice.odd("interleaved", 3)
        queues = [thoughts, texts, *of_calls.values()]
        if mixed and not calls.mixable:
            queues = [thoughts, texts, [move for moves in of_calls.values() for move in moves]]
        moves = interleaved(dice, queues, mixed=mixed)
        out = self._opening()
        out += [self._delta(*move) for move in moves]
        out += [{"tool_calls": [entry]} for entry in calls.names_due()]
        behind = [self._delta(*move) for move in late]
        if calls.again and words.calls:
            behind.append({"tool_calls": calls.repeated()})
        return out, behind

    def _opening(self) -> list[Chunk]:
        if self._roles != "role-alone":
            return []
        return [{"role": "assistant", "content": None if self._null else ""}]

    def _delta(self, kind: str, number: int, piece: str) -> Chunk:
        role: Chunk = {}
        if self._roles in ("role-first", "role-always"):
            role = {"role": "assistant"}
            self._roles = "no-role" if self._roles == "role-first" else self._roles
        if kind == "call":
            nothing = {"content": None} if self._null else {}
            return {**role, **nothing, "tool_calls": [self.calls.entry(number, piece)]}
        if kind == "text":
            return {**role, "content": piece}
        details = {"reasoning_details": [{"type": "reasoning.text", "text": piece, "index": 0}]}
        if self._reasoning == "reasoning_details":
            return {**role, **details}
        if self._reasoning == "reasoning-and-details":
            return {**role, "reasoning": piece, **details}
        return {**role, self._reasoning: piece, **({"content": None} if self._null else {})}

    def finish(self) -> str:
        if self.words.calls and self.dice.odd("tools-finish-stop"):
            return "stop"
        return _FINISHES[self.words.reason]


def _usage(dice: Dice) -> tuple[Chunk, Usage]:
    """A ``usage`` object of some server, and what it means."""
    random = dice.random
    prompt, output = random.randrange(1, 5000), random.randrange(1, 900)
    cached, reasoning = random.randrange(prompt), random.randrange(output)
    raw: Chunk = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    shape = dice.one("usage-details", "usage-bare", "usage-cache-hit", "usage-no-total")
    if shape == "usage-details":
        raw["prompt_tokens_details"] = {"cached_tokens": cached}
        raw["completion_tokens_details"] = {"reasoning_tokens": reasoning}
        return raw, Usage(prompt - cached, cached, output=output, reasoning=reasoning, reported=True)
    if shape == "usage-cache-hit":
        raw["prompt_cache_hit_tokens"] = cached
        return raw, Usage(prompt - cached, cached, output=output, reported=True)
    if shape == "usage-no-total":
        del raw["total_tokens"]
    return raw, Usage(prompt, output=output, reported=True)


def generate(dice: Dice, choices: int = 1) -> Stream:
    """A stream; of several `choices` where more than one is asked for."""
    speakers = [Choice(dice, said(dice)) for _ in range(choices)]
    head: Chunk = {
        "id": dice.one("chatcmpl-7", "gen-7", "x"),
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
    }
    numbered = choices > 1 or not dice.odd("unnumbered-choice", 8)

    def chunk(delta: Chunk, finish: str | None = None, at: int = 0, **more: Any) -> Chunk:
        place = {"index": at} if numbered else {}
        return {**head, "choices": [{**place, "delta": delta, "finish_reason": finish}], **more}

    usage, meant = _usage(dice)
    place = dice.one(
        "usage-last",
        "usage-on-finish",
        "usage-running",
        "no-usage",
        "usage-before-finish",
        "usage-after-with-choice",
    )
    running = (
        {"usage": {**usage, "completion_tokens": 0, "total_tokens": usage["prompt_tokens"]}}
        if place == "usage-running"
        else {}
    )
    null = {"usage": None} if dice.odd("usage-null") else running
    queues: list[list[tuple[Chunk, str]]] = []
    for at, speaker in enumerate(speakers):
        before, behind = speaker.deltas()
        finish = speaker.finish()
        told = {"usage": usage} if place == "usage-on-finish" or (place == "usage-running") else null
        queue = [(chunk(delta, None, at, **null), "") for delta in before]
        joined = bool(queue) and dice.odd("finish-on-last-delta", 4)
        if joined:
            queue[-1][0]["choices"][0]["finish_reason"] = finish
            queue[-1][0].update(told)
        else:
            queue.append((chunk({"content": ""} if dice.chance(3) else {}, finish, at, **told), ""))
        queue += [(chunk(delta, None, at), "") for delta in behind]
        queues.append(queue)
    body = [piece for piece, _ in interleaved(dice, queues, mixed=choices > 1)]
    return _closed(dice, speakers, body, head, place, usage, None if place == "no-usage" else meant)


def _closed(
    dice: Dice,
    speakers: list[Choice],
    body: list[Chunk],
    head: Chunk,
    place: str,
    usage: Chunk,
    meant: Usage | None,
) -> Stream:
    """The stream of the chunks in `body`, with what stands around them."""
    if dice.odd("azure", 8):
        body.insert(0, {**head, "choices": [], "prompt_filter_results": []})
    if len(speakers) == 1 and dice.odd("role-twice", 8):
        body.insert(
            1,
            {
                **body[-1],
                "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}],
                "usage": None,
            },
        )
    own: Chunk = {**head, "choices": [], "usage": usage}
    finish = max(at for at, each in enumerate(body) if any(one["finish_reason"] for one in each["choices"]))
    if place == "usage-before-finish":
        body.insert(finish, own)
        finish += 1
    elif place == "usage-last":
        body.append(own)
    elif place == "usage-after-with-choice":
        body.append({**own, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]})
    mark = dice.one("done", "no-done", "no-finish") if len(speakers) == 1 else dice.one("done", "no-done")
    if mark == "no-finish":
        for each in body:
            for choice in each["choices"]:
                choice["finish_reason"] = None
    events = [("", each) for each in body]
    if mark != "no-done":
        events.append(("", "[DONE]"))  # type: ignore[arg-type]
    out = frames(dice, events)
    finished = len(events) - 1 if mark == "no-finish" else finish
    data, end = ended(dice, out, _at(out, finished), _ERRORS)
    words = []
    for speaker in speakers:
        kept = speaker.calls.kept_ids
        reason = speaker.words.reason
        if mark == "no-finish" and not speaker.words.calls:
            reason = "end_turn"
        words.append(Said(speaker.words.thinking, speaker.words.text, speaker.words.calls, kept, reason))
    return Stream(Dialect.CHAT, data, tuple(words), meant, end, tuple(dice.quirks))


def _at(out: list[bytes], event: int) -> int:
    """The number of the frame that holds the event of number `event`: comments stand between."""
    seen = -1
    for at, frame in enumerate(out):
        seen += not frame.removeprefix(b"\xef\xbb\xbf").startswith(b":")
        if seen == event:
            return at
    return len(out)
