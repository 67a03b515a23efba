"""What servers with an OpenAI endpoint tell of their load and memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from coderouter_adapter_openai_compat import ASKED_IN_VAIN, OpenAICompat

from coderouter_core.api import Provider

OLLAMA = b'{"models": [{"name": "m", "model": "m", "size": 10, "size_vram": %d, "context_length": 4096}]}'
SLOTS = b'[{"id": 0, "n_ctx": 8192, "is_processing": true}, {"id": 1, "n_ctx": 8192, "is_processing": false}]'
LLAMA = b"# HELP x y\nllamacpp:requests_deferred 3\nllamacpp:kv_cache_usage_ratio 0.75\n"
VLLM = (
    b'vllm:num_requests_running{engine="0",model_name="m"} 2.0\n'
    b'vllm:num_requests_waiting{engine="0",model_name="m"} 5.0\n'
    b'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.97 1795384060235\n'
)


@contextmanager
def serving(pages: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server of `pages`, its base URL, and the paths it was asked for."""
    asked: list[str] = []

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            body = pages.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def vitals(url: str, times: int = 1) -> Mapping[str, Any]:
    async def ask() -> Mapping[str, Any]:
        provider = Provider("up", base_url=url, model="m")
        adapter = OpenAICompat().make_adapter(provider, httpx.AsyncHTTPTransport())
        assert adapter is not None
        told: Mapping[str, Any] = {}
        for _ in range(times):
            told = await adapter.vitals()
        await adapter.aclose()
        return told

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        pytest.param({"/api/ps": OLLAMA % 10}, {"memory_spill": False, "context_window": 4096}, id="ollama"),
        pytest.param(
            {"/api/ps": OLLAMA % 6}, {"memory_spill": True, "context_window": 4096}, id="ollama-spilled"
        ),
        pytest.param({"/api/ps": b'{"models": []}'}, {}, id="ollama-idle"),
        pytest.param(
            {"/slots": SLOTS, "/metrics": LLAMA},
            {"slots": 2, "processing": 1, "context_window": 8192, "waiting": 3, "kv_cache_usage": 0.75},
            id="llama.cpp",
        ),
        pytest.param({"/metrics": VLLM}, {"processing": 2, "waiting": 5, "kv_cache_usage": 0.97}, id="vllm"),
        pytest.param({"/metrics": b"other_metric 1\n"}, {}, id="other-metrics"),
        pytest.param({"/api/ps": b"<html>", "/slots": b"{}", "/metrics": b"\xff\xfe"}, {}, id="garbage"),
        pytest.param({}, {}, id="nothing"),
    ],
)
def test_what_is_told(pages: Mapping[str, bytes], told: Mapping[str, Any]) -> None:
    with serving(pages) as (url, _):
        assert vitals(url) == told


def test_a_backend_is_asked_in_the_way_it_answered() -> None:
    with serving({"/metrics": VLLM}) as (url, asked):
        vitals(url, times=3)

    assert asked == ["/api/ps", "/slots", "/metrics", "/metrics", "/metrics"]


def test_a_backend_that_tells_nothing_is_left_alone_in_the_end() -> None:
    with serving({}) as (url, asked):
        vitals(url, times=ASKED_IN_VAIN + 5)

    assert len(asked) == 3 * ASKED_IN_VAIN


def test_a_backend_that_is_down_has_no_vitals() -> None:
    with serving({}) as (url, _):
        pass

    assert vitals(url) == {}
