"""The sinks of a served router, as its environment asks for them."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path

from coderouter_core.errors import ConfigError, Problem
from coderouter_core.events import Level
from coderouter_core.log.mirror import KEEP, MAX_BYTES, Mirror, UnreadError
from coderouter_core.log.writer import LogWriter

PATH, BYTES, KEPT = "CODEROUTER_EVENTS_PATH", "CODEROUTER_EVENTS_MAX_BYTES", "CODEROUTER_EVENTS_KEEP"
#: A file that is smaller would be put aside all the time.
FEWEST_BYTES = 10_000
#: What passes, or is somebody else's to mend while the router serves.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENFILE, errno.EMFILE})


def open_sinks(level: Level, environ: Mapping[str, str], secrets: Iterable[str] = ()) -> list[LogWriter]:
    """The log on stderr, and the file of CODEROUTER_EVENTS_PATH. Each is to be closed. Raises `ConfigError`."""
    hidden = list(secrets)
    mirror = _mirror(environ)
    log = LogWriter(level, secrets=hidden)
    if mirror is None:
        return [log]
    return [log, LogWriter(level, secrets=hidden, target=mirror, name="mirror", tell=log)]


def _mirror(environ: Mapping[str, str]) -> Mirror | None:
    named = environ.get(PATH, "").strip()
    if not named:
        return None
    path = Path(named)
    mirror = Mirror(path, _number(environ, BYTES, MAX_BYTES, FEWEST_BYTES), _number(environ, KEPT, KEEP, 0))
    try:
        mirror.open()
    except UnreadError:
        return mirror
    except OSError as error:
        if error.errno not in _PASSING:
            reason = (error.strerror or "cannot be written").lower()
            raise ConfigError(
                Problem(f"{PATH}: {str(path)!r}: {reason}; name a file that can be written")
            ) from None
    return mirror


def _number(environ: Mapping[str, str], name: str, usual: int, least: int) -> int:
    written = environ.get(name, "").strip()
    if not written:
        return usual
    if not written.isdecimal() or int(written) < least:
        raise ConfigError(Problem(f"{name}: must be a whole number of at least {least}, not {written!r}"))
    return int(written)
