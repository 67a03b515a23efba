"""``tag_body: true``: whole answers name their provider in the body, as those of CodeRouter 1.10 did."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from coderouter_core.engine.client import tagged
from coderouter_core.testing import ProviderError, Script, make_router

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
PATHS = {
    "/v1/messages": ASKED,
    "/v1/chat/completions": ASKED,
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/embeddings": {"model": "m", "input": "hi"},
}


def answered(path: str, step: Any = "hello", **config: Any) -> httpx.Response:
    router = make_router(Script(only=Script.chat(step)), **config)
    return httpx.post(router.url + path, json=PATHS[path])


@pytest.mark.parametrize("path", PATHS)
def test_a_whole_answer_names_its_provider(path: str) -> None:
    assert answered(path, tag_body=True).json()["coderouter_provider"] == "only"


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_written_into_answers_unless_it_is_asked_for(path: str) -> None:
    assert "coderouter_provider" not in answered(path).json()


def test_an_error_names_nobody() -> None:
    answer = answered("/v1/messages", ProviderError("no", status=400), tag_body=True)

    assert (answer.status_code, "coderouter_provider" in answer.json()) == (400, False)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"a": 1e2}', b'{"a": 1e2,"coderouter_provider":"up"}', id="as-it-came"),
        pytest.param(b'{"a": 1}\n', b'{"a": 1,"coderouter_provider":"up"}', id="newline"),
        pytest.param(b"{ }", b'{"coderouter_provider":"up"}', id="empty"),
    ],
)
def test_the_rest_of_the_body_is_not_touched(body: bytes, expected: bytes) -> None:
    assert tagged(body, "up") == expected
    assert json.loads(tagged(body, "up"))["coderouter_provider"] == "up"
