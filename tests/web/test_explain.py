"""`GET /explain/REQUEST_ID`."""

from __future__ import annotations

import pytest

from coderouter_core.testing import Script, make_router

KEY = "a-key-of-a-client"


def test_the_way_of_a_request_is_told_by_its_id() -> None:
    router = make_router(Script(only="hello"))
    identity = router.ask().headers["x-request-id"]

    told = router.client.get(f"/explain/{identity}").json()

    assert (told["request_id"], told["facts"]["order"]) == (identity, ["only"])


def test_last_is_the_newest() -> None:
    router = make_router(Script(only="hello"))
    ids = [router.ask().headers["x-request-id"] for _ in range(3)]

    assert router.client.get("/explain/last").json()["request_id"] == ids[-1]


@pytest.mark.parametrize("asked", ["req_nobody", "last", "%2e%2e%2fetc", "x" * 300])
def test_what_is_not_known_is_a_404_in_the_clients_dialect(asked: str) -> None:
    router = make_router(Script(only="hello"))

    answer = router.client.get(f"/explain/{asked}", headers={"anthropic-version": "2023-06-01"})

    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(("key", "status"), [("", 401), ("wrong", 401), (KEY, 404)])
def test_a_router_with_keys_tells_only_who_has_one(
    key: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENTS_KEY", KEY)
    router = make_router(Script(only="hello"), auth={"keys": ["CLIENTS_KEY"]}, environ={"CLIENTS_KEY": KEY})

    answer = router.client.get("/explain/req_x", headers={"x-api-key": key} if key else {})

    assert answer.status_code == status


def test_another_sites_page_is_told_nothing() -> None:
    router = make_router(Script(only="hello"))

    answer = router.client.get("/explain/last", headers={"origin": "https://elsewhere.example"})

    assert answer.status_code == 403
