"""How servers of all kinds write the tool calls of a chat stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from coderouter_core.testing.streams.said import Dice, Said

Chunk = dict[str, Any]
#: What a piece belongs to, the number of its call, and its text.
Move = tuple[str, int, str]


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
                "function": {"name": name, "arguments": self._arguments("".join(self._sent[number]))},
            }
            for number, (name, _) in enumerate(self.words.calls)
        ]

    def sends(self, moves: dict[int, list[Move]]) -> None:
        self._sent = {number: [move[2] for move in each] for number, each in moves.items()}
