"""A conversation keeps what a rule about its content chose."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from coderouter_core.api import Dialect, Option, Request, Scope, hookimpl
from coderouter_core.routing.sticky import KEPT_S, MOST_CONVERSATIONS, Conversations, conversation_of
from coderouter_core.testing import FakeClock, Script, ServedRouter, make_router


@frozen
class Says:
    says: str


@frozen
class TurnsMin:
    turns_min: int


class Matchers:
    """One rule about content, one about shape."""

    @hookimpl
    def declare_options(self) -> list[Option]:
        return [Option(Scope.RULE, Says, content=True), Option(Scope.RULE, TurnsMin)]

    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        if isinstance(condition, Says):
            return condition.says in request.latest_user_text
        if isinstance(condition, TurnsMin):
            return len(request.turns) >= condition.turns_min
        return None


CODE = {"if": {"says": "code"}, "route_to": "coding"}
IMAGE = {"if": {"says": "image"}, "route_to": "vision"}
LONG = {"if": {"turns_min": 3}, "route_to": "long"}
SESSION = {"x-claude-code-session-id": "s1"}


def routed(*rules: Any, sticky: bool = True, clock: FakeClock | None = None, **config: Any) -> ServedRouter:
    chains = ("coding", "vision", "long", "writing")
    return make_router(
        Matchers(),
        Script(**{name: f"from {name}" for name in chains}),
        clock=clock,
        profiles=[{"name": name, "providers": [name]} for name in chains],
        default_profile="auto",
        auto_router={"rules": list(rules), "sticky": sticky},
        **config,
    )


def turns(*said: str) -> list[dict[str, Any]]:
    return [
        {"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(said)
    ]


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_conversation_keeps_what_a_content_rule_chose(dialect: str, stream: bool) -> None:
    router = routed(CODE)
    router.ask("write code", headers=SESSION, dialect=dialect, stream=stream)

    again = router.ask("thanks", headers=SESSION, dialect=dialect, stream=stream)

    assert again.headers["x-coderouter-profile"] == "coding"


def test_without_sticky_every_turn_is_judged_anew() -> None:
    router = routed(CODE, sticky=False)
    router.ask("write code", headers=SESSION)

    assert router.ask("thanks", headers=SESSION).provider == "writing"


def test_the_first_content_rule_that_held_is_kept() -> None:
    router = routed(IMAGE, CODE)
    router.ask("write code", headers=SESSION)

    assert router.ask("an image", headers=SESSION).provider == "coding"


def test_a_conversation_that_no_content_rule_chose_for_can_still_be_chosen_for() -> None:
    router = routed(CODE)
    router.ask("hello", headers=SESSION)

    assert router.ask("write code", headers=SESSION).provider == "coding"


@pytest.mark.parametrize("rules", [(LONG, CODE), (CODE, LONG)], ids=["shape-first", "content-first"])
def test_a_conversation_that_grows_long_moves_to_the_long_chain(rules: Any) -> None:
    router = routed(*rules)
    router.ask("write code", headers=SESSION)

    assert router.ask(turns("write code", "done", "more code"), headers=SESSION).provider == "long"


def test_a_conversation_that_was_moved_for_its_length_comes_back_when_it_is_short_again() -> None:
    router = routed(LONG, CODE)
    router.ask("write code", headers=SESSION)
    router.ask(turns("write code", "done", "more"), headers=SESSION)

    assert router.ask("go on", headers=SESSION).provider == "coding"


def test_a_later_shape_rule_that_held_from_the_start_does_not_take_the_conversation() -> None:
    router = routed(CODE, {"if": {"turns_min": 1}, "route_to": "long"})
    router.ask("write code", headers=SESSION)

    assert router.ask("thanks", headers=SESSION).provider == "coding"


@pytest.mark.parametrize(
    ("headers", "model"),
    [
        pytest.param({"x-claude-code-session-id": "s2"}, "any", id="session"),
        pytest.param({**SESSION, "x-claude-code-agent-id": "a2"}, "any", id="agent"),
        pytest.param(SESSION, "another", id="model"),
    ],
)
def test_conversations_are_kept_apart(headers: dict[str, str], model: str) -> None:
    router = routed(CODE)
    router.ask("write code", headers=SESSION, model="any")

    assert router.ask("thanks", headers=headers, model=model).provider == "writing"


def test_conversations_of_two_client_keys_are_kept_apart() -> None:
    body = {"model": "any", "messages": turns("hello")}
    keys = {
        conversation_of(Request("r", Dialect.MESSAGES, body, b"", client_key=name)) for name in ("ann", "bob")
    }

    assert len(keys) == 2


def test_without_a_user_turn_there_is_no_conversation() -> None:
    assert conversation_of(Request("r", Dialect.MESSAGES, {"messages": []}, b"")) is None


def test_without_a_session_the_first_turn_tells_the_conversation() -> None:
    router = routed(CODE)
    router.ask("write code")

    assert router.ask(turns("write code", "done", "thanks")).provider == "coding"


def test_without_a_session_another_first_turn_is_another_conversation() -> None:
    router = routed(CODE)
    router.ask("write code")

    assert router.ask(turns("write prose", "done", "thanks")).provider == "writing"


def test_the_event_says_that_a_choice_was_kept() -> None:
    router = routed(CODE)
    router.ask("write code", headers=SESSION)

    events = router.ask("thanks", headers=SESSION).events

    said = next(event.fields for event in events if event.name == "auto-router-resolved")
    assert (said["rule_id"], said["signals"]["sticky"]) == ("user:1", True)


def test_a_silent_conversation_is_forgotten(clock: FakeClock) -> None:
    router = routed(CODE, clock=clock)
    router.ask("write code", headers=SESSION)
    clock.advance(KEPT_S + 1)

    assert router.ask("thanks", headers=SESSION).provider == "writing"


def test_a_conversation_that_goes_on_is_kept(clock: FakeClock) -> None:
    router = routed(CODE, clock=clock)
    router.ask("write code", headers=SESSION)
    for _ in range(3):
        clock.advance(KEPT_S * 0.6)
        router.ask("thanks", headers=SESSION)

    assert router.ask("thanks", headers=SESSION).provider == "coding"


def test_another_worker_knows_the_choice_from_the_ledger() -> None:
    router = routed(CODE)
    router.ask("write code", headers=SESSION)
    routing = router.core.routing
    assert routing._conversations is not None

    routing._conversations._kept.clear()

    assert router.ask("thanks", headers=SESSION).provider == "coding"


def test_another_worker_knows_what_held_when_the_choice_was_made() -> None:
    router = routed(CODE, {"if": {"turns_min": 1}, "route_to": "long"})
    router.ask("write code", headers=SESSION)
    routing = router.core.routing
    assert routing._conversations is not None

    routing._conversations._kept.clear()

    assert router.ask("thanks", headers=SESSION).provider == "coding"


def test_memory_of_conversations_is_bounded(clock: FakeClock) -> None:
    ledger = make_router(Matchers(), Script(local="hi"), clock=clock).core.ledger
    conversations = Conversations((), ledger, clock)
    for number in range(MOST_CONVERSATIONS + 5):
        conversations.keep(str(number), "user:1", ())

    assert len(conversations._kept) == MOST_CONVERSATIONS
