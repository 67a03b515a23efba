"""``coderouter explain``: the way a request took."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from coderouter_core.cli import Failure
from coderouter_core.errors import ConfigError

if TYPE_CHECKING:
    from coderouter_core.cli.stats.books import Books

#: Where a router listens that was told nothing else.
USUAL_URL = "http://127.0.0.1:4000"
#: Seconds a running router may take to tell.
PATIENCE_S = 3.0


@click.command("explain", short_help="Tell the way a request took, and why.")
@click.argument("request_id")
@click.option("--url", help=f"Ask the router that runs there, and nobody else; first asked is {USUAL_URL}.")
@click.option("--key-env", metavar="NAME", help="The variable that holds a key, where the router wants one.")
@click.option("--ledger", help="Read this ledger's file, and ask nobody.")
@click.option("--config", help="Read the ledger of this configuration, and ask nobody.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def command(
    request_id: str,
    url: str | None,
    key_env: str | None,
    ledger: str | None,
    config: str | None,
    as_json: bool,
) -> None:
    """Tell which profile served REQUEST_ID and why, who was left out or moved back by whom, what became of each attempt
    and what it cost.

    REQUEST_ID is the x-request-id of the answer; `last` is the newest request. The running router is asked; where none
    runs, the ledger's file is read, in which what ended within the last second may be missing.
    """
    asks = url is not None or (ledger is None and config is None)
    trace = _asked(url or USUAL_URL, request_id, key_env, must=url is not None) if asks else None
    books = None if trace is not None and url else _books(config, ledger, must=trace is None)
    if trace is None and books is not None:
        trace = _read(books, request_id)
    if trace is None:
        raise Failure(f"{request_id}: no such request is in {books.path if books else url}")
    if as_json:
        import orjson

        click.echo(orjson.dumps(trace, option=orjson.OPT_INDENT_2))
        return
    from coderouter_core.cli.way import show

    if books is None:
        show(trace)
    else:
        show(trace, books.zone)


def _asked(url: str, request_id: str, key_env: str | None, *, must: bool) -> Mapping[str, Any] | None:
    """What a running router tells; None where none does. `must`: then it is a `Failure`, which says why."""
    import httpx

    key = os.environ.get(key_env, "").strip() if key_env else ""
    headers = {"x-api-key": key} if key else {}
    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/explain/{quote(request_id, safe='')}",
            headers=headers,
            timeout=PATIENCE_S,
            trust_env=False,
        )
        told = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        if must:
            raise Failure(f"{url}: no router answers there: {error}") from None
        return None
    if answer.status_code == 200 and isinstance(told, dict) and isinstance(told.get("facts"), dict):
        return told
    if must:
        said = told.get("error") if isinstance(told, dict) else None
        reason = said.get("message") if isinstance(said, dict) else "what answers there is no router"
        advice = "; name the variable that holds it with --key-env" if answer.status_code == 401 else ""
        raise Failure(f"{url}: {answer.status_code}: {reason}{advice}")
    return None


def _books(config: str | None, ledger: str | None, *, must: bool) -> Books | None:
    """The ledger to read, and the time zone to show."""
    from coderouter_core.cli.stats.books import find_books

    try:
        return find_books(config, ledger, os.environ)
    except ConfigError:
        if must:
            raise
        return None


def _read(books: Books, request_id: str) -> Mapping[str, Any] | None:
    from coderouter_core.ledger import traces_of

    found = traces_of(books.path, None if request_id == "last" else request_id, 1)
    return found[0] if found else None
