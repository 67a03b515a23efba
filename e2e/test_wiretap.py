"""The listener hears what a client could stumble over."""

from __future__ import annotations

import httpx
from e2e.wiretap import Wiretap

from coderouter_core.testing import ProviderError, Raw, Script, Upstream, make_router

ASKED = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}


def test_a_refused_request_is_a_complaint() -> None:
    with Wiretap(make_router(Script(only=ProviderError("no such model", status=404)))) as tap:
        httpx.post(f"{tap.url}/v1/messages", json=ASKED)

    assert [complaint.partition(": {")[0] for complaint in tap.complaints] == ["POST /v1/messages: 404"]


def test_a_stream_without_an_end_is_a_complaint() -> None:
    half = Raw(200, {"content-type": "text/event-stream"}, b'event: ping\ndata: {"type":"ping"}\n\n')
    with Upstream(half) as upstream, Wiretap(upstream) as tap:
        httpx.post(f"{tap.url}/v1/messages", json=ASKED)

    assert {complaint.partition(": ")[0] for complaint in tap.complaints} == {"POST /v1/messages"}


def test_requests_on_one_connection_are_told_apart() -> None:
    with Wiretap(make_router(Script(only="hi"))) as tap, httpx.Client(base_url=tap.url) as client:
        client.head("/")
        client.get("/v1/models")
        client.post("/v1/messages?beta=true", json=ASKED)

    assert [(each.method, each.path, each.streamed) for each in tap.exchanges] == [
        ("HEAD", "/", False),
        ("GET", "/v1/models", False),
        ("POST", "/v1/messages?beta=true", True),
    ]
