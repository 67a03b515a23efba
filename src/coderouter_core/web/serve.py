"""Run the application under hypercorn, in this process, until it is told to stop; then drain."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Callable, Sequence

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as Hypercorn

from coderouter_core.errors import CodeRouterError
from coderouter_core.router import CodeRouter
from coderouter_core.web import http1
from coderouter_core.web.app import make_app
from coderouter_core.web.security import MOST_HEADERS

#: Idle connections of clients are kept this long; agents think for a while between turns.
KEEP_ALIVE_S = 75
#: After the drain timeout, answers that were told to end get this long to say so.
LAST_WORDS_S = 5.0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Port 0 lets the system choose. Raises `CodeRouterError` that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host.strip("[]"), port))
    except OSError as error:
        listening.close()
        raise CodeRouterError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port or --host"
        ) from None
    listening.listen(1024)
    listening.setblocking(False)
    listening.set_inheritable(True)
    return listening


def ending_signals() -> list[signal.Signals]:
    """Those that ask for an end: a terminal that closes asks, too, unless the process was started to outlive it."""
    asked = [signal.SIGTERM, signal.SIGINT]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is signal.SIG_DFL:
        asked.append(hangup)
    return asked


def run(main: Callable[[], object]) -> None:
    """Run the coroutine that `main` makes, on uvloop where the platform has it."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())  # type: ignore[arg-type]


async def serve(
    router: CodeRouter,
    listening: socket.socket,
    *,
    bound: Sequence[str] = ("127.0.0.1",),
    stop: asyncio.Event | None = None,
    signals: bool = True,
    on_ready: Callable[[], None] | None = None,
    asked_http1: str | None = None,
) -> None:
    """Serve `router` on a listening socket until `stop` is set (or one of `ending_signals` comes when `signals`,
    which says that the process is its own). `asked_http1` is who shall read HTTP/1, as of ``--http1``.

    On stopping, nothing new is accepted, answers under way may finish for ``drain_timeout_s``, and what is
    left then ends with an error in its client's dialect. A second signal ends it at once.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    if signals:
        # Not every loop can be told of signals (Windows' cannot): there the interpreter's own handling stays.
        for number in ending_signals():
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, _told_to_stop, router, stop)
    choice = http1.choose(asked_http1, os.environ)
    if choice.unmet:
        router.emit("http1-fallback", reason=choice.unmet)
    await router.start()
    if signals:
        _keep_what_stays()
    try:
        app = make_app(router, bound)
        settings = _settings(router, listening, http1.settle(choice, app))
        server = asyncio.create_task(hypercorn_serve(app, settings, shutdown_trigger=stop.wait))
        if on_ready is not None:
            loop.call_soon(on_ready)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({server, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await _drain(router, server)
    finally:
        await router.aclose()


def _keep_what_stays() -> None:
    """A body of an agent is a thousand small objects; collecting at the default pace would look for garbage
    in each of them, and in everything that was made at start, several times a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _told_to_stop(router: CodeRouter, stop: asyncio.Event) -> None:
    if stop.is_set():
        for task in list(router.in_flight):
            task.cancel()
    router.draining = True
    stop.set()


async def _drain(router: CodeRouter, server: asyncio.Task[None]) -> None:
    router.draining = True
    _, unfinished = await asyncio.wait({server}, timeout=router.config.settings.drain_timeout_s)
    if unfinished:
        for task in list(router.in_flight):
            task.cancel()
        _, unfinished = await asyncio.wait({server}, timeout=LAST_WORDS_S)
    if unfinished:
        server.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await server


def _settings(router: CodeRouter, listening: socket.socket, settings: Hypercorn) -> Hypercorn:
    settings.bind = [f"fd://{listening.fileno()}"]
    settings.accesslog = None
    settings.errorlog = None
    settings.include_server_header = False
    settings.keep_alive_timeout = KEEP_ALIVE_S
    settings.keep_alive_max_requests = 1_000_000_000
    # A little more than the middleware allows, so that it is the one to answer, in the client's dialect.
    settings.h11_max_incomplete_size = MOST_HEADERS + 16 * 1024
    settings.graceful_timeout = router.config.settings.drain_timeout_s + LAST_WORDS_S
    return settings
