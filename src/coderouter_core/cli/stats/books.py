"""Which ledger a command reads that is not the router, and in which time zone it shows times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from attrs import frozen

from coderouter_core.config import find
from coderouter_core.config.document import Document
from coderouter_core.errors import ConfigError
from coderouter_core.ledger import path_of


@frozen
class Books:
    """The file of a ledger, and the zone in which its operator reads times."""

    path: Path
    zone: dt.tzinfo = dt.UTC


def find_books(config: str | None, ledger: str | None, environ: Mapping[str, str]) -> Books:
    """Those of the router that the configuration is of: `ledger`, a path or a URL, before CODEROUTER_LEDGER before
    the file before the default place.

    The configuration is only looked into: that a key's variable is set where the router runs and not here, say, is
    no reason not to show what was spent. Raises `ConfigError` for a file that is not there, and for a ledger without
    a file.
    """
    file = find(config, environ)
    said = Document.read(file).tree if file is not None else None
    keys = said if isinstance(said, dict) else {}
    url = _url(ledger) or environ.get("CODEROUTER_LEDGER", "").strip() or _text(keys.get("ledger"), "url")
    if url == "memory:":
        raise ConfigError(
            "the ledger is kept in memory (memory:), which ends with its router; nothing is left to read"
        )
    return Books(path_of(url), _zone(_text(keys, "display_timezone")))


def _url(ledger: str | None) -> str:
    """A path as the URL that it means."""
    if not ledger or ":" in ledger:
        return ledger or ""
    return f"sqlite:{Path(ledger).expanduser().absolute()}"


def _text(keys: Any, key: str) -> str:
    value = keys.get(key) if isinstance(keys, dict) else None
    return value if isinstance(value, str) else ""


def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name) if name else dt.UTC
    except (KeyError, OSError, ValueError):
        return dt.UTC
