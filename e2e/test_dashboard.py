"""The dashboard in a real browser: Chromium, driven by Playwright, at routers with scripted upstreams.

``CHROMIUM`` names the browser; pictures are written into the folder that ``PICTURES`` names.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

pytest.importorskip("playwright")

from coderouter_adapter_anthropic import Anthropic
from coderouter_adapter_openai_compat import OpenAICompat
from coderouter_guard_backend_health import BackendHealthGuard
from coderouter_guard_budget import BudgetGuard
from coderouter_observer_dashboard import Dashboard
from playwright.sync_api import Browser, Page, expect, sync_playwright

from coderouter_core.model import Attempt, Cost, Dialect, Outcome, Profile, Provider, Usage
from coderouter_core.testing import (
    FakeClock,
    ProviderError,
    Reply,
    Script,
    ServedRouter,
    Upstream,
    make_router,
)
from coderouter_core.testing.loop import LoopThread

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PICTURES = os.environ.get("PICTURES")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
PATIENCE_S = 30.0
KEY = "a-key-of-this-test"

pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}")


# ---- the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield chromium
        chromium.close()


@contextmanager
def looking(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """A page at the dashboard of `url`. It must speak to that router alone, and complain of nothing."""
    context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB", **options)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    asked: set[str] = set()
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.goto(f"{url}/dashboard")
    yield page
    context.close()
    assert asked == {urlsplit(url).netloc}
    # That a router was away, or asked for a key, is what some tests are about.
    assert [each for each in complaints if not each.startswith("Failed to load resource")] == []


# ---- a router in a process of its own


class Process:
    """``coderouter serve`` on one port, to be stopped and started again."""

    def __init__(self, folder: Path, upstream: Upstream, *, keys: bool = False, workers: int = 1) -> None:
        written = {
            "providers": [{"name": "cloud", "base_url": f"{upstream.url}/v1", "model": "m"}],
            "profiles": [{"name": "default", "providers": ["cloud"]}],
            "ledger": {"url": f"sqlite:{folder / 'ledger.db'}"},
            **({"auth": {"keys": ["DASHBOARD_TEST_KEY"]}} if keys else {}),
        }
        self._workers = workers
        self._config, self._log = folder / "providers.yaml", folder / "log"
        self._config.write_text(json.dumps(written))
        self._environ = {**os.environ, "HOME": str(folder), "DASHBOARD_TEST_KEY": KEY}
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "coderouter_core", "serve", "--config", str(self._config)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self._port), "--workers", str(self._workers)],
                stdout=log,
                stderr=log,
                env=self._environ,
            )
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", trust_env=False).is_success:
                    return
            time.sleep(0.02)
        raise AssertionError(f"the router did not start: {self._log.read_text()}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def ask(self) -> str:
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        answer = httpx.post(f"{self.url}/v1/messages", json=body, headers={"x-api-key": KEY}, trust_env=False)
        return answer.headers["x-request-id"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream("hello") as upstream:
        yield upstream


@contextmanager
def serving(folder: Path, upstream: Upstream, *, keys: bool = False, workers: int = 1) -> Iterator[Process]:
    process = Process(folder, upstream, keys=keys, workers=workers)
    try:
        yield process
    finally:
        process.stop()


def test_requests_show_up_while_somebody_looks(browser: Browser, upstream: Upstream, tmp_path: Path) -> None:
    with serving(tmp_path, upstream) as router, looking(browser, router.url) as page:
        expect(page.locator("#link")).to_have_text("live")

        asked = [router.ask() for _ in range(3)]

        expect(page.locator("#requests tbody tr")).to_have_count(3)
        expect(page.locator(f"[data-request='{asked[-1]}']")).to_contain_text("ok")
        expect(page.locator("[data-bind=requests_total]")).to_have_text("3")
        expect(page.locator("[data-provider=cloud]")).to_contain_text("3 of 3")


def test_a_page_shows_what_every_worker_serves(browser: Browser, upstream: Upstream, tmp_path: Path) -> None:
    with serving(tmp_path, upstream, workers=3) as router, looking(browser, router.url) as page:
        expect(page.locator("[data-bind=uptime]")).to_contain_text("3 workers")

        asked = [router.ask() for _ in range(24)]

        expect(page.locator("[data-bind=requests_total]")).to_have_text("24")
        for identity in asked:
            page.locator(f"[data-request='{identity}'] a").click()
            expect(page.locator("#explain-body")).to_contain_text(identity)
            expect(page.locator("#explain .waterfall li")).to_contain_text("cloud")
            page.keyboard.press("Escape")
            expect(page.locator("#explain")).not_to_be_visible()
        ended = page.locator("#events li", has_text="request-finished")
        expect(ended).to_have_count(24)


def test_a_request_in_flight_is_seen(browser: Browser, upstream: Upstream, tmp_path: Path) -> None:
    upstream.play(Reply("a word or two " * 2000, delay_s=0.02))
    body = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with serving(tmp_path, upstream) as router, looking(browser, router.url) as page:
        expect(page.locator("#link")).to_have_text("live")
        with httpx.stream("POST", f"{router.url}/v1/messages", json=body, trust_env=False):
            expect(page.locator("#live li[data-phase=streaming]")).to_contain_text("sent")

        expect(page.locator("#live")).to_contain_text("nothing is in flight")
        expect(page.locator("#requests tbody tr")).to_contain_text("cancelled")


def test_a_request_opens_its_way_by_keyboard(browser: Browser, upstream: Upstream, tmp_path: Path) -> None:
    with serving(tmp_path, upstream) as router, looking(browser, router.url) as page:
        identity = router.ask()
        page.locator(f"[data-request='{identity}'] a").focus()
        page.keyboard.press("Enter")

        dialog = page.locator("#explain")
        expect(dialog).to_contain_text(identity)
        expect(dialog.locator(".waterfall li")).to_contain_text("cloud")
        assert page.url.endswith(f"#request={identity}")

        page.keyboard.press("Escape")
        expect(dialog).not_to_be_visible()
        expect(page.locator(f"[data-request='{identity}'] a")).to_be_focused()


def test_an_address_with_a_request_opens_its_way(
    browser: Browser, upstream: Upstream, tmp_path: Path
) -> None:
    with serving(tmp_path, upstream) as router, looking(browser, router.url) as page:
        identity = router.ask()

        page.goto(f"{router.url}/dashboard#request={identity}")

        expect(page.locator("#explain")).to_contain_text(identity)


def test_an_unknown_price_is_not_shown_as_nothing(
    browser: Browser, upstream: Upstream, tmp_path: Path
) -> None:
    with serving(tmp_path, upstream) as router, looking(browser, router.url) as page:
        identity = router.ask()

        page.goto(f"{router.url}/dashboard#request={identity}")

        expect(page.locator("#explain .sum")).to_contain_text("price unknown")


def test_a_key_is_asked_for_and_never_shown(browser: Browser, upstream: Upstream, tmp_path: Path) -> None:
    with serving(tmp_path, upstream, keys=True) as router, looking(browser, router.url) as page:
        for said, sees in (("a wrong key", "That key was not taken"), (KEY, None)):
            expect(page.locator("#locked")).to_be_visible()
            page.fill("#key", said)
            page.keyboard.press("Enter")
            if sees:
                expect(page.locator("#key-why")).to_contain_text(sees)

        expect(page.locator("#link")).to_have_text("live")
        expect(page.locator("#locked")).not_to_be_visible()
        page.reload()
        expect(page.locator("#link")).to_have_text("live")
        assert KEY not in page.content()


def test_a_restart_is_told_and_survived(browser: Browser, upstream: Upstream, tmp_path: Path) -> None:
    with serving(tmp_path, upstream) as router, looking(browser, router.url) as page:
        router.ask()
        expect(page.locator("[data-bind=requests_total]")).to_have_text("1")

        router.stop()
        expect(page.locator("#link")).to_contain_text("away since")
        router.start()

        expect(page.locator("#link")).to_have_text("live", timeout=PATIENCE_S * 1000)
        expect(page.locator("[data-bind=requests_total]")).to_have_text("0")


# ---- what it looks like


def spend(router: ServedRouter, clock: FakeClock) -> None:
    """Write a month of spending into the ledger."""
    provider, profile = Provider("claude", model="claude-sonnet"), Profile("default", ("claude",))
    loop = LoopThread("ledger")
    for day in range(1, 75):
        at = (clock.utc() - dt.timedelta(days=day)).timestamp()
        usd = 0.35 + 0.3 * ((day * 7) % 5) + (1.1 if day % 6 == 2 else 0)
        cost = Cost(usd, savings_usd=usd * 0.45)
        told = Attempt(
            f"a{day}",
            f"r{day}",
            profile,
            provider,
            1,
            Dialect.MESSAGES,
            True,
            at,
            outcome=Outcome.OK,
            usage=Usage(900, output=120, reported=True),
            cost=cost,
        )
        loop.call(lambda told=told: router.core.ledger.settle(told))  # type: ignore[misc]
    loop.close()


@pytest.fixture(scope="module")
def busy() -> Iterator[ServedRouter]:
    """An hour of an agent's work: a local model that fails now and then, a cloud behind it, one that rests."""
    clock = FakeClock(dt.datetime(2026, 11, 21, 9, 1, tzinfo=dt.UTC))
    cached = Reply(
        "from the cloud " * 40,
        usage=Usage(1_400, cache_read=21_000, output=640, reported=True),
        delay_s=0.001,
    )
    quick = Reply("a local answer " * 10, usage=Usage(3_100, output=210, reported=True), delay_s=0.001)
    tired = ProviderError("CUDA error: device is lost", status=500)
    router = make_router(
        OpenAICompat(), Anthropic(), BudgetGuard(), BackendHealthGuard(), Dashboard(),
        Script(local=Script.chat(quick, quick, quick, tired, quick, quick, tired, quick), claude=Script.messages(cached), spare="spare", opus=Script.messages("never")),
        clock=clock,
        allow_paid=True,
        display_timezone="Europe/Berlin",
        profile={"backend_health_action": "demote", "monthly_budget_usd": 60},
        providers={
            "local": {"kind": "openai-compat", "model": "qwen3-coder-30b", "cost": {"input_tokens_per_million": 0, "output_tokens_per_million": 0}},
            "claude": {"kind": "anthropic", "model": "claude-sonnet-4-6", "paid": True, "cost": {"input_tokens_per_million": 3, "output_tokens_per_million": 15, "monthly_budget_usd": 40}},
            "spare": {"kind": "openai-compat", "model": "deepseek-v3", "cost": {"input_tokens_per_million": 0.3, "output_tokens_per_million": 0.9}},
            "opus": {"kind": "anthropic", "model": "claude-opus-4-6", "paid": True, "api_key_env": "DASHBOARD_TEST_NO_KEY", "cost": {"input_tokens_per_million": 15, "output_tokens_per_million": 75}},
        },
    )  # fmt: skip
    spend(router, clock)
    for minute in range(59):
        for at in range(1 + (minute * 5) % 4 + (3 if 20 < minute < 34 else 0)):
            stream = bool((minute + at) % 3)
            router.ask(
                "hi", stream=stream, dialect="messages" if at % 2 else "chat", model="claude-sonnet-4-6"
            )
        clock.advance(60)
        if minute == 52:
            router.upstreams["local"].play(ProviderError("CUDA error: device is lost", status=500))
    yield router
    router.close()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(
            "light", {"color_scheme": "light", "viewport": {"width": 1360, "height": 900}}, id="light"
        ),
        pytest.param("dark", {"color_scheme": "dark", "viewport": {"width": 1360, "height": 900}}, id="dark"),
        pytest.param(
            "narrow", {"color_scheme": "light", "viewport": {"width": 390, "height": 844}}, id="390"
        ),
        pytest.param(
            "smallest", {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}, id="360"
        ),
    ],
)
def test_nothing_is_wider_than_the_window(
    browser: Browser, busy: ServedRouter, name: str, options: dict[str, object]
) -> None:
    with looking(browser, busy.url, **options) as page:
        expect(page.locator("#link")).to_have_text("live")
        expect(page.locator("#providers tbody tr")).to_have_count(4)
        take(page, name)

        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        page.locator("#requests tbody tr", has_text="2 attempts").first.locator("a").click()
        expect(page.locator("#explain .waterfall li")).to_have_count(2)
        take(page, f"{name}-explain", full_page=False)


