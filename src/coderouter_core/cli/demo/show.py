"""The show itself: two clients, one failover, and how to go on."""

from __future__ import annotations

import asyncio
import time

from attrs import frozen

from coderouter_core.cli.demo.asking import PATHS, Told, ask, body_of
from coderouter_core.cli.demo.setting import ALONE, FAILOVER
from coderouter_core.cli.demo.stage import Stage
from coderouter_core.cli.pointers import pointers
from coderouter_core.cli.progress import working
from coderouter_core.errors import CodeRouterError
from coderouter_core.model import Dialect

#: What makes Claude Code's prompt small enough for the demo's model.
SMALL_CLAUDE = 'claude --system-prompt "Be brief." --tools ""'


@frozen
class Act:
    """One request of the show."""

    title: str
    dialect: Dialect
    profile: str
    question: str


ACTS = (
    Act("An Anthropic client asks", Dialect.MESSAGES, ALONE, "What is a router? Answer in one sentence."),
    Act(
        "An OpenAI client asks the same router",
        Dialect.CHAT,
        ALONE,
        "Write one line of Python that prints hello.",
    ),
    Act(
        "The first provider refuses, the next one answers",
        Dialect.MESSAGES,
        FAILOVER,
        "Why is the sky blue? One sentence.",
    ),
)


async def show(stage: Stage, url: str, ready: asyncio.Event) -> None:
    """Hold it. Raises `CodeRouterError` that says which part did not work."""
    await ready.wait()
    stage.done(f"the router listens on {url}")
    began = time.perf_counter()
    with working("loading the model", about_s=3):
        await ask(url, Dialect.CHAT, body_of(Dialect.CHAT, "hi", most_tokens=1), ALONE)
    stage.done(f"the model is loaded, after {time.perf_counter() - began:.1f} s")
    for number, act in enumerate(ACTS, 1):
        await _play(stage, url, number, act)
    _farewell(stage, url)


async def _play(stage: Stage, url: str, number: int, act: Act) -> None:
    body = body_of(act.dialect, act.question)
    request = f"POST {PATHS[act.dialect]}  model {body['model']}  profile {act.profile}"
    stage.act(number, act.title, request, act.question)
    try:
        with stage.answer() as growing:
            told = await ask(url, act.dialect, body, act.profile, growing)
        if not told.text.strip():
            raise CodeRouterError("the answer was empty")
    except CodeRouterError as error:
        raise CodeRouterError(f"{act.title.lower()}: {error}") from error
    stage.facts(_facts(told))


def _facts(told: Told) -> list[tuple[str, str]]:
    header = told.headers.get
    route = f"{header('x-coderouter-provider')}, attempt {header('x-coderouter-attempts')}"
    speed = f", {told.tokens_per_s:.0f} a second" if told.tokens_per_s else ""
    rows = [("route", route)]
    if reason := header("x-coderouter-fallback-reason"):
        rows.append(("fallback", reason))
    rows.append(("tokens", f"{told.usage.prompt} in, {told.usage.output} out{speed}"))
    rows.append(("first token", f"after {told.first_s or 0:.2f} s"))
    rows.append(("router's own", f"{header('x-coderouter-overhead-ms')} ms of that"))
    return rows


def _farewell(stage: Stage, url: str) -> None:
    stage.heading("Your own client")
    for pointer in pointers(url, claude=SMALL_CLAUDE):
        stage.lines(pointer.client, pointer.lines)
    stage.note("Claude Code's own prompt is too long for this model; hence the short one.")
