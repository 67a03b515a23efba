"""Who may ask, and how much."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from coderouter_core.testing import Script, ServedRouter, make_router

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
ROUTES = [
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("POST", "/v1/chat/completions"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/default"),
    ("GET", "/"),
    ("HEAD", "/"),
    ("HEAD", "/api/hello"),
    ("POST", "/api/event_logging/batch"),
    ("GET", "/healthz"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/v1/messages"),
]
OPEN = {"/", "/api/hello", "/healthz", "/livez", "/readyz"}


def served(**config: Any) -> ServedRouter:
    return make_router(Script(only="hello"), **config)


@pytest.fixture(scope="module")
def router() -> ServedRouter:
    return served()


@pytest.fixture(scope="module")
def locked() -> ServedRouter:
    digest = hashlib.sha256(b"correct-horse").hexdigest()
    return served(auth={"keys": [{"name": "alice", "sha256": digest}]})


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_foreign_host_is_refused_on_every_route(router: ServedRouter, method: str, path: str) -> None:
    answer = router.client.request(method, path, headers={"host": "evil.example:4000"})

    assert answer.status_code == 403


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_foreign_origin_is_refused_on_every_route(router: ServedRouter, method: str, path: str) -> None:
    answer = router.client.request(method, path, headers={"origin": "https://evil.example"})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("localhost", 200, id="localhost"),
        pytest.param("localhost:9999", 200, id="any-port"),
        pytest.param("LOCALHOST", 200, id="any-case"),
        pytest.param("127.0.0.1", 200, id="v4"),
        pytest.param("[::1]:4000", 200, id="v6"),
        pytest.param("10.0.0.1", 403, id="another-address"),
        pytest.param("localhost.evil.example", 403, id="prefix"),
        pytest.param("evil.example", 403, id="name"),
        pytest.param("localhost@evil.example", 403, id="userinfo"),
        pytest.param("", 403, id="empty"),
    ],
)
def test_names_of_the_router(router: ServedRouter, host: str, status: int) -> None:
    assert router.client.get("/livez", headers={"host": host}).status_code == status


def test_configured_hosts_are_names_of_the_router() -> None:
    router = served(allowed_hosts=["router.lan"])

    assert router.client.get("/livez", headers={"host": "router.lan:4000"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param("http://{host}", 200, id="own"),
        pytest.param("null", 403, id="null"),
        pytest.param("http://localhost:3000", 403, id="another-port"),
        pytest.param("https://app.example", 200, id="configured"),
    ],
)
def test_origins(origin: str, status: int) -> None:
    router = served(allowed_origins=["https://app.example"])
    own = router.url.removeprefix("http://")

    answer = router.client.get("/livez", headers={"origin": origin.format(host=own)})

    assert answer.status_code == status


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}],
)
def test_without_the_key_only_probes_answer(
    locked: ServedRouter, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = locked.client.request(method, path, headers=headers, json=BODY if method == "POST" else None)

    assert (answer.status_code == 401) is (path not in OPEN)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"x-api-key": "correct-horse"}, id="x-api-key"),
        pytest.param({"authorization": "Bearer correct-horse"}, id="bearer"),
        pytest.param({"authorization": "bearer correct-horse"}, id="bearer-any-case"),
        pytest.param({"x-api-key": "dummy", "authorization": "Bearer correct-horse"}, id="either-of-both"),
    ],
)
def test_the_key_opens(locked: ServedRouter, headers: dict[str, str]) -> None:
    assert locked.client.post("/v1/messages", json=BODY, headers=headers).status_code == 200


def test_a_key_from_the_environment_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_KEY", "from-the-environment")
    router = make_router(
        Script(only="hello"),
        auth={"keys": ["ROUTER_KEY"]},
        environ={"ROUTER_KEY": "from-the-environment"},
    )

    assert router.client.get("/v1/models", headers={"x-api-key": "from-the-environment"}).status_code == 200


def test_a_key_may_hold_any_letters() -> None:
    router = served(
        auth={"keys": [{"name": "zoë", "sha256": hashlib.sha256("schlüssel".encode()).hexdigest()}]}
    )

    answer = router.client.get("/v1/models", headers=[(b"x-api-key", "schlüssel".encode())])

    assert answer.status_code == 200


def test_the_hash_of_a_key_is_not_the_key(locked: ServedRouter) -> None:
    digest = hashlib.sha256(b"correct-horse").hexdigest()

    assert locked.client.get("/v1/models", headers={"x-api-key": digest}).status_code == 401


def test_health_tells_strangers_nothing(locked: ServedRouter) -> None:
    assert locked.client.get("/healthz").json() == {"status": "ok"}


def test_the_clients_credentials_are_never_forwarded() -> None:
    router = served()

    router.ask(
        headers={
            "x-api-key": "client-secret",
            "authorization": "Bearer client-secret",
            "cookie": "client-secret",
        }
    )

    assert "client-secret" not in repr(router.upstreams["only"].calls[0].headers)


def test_a_body_that_says_it_is_too_large_is_413() -> None:
    router = served(max_body_bytes=2048)

    answer = router.client.post("/v1/messages", content=b"x" * 4096)

    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")


def test_a_body_that_turns_out_too_large_is_413() -> None:
    router = served(max_body_bytes=2048)

    answer = router.client.post("/v1/chat/completions", content=iter([b"x" * 1024] * 4))

    assert answer.status_code == 413


def test_headers_that_are_too_large_are_431(router: ServedRouter) -> None:
    answer = router.client.get("/livez", headers={"x-long": "x" * 70_000})

    assert answer.status_code == 431


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("depth", [300, 5000, 200_000])
def test_json_that_is_nested_too_deep_is_400(router: ServedRouter, dialect: str, depth: int) -> None:
    path = "/v1/messages" if dialect == "messages" else "/v1/chat/completions"
    raw = (
        b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"metadata":'
        + b"[" * depth
        + b"]" * depth
        + b"}"
    )

    assert router.client.post(path, content=raw).status_code == 400


def test_a_path_counts_as_much_as_headers(router: ServedRouter) -> None:
    answer = router.client.get("/livez?" + "x" * 40_000, headers={"x-long": "x" * 40_000})

    assert answer.status_code == 431


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_an_encoded_body_is_refused_by_its_encoding(router: ServedRouter, encoding: str) -> None:
    answer = router.client.post("/v1/messages", content=b"\x1f\x8b", headers={"content-encoding": encoding})

    assert (answer.status_code, repr(encoding) in answer.json()["error"]["message"]) == (415, True)


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        pytest.param("cross-site", "no-cors", 403, id="embedded-elsewhere"),
        pytest.param("same-site", "no-cors", 403, id="embedded-at-another-port"),
        pytest.param("cross-site", "navigate", 200, id="link"),
        pytest.param("same-origin", "cors", 200, id="own-page"),
        pytest.param("none", "navigate", 200, id="typed"),
    ],
)
def test_what_a_page_embeds_comes_without_an_origin(
    router: ServedRouter, site: str, mode: str, status: int
) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}

    assert router.client.get("/v1/models", headers=headers).status_code == status


def test_redirects_of_an_upstream_are_not_followed() -> None:
    from coderouter_core.testing import Raw

    router = make_router(Script(first="hello", second=Raw(307, {"location": "/v1/chat/completions"})))
    router.upstreams["first"].play(
        Raw(307, {"location": router.upstreams["second"].url + "/v1/chat/completions"})
    )

    assert (router.ask().status, len(router.upstreams["second"].calls)) == (502, 1)


def test_no_header_invites_other_origins(router: ServedRouter) -> None:
    headers = router.client.options("/v1/messages").headers

    assert not [name for name in headers if name.startswith("access-control-")]


def test_a_wrong_key_is_answered_in_the_clients_dialect(locked: ServedRouter) -> None:
    messages = locked.client.post("/v1/messages", json=BODY).json()
    chat = locked.client.post("/v1/chat/completions", json=BODY).json()

    assert (messages["type"], messages["error"]["type"], "type" in chat, chat["error"]["message"][:11]) == (
        "error",
        "authentication_error",
        False,
        "this router",
    )
