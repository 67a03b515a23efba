"""Read what a GGUF file says of its model, without the model."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

from attrs import frozen

#: Value types by number (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), all little-endian.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_MAX_TEXT_BYTES = 16 * 1024 * 1024


@frozen
class Header:
    """`context` is the number of tokens the model was trained for, None where the file does not say."""

    name: str | None = None
    context: int | None = None


def read_header(path: Path) -> Header:
    """The header of a GGUF file. Raises `OSError`, and `ValueError` for a file that is no GGUF file.

    Reads the fields that describe the model, which come first, and stops before the vocabulary.
    """
    fields: dict[str, Any] = {}
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError("this is no GGUF file")
        try:
            _, _, count = _unpack(file, "<IQQ")
            for _ in range(count):
                key = _text(file)
                if key.startswith("tokenizer."):
                    break
                fields[key] = _value(file, *_unpack(file, "<I"))
        except (struct.error, KeyError, UnicodeDecodeError) as error:
            raise ValueError("the header of this GGUF file is cut off or damaged") from error
    context = fields.get(f"{fields.get('general.architecture')}.context_length")
    name = fields.get("general.name")
    return Header(
        name if isinstance(name, str) else None, context if isinstance(context, int) and context > 0 else None
    )


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == _TEXT:
        return _text(file)
    if kind == _ARRAY:
        item, length = _unpack(file, "<IQ")
        for _ in range(length):
            _value(file, item)
        return None
    return _unpack(file, "<" + _NUMBERS[kind])[0]


def _text(file: IO[bytes]) -> str:
    (length,) = _unpack(file, "<Q")
    if length > _MAX_TEXT_BYTES:
        raise struct.error("a text of this length cannot be")
    raw = file.read(length)
    if len(raw) < length:
        raise struct.error("the file ends within a text")
    return raw.decode("utf-8")


def _unpack(file: IO[bytes], form: str) -> tuple[Any, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
