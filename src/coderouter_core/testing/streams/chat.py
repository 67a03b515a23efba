"""Streams of Chat Completions as servers of all kinds write them."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from coderouter_core.model import Dialect, Usage
from coderouter_core.testing.streams.calls import Calls, Chunk, Move
from coderouter_core.testing.streams.said import (
    Dice,
    Said,
    Stream,
    ended,
    frames,
    interleaved,
    place_of,
    said,
)

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


_PLACES = (
    "usage-last",
    "usage-on-finish",
    "usage-running",
    "no-usage",
    "usage-before-finish",
    "usage-after-with-choice",
)


class Answer:
    """The chunks of an answer, and what stands around them."""

    def __init__(self, dice: Dice, choices: int) -> None:
        self._dice = dice
        self._speakers = [Choice(dice, said(dice)) for _ in range(choices)]
        self._numbered = choices > 1 or not dice.odd("unnumbered-choice", 8)
        self._usage, self._meant = _usage(dice)
        self._place = dice.one(*_PLACES)
        self._head: Chunk = {
            "id": dice.one("chatcmpl-7", "gen-7", "x"),
            "object": "chat.completion.chunk",
            "created": 7,
            "model": "m",
        }

    def stream(self) -> Stream:
        dice = self._dice
        body = self._surrounded(self._body())
        mark = dice.one("done", "no-done", *(["no-finish"] if len(self._speakers) == 1 else []))
        finish = _finish(body)
        if mark == "no-finish":
            finish = len(body)
            for choice in [choice for each in body for choice in each["choices"]]:
                choice["finish_reason"] = None
        events: list[tuple[str, Any]] = [("", each) for each in body]
        if mark != "no-done":
            events.append(("", "[DONE]"))
        out = frames(dice, events)
        begun = place_of(out, _last_begin(body)) + 1 if len(self._speakers) > 1 else 0
        data, end = ended(dice, out, range(begun, place_of(out, finish)), _ERRORS)
        words = tuple(self._words(speaker, mark) for speaker in self._speakers)
        meant = None if self._place == "no-usage" else self._meant
        return Stream(Dialect.CHAT, data, words, meant, end, tuple(dice.quirks))

    def _body(self) -> list[Chunk]:
        """The chunks of all choices, those of each in their order."""
        running = {"completion_tokens": 0, "total_tokens": self._usage["prompt_tokens"]}
        before: Chunk = {"usage": {**self._usage, **running}} if self._place == "usage-running" else {}
        if not before and self._dice.odd("usage-null"):
            before = {"usage": None}
        last = {"usage": self._usage} if self._place in ("usage-on-finish", "usage-running") else before
        queues = [self._queue(at, before, last) for at in range(len(self._speakers))]
        return [chunk for chunk, _ in interleaved(self._dice, queues, mixed=len(queues) > 1)]

    def _queue(self, at: int, before: Chunk, last: Chunk) -> list[tuple[Chunk, str]]:
        """The chunks of one choice, as `interleaved` takes them: with a text that is not cut."""
        deltas, behind = self._speakers[at].deltas()
        finish = self._speakers[at].finish()
        chunks = [self._chunk(at, delta, **before) for delta in deltas]
        if chunks and self._dice.odd("finish-on-last-delta", 4):
            chunks[-1]["choices"][0]["finish_reason"] = finish
            chunks[-1].update(last)
        else:
            chunks.append(self._chunk(at, {"content": ""} if self._dice.chance(3) else {}, finish, **last))
        return [(chunk, "") for chunk in (*chunks, *(self._chunk(at, delta) for delta in behind))]

    def _chunk(self, at: int, delta: Chunk, finish: str | None = None, **more: Any) -> Chunk:
        place = {"index": at} if self._numbered else {}
        return {**self._head, "choices": [{**place, "delta": delta, "finish_reason": finish}], **more}

    def _surrounded(self, body: list[Chunk]) -> list[Chunk]:
        """`body` with chunks that hold nothing, and with the usage where it comes by itself."""
        own: Chunk = {**self._head, "choices": [], "usage": self._usage}
        if self._dice.odd("azure", 8):
            body.insert(0, {**self._head, "choices": [], "prompt_filter_results": []})
        if len(self._speakers) == 1 and self._dice.odd("role-twice", 8):
            body.insert(1, self._chunk(0, {"role": "assistant"}))
        if self._place == "usage-before-finish":
            body.insert(_finish(body), own)
        elif self._place == "usage-last":
            body.append(own)
        elif self._place == "usage-after-with-choice":
            body.append({**self._chunk(0, {"content": ""}), "usage": self._usage})
        return body

    def _words(self, speaker: Choice, mark: str) -> Said:
        words = evolve(speaker.words, ids=speaker.calls.kept_ids)
        return evolve(words, reason="end_turn") if mark == "no-finish" and not words.calls else words


def _finish(body: list[Chunk]) -> int:
    """The number of the chunk in which the last choice ends."""
    return max(at for at, each in enumerate(body) if any(one["finish_reason"] for one in each["choices"]))


def _last_begin(body: list[Chunk]) -> int:
    """The number of the chunk in which the last choice begins."""
    first: dict[int, int] = {}
    for at, each in enumerate(body):
        for choice in each["choices"]:
            first.setdefault(choice.get("index", 0), at)
    return max(first.values())


def generate(dice: Dice, choices: int = 1) -> Stream:
    """A stream; of several `choices` where more than one is asked for."""
    return Answer(dice, choices).stream()
