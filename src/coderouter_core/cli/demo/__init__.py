"""``coderouter demo``: a real model, real requests over HTTP, a real failover, and nothing to set up."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING

import click

from coderouter_core.errors import CodeRouterError

if TYPE_CHECKING:
    from coderouter_core.cli.assemble import Assembly
    from coderouter_core.cli.demo.stage import Stage
    from coderouter_core.events import Event


@click.command("demo", short_help="See it work: a small model of its own, no key needed.")
@click.option("--once", is_flag=True, help="End after the show, instead of serving on until Ctrl-C.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port to serve on; default any free one."
)
@click.option("--no-fetch", is_flag=True, help="Use the model's weights only if they are here already.")
def command(once: bool, port: int, no_fetch: bool) -> None:
    """Route real requests to a small model that runs here, without a key and without any other server.

    An Anthropic and an OpenAI client ask through the router's own port; then a provider refuses and the next
    one answers. At last the router stays, for your own clients. The model's weights (about 100 MB) are fetched
    the first time.
    """
    from coderouter_core.cli.assemble import from_text
    from coderouter_core.cli.demo.setting import NAME, config_text, refusing_port, settle_weights
    from coderouter_core.cli.demo.stage import Stage
    from coderouter_core.web.serve import listen, run

    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character must not end the show.
        sys.stdout.reconfigure(errors="replace")
    stage = Stage()
    stage.curtain()
    kind, model = settle_weights(fetch=not no_fetch, environ=os.environ)
    stage.done(f"{model}: its weights are here")
    with refusing_port() as refusing:
        # Nothing of the user's own settings but what is switched off: the show is the same everywhere.
        environ = {name: os.environ[name] for name in ("CODEROUTER_DISABLE",) if name in os.environ}
        assembly = from_text(config_text(kind, refusing), NAME, environ)
        listening = listen("127.0.0.1", port)
        run(lambda: _perform(stage, assembly, listening, stay=stage.on_terminal and not once))


async def _perform(stage: Stage, assembly: Assembly, listening: socket.socket, *, stay: bool) -> None:
    """Serve, hold the show before it, and stay for other clients or not."""
    from coderouter_core.cli.demo.show import show
    from coderouter_core.events import Level
    from coderouter_core.log import LogWriter
    from coderouter_core.web.serve import serve

    log = LogWriter(Level.WARNING, secrets=assembly.secrets())
    least = Level.ERROR  # The show tells of its failover itself.

    def sink(event: Event) -> None:
        if event.level >= least:
            log(event)

    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(assembly.router([sink]), listening, stop=stop, on_ready=ready.set))
    showing = asyncio.create_task(show(stage, url, ready))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, showing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        if stop.is_set() or serving.done():
            raise CodeRouterError("the demo was stopped before its end")
        await showing
        if stay:
            least = Level.WARNING
            stage.stay()
            await serving
    finally:
        showing.cancel()
        stop.set()
        await asyncio.gather(serving, showing, stopped, return_exceptions=True)
        log.close()
