"""The blocks of a chat stream: pieces come in any order, blocks leave one after the other."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

import orjson
from attrs import define, field

from coderouter_core.model import Block, StreamEvent
from coderouter_core.wire.ids import Mint, UniqueIds, call_id
from coderouter_core.wire.lenient import Halves, string

_QUOTED = re.compile(r'["\\]')
_BARE = re.compile(r'["{}\[\]]')


class _Nesting:
    """Whether the JSON in some pieces is closed, looking at each piece once."""

    __slots__ = ("_depth", "_escaped", "_opened", "_quoted")

    def __init__(self) -> None:
        self._depth = 0
        self._opened = False
        self._quoted = self._escaped = False

    @property
    def open(self) -> bool:
        return self._depth > 0

    @property
    def closed(self) -> bool:
        return self._opened and self._depth == 0 and not self._quoted

    def take(self, text: str) -> None:
        at = int(self._escaped)
        self._escaped = False
        while found := (_QUOTED if self._quoted else _BARE).search(text, at):
            mark, at = found.group(), found.end()
            if mark == '"':
                self._quoted = not self._quoted
            elif mark == "\\":
                self._escaped = at == len(text)
                at += 1
            else:
                self._depth += 1 if mark in "{[" else -1
                self._opened = True


@define(eq=False)
class _Part:
    """A block that is being read. `held` are pieces that wait for earlier blocks.

    For a call: `number` counts it among the answer's calls, `said` is the id its upstream gave, and `odd` says
    that its frames are not what clients of the dialect can read.
    """

    block: Block
    id: str = ""
    name: str = ""
    said: str = ""
    number: int = 0
    odd: bool = False
    pieces: list[str] = field(factory=list)
    held: list[str] = field(factory=list)
    begun: bool = False
    over: bool = False
    size: int = 0
    halves: Halves = field(factory=Halves)
    _nesting: _Nesting = field(factory=_Nesting)
    _whole_at: int = 0
    _is_broken: bool = False

    def take(self, text: str) -> None:
        if self.block == "tool_call" and text:
            self.pieces.append(text)
            self.size += len(text)
            self._nesting.take(text)

    @property
    def nameable(self) -> bool:
        """Whether it can begin: a call cannot before its name is known."""
        return bool(self.name) or self.block != "tool_call"

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    @property
    def is_cut(self) -> bool:
        return self._nesting.open

    def complete(self) -> bool:
        """Whether nothing can follow: a text ends where another block begins, a call where its JSON does."""
        if self.block != "tool_call":
            return True
        if not self.name or self._is_broken or not self._nesting.closed:
            # A name comes; without it the call could not be passed on.
            return False
        if self.size != self._whole_at:
            try:
                orjson.loads(self.arguments)
            except orjson.JSONDecodeError:
                # What is closed and wrong stays wrong, whatever follows.
                self._is_broken = True
                return False
            self._whole_at = self.size
        return True


class Blocks:
    """Puts the pieces of text, reasoning and parallel tool calls into blocks that do not overlap.

    The first block that is not over is passed on live. Later ones are held until it ends: when its JSON is
    complete and another block begins, or at the end of the answer. Events of held pieces carry no frame.
    """

    def __init__(self, mint: Mint = call_id, calls: int = 0) -> None:
        self.called = calls > 0
        #: Something of the present frame is held, so that its events are not all of it.
        self.holding = False
        #: Name and arguments of the calls before the finish reason, which some servers send once more; None before it.
        self._sent: set[tuple[str, str]] | None = None
        self._ids = UniqueIds(mint)
        self._count = 0
        self._calls = calls
        self._queue: deque[_Part] = deque()
        self._by_index: dict[int, _Part] = {}
        self._by_id: dict[str, _Part] = {}
        self._last: _Part | None = None

    def text(self, block: Block, text: str, frame: bytes | None) -> list[StreamEvent]:
        """A piece of text or thinking."""
        if self._queue and self._queue[-1].block == block:
            return self._piece(self._queue[-1], text, frame)
        return self._begin(_Part(block), text, frame)

    def call(self, entry: dict[str, Any], frame: bytes | None) -> list[StreamEvent]:
        """One entry of a delta's ``tool_calls``."""
        function = entry.get("function")
        function = function if isinstance(function, dict) else entry
        said, name = string(entry.get("id")), string(function.get("name"))
        piece = _arguments(function.get("arguments"))
        index = entry.get("index")
        part = self._meant(index, said, name)
        if self._sent and (part is None or part.complete()) and (name, piece) in self._sent:
            self.holding = True
            return []
        if part is None or _is_next(part, said, name, piece):
            part = self._new(index, said, name or (part.name if part else ""))
            own = self._standing(frame, part, entry)
            if not entry.get("type"):
                # Clients give the call back as they read it, and servers look for its type.
                own, self.holding = None, True
            return self._begin(part, piece, own)
        self._last = part
        part.name = part.name or name
        # Clients add each id and name to the one before.
        part.odd = part.odd or bool(said or name)
        if _is_again(part, said, piece):
            self.holding = True
            return []
        return self._piece(part, piece, self._standing(frame, part, entry))

    def cut(self) -> bool:
        """Whether a call is open in the middle of its arguments."""
        return any(part.is_cut for part in self._queue)

    def finish(self) -> None:
        """The finish reason has come."""
        if self._sent is None:
            self._sent = {(part.name, part.arguments) for part in self._by_id.values() if part.complete()}

    def end(self, frame: bytes | None) -> list[StreamEvent]:
        """The answer is over: everything that is held leaves."""
        events: list[StreamEvent] = []
        while self._queue:
            events += self._shift(frame)
        return events

    def _meant(self, index: Any, said: str, name: str) -> _Part | None:
        """The call that an entry goes on with, as far as that can be told."""
        if isinstance(index, int):
            part = self._by_index.get(index)
            last = self._last
            if (
                part is None
                and not (said or name)
                and last is not None
                and last not in self._by_index.values()
            ):
                # The number of a call comes late; one that has a number already is another.
                part = self._by_index[index] = last
            return part
        if said and (part := self._by_id.get(said)) is not None:
            return part
        return None if said and name else self._last

    def _new(self, index: Any, said: str, name: str) -> _Part:
        identity, number = self._ids.of(said), self._calls
        self._calls += 1
        part = self._last = _Part("tool_call", identity, name, said, number, odd=identity != said)
        self._by_id[said or identity] = part
        if isinstance(index, int):
            self._by_index[index] = part
        return part

    def _standing(self, frame: bytes | None, part: _Part, entry: dict[str, Any]) -> bytes | None:
        """The frame, where a client of the dialect reads the same in it: calls numbered from 0, each with its id."""
        function = entry.get("function")
        written = isinstance(function, dict) and isinstance(function.get("arguments"), str | None)
        part.odd = part.odd or entry.get("index") != part.number or not written
        self.holding = self.holding or part.odd
        return None if part.odd else frame

    def _begin(self, part: _Part, piece: str, frame: bytes | None) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        self._queue.append(part)
        while self._queue[0] is not part and self._queue[0].complete():
            events += self._shift(frame)
        return events + self._piece(part, piece, frame)

    def _piece(self, part: _Part, text: str, frame: bytes | None) -> list[StreamEvent]:
        if part.over:
            self.holding = True
            return []
        if text and (part.halves or not text.isascii()):
            text, said = part.halves.take(text), text
            self.holding = self.holding or text != said
        part.take(text)
        if self._queue[0] is not part or not part.nameable:
            part.held.append(text)
            self.holding = True
            return []
        if part.begun:
            return [StreamEvent("delta", self._count, part.block, text, frame=frame)] if text else []
        return self._opened(part, text, frame)

    def _opened(self, part: _Part, text: str, frame: bytes | None) -> list[StreamEvent]:
        part.begun = True
        if part.held:
            text, frame = "".join((*part.held, text)), None
            part.held.clear()
        self.called = self.called or part.block == "tool_call"
        start = StreamEvent("block_start", self._count, part.block, id=part.id, name=part.name, frame=frame)
        if not text:
            return [start]
        return [start, StreamEvent("delta", self._count, part.block, text, frame=frame)]

    def _shift(self, frame: bytes | None) -> list[StreamEvent]:
        """The first block ends; what the next one held leaves."""
        part = self._queue[0]
        events = self._piece(part, rest, None) if (rest := part.halves.end()) else []
        self._queue.popleft()
        part.over = True
        if part.begun:
            events.append(StreamEvent("block_stop", self._count, part.block, frame=frame))
            self._count += 1
        if self._queue and (following := self._queue[0]).held and following.nameable:
            events += self._opened(following, "", None)
        return events


def _is_next(part: _Part, said: str, name: str, piece: str) -> bool:
    """Whether an entry begins another call, though its index (or the lack of one) is that of `part`.

    Local servers number every call 0, or not at all. An id alone says nothing: some make up a new one for every piece.
    """
    if name and part.name and (name != part.name or (said and said != part.said)):
        return True
    return piece.lstrip().startswith("{") and not _is_again(part, said, piece) and part.complete()


def _is_again(part: _Part, said: str, piece: str) -> bool:
    """Whether an entry is the whole call once more, as some servers send it at the end."""
    if not said or said != part.said or not piece or len(piece) != part.size:
        return False
    return piece == part.arguments and part.complete()


def _arguments(value: Any) -> str:
    """Arguments as a piece of JSON text; some servers send the object itself."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()
