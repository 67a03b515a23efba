"""What the model of a generated stream said, and the pieces in which an upstream sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Literal

from attrs import field, frozen

from coderouter_core.model import Dialect, Usage

Kind = Literal["thinking", "text", "call"]
#: How a stream ends: well, by a cut connection, or by an error that the upstream tells.
End = Literal["whole", "cut", "error"]

NAMES = ("read_file", "get_weather", "run", "f")
WORDS = (
    "Hello",
    " wörld",
    " 日本語",
    " 🎉",
    "👩‍💻",
    "\n\n",
    " data: x",
    " [DONE]",
    ' "quoted" \\ ',
    " { ",
    " a < b",
    "\u2028",
    "\x00",
    ".",
)
_VALUES: tuple[Any, ...] = (
    "Oslo",
    "",
    'a "b" \\ }{',
    "🎉 é",
    "\ud7ff\u2029",
    0,
    -1.5,
    None,
    True,
    [],
    [1, {"a": "}"}],
    {},
)


@frozen
class Said:
    """The words of one choice. `ids` are those of the calls that the upstream named uniquely, else empty."""

    thinking: str = ""
    text: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    ids: tuple[str, ...] = ()
    reason: str = "end_turn"


@frozen
class Stream:
    """A stream of an upstream as bytes, and what every client must find in it.

    `choices` is what each choice says, in a stream of `messages` just one. `usage` None: nothing was told.
    `quirks` are the words for what is odd about it.
    """

    dialect: Dialect
    data: bytes = field(repr=False)
    choices: tuple[Said, ...]
    usage: Usage | None
    end: End
    quirks: tuple[str, ...] = ()

    @property
    def said(self) -> Said:
        return self.choices[0]


class Dice:
    """Chances of one stream. `quirks` collects the words for those that fell."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.quirks: list[str] = []

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def odd(self, quirk: str, one_in: int = 6) -> bool:
        """Whether the upstream has `quirk`."""
        found = self.chance(one_in)
        if found:
            self.quirks.append(quirk)
        return found

    def one(self, *choices: str) -> str:
        """One of `choices`; the first, which is the usual, most often."""
        found = choices[0] if self.random.randrange(2) else self.random.choice(choices)
        if found != choices[0]:
            self.quirks.append(found)
        return found

    def text(self, most: int) -> str:
        return "".join(self.random.choice(WORDS) for _ in range(self.random.randint(1, most)))

    def arguments(self) -> dict[str, Any]:
        keys = ("city", "a", "ключ", "path")
        return {key: self.random.choice(_VALUES) for key in keys[: self.random.randrange(4)]}

    def pieces(self, text: str) -> list[str]:
        """`text` cut anywhere, between the two UTF-16 halves of a character, too."""
        units = text.encode("utf-16-le")
        most = len(units) // 2
        cuts = (
            sorted({self.random.randrange(most + 1) for _ in range(self.random.randrange(4))}) if most else []
        )
        if not self.chance(4):
            # Most servers send whole characters.
            cuts = [at for at in cuts if units[2 * at - 1] & 0xFC != 0xD8 or not at]
        ends = [*cuts, most]
        return [
            units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
            for start, end in zip([0, *cuts], ends, strict=True)
        ]


def half(piece: str) -> bool:
    """Whether `piece` ends with the first half of a character."""
    return "\ud800" <= piece[-1:] <= "\udbff"


def said(dice: Dice) -> Said:
    """Something to say: now and then nothing but calls, or text alone."""
    random = dice.random
    calls = tuple((random.choice(NAMES), dice.arguments()) for _ in range(random.choice((0, 0, 1, 1, 2, 3))))
    text = dice.text(5) if random.randrange(4) or not calls else ""
    thinking = dice.text(4) if dice.chance(3) else ""
    ids = tuple(f"call_{number}_{random.randrange(10**6)}" for number in range(len(calls)))
    reason = (
        "tool_use" if calls else random.choice(("end_turn", "end_turn", "end_turn", "max_tokens", "refusal"))
    )
    return Said(thinking, text, calls, ids, reason)


def dump(value: Any, *, plain: bool) -> str:
    """JSON: in ASCII with escapes where `plain`, else as it is."""
    return json.dumps(value, ensure_ascii=plain, separators=(",", ":"))


def frames(dice: Dice, events: Sequence[tuple[str, Any]]) -> list[bytes]:
    """Server-sent events, each with its name ("" for none) and its value or raw data, as some server writes them."""
    end = dice.one("\n", "\r\n")
    plain = dice.chance(2)
    space = "" if dice.odd("no-space") else " "
    comments = dice.odd("comments")
    lines = dice.odd("many-lines", 12)
    out: list[bytes] = []
    for name, value in events:
        if comments and dice.chance(3):
            out.append(f": PROCESSING{end}{end}".encode())
        data = value if isinstance(value, str) else _data(value, plain)
        written = [f"data:{space}{line}" for line in (_lined(data) if lines else [data])]
        head = [f"event:{space}{name}"] if name else []
        if lines and dice.chance(4):
            head.append("id: 7")
        out.append(f"{end.join([*head, *written])}{end}{end}".encode())
    if dice.odd("byte-order-mark", 12) and out:
        out[0] = b"\xef\xbb\xbf" + out[0]
    return out


def _data(value: Any, plain: bool) -> str:
    text = dump(value, plain=plain)
    return text if plain or text.isascii() or not _has_halves(text) else dump(value, plain=True)


def _has_halves(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _lined(data: str) -> list[str]:
    """JSON over two lines, where it has a place for that."""
    return [data[:1], data[1:]] if data.startswith("{") else [data]


def ended(dice: Dice, out: list[bytes], where: range, errors: Sequence[bytes]) -> tuple[bytes, End]:
    """The whole stream, or one that is cut or fails before one of the frames `where`, none of which is its end."""
    random = dice.random
    if not where or not dice.chance(5):
        return b"".join(out), "whole"
    at = random.choice(where)
    kept = b"".join(out[:at])
    if dice.chance(2):
        return kept + random.choice(list(errors)) + b"".join(out[at : at + random.randrange(2)]), "error"
    broken = out[at][: random.randrange(len(out[at]) - 3)] if len(out[at]) > 4 and dice.chance(2) else b""
    return kept + broken, "cut"


def interleaved(dice: Dice, queues: Sequence[list[Any]], *, mixed: bool) -> Iterator[Any]:
    """The pieces of some queues, each queue's in their order. A queue begins after those before it have begun.

    Pieces are tuples with their text last; the two halves of a character stay together.
    """
    rest = [list(queue) for queue in queues if queue]
    begun = 0
    while rest:
        at = dice.random.randrange(min(len(rest), begun + 1)) if mixed else 0
        begun = max(begun, at + 1)
        while True:
            piece = rest[at].pop(0)
            yield piece
            if not half(piece[-1]) or not rest[at]:
                break
        if not rest[at]:
            del rest[at]
            begun -= 1


def place_of(out: Sequence[bytes], event: int) -> int:
    """The number of the frame that holds the event of number `event`: comments stand between."""
    seen = -1
    for at, frame in enumerate(out):
        seen += not frame.removeprefix(b"\xef\xbb\xbf").startswith(b":")
        if seen == event:
            return at
    return len(out)
