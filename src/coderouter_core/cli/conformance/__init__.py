"""``coderouter conformance``: whether a gateway that runs keeps the protocols that its clients rely on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from coderouter_core.cli import FAILURE, Mistake
from coderouter_core.model import Dialect

if TYPE_CHECKING:
    import httpx

    from coderouter_core.cli.conformance.gateway import Gateway


@click.command("conformance", short_help="Check that a running gateway keeps the protocols.")
@click.argument("url", required=False)
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option(
    "--key", envvar="CODEROUTER_CONFORMANCE_KEY", help="The key that the gateway asks of its clients."
)
@click.option("--model", help="The model to ask for; else the first one that the gateway lists.")
@click.option(
    "--dialect", type=click.Choice([each.value for each in Dialect]), help="Only what concerns this dialect."
)
@click.option(
    "--upstream",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Serve a scripted upstream on http://127.0.0.1:PORT/v1, for a provider of the gateway to point at.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds that an answer may take.",
)
@click.option(
    "--silence",
    "silence_s",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="With --upstream: how long it thinks before its first word, for the checks of keep-alives.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@click.option("--list", "only_list", is_flag=True, help="Show the checks, and run none.")
@click.pass_context
def command(
    context: click.Context,
    url: str | None,
    checks: tuple[str, ...],
    key: str | None,
    model: str | None,
    dialect: str | None,
    upstream: int | None,
    timeout_s: float,
    silence_s: float | None,
    as_json: bool,
    only_list: bool,
) -> None:
    """Ask the gateway at URL, whoever made it, as the clients of each dialect do, and tell what it does otherwise.

    CHECK is the id of a check or a pattern like 'messages-*'; without one all are run. Most checks ask the model
    behind the gateway, which may cost money. With --upstream the answers come from a scripted server instead, which
    also fails in every way that real ones do: point a provider of the gateway, of either wire, at it, and name that
    provider or its profile as --model.

    Ends with 0 when nothing failed, 1 when something did, 2 when no HTTP server answers at URL.
    """
    from coderouter_core.cli.conformance import show
    from coderouter_core.cli.conformance.run import chosen, results

    wanted = Dialect(dialect) if dialect else None
    if only_list:
        # Nobody is asked, so what stands where the URL would is a check as well.
        show.listing(chosen([*([url] if url else []), *checks], wanted))
        return
    root = _root(url)
    picked = chosen(checks, wanted)
    with _gateway(root, key, timeout_s, upstream) as gateway:
        gateway.silence_s = silence_s
        gateway.model = model or _first_model(gateway)
        found = show.progress(results(picked, gateway), len(picked))
        if as_json:
            click.echo(show.as_json(root, gateway.model, found))
        else:
            show.table(found)
    context.exit(FAILURE if any(each.verdict == "fail" for each in found) else 0)


def _root(url: str | None) -> str:
    """The gateway's root: clients of OpenAI's are told an address that ends in ``/v1``."""
    if not url:
        raise Mistake("conformance: name the gateway, like coderouter conformance http://127.0.0.1:4000")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Mistake(f"URL: must be like http://127.0.0.1:4000, not {url!r}")
    return url.rstrip("/").removesuffix("/v1")


@contextmanager
def _gateway(root: str, key: str | None, timeout_s: float, port: int | None) -> Iterator[Gateway]:
    """The gateway, which answers, and the scripted upstream, which is served as long as it is asked."""
    import httpx

    from coderouter_core.cli.conformance.gateway import Gateway
    from coderouter_core.testing import Upstream

    with ExitStack() as stack:
        gateway = Gateway(root, key=key, timeout_s=timeout_s)
        stack.callback(gateway.close)
        if port is not None:
            try:
                gateway.upstream = stack.enter_context(Upstream(port=port))
            except OSError as error:
                raise Mistake(f"--upstream: port {port}: {error.strerror}") from None
        try:
            gateway.reach()
        except httpx.HTTPError as error:
            raise Mistake(f"{root}: {_unreached(error)}") from None
        yield gateway


def _unreached(error: httpx.HTTPError) -> str:
    """What a server does, or that there is none."""
    import httpx

    said = str(error) or type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError):
        if "without sending" in said:
            return "takes the connection and closes it without an answer"
        return f"answers with something that is not HTTP: {said}"
    if isinstance(error, httpx.ReadError | httpx.WriteError):
        return f"takes the connection and breaks it before it answers: {said}"
    if isinstance(error, httpx.ReadTimeout):
        return "takes the connection and stays silent"
    return f"nobody answers there: {said}"


def _first_model(gateway: Gateway) -> str:
    if (found := gateway.default_model()) is None:
        raise Mistake(f"{gateway.url}: it lists no models; name the one to ask for with --model")
    return found
