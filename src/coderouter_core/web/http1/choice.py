"""Choose who reads HTTP/1: our connections on httptools, or hypercorn's own on h11."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from attrs import frozen
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from coderouter_core.errors import ConfigError
from coderouter_core.web import connections

HTTPTOOLS, H11 = "httptools", "h11"
VARIABLE = "CODEROUTER_HTTP1"

#: Versions of hypercorn whose insides these connections were tested with.
TESTED = ("0.17", "0.18")
#: What of these insides they stand on.
TAKES = ("self", "app", "loop", "config", "context", "state", "reader", "writer")
SETTINGS = ("keep_alive_timeout", "h11_max_incomplete_size", "root_path", "response_headers", "log")


@frozen
class Choice:
    """`name` is who it will be. `unmet` says why that is not whom somebody asked for; empty when it is."""

    name: str
    unmet: str = ""


def choose(
    asked: str | None, environ: Mapping[str, str], hindrance: Callable[[], str] | None = None
) -> Choice:
    """Whoever was `asked` for, or the environment names; else httptools, where there is no `hindrance`.

    Raises `ConfigError` for a name that is neither.
    """
    told = asked or environ.get(VARIABLE, "").strip()
    if told not in ("", HTTPTOOLS, H11):
        raise ConfigError(
            f"{VARIABLE}: {told!r} is neither {HTTPTOOLS} nor {H11}; correct it, or leave it out"
        )
    if told == H11:
        return Choice(H11)
    why_not = (hindrance or obstacle)()
    if not why_not:
        return Choice(HTTPTOOLS)
    return Choice(H11, why_not if told else "")


def obstacle(
    installed: str | None = None, takes: Any = TCPServer.__init__, context: Any = WorkerContext
) -> str:
    """Why hypercorn must read HTTP/1 itself; empty when it need not. The arguments are hypercorn's version and insides."""
    found = version("hypercorn") if installed is None else installed
    if ".".join(found.split(".")[:2]) not in TESTED:
        return f"hypercorn {found} is not one of those it was tested with ({', '.join(TESTED)})"
    if tuple(inspect.signature(takes).parameters) != TAKES:
        return f"hypercorn {found} makes its connections of other things"
    if not hasattr(context(None), "terminated"):
        return f"hypercorn {found} does not say in the same way that it ends"
    if gone := [name for name in SETTINGS if not hasattr(Config(), name)]:
        return f"hypercorn {found} has no setting {', '.join(gone)}"
    return "" if find_spec("httptools") else "httptools is not installed"


def settle(choice: Choice, app: Any) -> Config:
    """Hypercorn's settings for a server of `app` whose HTTP/1 is as chosen."""
    if choice.name == H11:
        connections.mend()
        return Config()
    # Not before: it cannot be imported without httptools.
    from coderouter_core.web.http1.server import Settings, install
    from coderouter_core.web.http1.site import Site

    install()
    settings = Settings()
    settings.site = Site(app, settings)
    return settings
