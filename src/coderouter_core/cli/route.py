"""``coderouter route``: the way a request would take, without calling anybody."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coderouter_core.cli import FAILURE, Failure, Mistake
from coderouter_core.errors import ConfigError, PluginError, RequestError

if TYPE_CHECKING:
    from coderouter_core.cli.assemble import Assembly
    from coderouter_core.engine import Report
    from coderouter_core.model import Clock, Dialect, Ledger, Request


@click.command("route", short_help="Tell the way a request would take, calling nobody.")
@click.option("--body", metavar="FILE", required=True, help="The request's JSON; - reads standard input.")
@click.option(
    "--dialect",
    type=click.Choice(["messages", "chat", "responses"]),
    default="messages",
    show_default=True,
    help="What the body is written in.",
)
@click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True, help="May be repeated.")
@click.option("--client-key", metavar="NAME", help="The entry of auth.keys that asks, by its name.")
@click.option("--config", metavar="PATH", help="The configuration; else as serve finds it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@click.pass_context
def command(
    context: click.Context,
    body: str,
    dialect: str,
    headers: Sequence[str],
    client_key: str | None,
    config: str | None,
    as_json: bool,
) -> None:
    """Tell which profile would serve a request, who would be left out or moved back, and who would be tried in which
    order. Nobody is called, and nothing is reserved, marked or recorded.

    Budgets and cooldowns are those in the ledger's file. What a running router knows only by itself, such as how
    fast its providers were a minute ago, is not known here.

    Ends with 1 where nobody would be tried.
    """
    import asyncio

    from coderouter_core.engine import facts_of
    from coderouter_core.model import Dialect

    request = _request(body, Dialect(dialect), headers, client_key)
    report = asyncio.run(_plan(_assembly(config), request))
    fault = report.fault
    trace = {"facts": facts_of(report, "full", status=fault.status if fault else None)}
    if as_json:
        import orjson

        click.echo(orjson.dumps(trace["facts"], option=orjson.OPT_INDENT_2))
    else:
        from coderouter_core.cli.way import show

        show(trace)
    if fault is not None:
        context.exit(FAILURE)


def _assembly(config: str | None) -> Assembly:
    from coderouter_core.cli.assemble import from_file
    from coderouter_core.config import find

    path = find(config, os.environ)
    if path is None:
        raise ConfigError("no configuration: name one with --config, or write ~/.coderouter/providers.yaml")
    return from_file(path, os.environ)


def _request(body: str, dialect: Dialect, headers: Sequence[str], client_key: str | None) -> Request:
    """The request, judged as `serve` judges it."""
    from coderouter_core.model import Request
    from coderouter_core.web.exchange import decode
    from coderouter_core.web.generate import CREDENTIALS
    from coderouter_core.wire import client_side

    raw = _read(body)
    try:
        decoded, compact = decode(raw)
        client_side(dialect).check(decoded)
    except RequestError as error:
        raise Mistake(f"--body: {body}: {error.fault.message}") from None
    given = dict(_header(each) for each in headers)
    kept = {name: value for name, value in given.items() if name not in CREDENTIALS}
    return Request("", dialect, decoded, raw, kept, client_key=client_key, compact=compact)


def _read(body: str) -> bytes:
    if body == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(body).read_bytes()
    except OSError as error:
        raise Mistake(f"--body: {body!r}: {error.strerror}; name a file, or - for standard input") from None


def _header(said: str) -> tuple[str, str]:
    name, colon, value = said.partition(":")
    if not colon or not name.strip():
        raise Mistake(f"--header: {said!r}: must be like 'X-CodeRouter-Profile: coding'")
    return name.strip().lower(), value.strip()


async def _plan(assembly: Assembly, request: Request) -> Report:
    """The engine's own decisions, over a copy of the ledger that is thrown away."""
    from coderouter_core.engine import Report
    from coderouter_core.router import CodeRouter, SystemClock

    clock = SystemClock()
    ledger = await _ledger(assembly, clock)
    router = CodeRouter(assembly.config, assembly.plugins, ledger=ledger, clock=clock)
    report = Report(request, began_at=clock.utc().timestamp())
    try:
        report.choice = choice = await router.routing.choice(request)
        await router.engine.plan(request, choice.profile, report)
    except RequestError as error:
        report.fault = error.fault
    except PluginError as error:
        raise Failure(str(error)) from error
    return report


async def _ledger(assembly: Assembly, clock: Clock) -> Ledger:
    from coderouter_core.ledger import MemoryLedger, path_of
    from coderouter_core.ledger.snapshot import snapshot

    url = assembly.config.ledger_url
    return MemoryLedger(clock) if url == "memory:" else await snapshot(path_of(url), clock)
