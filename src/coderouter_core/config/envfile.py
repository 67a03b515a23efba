"""Read files of environment variables, as ``--env-file`` names them."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from coderouter_core.errors import ConfigError, Problem

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(?P<value>.*)")
_COMMENT = re.compile(r"[ \t]#")
_ESCAPE = re.compile(r'\\([ntr"\\$`])')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_DOUBLE = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<rest>.*)')
_SINGLE = re.compile(r"'(?P<text>[^']*)'(?P<rest>.*)")


class _LineError(Exception):
    """What is wrong with one line; never what stands in it."""


def read(path: Path) -> list[tuple[str, str]]:
    """The variables in the file, in order.

    A line is ``KEY=value``, with or without ``export``; blank lines and those with ``#`` are left out. A
    value is bare (a ``#`` after a space begins a comment), in double quotes (with escapes) or in single
    quotes (as it is). Nothing is expanded. Raises `ConfigError` with every line that is wrong.
    """
    found: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            try:
                found.append(_assignment(stripped))
            except _LineError as mistake:
                problems.append(Problem(str(mistake), file=str(path), line=number))
    if problems:
        raise ConfigError(*problems)
    return found


def apply(paths: Sequence[Path], environ: MutableMapping[str, str], *, override: bool = False) -> list[str]:
    """Put the variables of the files into `environ`, and tell their names, a line for each file.

    What is set already stays, so the first file that sets a variable wins; with `override` the last one.
    Raises `ConfigError` with all mistakes in all files; then nothing was applied.
    """
    files: list[tuple[Path, dict[str, str]]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append((path, dict(read(path))))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    report: list[str] = []
    for path, variables in files:
        applied = {key: value for key, value in variables.items() if override or key not in environ}
        environ.update(applied)
        count = "1 variable" if len(applied) == 1 else f"{len(applied)} variables"
        names = f": {', '.join(sorted(applied))}" if applied else ""
        report.append(f"{path}: {count} applied{names}")
    return report


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        said = (error.strerror or "cannot be read").lower()
        raise ConfigError(Problem(f"{said}; name a file that can be read", file=str(path))) from None
    except UnicodeDecodeError:
        raise ConfigError(Problem("not UTF-8; save the file in that encoding", file=str(path))) from None
    if text.startswith("\ufeff"):
        message = "begins with a byte order mark; save the file as UTF-8 without one"
        raise ConfigError(Problem(message, file=str(path), line=1))
    return text


def _assignment(line: str) -> tuple[str, str]:
    if "=" not in line:
        raise _LineError("no '=' in this line; write KEY=value")
    if "\0" in line:
        raise _LineError("a NUL character, which no variable can hold; remove it")
    match = _ASSIGNMENT.fullmatch(line)
    if match is None:
        raise _LineError("the name before '=' must be of letters, digits and _, and not begin with a digit")
    return match["key"], _value(match["value"])


def _value(text: str) -> str:
    if text.startswith('"'):
        return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), _quoted(_DOUBLE, text))
    if text.startswith("'"):
        return _quoted(_SINGLE, text)
    return _COMMENT.split(text, maxsplit=1)[0].rstrip()


def _quoted(form: re.Pattern[str], text: str) -> str:
    match = form.fullmatch(text)
    if match is None:
        raise _LineError("a quote that is not closed in this line; close it")
    rest = match["rest"].strip()
    if rest and not rest.startswith("#"):
        raise _LineError("text after the closing quote; put all of the value into the quotes")
    return match["text"]
