"""W3C Trace Context: what is believed of a client's, and what an upstream is given."""

from __future__ import annotations

from typing import Any

import pytest
from coderouter_observer_otel import OtelObserver

from coderouter_core.testing import ProviderError, Script, make_router

#: The fixture's; see conftest.py.
Collector = Any
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
GIVEN = f"00-{TRACE}-{PARENT}-01"
#: Two members that are too long together.
MANY = f"first={'a' * 250},second={'b' * 250},third={'c' * 200}"


def sent(collector: Collector, headers: dict[str, str]) -> dict[str, str]:
    """The headers that an upstream got."""
    with make_router(OtelObserver(), Script(local="hi"), otel={"endpoint": collector.url}) as router:
        router.ask(headers=headers)
        [call] = router.upstreams["local"].calls
    return dict(call.headers)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(GIVEN.upper(), id="upper-case"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="no-span"),
        pytest.param(f"00-{TRACE}-{PARENT}", id="no-flags"),
        pytest.param(f"{GIVEN}-more", id="more-than-version-0-has"),
        pytest.param(f"{GIVEN}, {GIVEN}", id="twice"),
        pytest.param(f"00-{TRACE}{TRACE}-{PARENT}-01", id="long"),
        pytest.param("0" * 5000, id="huge"),
    ],
)
def test_a_context_that_is_none_begins_a_new_trace(collector: Collector, given: str) -> None:
    assert TRACE not in sent(collector, {"traceparent": given})["traceparent"]


def test_a_context_of_a_later_version_is_understood(collector: Collector) -> None:
    given = f"01-{TRACE}-{PARENT}-01-what-comes-then"

    assert sent(collector, {"traceparent": given})["traceparent"].startswith(f"00-{TRACE}-")


def test_an_unsampled_trace_stays_so_upstream(collector: Collector) -> None:
    assert sent(collector, {"traceparent": f"00-{TRACE}-{PARENT}-00"})["traceparent"].endswith("-00")


def test_a_state_without_a_parent_is_left_out(collector: Collector) -> None:
    assert "tracestate" not in sent(collector, {"tracestate": "vendor=1"})


def test_a_state_that_is_none_harms_no_parent(collector: Collector) -> None:
    got = sent(collector, {"traceparent": GIVEN, "tracestate": "=,;"})

    assert (TRACE in got["traceparent"], "tracestate" in got) == (True, False)


def test_of_a_state_that_is_too_long_whole_members_are_kept(collector: Collector) -> None:
    got = sent(collector, {"traceparent": GIVEN, "tracestate": MANY})

    assert got["tracestate"] == MANY.rpartition(",")[0].rpartition(",")[0]


def test_a_state_stands_on_every_span(collector: Collector) -> None:
    sent(collector, {"traceparent": GIVEN, "tracestate": "vendor=1"})

    assert [span.trace_state for span in collector.spans] == ["vendor=1"] * 2


def test_baggage_goes_no_further(collector: Collector) -> None:
    assert "baggage" not in sent(collector, {"traceparent": GIVEN, "baggage": "user=alice"})


def test_only_a_clients_span_is_remote(collector: Collector) -> None:
    sent(collector, {"traceparent": GIVEN})

    remote = {span.name: bool(span.flags & 0x200) for span in collector.spans}
    assert remote == {"POST /v1/messages": True, "chat local-model": False}


def test_every_attempt_is_a_parent_of_its_own(collector: Collector) -> None:
    script = Script(local=ProviderError("no", status=500), cloud="hi")
    with make_router(OtelObserver(), script, otel={"endpoint": collector.url}) as router:
        router.ask()
        given = [router.upstreams[name].calls[0].headers["traceparent"] for name in ("local", "cloud")]

    spans = {span.span_id.hex() for span in collector.spans if span.name.startswith("chat")}
    assert {each.split("-")[2] for each in given} == spans


@pytest.mark.parametrize(("named", "continued"), [("b3", False), ("none", False), ("b3, tracecontext", True)])
def test_the_environment_chooses_what_is_passed_on(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, named: str, continued: bool
) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", named)

    assert ("traceparent" in sent(collector, {"traceparent": GIVEN})) is continued
