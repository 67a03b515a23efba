import gc
import threading
from collections.abc import Iterable, Sequence

import httpx
import pytest
from attrs import frozen

from coderouter_core.api import (
    ConfigError,
    Dialect,
    Option,
    Outcome,
    Profile,
    Provider,
    Rejection,
    Router,
    Scope,
    hookimpl,
)
from coderouter_core.testing import (
    CutAfter,
    FakeClock,
    ProviderError,
    Reply,
    Script,
    Upstream,
    conformance,
    make_router,
)
from coderouter_core.testing.script import ScriptedAdapters

BOTH = pytest.mark.parametrize("dialect", ["messages", "chat"])
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@frozen
class Naps:
    nap_s: int = 0


class NapGuard:
    """Rests its chain's first provider after every request."""

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROFILE, Naps)]

    @hookimpl
    def configure(self, router: Router) -> None:
        self._ledger = router.ledger

    @hookimpl
    def filter_chain(self, chain: Sequence[Provider], profile: Profile) -> Iterable[Rejection]:
        if left := self._ledger.marked("nap"):
            yield Rejection(chain[0], f"napping {left:.0f} s more")
        self._ledger.mark("nap", profile.option(Naps).nap_s)


@BOTH
@STREAMED
def test_the_first_provider_answers(dialect: str, stream: bool) -> None:
    asked = make_router(Script(local="hello", cloud="not me")).ask("hi", dialect=dialect, stream=stream)

    assert (asked.status, asked.provider, asked.text) == (200, "local", "hello")


@BOTH
@STREAMED
def test_the_next_provider_answers_after_a_failure(dialect: str, stream: bool) -> None:
    router = make_router(Script(local=ProviderError("broken"), cloud=Script.messages("hello")))

    asked = router.ask("hi", dialect=dialect, stream=stream)

    assert (asked.provider, asked.text) == ("cloud", "hello")


def test_a_provider_is_spoken_to_in_the_dialect_of_its_script() -> None:
    router = make_router(Script(local=Script.messages("hello")))
    router.ask(dialect="chat")

    assert router.upstreams["local"].calls[0].path == "/v1/messages"


def test_an_ask_tells_of_its_attempts_only() -> None:
    router = make_router(Script(local=[ProviderError("broken"), "better"], cloud="hello"))
    router.ask()

    assert [attempt.outcome for attempt in router.ask().attempts] == [Outcome.OK]


def test_an_ask_tells_the_events_of_its_request() -> None:
    names = make_router(Script(local="hello")).ask().event_names

    assert (names[0], names[-1]) == ("request-received", "request-finished")


def test_a_rejection_is_told_with_its_reason() -> None:
    router = make_router(NapGuard(), Script(local="a", cloud="b"), profile={"nap_s": 60}, clock=FakeClock())
    router.ask()

    assert router.ask().reasons == {"local": "napping 60 s more"}


def test_a_gate_of_the_core_is_told_by_its_event() -> None:
    router = make_router(Script(local="a", cloud="b"), providers={"local": {"paid": True}})

    assert router.ask().reasons == {"local": "skip-paid-provider"}


def test_the_clock_is_the_tests() -> None:
    clock = FakeClock()
    router = make_router(NapGuard(), Script(local="a", cloud="b"), profile={"nap_s": 60}, clock=clock)
    router.ask()

    clock.advance(61)

    assert router.ask().provider == "local"


def test_an_error_is_the_error_object_of_the_answer() -> None:
    error = make_router(Script(local=ProviderError("bad key", 401))).ask().error

    assert error is not None
    assert error["type"] == "authentication_error"


def test_an_error_in_a_stream_is_its_error_object() -> None:
    error = make_router(Script(local=CutAfter(4))).ask(stream=True).error

    assert error is not None


def test_a_whole_conversation_can_be_asked() -> None:
    router = make_router(Script(local="ok"))
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    router.ask(turns, dialect="chat")

    assert len(router.upstreams["local"].calls[0].body["messages"]) == 3


def test_fields_are_added_to_the_body() -> None:
    router = make_router(Script(local="ok"))
    router.ask(dialect="chat", temperature=0.5)

    assert router.upstreams["local"].calls[0].body["temperature"] == 0.5


def test_keys_of_a_provider_can_be_given() -> None:
    router = make_router(Script(local="ok"), providers={"local": {"model": "mine"}})
    router.ask()

    assert router.upstreams["local"].calls[0].body["model"] == "mine"


def test_top_level_keys_can_be_given() -> None:
    router = make_router(Script(local="ok"), mode_aliases={"code": "default"})

    assert router.ask(headers={"x-coderouter-mode": "code"}).status == 200


def test_a_wrong_key_is_told_as_in_the_file() -> None:
    with pytest.raises(ConfigError, match=r"providers\.yaml:\d+:\d+: profiles\[0\]\.nap_m"):
        make_router(NapGuard(), Script(local="ok"), profile={"nap_m": 1})


def test_keys_of_an_unknown_provider_are_refused() -> None:
    with pytest.raises(TypeError, match="'clod'"):
        make_router(Script(cloud="ok"), providers={"clod": {}})


def test_a_router_needs_a_script() -> None:
    with pytest.raises(TypeError, match="one Script"):
        make_router(NapGuard())


def test_upstreams_of_a_router_that_was_not_made_are_closed() -> None:
    before = threading.active_count()
    with pytest.raises(ConfigError):
        make_router(Script(local="ok"), profile={"unheard_of": 1})

    assert threading.active_count() == before


def test_a_router_that_nobody_holds_closes_itself() -> None:
    router = make_router(Script(local="ok"))
    url = router.url
    del router
    gc.collect()

    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_router_can_be_closed_early() -> None:
    with make_router(Script(local="ok")) as router:
        url = router.url

    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_client_that_leaves_ends_the_work_upstream() -> None:
    with make_router(Script(local=Reply("x" * 400, delay_s=0.05))) as router:
        body = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        with router.client.stream("POST", "/v1/messages", json=body) as response:
            next(response.iter_raw())

        assert router.upstreams["local"].calls[0].wait_gone()


def test_the_scripted_adapters_conform() -> None:
    conformance(ScriptedAdapters())


def test_the_kinds_of_a_script_are_its_dialects() -> None:
    kinds = {option.kind for option in ScriptedAdapters().declare_options()}

    assert kinds == {f"scripted-{dialect}" for dialect in (Dialect.CHAT, Dialect.MESSAGES)}


def test_upstreams_are_real_servers() -> None:
    router = make_router(Script(local="ok"))

    assert isinstance(router.upstreams["local"], Upstream)
