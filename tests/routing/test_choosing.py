"""Which profile serves a request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attrs import evolve, frozen

from coderouter_core.api import AutoRouter, Config, Dialect, Profile, Provider, Request, Rule, hookimpl
from coderouter_core.errors import RequestError
from coderouter_core.events import Event, Events
from coderouter_core.hooks import Hooks
from coderouter_core.plugins import register
from coderouter_core.routing import Routing

CONFIG = Config(
    providers=(Provider("local"), Provider("cloud")),
    profiles=(Profile("main", ("local", "cloud")), Profile("coding", ("cloud",))),
    default_profile="main",
    mode_aliases={"code": "coding"},
)


@frozen
class Says:
    word: str


class SaysMatcher:
    @hookimpl
    def match_rule(self, condition: Any, request: Request) -> bool | None:
        return condition.word in request.latest_user_text if isinstance(condition, Says) else None


AUTO = evolve(
    CONFIG,
    default_profile="auto",
    auto_router=AutoRouter((Rule("user:code", "coding", Says("def")),), default_rule_profile="main"),
)


def chosen(
    config: Config = CONFIG, headers: dict[str, str] | None = None, text: str = "hi", **body: Any
) -> tuple[str, list[Event]]:
    events, seen = Events(), []
    events.sinks.append(seen.append)
    routing = Routing(config, Hooks(register({"says": SaysMatcher()}), events), events)
    whole = {"messages": [{"role": "user", "content": text}], **body}
    request = Request("req_1", Dialect.CHAT, whole, b"{}", headers or {})
    return asyncio.run(routing.choose(request)).name, seen


@pytest.mark.parametrize(
    ("asked", "profile"),
    [
        pytest.param({}, "main", id="default"),
        pytest.param({"model": "coding"}, "coding", id="model-names-a-profile"),
        pytest.param({"model": "gpt-x"}, "main", id="unknown-model"),
        pytest.param({"headers": {"x-coderouter-mode": "code"}}, "coding", id="mode-alias"),
        pytest.param({"headers": {"x-coderouter-profile": "coding"}}, "coding", id="profile-header"),
        pytest.param({"headers": {"x-coderouter-profile": ""}}, "main", id="empty-header"),
        pytest.param(
            {"profile": "main", "headers": {"x-coderouter-profile": "coding"}}, "main", id="body-beats-header"
        ),
        pytest.param(
            {"headers": {"x-coderouter-profile": "main", "x-coderouter-mode": "nonsense"}},
            "main",
            id="mode-is-not-read-when-a-profile-is-given",
        ),
        pytest.param(
            {"model": "coding", "headers": {"x-coderouter-profile": "main"}}, "main", id="header-beats-model"
        ),
    ],
)
def test_explicit_selection(asked: dict[str, Any], profile: str) -> None:
    assert chosen(**asked)[0] == profile


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({"profile": "nope"}, "unknown profile 'nope'; available: main, coding", id="body"),
        pytest.param({"profile": ""}, "unknown profile ''; available: main, coding", id="empty-body"),
        pytest.param({"profile": 5}, "profile: must be a string, not int", id="not-a-string"),
        pytest.param(
            {"headers": {"x-coderouter-mode": "coding"}},
            "unknown mode 'coding'; available modes: code",
            id="mode",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_those_that_exist(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        chosen(**asked)

    assert (error.value.fault.status, error.value.fault.message) == (400, message)


def test_a_model_that_names_a_provider_asks_for_that_provider_alone() -> None:
    events = Events()
    routing = Routing(CONFIG, Hooks(register({}), events), events)
    request = Request("req_1", Dialect.CHAT, {"model": "cloud", "messages": []}, b"{}")

    assert asyncio.run(routing.choose(request)).providers == ("cloud",)


def test_the_first_rule_that_holds_chooses() -> None:
    name, seen = chosen(AUTO, text="def f(): ...")

    assert (name, seen[0].name, seen[0].fields["rule_id"]) == ("coding", "auto-router-resolved", "user:code")


def test_without_a_rule_that_holds_the_default_rule_profile_serves() -> None:
    name, seen = chosen(AUTO)

    assert (name, seen[0].name) == ("main", "auto-router-fallthrough")


def test_disabled_rules_are_not_asked() -> None:
    assert AUTO.auto_router is not None
    off = evolve(AUTO, auto_router=evolve(AUTO.auto_router, disabled=True))

    assert chosen(off, text="def f(): ...")[0] == "main"


def test_events_of_rules_never_carry_text() -> None:
    _, seen = chosen(AUTO, text="def secret(): ...")

    assert "secret" not in repr(seen[0].fields)
