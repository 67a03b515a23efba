"""Find ``providers.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from coderouter_core.errors import ConfigError, Problem

NAME = "providers.yaml"
VARIABLE = "CODEROUTER_CONFIG"


def find(explicit: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: `explicit` (from the command line), $CODEROUTER_CONFIG, ``~/.coderouter``; or None.

    Raises `ConfigError` when one that is named is not there: another file is never taken instead.
    """
    if explicit is not None:
        return _named(explicit, "--config", environ)
    if told := environ.get(VARIABLE, "").strip():
        return _named(told, VARIABLE, environ)
    path = _home(environ) / ".coderouter" / NAME
    return path if path.is_file() else None


def unnamed(directory: Path | None = None) -> Path | None:
    """A ``providers.yaml`` in the current directory, which is used only when it is named.

    A cloned repository may hold one that would send prompts and keys elsewhere.
    """
    path = (directory or Path()) / NAME
    return path if path.is_file() else None


def _named(name: str, who: str, environ: Mapping[str, str]) -> Path:
    path = Path(name)
    if path.parts[:1] == ("~",):
        path = _home(environ).joinpath(*path.parts[1:])
    if path.is_dir():
        raise ConfigError(Problem(f"{name!r} is a directory; name the file in it", who))
    if not path.is_file():
        raise ConfigError(Problem(f"there is no file {name!r}; correct the path, or leave it out", who))
    return path


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "").strip()
    return Path(home) if home else Path.home()