def take(page: Page, name: str, *, full_page: bool = True) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(PICTURES, f"{name}.png")), full_page=full_page)


def test_a_chart_is_read_by_keyboard(browser: Browser, busy: ServedRouter) -> None:
    with looking(browser, busy.url) as page:
        expect(page.locator("#rate .bar").first).to_be_attached()
        page.locator("#rate svg").focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")

        expect(page.locator("#rate .when")).to_have_text("10:59")


def test_the_theme_can_be_chosen_and_is_kept(browser: Browser, busy: ServedRouter) -> None:
    with looking(browser, busy.url, color_scheme="dark") as page:
        background = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(background)
        page.get_by_role("button", name="Theme").click()
        light = page.evaluate(background)
        page.reload()

        assert (light != dark, page.evaluate(background)) == (True, light)


def test_a_table_is_sorted_by_its_heads(browser: Browser, busy: ServedRouter) -> None:
    with looking(browser, busy.url) as page:
        page.get_by_role("button", name="First token").first.click()

        expect(page.locator("#providers th[aria-sort=descending]")).to_contain_text("First token")


def test_the_feed_is_filtered_and_paused(browser: Browser, busy: ServedRouter) -> None:
    with looking(browser, busy.url) as page:
        expect(page.locator("#link")).to_have_text("live")
        page.select_option("#level", "warning")
        expect(page.locator("#events li[data-level=info]")).to_have_count(0)
        page.select_option("#level", "debug")
        page.click("#pause")
        first = page.locator("#events li").first.inner_text()

        total = int(page.locator("[data-bind=requests_total]").inner_text())
        busy.ask("hi")
        expect(page.locator("[data-bind=requests_total]")).to_have_text(str(total + 1))

        assert page.locator("#events li").first.inner_text() == first


