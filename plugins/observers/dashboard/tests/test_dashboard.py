"""The page and its data, over HTTP."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from coderouter_observer_dashboard import Dashboard
from coderouter_observer_dashboard.shell import POLICY, shell_routes
from hatchling.builders.wheel import WheelBuilder

from coderouter_core.api import BudgetStanding, Standing, hookimpl
from coderouter_core.testing import FakeClock, ProviderError, Reply, Script, ServedRouter, make_router

SHELL = [route.path for route in shell_routes()]
TEXTS = {each.name: each.read_text(encoding="utf-8") for each in files("coderouter_observer_dashboard").joinpath("static").iterdir()}  # fmt: skip
KEY = "a-key-of-this-test"


class Thinks:
    """A plugin with something to say of providers."""

    def __init__(self, *said: Standing | BudgetStanding) -> None:
        self._said = said

    @hookimpl
    def report_standing(self) -> Iterable[Standing | BudgetStanding]:
        return self._said


def routed(*parts: Any, **config: Any) -> ServedRouter:
    script = [] if any(isinstance(part, Script) for part in parts) else [Script(local="hello")]
    return make_router(Dashboard(), *parts, *script, **config)


def with_keys(**config: Any) -> ServedRouter:
    return routed(auth={"keys": [{"name": "ada", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}]}, **config)  # fmt: skip


def data(router: ServedRouter) -> dict[str, Any]:
    found: dict[str, Any] = router.client.get("/dashboard/data").raise_for_status().json()
    return found


# ---- the page


@pytest.mark.parametrize("path", SHELL)
def test_a_file_of_the_page_is_served_under_a_strict_policy(path: str) -> None:
    router = routed()

    answer = router.client.get(path)

    assert (answer.status_code, answer.headers["content-security-policy"]) == (200, POLICY)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline() -> None:
    assert set(POLICY.split("; ")) == {
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    }


@pytest.mark.parametrize("name", TEXTS)
def test_no_file_names_another_host(name: str) -> None:
    addresses = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+[^\s\"']*", TEXTS[name]))

    # The name of a namespace is no address.
    assert {each for each in addresses if "www.w3.org" not in each} == set()


@pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith(".js")])
def test_no_script_parses_values_as_markup_or_code(name: str) -> None:
    words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|setHTML|srcdoc"

    assert re.findall(words, TEXTS[name]) == []


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = TEXTS["page.html"]

    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page) == []


def test_every_file_that_the_page_asks_for_is_served() -> None:
    asked = set(re.findall(r"(?:href|src)=\"(/[^\"#]+)\"", TEXTS["page.html"]))
    for text in (text for name, text in TEXTS.items() if name.endswith(".js")):
        asked |= {f"/dashboard/{each}" for each in re.findall(r"from \"\./([^\"]+)\"", text)}

    assert asked <= set(SHELL)


def test_the_names_that_version_1_10_bound_are_bound() -> None:
    names = "profile uptime requests_total health_text fallback_rate fallback_fraction paid_gate_blocked allow_paid_state degraded_total degraded_breakdown filters_total filters_breakdown rate_last rate_meta display_timezone"

    assert set(names.split()) <= set(re.findall(r"data-bind=\"([^\"]+)\"", TEXTS["page.html"]))


def test_a_page_that_did_not_change_is_not_sent_again() -> None:
    router = routed()
    tag = router.client.get("/dashboard").headers["etag"]

    again = router.client.get("/dashboard", headers={"if-none-match": tag})

    assert (again.status_code, again.content) == (304, b"")


# ---- keys


@pytest.mark.parametrize("path", SHELL)
def test_the_page_itself_needs_no_key(path: str) -> None:
    router = with_keys()

    assert router.client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/dashboard/data", "/dashboard/stream", "/explain/last"])
@pytest.mark.parametrize("said", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": "wrong"}])
def test_what_the_page_shows_needs_a_key(path: str, said: dict[str, str]) -> None:
    router = with_keys()

    assert router.client.get(path, headers=said).status_code == 401


def test_a_key_opens_the_data() -> None:
    router = with_keys()

    answer = router.client.get("/dashboard/data", headers={"authorization": f"Bearer {KEY}"})

    assert answer.status_code == 200


def test_a_page_of_another_origin_gets_nothing() -> None:
    assert (
        routed().client.get("/dashboard/data", headers={"origin": "http://evil.example"}).status_code == 403
    )


def test_no_key_is_in_the_data_though_an_upstream_and_a_plugin_quote_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCAL_KEY", "sk-of-the-upstream")
    script = Script(local=ProviderError("no such key: sk-of-the-upstream", status=401))
    says = Thinks(Standing("local", "unhealthy", "it does not take sk-of-the-upstream"))
    router = routed(script, says, providers={"local": {"api_key_env": "LOCAL_KEY"}})
    router.ask("hi")

    text = router.client.get("/dashboard/data").text

    assert ("sk-of-the-upstream" in text, "it does not take ***" in text) == (False, True)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(Standing("local", "slow", "half a character: \ud800"), id="half-a-character"),
        pytest.param(BudgetStanding("key", "ada", 2**70, 0, 0, "2026-01"), id="more-than-64-bits"),
    ],
)
def test_odd_values_of_a_plugin_are_shown_all_the_same(said: Any) -> None:
    router = routed(Thinks(said))

    assert router.client.get("/dashboard/data").status_code == 200


def test_no_prompt_and_no_answer_is_in_the_data() -> None:
    router = routed(Script(local="the answer of the model"))
    router.ask("a secret of mine")

    text = router.client.get("/dashboard/data").text

    assert ("a secret of mine" in text, "the answer of the model" in text) == (False, False)


# ---- what it says


def test_a_request_is_told_as_its_event_tells_it() -> None:
    router = routed()
    asked = router.ask("hi", stream=True, model="claude-sonnet")

    (told,) = data(router)["requests"]

    (event,) = (each for each in router.events if each.name == "request-finished")
    assert told == {
        **json.loads(json.dumps(dict(event.fields))),
        "request_id": asked.headers["x-request-id"],
        "session_id": None,
        "at": event.at,
        "model": "claude-sonnet",
    }


def test_a_fallback_shows_in_both_providers() -> None:
    router = routed(Script(local=ProviderError("no", status=500), cloud="hello"))
    router.ask("hi")

    local, cloud = data(router)["providers"]

    assert (local["success"], local["share"], local["last_error"]["status"]) == (0.0, 0.0, 500)
    assert (cloud["success"], cloud["share"]) == (1.0, 1.0)


def test_figures_are_of_the_last_hour(clock: FakeClock) -> None:
    router = routed(clock=clock)
    router.ask("hi")
    clock.advance(3700)

    seen = data(router)

    assert (seen["providers"][0]["attempts"], seen["minutes"], seen["router"]["health"]) == (0, [], "idle")
    assert (seen["router"]["requests_total"], len(seen["requests"])) == (1, 1)


def test_cost_is_that_of_the_ledger(clock: FakeClock) -> None:
    reply = Reply("hello", usage=(800_000, 100_000))
    router = routed(
        Script(local=reply),
        clock=clock,
        providers={"local": {"cost": {"input_tokens_per_million": 0.5, "output_tokens_per_million": 1}}},
    )
    router.ask("hi")

    seen = data(router)

    assert seen["costs"]["days"][-1] == {"day": "2026-01-15", "requests": 1, "cost_usd": 0.5, "savings_usd": 0.0, "unpriced": 0}  # fmt: skip
    assert (seen["costs"]["months"][-1]["cost_usd"], seen["providers"][0]["month_usd"]) == (0.5, 0.5)


def test_cost_is_read_again_as_soon_as_a_reading_pays(clock: FakeClock) -> None:
    router = routed(clock=clock)
    router.ask("hi")
    seen = [data(router)["costs"]["days"][-1]["requests"]]
    router.ask("hi")
    for seconds in (0.5, 0.6):
        clock.advance(seconds)
        seen.append(data(router)["costs"]["days"][-1]["requests"])

    assert seen == [1, 1, 2]


def test_a_ledger_that_takes_long_is_read_less_often(clock: FakeClock) -> None:
    router = routed(clock=clock)
    ledger = router.core.ledger
    readings: list[str] = []

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        def sums(self, by: str, *rest: Any) -> Any:
            readings.append(by)
            clock.advance(1.0)
            return ledger.sums(by, *rest)

    router.core.ledger = Slow()
    data(router)
    first = len(readings)
    clock.advance(20.0 * first - 1)
    data(router)
    until_then = len(readings)
    clock.advance(2)
    data(router)

    assert (first == until_then, len(readings) > until_then) == (True, True)


def test_months_of_cost_are_twelve_and_go_on_with_time(clock: FakeClock) -> None:
    router = routed(
        Script(local=Reply("hello", usage=(800_000, 100_000))),
        clock=clock,
        providers={"local": {"cost": {"input_tokens_per_million": 0.5, "output_tokens_per_million": 1}}},
    )
    router.ask("hi")
    before = data(router)["costs"]["months"]
    clock.advance(20 * 86_400)
    router.ask("hi")

    after = data(router)["costs"]["months"]

    assert (len(before), before[-1]["month"], before[-1]["cost_usd"]) == (12, "2026-01", 0.5)
    assert [(each["month"], each["cost_usd"]) for each in after[-2:]] == [("2026-01", 0.5), ("2026-02", 0.5)]


def test_days_of_cost_are_thirty_and_of_the_display_timezone(clock: FakeClock) -> None:
    clock.advance(11.5 * 3600)
    days = data(routed(clock=clock, display_timezone="Asia/Tokyo"))["costs"]["days"]

    assert (len(days), days[-1]["day"]) == (30, "2026-01-16")


@pytest.mark.parametrize(
    ("said", "state", "reason", "until"),
    [
        pytest.param([], "healthy", "", None, id="nobody-says-anything"),
        pytest.param([Standing("local", "slow", "p95 9 s"), Standing("local", "resting", "429", 99.0)], "resting", "429", 99.0, id="the-worst-counts"),
        pytest.param([Standing("other", "unhealthy", "gone")], "healthy", "", None, id="of-somebody-else"),
        pytest.param([BudgetStanding("provider", "local", 5.0, 5.5, 0.0, "2026-01")], "over budget", "spent $5.50 of $5.00", None, id="over-budget"),
        pytest.param([BudgetStanding("provider", "local", 5.0, 4.5, 0.0, "2026-01")], "healthy", "", None, id="within-budget"),
    ],
)  # fmt: skip
def test_state_of_a_provider(said: list[Any], state: str, reason: str, until: float | None) -> None:
    (row,) = data(routed(Thinks(*said)))["providers"]

    assert (row["state"], row["reason"], row["until"]) == (state, reason, until)


def test_a_provider_that_is_left_out_says_why() -> None:
    seen = data(routed(Script(local="a", cloud="b"), providers={"cloud": {"paid": True}}))

    (chain,) = seen["chains"]
    assert (chain["configured"], chain["effective"]) == (["local", "cloud"], ["local"])
    assert (seen["providers"][1]["state"], seen["providers"][1]["reason"]) == ("left out", "it is paid and allow_paid is off")  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "health"),
    [
        pytest.param({"local": "hello"}, "healthy", id="all-went-well"),
        pytest.param({"local": ProviderError("no", status=500)}, "unhealthy", id="all-failed"),
        pytest.param({"local": ProviderError("no", status=500), "cloud": "b"}, "unhealthy", id="always-the-second"),
    ],
)  # fmt: skip
def test_health_in_a_word(steps: dict[str, Any], health: str) -> None:
    router = routed(Script(**steps))
    router.ask("hi")

    assert data(router)["router"]["health"] == health


def test_the_wheel_brings_every_file_of_the_page(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(Path(__file__).parents[1])).build(directory=str(tmp_path), versions=["standard"])  # fmt: skip

    names = {name.rpartition("/static/")[2] for name in zipfile.ZipFile(wheel).namelist() if "/static/" in name}  # fmt: skip
    assert names == set(TEXTS)
