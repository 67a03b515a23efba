"""What is kept of the way that a request took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from attrs import frozen

from coderouter_core.api import (
    Demotion,
    Drop,
    Instruction,
    Option,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
    Scope,
    hookimpl,
)
from coderouter_core.testing import (
    Asked,
    CutAfter,
    ProviderError,
    Raw,
    Reply,
    Script,
    ServedRouter,
    make_router,
)

INGRESS = [
    pytest.param("messages", False, id="messages"),
    pytest.param("messages", True, id="messages-stream"),
    pytest.param("chat", False, id="chat"),
    pytest.param("chat", True, id="chat-stream"),
]
ingress = pytest.mark.parametrize(("dialect", "stream"), INGRESS)
KEY = "sk-canary-0123456789abcdef"
#: JSON that ends in the middle, and quotes the key.
GARBAGE = Raw(200, {"content-type": "application/json"}, f'{{"error": "{KEY}'.encode())


def way(router: ServedRouter, asked: Asked) -> dict[str, Any]:
    """What is kept of a request."""
    answer = router.client.get(f"/explain/{asked.headers['x-request-id']}")
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = answer.json()["facts"]
    return facts


@frozen
class Begins:
    model_begins: str


class ModelBegins:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.RULE, Begins)]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        return request.model.startswith(condition.model_begins) if isinstance(condition, Begins) else None


class Declines:
    @hookimpl
    def review_request(self) -> Refusal:
        return Refusal("this loops", status=409, code="loop")


class Instructs:
    @hookimpl
    def review_request(self) -> Instruction:
        return Instruction("Stop doing that.", "it repeats itself")


class Vetoes:
    @hookimpl
    def filter_chain(self, chain: Sequence[Provider]) -> Iterable[Rejection]:
        yield Rejection(chain[0], "it is asleep")


class Demotes:
    @hookimpl
    def reorder_chain(self, chain: Sequence[Provider]) -> Iterable[Demotion]:
        yield Demotion(chain[0], 2, "it fails often")


class LooksAgain:
    """The last look before an attempt of a provider named ``first``."""

    def __init__(self, *verdicts: str) -> None:
        self._verdicts = verdicts

    @hookimpl
    def review_attempt(self, provider: Provider) -> Iterable[Rejection | Drop | Reservation]:
        if provider.name != "first":
            return
        rejection = Rejection(provider, "no money is left", status=402)
        if "drop" in self._verdicts:
            yield Drop(provider, "temperature", "it has none")
        if "reject" in self._verdicts:
            yield rejection
        if "reserve" in self._verdicts:
            yield Reservation(provider, "spent", 1.0, 0.0, rejection)


@ingress
def test_the_attempts_of_a_request_are_kept_in_order(dialect: str, stream: bool) -> None:
    router = make_router(Script(first=ProviderError("out of order", status=503), second="hello"))

    kept = way(router, router.ask(dialect=dialect, stream=stream))

    assert [
        (each["provider"], each["outcome"], each["status"], each["error"]) for each in kept["attempts"]
    ] == [
        ("first", "failed", 503, "out of order"),
        ("second", "ok", 200, ""),
    ]


@ingress
def test_what_was_asked_and_what_came_of_it_is_kept(dialect: str, stream: bool) -> None:
    router = make_router(Script(only="hello"))

    kept = way(router, router.ask(dialect=dialect, stream=stream, headers={"x-session-id": "s-1"}))

    asked = {name: kept[name] for name in ("dialect", "stream", "model", "session_id", "outcome", "status")}
    assert asked == {
        "dialect": dialect,
        "stream": stream,
        "model": "any",
        "session_id": "s-1",
        "outcome": "ok",
        "status": 200,
    }


@ingress
def test_usage_and_cost_of_an_attempt_are_kept(dialect: str, stream: bool) -> None:
    prices = {"input_tokens_per_million": 1.0, "output_tokens_per_million": 10.0}
    router = make_router(Script(only="hello"), providers={"only": {"cost": prices}})

    asked = router.ask(dialect=dialect, stream=stream)
    (kept,) = way(router, asked)["attempts"]

    (attempt,) = asked.attempts
    assert attempt.cost is not None
    assert (kept["cost_usd"], kept["usage"]["output"]) == (attempt.cost.usd, attempt.usage.output)


@pytest.mark.parametrize(
    ("asked", "by", "word"),
    [
        pytest.param({"profile": "default"}, "body", "default", id="body"),
        pytest.param({"headers": {"x-coderouter-profile": "default"}}, "header", "default", id="header"),
        pytest.param({"headers": {"x-coderouter-mode": "fast"}}, "mode", "fast", id="mode"),
        pytest.param({"model": "only"}, "model", "only", id="model"),
        pytest.param({}, "default", "default", id="default"),
    ],
)
def test_what_chose_the_profile_is_kept(asked: Mapping[str, Any], by: str, word: str) -> None:
    router = make_router(Script(only="hello"), mode_aliases={"fast": "default"})

    kept = way(router, router.ask(**asked))

    assert (kept["chosen_by"], kept["chosen_word"]) == (by, word)


@pytest.mark.parametrize(
    ("model", "chosen"),
    [
        pytest.param("claude-haiku", ("rule", "user:small", "default"), id="a-rule-held"),
        pytest.param("gpt-x", ("fallthrough", "", "default"), id="no-rule-held"),
    ],
)
def test_the_rule_that_held_is_kept_with_what_rules_saw(model: str, chosen: tuple[str, str, str]) -> None:
    rule = {"id": "user:small", "profile": "default", "match": {"model_begins": "claude"}}
    rules = {"rules": [rule], "default_rule_profile": "default"}
    router = make_router(ModelBegins(), Script(only="hello"), default_profile="auto", auto_router=rules)

    kept = way(router, router.ask(model=model))

    assert (kept["chosen_by"], kept["chosen_word"], kept["profile"], kept["signals"]["model"]) == (
        *chosen,
        model,
    )


@ingress
def test_a_refusal_is_kept_with_who_refused_and_why(dialect: str, stream: bool) -> None:
    router = make_router(("declines", Declines()), Script(only="hello"))

    kept = way(router, router.ask(dialect=dialect, stream=stream))

    assert (kept["outcome"], kept["status"], kept["refusal"]) == (
        "refused",
        409,
        {"plugin": "declines", "reason": "this loops", "status": 409, "code": "loop"},
    )


def test_an_instruction_is_kept_by_its_reason() -> None:
    router = make_router(("instructs", Instructs()), Script(only="hello"))

    kept = way(router, router.ask())

    assert kept["instructions"] == [{"plugin": "instructs", "reason": "it repeats itself"}]


@ingress
def test_a_veto_is_kept_with_who_vetoed_and_why(dialect: str, stream: bool) -> None:
    router = make_router(("vetoes", Vetoes()), Script(first="never", second="hello"))

    kept = way(router, router.ask(dialect=dialect, stream=stream))

    expected = {"provider": "first", "plugin": "vetoes", "reason": "it is asleep", "event": "skip-provider"}
    assert (kept["candidates"], kept["rejections"], kept["order"]) == (
        ["first", "second"],
        [expected],
        ["second"],
    )


def test_the_cores_own_veto_is_kept_as_its_own() -> None:
    router = make_router(
        Script(first="never", second="hello"),
        providers={"first": {"paid": True}},
        allow_paid=False,
        environ={},
    )

    (kept,) = way(router, router.ask())["rejections"]

    assert (kept["provider"], kept["plugin"], kept["event"]) == ("first", "core", "skip-paid-provider")


@ingress
def test_a_request_that_nobody_may_serve_keeps_every_reason(dialect: str, stream: bool) -> None:
    router = make_router(
        Script(only="never"), providers={"only": {"paid": True}}, allow_paid=False, environ={}
    )

    kept = way(router, router.ask(dialect=dialect, stream=stream))

    assert (kept["outcome"], kept["status"], kept["attempts"], kept["error"]["kind"]) == (
        "failed",
        402,
        [],
        "billing_error",
    )


def test_a_demotion_is_kept_with_its_weight_and_reason() -> None:
    router = make_router(("demotes", Demotes()), Script(first="late", second="hello"))

    kept = way(router, router.ask())

    expected = {"provider": "first", "plugin": "demotes", "weight": 2, "reason": "it fails often"}
    assert (kept["demotions"], kept["order"]) == ([expected], ["second", "first"])


@pytest.mark.parametrize("verdict", ["reject", "reserve"])
def test_a_veto_just_before_an_attempt_is_kept(verdict: str) -> None:
    router = make_router(("looks", LooksAgain(verdict)), Script(first="never", second="hello"))

    kept = way(router, router.ask())

    assert [(each["provider"], each["plugin"], each["reason"]) for each in kept["rejections"]] == [
        ("first", "looks", "no money is left")
    ]


def test_what_a_provider_did_not_get_is_kept() -> None:
    router = make_router(("looks", LooksAgain("drop")), Script(first="hello"))

    (kept,) = way(router, router.ask(temperature=1.0))["attempts"]

    assert kept["dropped"] == [["temperature", "it has none"]]


def test_a_provider_whose_window_is_too_small_after_another_says_why_it_was_not_tried() -> None:
    too_long = ProviderError("This model's maximum context length is 100 tokens", status=400)
    small = {"capabilities": {"max_context_tokens": 100}}
    router = make_router(Script(first=too_long, second="never"), providers={"first": small, "second": small})

    (kept,) = way(router, router.ask())["rejections"]

    assert (kept["provider"], "too long for first" in kept["reason"]) == ("second", True)


def test_a_request_that_is_wrong_itself_says_why_nobody_else_was_tried() -> None:
    router = make_router(Script(first=ProviderError("messages: bad", status=400), second="never"))

    kept = way(router, router.ask())

    assert (len(kept["attempts"]), "any other provider" in kept["stopped"]) == (1, True)


@pytest.mark.parametrize("dialect", ["messages", "chat"])
def test_an_answer_that_broke_off_is_kept_as_broken(dialect: str) -> None:
    router = make_router(Script(only=CutAfter(2)))

    kept = way(router, router.ask(dialect=dialect, stream=True))

    assert (kept["outcome"], kept["attempts"][0]["outcome"]) == ("broken", "broken")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_request_whose_client_left_is_kept_as_cancelled(path: str) -> None:
    router = make_router(Script(only=Reply("x" * 4000, chunk=4, delay_s=0.02)))
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}

    with router.client.stream("POST", path, json=body) as answer:
        next(answer.iter_bytes())
        identity = answer.headers["x-request-id"]
    assert router.wait_event("request-finished")

    kept = router.client.get(f"/explain/{identity}").json()["facts"]
    assert (kept["outcome"], kept["attempts"][0]["outcome"]) == ("cancelled", "cancelled")


def test_an_unknown_profile_is_kept_as_the_error_it_was() -> None:
    router = make_router(Script(only="never"))

    kept = way(router, router.ask(profile="nix"))

    assert (kept["profile"], kept["status"], "unknown profile 'nix'" in kept["error"]["message"]) == (
        None,
        400,
        True,
    )


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(ProviderError(f"Incorrect API key provided: {KEY}", status=401), id="error"),
        pytest.param(ProviderError(f"no: {KEY}", status=500), id="server-error"),
        pytest.param(Raw(502, {"content-type": "text/html"}, f"<html>{KEY}</html>".encode()), id="html"),
        pytest.param(GARBAGE, id="garbage"),
    ],
)
@pytest.mark.parametrize("how", ["none", "short", "full"])
@ingress
def test_a_key_and_a_prompt_are_in_no_trace(
    dialect: str, stream: bool, how: str, step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", KEY)
    keyed = {"api_key_env": "CANARY_KEY"}
    router = make_router(
        ("instructs", Instructs()),
        Script(first=step, second="the answer itself"),
        providers={"first": keyed, "second": keyed},
        log_upstream_errors=how,
    )

    kept = str(way(router, router.ask("the prompt itself", dialect=dialect, stream=stream)))

    assert not [
        word for word in (KEY, "the prompt itself", "the answer itself", "Stop doing") if word in kept
    ]


@ingress
def test_a_key_in_garbage_reaches_no_client(
    dialect: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", KEY)
    router = make_router(Script(only=GARBAGE), providers={"only": {"api_key_env": "CANARY_KEY"}})

    asked = router.ask(dialect=dialect, stream=stream)

    assert (asked.status, KEY in asked.raw.decode(), KEY in str(asked.headers)) == (502, False, False)


@pytest.mark.parametrize(("how", "kept"), [("none", 0), ("short", 200), ("full", 1000)])
def test_an_upstreams_words_are_kept_as_far_as_they_may_be_logged(how: str, kept: int) -> None:
    router = make_router(Script(only=ProviderError("x" * 1000, status=500)), log_upstream_errors=how)

    facts = way(router, router.ask())

    assert (facts["attempts"][0]["error"].count("x"), facts["error"]["message"].count("x") <= kept) == (
        kept,
        True,
    )


def test_nothing_but_the_clients_key_name_tells_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPTOP_KEY", KEY)
    router = make_router(
        Script(only="hello"),
        auth={"keys": [{"name": "laptop", "env": "LAPTOP_KEY"}]},
        environ={"LAPTOP_KEY": KEY},
    )
    asked = router.ask(headers={"x-api-key": KEY})

    answer = router.client.get(f"/explain/{asked.headers['x-request-id']}", headers={"x-api-key": KEY})

    assert (answer.json()["facts"]["client_key"], KEY in answer.text) == ("laptop", False)
