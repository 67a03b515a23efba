"""What plugins may serve without a key: their own, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from coderouter_core.api import hookimpl
from coderouter_core.errors import ConfigError
from coderouter_core.testing import Script, ServedRouter, make_router

KEYS = {"keys": [{"name": "ada", "sha256": "0" * 64}]}


class Page:
    """Serves two paths, and opens what it is told to."""

    def __init__(self, *opened: str) -> None:
        self._opened = opened

    @hookimpl
    def routes(self) -> Iterable[BaseRoute]:
        async def answer(_: Request) -> Response:
            return PlainTextResponse("served")

        # The last is a path of the core's, which answers it first.
        return [Route(path, answer, methods=["GET", "POST"]) for path in ("/page", "/figures", "/v1/models")]

    @hookimpl
    def open_paths(self) -> Iterable[str]:
        return self._opened


def served(*opened: str) -> ServedRouter:
    return make_router(Page(*opened), Script(local="hello"), auth=KEYS)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/page", 200, id="what-is-opened"),
        pytest.param("HEAD", "/page", 200, id="its-head"),
        pytest.param("POST", "/page", 401, id="but-no-other-method"),
        pytest.param("GET", "/page/", 401, id="nor-a-path-that-is-longer"),
        pytest.param("GET", "/PAGE", 401, id="or-spelled-otherwise"),
        pytest.param("GET", "/figures", 401, id="what-is-not-opened"),
        pytest.param("GET", "/v1/models", 401, id="what-the-core-serves"),
    ],
)
def test_without_a_key(method: str, path: str, status: int) -> None:
    router = served("/page")

    assert router.client.request(method, path).status_code == status


@pytest.mark.parametrize("path", ["/v1/models", "/explain/last", "/nowhere"])
def test_nobody_opens_what_another_serves(path: str) -> None:
    with pytest.raises(ConfigError, match=f"plugin 'page' opens '{path}', which is no route of its own"):
        served("/page", path)
