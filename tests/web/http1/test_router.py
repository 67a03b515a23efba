"""A router that is served by either reader: its own bounds hold, not those of a server without settings."""

from __future__ import annotations

import pytest

from coderouter_core.testing import Script, make_router


def test_headers_that_are_too_large_are_refused_in_the_client_s_dialect(
    reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEROUTER_HTTP1", reader)
    router = make_router(Script(only="hello"))

    answer = router.client.post("/v1/messages", headers={"x-large": "x" * 70_000}, json={})

    assert (answer.status_code, answer.json()["error"]["type"]) == (431, "invalid_request_error")


def test_headers_beyond_all_bounds_are_refused_unread() -> None:
    router = make_router(Script(only="hello"))

    answer = router.client.get("/livez", headers={"x-large": "x" * 100_000})

    assert (answer.status_code, answer.content) == (431, b"")
