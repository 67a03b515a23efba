"""Call a llama.cpp server that starts when it is first needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import httpx

from coderouter_adapter_embedded.model import Model
from coderouter_adapter_embedded.server import LaunchError, Server, Settings
from coderouter_adapter_embedded.tool_choice import honour_tool_choice
from coderouter_core.api import Answer, Call, Dialect, Fault, Limits, Operation, UpstreamError, read_json

PATHS = {
    Operation.GENERATE: "/v1/chat/completions",
    Operation.EMBED: "/v1/embeddings",
    Operation.COMPLETE: "/v1/completions",
}
#: A count is asked for in the client's dialect, whatever the adapter answers in.
COUNTS = {
    Dialect.CHAT: "/v1/chat/completions/input_tokens",
    Dialect.MESSAGES: "/v1/messages/count_tokens",
}
TEMPLATE = Path(__file__).with_name("chatml_tools.jinja")

#: Requests that are answered at the same time; more wait for one of these to end.
SLOTS = 2
MOST_THREADS = 8
PROBE_LIMITS = Limits(connect_s=5.0, first_byte_s=5.0, idle_s=5.0)

#: How the packaged model is best asked (https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct).
SAMPLING = {"temp": 0.2, "top_p": 0.9}


def default_threads() -> int:
    """Half of the processors this process may use: one of two hardware threads, and room for the router."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, usable // 2))


class EmbeddedAdapter:
    """One provider. The first call starts the server; one that died is started again by the next call.

    `note` is told when a server starts and when one is found dead.
    """

    dialects = (Dialect.CHAT,)
    #: The server would embed only if it was started for that, and the packaged model is none for it.
    operations = (Operation.GENERATE, Operation.COMPLETE)

    def __init__(
        self,
        provider: str,
        transport: httpx.AsyncBaseTransport,
        model: Model,
        threads: int | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._provider = provider
        self._transport = transport
        self._model = model
        self._threads = threads or default_threads()
        self._note = note
        self._launching: asyncio.Task[Server] | None = None
        self._closed = False

    async def start(self) -> None:
        """Nothing to make ready: the first call starts the server."""

    async def open(self, call: Call) -> Answer:
        if call.operation is Operation.GENERATE:
            body = honour_tool_choice(call.body, open_call=self._model.given is None)
            call = attrs.evolve(call, body=body)
        return await self._post(PATHS[call.operation], call)

    async def vitals(self) -> Mapping[str, Any]:
        """`slots` in all, those `processing` a request, and `context_window` in tokens; empty while it does not run."""
        if self._launching is None or not self._launching.done() or self._launching.cancelled():
            return {}
        try:
            endpoint = self._launching.result().endpoint(self._transport, "/slots")
            slots = await read_json(await endpoint.get(limits=PROBE_LIMITS))
        except (LaunchError, UpstreamError):
            return {}
        return {
            "slots": len(slots),
            "processing": sum(slot["is_processing"] for slot in slots),
            "context_window": self._model.context,
        }

    async def count_tokens(self, call: Call) -> int | None:
        if call.dialect not in COUNTS:
            return None
        counted = (await read_json(await self._post(COUNTS[call.dialect], call))).get("input_tokens")
        return counted if isinstance(counted, int) else None

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """The one model, whether or not it runs; none while its weights are not on this machine."""
        if self._model.file() is None:
            return []
        model = self._model
        return [{"id": model.id, "context_window": model.context, "display_name": model.title}]

    async def aclose(self) -> None:
        self._closed = True
        if self._launching is not None:
            self._launching.cancel()
            [launched] = await asyncio.gather(self._launching, return_exceptions=True)
            if isinstance(launched, Server):
                await launched.aclose()
        await self._transport.aclose()

    async def _post(self, path: str, call: Call) -> Answer:
        server = await self._ready(call.limits.first_byte_s)
        return await server.endpoint(self._transport, path).post(call)

    async def _ready(self, limit_s: float) -> Server:
        """A server that answers; started if there is none, once however many ask.

        Who gives up waiting, or goes away, does not end the start: the next one finds it further on.
        """
        last = self._launching
        missing = last is None or (last.done() and not await self._answers(last))
        # Asking took time, in which another may have started it.
        if missing and self._launching is last:
            self._launching = asyncio.create_task(self._launch(last))
            self._launching.add_done_callback(_seen)
        assert self._launching
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.shield(self._launching)
        except TimeoutError as error:
            text = f"still being loaded after {limit_s:.0f} s"
            raise self._failure(Fault(504, "timeout_error", text)) from error
        except LaunchError as error:
            raise self._failure(Fault(502, "api_error", f"did not start: {error}")) from error

    async def _answers(self, launched: asyncio.Task[Server]) -> bool:
        """Whether a server lives. One that was killed may take connections for some milliseconds more, so
        it is asked: what then fails in flight was in flight, and nothing is sent twice."""
        if launched.cancelled() or launched.exception() is not None or not launched.result().alive:
            return False
        health = launched.result().endpoint(self._transport, "/health")
        try:
            await read_json(await health.get(limits=PROBE_LIMITS))
        except UpstreamError as error:
            return error.kind != "transport"
        return True

    async def _launch(self, previous: asyncio.Task[Server] | None) -> Server:
        if previous is not None and not previous.cancelled() and previous.exception() is None:
            await previous.result().aclose()
            self._note("the embedded model's process had ended")
        file = self._model.file()
        if self._closed:
            raise LaunchError("the router is stopping")
        if file is None:
            given = self._model.given
            missing = "its weights are not here; run: coderouter embedded fetch"
            raise LaunchError(f"there is no file {given} any more" if given else missing)
        ours = self._model.given is None
        server = await Server.launch(
            Settings(
                model=str(file),
                alias=self._model.id,
                context=self._model.context,
                slots=SLOTS,
                threads=self._threads,
                template=TEMPLATE.read_text(encoding="utf-8") if ours else "",
                sampling=SAMPLING if ours else {},
            )
        )
        self._note(f"{self._model.id} is loaded, in process {server.pid}")
        return server

    def _failure(self, fault: Fault) -> UpstreamError:
        kind = "timeout" if fault.status == 504 else "transport"
        where = f"embedded model of provider {self._provider!r}"
        return UpstreamError(kind, attrs.evolve(fault, message=f"{where}: {fault.message}"))


def _seen(task: asyncio.Task[Server]) -> None:
    """Nobody may be left to ask for a start's outcome."""
    if not task.cancelled():
        task.exception()