ODD_NAMES = (
    "x" * 120,
    "ש" * 120,
    "名" * 60,
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>",
)


@pytest.mark.parametrize("width", [360, 1360])
def test_names_of_any_kind_stay_in_their_place_and_are_only_shown(browser: Browser, width: int) -> None:
    said = ProviderError("<script>window.hacked = 3</script>" + "y" * 200, status=500)
    router = make_router(
        Dashboard(),
        Script(**dict.fromkeys(ODD_NAMES, said)),
        providers={name: {"model": name} for name in ODD_NAMES},
        profiles=[{"name": name, "providers": list(ODD_NAMES)} for name in ("default", "team/a", *ODD_NAMES)],
    )
    asked = router.ask("hi", model=ODD_NAMES[3])
    with router, looking(browser, router.url, viewport={"width": width, "height": 800}) as page:
        page.goto(f"{router.url}/dashboard#request={asked.headers['x-request-id']}")
        expect(page.locator("#explain .waterfall li")).to_have_count(4)
        expect(page.locator("#providers tbody tr")).to_have_count(4)

        places = "td.words, td.wide, .chain, dialog, .told, .feed li"
        wider = "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).length"
        assert page.locator(places).evaluate_all(wider) == 0
        assert page.evaluate("window.hacked ?? 0") == 0
