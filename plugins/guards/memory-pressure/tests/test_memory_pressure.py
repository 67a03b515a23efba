"""The memory-pressure guard: what it takes for a sign, and what becomes of the provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx
import pytest
from attrs import evolve, frozen
from coderouter_guard_memory_pressure import MemoryPressureGuard, about_to, ran_out

from coderouter_core.api import (
    Answer,
    Attempt,
    Call,
    ConfigError,
    Dialect,
    Option,
    Outcome,
    Profile,
    Provider,
    Scope,
    hookimpl,
)
from coderouter_core.testing import (
    ErrorAfter,
    ErrorFirst,
    FakeClock,
    ProviderError,
    Script,
    ServedRouter,
    conformance,
    make_router,
)

OOM = ProviderError("CUDA out of memory. Tried to allocate 2.00 GiB", status=500)
INGRESS = [
    pytest.param("messages", False, id="messages"),
    pytest.param("messages", True, id="messages-stream"),
    pytest.param("chat", False, id="chat"),
    pytest.param("chat", True, id="chat-stream"),
]


def guarded(local: Any, clock: FakeClock | None = None, **profile: Any) -> ServedRouter:
    return make_router(
        MemoryPressureGuard(),
        Script(local=local, cloud="cloud"),
        clock=clock or FakeClock(),
        profile={"memory_pressure_action": "skip", "memory_pressure_cooldown_s": 60, **profile},
    )


def failed(text: str, **how: Any) -> Attempt:
    profile, provider = Profile("main", ("zoom",)), Provider("zoom")
    made = Attempt("1", "req_1", profile, provider, 1, Dialect.CHAT, False, 0.0)
    ended: dict[str, Any] = {
        "outcome": Outcome.FAILED,
        "status": 500,
        "error_kind": "status",
        "error_text": text,
    }
    return evolve(made, **{**ended, **how})


def test_it_fits() -> None:
    conformance(MemoryPressureGuard())


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "llama runner process has terminated: metal out of memory",
        "model requires more system memory (11.2 GiB) than is available (7.9 GiB)",
        "insufficient memory for this load",
        "ggml_backend_alloc: failed to allocate buffer of size 4096",
        "ggml_cuda_host_malloc: no",
        "failed to load model: cannot allocate memory",
        "worker was OOM-killed",
        "OOM",
    ],
)
def test_words_of_a_backend_without_memory(text: str) -> None:
    assert ran_out(failed(text))


@pytest.mark.parametrize(
    "text",
    [
        "plain internal error of zoom",
        "the room bloomed and boomed",
        "failed to load model: unknown model architecture 'qwen9'",
        "no memory of this conversation",
    ],
)
def test_words_that_merely_look_like_it(text: str) -> None:
    assert not ran_out(failed(text))


@pytest.mark.parametrize("status", [401, 403, 404, 413, 422, 429])
def test_a_status_that_cannot_mean_it(status: int) -> None:
    assert not ran_out(failed("out of memory", status=status))


def test_a_provider_named_zoom_that_answers_a_plain_500_is_not_out_of_memory() -> None:
    router = make_router(
        MemoryPressureGuard(),
        Script(zoom=ProviderError("broken", status=500), cloud="cloud"),
        profile={"memory_pressure_action": "skip"},
    )

    assert "memory-pressure-detected" not in router.ask().event_names


@pytest.mark.parametrize(("dialect", "stream"), INGRESS)
def test_memory_pressure_action_skip_rests_the_provider(dialect: str, stream: bool) -> None:
    clock = FakeClock()
    router = guarded([OOM, "well"], clock)
    router.ask(dialect=dialect, stream=stream)
    clock.advance(59)

    asked = router.ask(dialect=dialect, stream=stream)

    assert (asked.provider, asked.reasons) == ("cloud", {"local": "out of memory, resting 1 s more"})


def test_memory_pressure_cooldown_s_ends() -> None:
    clock = FakeClock()
    router = guarded([OOM, "well"], clock)
    router.ask()
    clock.advance(61)

    assert router.ask().provider == "local"


@pytest.mark.parametrize("how", [ErrorFirst(message="out of memory"), ErrorAfter(6, message="out of memory")])
def test_a_stream_that_says_so_counts(how: Any) -> None:
    assert "memory-pressure-detected" in guarded(how).ask(stream=True).event_names


def test_memory_pressure_action_warn_only_tells() -> None:
    router = guarded(OOM, memory_pressure_action="warn")
    first = router.ask()

    assert ("memory-pressure-detected" in first.event_names, len(router.ask().attempts)) == (True, 2)


def test_memory_pressure_action_off_does_not_look() -> None:
    assert "memory-pressure-detected" not in guarded(OOM, memory_pressure_action="off").ask().event_names


def test_a_chain_without_memory_says_when_to_come_back() -> None:
    router = make_router(
        MemoryPressureGuard(),
        Script(only=OOM),
        clock=FakeClock(),
        profile={"memory_pressure_action": "skip"},
    )
    router.ask()

    asked = router.ask()

    assert (
        asked.status,
        asked.headers["retry-after"],
        "chain-memory-pressure-blocked" in asked.event_names,
    ) == (
        503,
        "120",
        True,
    )


def test_a_cooldown_out_of_range_is_an_error() -> None:
    with pytest.raises(ConfigError, match="memory_pressure_cooldown_s: must be ≥ 10, not 5"):
        guarded("x", memory_pressure_cooldown_s=5)


@pytest.mark.parametrize(
    ("now", "before", "soon"),
    [
        pytest.param({"kv_cache_usage": 0.97, "waiting": 3}, {}, True, id="full-and-waiting"),
        pytest.param({"kv_cache_usage": 0.97, "waiting": 0}, {}, False, id="full-and-calm"),
        pytest.param({"kv_cache_usage": 0.5, "waiting": 9}, {}, False, id="busy-with-room"),
        pytest.param({"memory_spill": True}, {"memory_spill": False}, True, id="newly-spilled"),
        pytest.param({"memory_spill": True}, {"memory_spill": True}, False, id="always-spilled"),
        pytest.param({"memory_spill": True}, {}, False, id="spilled-from-the-start"),
        pytest.param({}, {}, False, id="tells-nothing"),
    ],
)
def test_looking_ahead(now: Mapping[str, Any], before: Mapping[str, Any], soon: bool) -> None:
    assert (about_to(now, before) is not None) is soon


@frozen
class TellingKeys:
    """No keys."""


class Telling:
    """An adapter whose backend tells that its cache is full."""

    dialects = (Dialect.CHAT,)

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...

    async def open(self, call: Call) -> Answer:
        raise AssertionError("nobody should ask it")

    async def vitals(self) -> Mapping[str, Any]:
        return {"kv_cache_usage": 0.99, "waiting": 2}

    async def count_tokens(self, call: Call) -> int | None:
        return None

    async def models(self) -> Sequence[Mapping[str, Any]]:
        return []


class TellingPlugin:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROVIDER, TellingKeys, kind="telling")]

    @hookimpl
    def make_adapter(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> Telling | None:
        return Telling() if provider.kind == "telling" else None


def test_a_backend_about_to_run_out_rests_before_it_does() -> None:
    router = make_router(
        MemoryPressureGuard(),
        TellingPlugin(),
        Script(local="never asked", cloud="cloud"),
        providers={"local": {"kind": "telling"}},
        profile={"memory_pressure_action": "skip"},
    )
    assert router.wait_event("memory-pressure-detected")

    asked = router.ask()

    assert (asked.provider, list(asked.reasons)) == ("cloud", ["local"])


def test_a_resting_provider_is_seen_with_the_time_of_its_return() -> None:
    clock = FakeClock()
    router = guarded(OOM, clock, memory_pressure_action="skip", memory_pressure_cooldown_s=60)
    router.ask()
    clock.advance(20)

    [said] = router.core.standings()

    seen = (said.plugin, said.verdict.provider, said.verdict.state, said.verdict.until)
    assert seen == ("memory-pressure", "local", "resting", clock.utc().timestamp() + 40)


def test_what_an_upstream_said_is_not_quoted_when_errors_are_not_logged() -> None:
    router = make_router(MemoryPressureGuard(), Script(local=OOM, cloud="cloud"), log_upstream_errors="none")

    [told] = [event for event in router.ask().events if event.name == "memory-pressure-detected"]

    assert told.fields["error"] == ""
