"""``coderouter serve``: the router, on a socket, until it is told to stop."""

from __future__ import annotations

import gc
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve, frozen

from coderouter_core import __version__
from coderouter_core.cli import FAILURE
from coderouter_core.errors import CodeRouterError, ConfigError

if TYPE_CHECKING:
    from coderouter_core.cli.assemble import Assembly
    from coderouter_core.cli.source import Source
    from coderouter_core.model import Config

#: The variable that `--mode` wins over.
MODE = "CODEROUTER_MODE"
#: Seconds beyond the drain timeout after which a worker without a parent ends in any case.
GRACE_S = 15.0
#: New objects after which a start looks for garbage. What it imports and reads stays, and at the usual pace, of 700,
#: to look through that again and again would be a fifth of the start.
OBJECTS_OF_A_START = 50_000


@frozen
class Asked:
    """The command line. `fd`, `parent_fd` and `config_fd` are what a worker inherits."""

    config: str | None
    host: str
    port: int
    mode: str | None
    workers: int
    log_level: str
    env_file: tuple[Path, ...]
    env_file_override: bool
    insecure: bool
    http1: str | None
    print_config: bool
    fd: int | None
    parent_fd: int | None
    config_fd: int | None


@click.command("serve", short_help="Serve the router.")
@click.option(
    "--config",
    metavar="PATH",
    help="The configuration; default $CODEROUTER_CONFIG or ~/.coderouter/providers.yaml.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=4000, show_default=True, help="0 takes any free port."
)
@click.option(
    "--mode",
    metavar="NAME",
    help="The default profile, or an alias of mode_aliases; wins over CODEROUTER_MODE.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes on the one socket.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
    help="The least that is logged.",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Variables to set first; may be repeated, the first file wins.",
)
@click.option(
    "--env-file-override", is_flag=True, help="Files win over the environment, and later ones over earlier."
)
@click.option("--insecure", is_flag=True, help="Listen beyond this machine without keys.")
@click.option(
    "--http1",
    type=click.Choice(["httptools", "h11"]),
    help="Who reads HTTP/1 of clients: ours, which is faster, or hypercorn's own; default $CODEROUTER_HTTP1"
    " or httptools.",
)
@click.option("--print-config", is_flag=True, help="Print the configuration that would be served, and end.")
@click.option("--fd", type=int, hidden=True)
@click.option("--parent-fd", type=int, hidden=True)
@click.option("--config-fd", type=int, hidden=True)
def command(**given: Any) -> None:
    """Serve Anthropic and OpenAI clients from the models in your providers.yaml.

    Without a providers.yaml, whatever runs on this machine is found and served: Ollama, LM Studio, llama.cpp,
    vLLM, and the keys of paid services when ALLOW_PAID=1.
    """
    gc.set_threshold(OBJECTS_OF_A_START)
    asked = Asked(**given)
    _read_env_files(asked)
    environ = dict(os.environ)
    if asked.mode is not None:
        environ[MODE] = asked.mode
    source = _source(asked, environ)
    assembly = _assemble(source, asked, environ)
    if asked.print_config:
        click.echo(source.read(), nl=False)
        return
    _check_exposure(asked, assembly.config)
    if asked.fd is not None:
        _be_a_worker(asked, assembly)
    elif asked.workers == 1:
        _serve_here(asked, assembly)
    else:
        _serve_with_workers(asked, source, assembly, environ)


def _read_env_files(asked: Asked) -> None:
    if not asked.env_file:
        return
    from coderouter_core.config import envfile

    try:
        lines = envfile.apply(asked.env_file, os.environ, override=asked.env_file_override)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"serve: --env-file: {problem}", err=True)
        raise click.exceptions.Exit(FAILURE) from None
    for line in lines:
        click.echo(line, err=True)


def _source(asked: Asked, environ: Mapping[str, str]) -> Source:
    from coderouter_core.cli.source import DISCOVERED, Source, choose

    if asked.config_fd is None:
        return choose(asked.config, environ)
    # At its beginning whoever read it before: the file is shared with the other workers.
    size = os.fstat(asked.config_fd).st_size
    return Source(DISCOVERED, os.pread(asked.config_fd, size, 0).decode())


def _assemble(source: Source, asked: Asked, environ: Mapping[str, str]) -> Assembly:
    try:
        return source.assemble(environ)
    except ConfigError as error:
        if asked.mode is None:
            raise
        # It is handed on as that variable, which this user may never have heard of.
        told = [evolve(one, path="--mode") if one.path == MODE else one for one in error.problems]
        raise ConfigError(*told) from None


