"""From a ledger's URL to a ledger."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from coderouter_core.errors import ConfigError, Problem
from coderouter_core.ledger.memory import MemoryLedger
from coderouter_core.ledger.sqlite import RETENTION_MONTHS, SqliteLedger
from coderouter_core.model import Clock, Ledger

KNOWN = "memory: and sqlite:PATH"


def open_ledger(
    url: str,
    clock: Clock,
    on_failure: Callable[[str], None],
    *,
    retention_months: int = RETENTION_MONTHS,
) -> Ledger:
    """The ledger that `url` names: ``memory:``, ``sqlite:PATH``, or empty for `default_path`.

    It is not opened yet; `Ledger.open` is where files are touched. `on_failure` is called in the event loop
    with a sentence when the store cannot be reached, at most once a minute for each kind of failure.
    What is older than `retention_months` is dropped. Raises `ConfigError` for a URL it does not know.
    """
    if url == "memory:":
        return MemoryLedger(clock)
    return SqliteLedger(path_of(url), clock, on_failure, retention_months=retention_months)


def path_of(url: str) -> Path:
    """The file of a ``sqlite:`` URL, absolute, ``~`` expanded; `default_path` when `url` is empty."""
    if not url:
        return default_path()
    scheme, colon, rest = url.partition(":")
    if scheme != "sqlite" or not colon:
        raise _problem(f"no ledger is named {url!r}; known are {KNOWN}")
    if not rest.strip("/"):
        raise _problem(f"{url!r} names no file; write sqlite:/path/to/ledger.db, or nothing for {_default()}")
    if rest.startswith("//"):
        rest = "/" + rest.lstrip("/")
    try:
        path = Path(rest).expanduser()
    except RuntimeError as error:
        raise _problem(f"{url!r}: {error}; write an absolute path") from error
    if not path.is_absolute():
        raise _problem(
            f"{url!r}: the path must be absolute or start with ~; did you mean sqlite:{path.absolute()}?"
        )
    return path


def default_path() -> Path:
    """``ledger.db`` in the user's data directory; ``$XDG_DATA_HOME`` wins where it is absolute."""
    given = os.environ.get("XDG_DATA_HOME", "")
    try:
        if os.path.isabs(given):
            base = Path(given)
        elif sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Application Support"
        else:
            base = Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise _problem(
            f"there is no home directory to keep it in ({error}); write sqlite:/path/to/ledger.db"
        ) from error
    return base / "coderouter" / "ledger.db"


def _default() -> str:
    try:
        return str(default_path())
    except ConfigError:
        return "the default place"


def _problem(message: str) -> ConfigError:
    return ConfigError(Problem(message, path="ledger.url"))
