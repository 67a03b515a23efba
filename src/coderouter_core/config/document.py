"""A YAML file as plain values that remember where they stood."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import Factory, define

from coderouter_core.config.tree import DEEPEST, KeyPath, Node, OvergrownError, Place, TreeBuilder
from coderouter_core.config.words import shown_key
from coderouter_core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from ruamel.yaml.error import YAMLError

#: A larger file is no configuration, and would take the parser minutes.
MOST_BYTES = 1024 * 1024

#: What the parser says, and what we say for it.
_WORDS = {"'\\t'": "a tab; indent with spaces", "maximum depth": f"nested more than {DEEPEST} levels deep"}


def spell(path: KeyPath) -> str:
    """A path as people write it: ``providers[1].cost``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shown_key(step)}"
    return text.removeprefix(".")


@define
class Document:
    """What a file says, and everything that is wrong with it. `tree` is None for an empty file."""

    file: str
    tree: Any = None
    problems: list[Problem] = Factory(list)
    _values: dict[KeyPath, Place] = Factory(dict)
    _keys: dict[KeyPath, Place] = Factory(dict)

    @classmethod
    def read(cls, path: Path) -> Document:
        """The file at `path`. Raises `ConfigError` when it cannot be read, is too large or is not UTF-8."""
        raw = _bytes(path)
        try:
            return cls.parse(raw.decode("utf-8-sig"), str(path))
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            message = "not UTF-8; save the file in that encoding"
            raise ConfigError(Problem(message, file=str(path), line=line, column=1)) from None

    @classmethod
    def parse(cls, text: str, file: str) -> Document:
        """The document in `text`. Raises `ConfigError` where it is not YAML."""
        builder = TreeBuilder()
        try:
            root = _compose(text, file)
            tree = None if root is None else builder.build(root, ())
        except (OvergrownError, RecursionError):
            message = "too many values, or nested too deeply, for a file of this kind"
            raise ConfigError(Problem(message, file=file)) from None
        problems = [
            Problem(message, spell(path), file, line, column)
            for path, (line, column), message in builder.mistakes
        ]
        return cls(file, tree, problems, builder.values, builder.keys)

    def problem(self, path: KeyPath, message: str, *, key: bool = False) -> None:
        """Note what is wrong with the value at `path`, or with its key.

        What is missing stands where the mapping begins that misses it.
        """
        self.problems.append(self.at(path, message, key=key))

    def at(self, path: KeyPath, message: str, *, key: bool = False) -> Problem:
        """A `Problem` with the place of `path`."""
        place = self._keys.get(path) if key else None
        for length in range(len(path), -1, -1):
            place = place or self._values.get(path[:length])
        line, column = place or (1, 1)
        return Problem(message, spell(path), self.file, line, column)

    def has(self, path: KeyPath) -> bool:
        """Whether the file says something at `path`."""
        return path in self._values

    def places(self) -> dict[str, Place]:
        """Line and column of every value, by its path as it is spelled."""
        return {spell(path): place for path, place in self._values.items()}

    def raise_problems(self) -> None:
        """Raise a `ConfigError` with all problems in order of place, if there are any."""
        problems = sorted(self.problems, key=lambda one: (one.line, one.column))
        if problems:
            raise ConfigError(*problems)


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # A pipe or a device may keep its reader for ever, and files are read more than once.
            raise ConfigError(Problem("is no regular file; name a file that can be read", file=str(path)))
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        said = (error.strerror or "cannot be read").lower()
        raise ConfigError(Problem(f"{said}; name a file that can be read", file=str(path))) from None
    if len(raw) > MOST_BYTES:
        message = f"holds more than {MOST_BYTES:,} bytes; no configuration needs that"
        raise ConfigError(Problem(message, file=str(path)))
    return raw


def _compose(text: str, file: str) -> Node:
    if not text:
        return None
    # Imported here: it takes longer than the rest of the package, and not every command reads a file.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.composer.warn_double_anchors = False
    yaml.max_depth = DEEPEST
    try:
        return yaml.compose(text)
    except YAMLError as error:
        raise ConfigError(_syntax(error, text, file)) from None
    except (ValueError, OverflowError):
        raise ConfigError(Problem("an escape in a text names no character", file=file)) from None


def _syntax(error: YAMLError, text: str, file: str) -> Problem:
    """Where the text stops being YAML, in the parser's words."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or "a character that YAML does not allow"
    said = next((words for sign, words in _WORDS.items() if sign in said), said)
    if context := getattr(error, "context", None):
        said = f"{said} ({context})"
    if mark is not None:
        return Problem(f"not YAML: {said}", file=file, line=mark.line + 1, column=mark.column + 1)
    position = getattr(error, "position", 0)
    line = text.count("\n", 0, position) + 1
    return Problem(f"not YAML: {said}", file=file, line=line, column=position - text.rfind("\n", 0, position))