def _check_exposure(asked: Asked, config: Config) -> None:
    """Refuse to hand the models, and the money, to everybody on the network."""
    from coderouter_core.web.security import is_loopback

    if asked.fd is not None or config.auth_keys or is_loopback(asked.host):
        return
    if not asked.insecure:
        raise ConfigError(
            f"--host {asked.host}: whoever reaches this address could use these models, since no client needs"
            " a key; add `auth: {keys: [SOME_VARIABLE]}` to the configuration, or say --insecure"
        )
    click.echo(f"--insecure: whoever reaches {asked.host} can use these models, without a key", err=True)


def _serve_here(asked: Asked, assembly: Assembly) -> None:
    from coderouter_core.web.serve import listen

    listening = listen(asked.host, asked.port)
    _serve(asked, assembly, listening, greet=True)


def _be_a_worker(asked: Asked, assembly: Assembly) -> None:
    from coderouter_core.cli.workers import end_with_parent

    if asked.parent_fd is not None:
        end_with_parent(asked.parent_fd, assembly.config.settings.drain_timeout_s + GRACE_S)
    _serve(asked, assembly, socket.socket(fileno=asked.fd), greet=False)


def _serve(asked: Asked, assembly: Assembly, listening: socket.socket, *, greet: bool) -> None:
    from coderouter_core.events import Level
    from coderouter_core.log import libraries_told, open_sinks
    from coderouter_core.web.serve import run, serve

    log = open_sinks(Level[asked.log_level.upper()], os.environ, assembly.secrets())
    try:
        router = assembly.router(log)

        def ready() -> None:
            if greet:
                _greet(asked, assembly.config, listening)

        with libraries_told(log):
            run(
                lambda: serve(router, listening, bound=(asked.host,), on_ready=ready, asked_http1=asked.http1)
            )
    finally:
        # The log on stderr last: it is told of the others.
        for sink in reversed(log):
            sink.close()


def _serve_with_workers(asked: Asked, source: Source, assembly: Assembly, environ: Mapping[str, str]) -> None:
    import asyncio

    from coderouter_core.cli.workers import Workers
    from coderouter_core.web import http1
    from coderouter_core.web.serve import listen

    if not hasattr(os, "fork"):
        raise CodeRouterError("--workers: this platform cannot share a socket; serve with --workers 1")
    http1.choose(asked.http1, environ)  # What is wrong is told once, and not by every worker.
    listening = listen(asked.host, asked.port)
    ours, theirs = os.pipe()
    fds = {"--fd": listening.fileno(), "--parent-fd": ours}
    told = {"--host": asked.host, "--log-level": asked.log_level}
    # A private folder for what plugins of one process want to know of the others; it ends with them.
    with tempfile.TemporaryDirectory(prefix="coderouter-") as shared, tempfile.TemporaryFile() as text:
        if asked.http1 is not None:
            told["--http1"] = asked.http1
        if source.text is None:
            told["--config"] = source.file
        else:
            text.write(source.text.encode())
            text.flush()
            fds["--config-fd"] = text.fileno()
        words = [word for pair in (told | fds).items() for word in map(str, pair)]
        # -P: what stands in the working directory is not ours to import.
        command = [sys.executable, "-P", "-m", "coderouter_core", "serve", *words]
        workers = Workers(
            command,
            asked.workers,
            list(fds.values()),
            {**environ, "CODEROUTER_SHARED_DIR": shared},
            lambda line: click.echo(line, err=True),
        )
        _greet(asked, assembly.config, listening)
        fine = asyncio.run(workers.run())
    os.close(theirs)
    if not fine:
        raise click.exceptions.Exit(FAILURE)


def _greet(asked: Asked, config: Config, listening: socket.socket) -> None:
    """Tell a person where it listens and how to use it. Machines have the startup event."""
    from coderouter_core.cli.pointers import pointers, url_of

    url = url_of(asked.host, listening.getsockname()[1])
    if not sys.stderr.isatty():
        if asked.port == 0:
            click.echo(f"coderouter listens on {url}", err=True)
        return
    chains = {profile.name: " → ".join(profile.providers) for profile in config.profiles}
    chosen = config.default_profile
    click.echo(
        f"{click.style('coderouter', bold=True)} {__version__} listens on {click.style(url, fg='cyan')}\n"
        f"  profile {chosen}: {chains.get(chosen, 'rules choose')}",
        err=True,
    )
    for pointer in pointers(url, "YOUR_KEY" if config.auth_keys else ""):
        click.echo(f"  {pointer.client}:", err=True)
        for line in pointer.lines:
            click.secho(f"    {line}", fg="cyan", err=True)
    click.echo("  Ctrl-C ends it, after the answers under way.", err=True)
