"""Checks of what reaches the upstream, and of what it says that nobody knows yet."""

from __future__ import annotations

from coderouter_core.cli.conformance.check import Skipped, dialect_check, expect
from coderouter_core.cli.conformance.gateway import GREETING, HELLO, PATHS, Gateway
from coderouter_core.model import Dialect
from coderouter_core.testing import Raw

BETA = "conformance-2020-01-01,another-2021-02-03"
SAID = "All is well."
#: Streams with events and fields that were not there when the gateway was made.
FROM_THE_FUTURE = {
    "/messages": (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
        b'"role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,'
        b'"usage":{"input_tokens":3,"output_tokens":1,"of_the_future":{"x":1}}}}\n\n'
        b'event: of_the_future\ndata: {"type":"of_the_future","what":[1]}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"All is well."}}\n\n'
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn",'
        b'"stop_sequence":null,"of_the_future":1},"usage":{"output_tokens":4}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    ),
    "/completions": (
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","of_the_future":{"x":1},'
        b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
        b"event: of_the_future\n\n"
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"delta":{"content":"All is well.","of_the_future":[1]},"finish_reason":null}]}\n\n'
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
        b'"choices":[{"index":0,"delta":{},"finish_reason":"stop","of_the_future":1}]}\n\n'
        b"data: [DONE]\n\n"
    ),
}


def _path_behind(gateway: Gateway, dialect: Dialect) -> str:
    """Where the gateway asks its upstream; skips where it lacks the dialect."""
    gateway.play(GREETING)
    gateway.ask(dialect)
    calls = gateway.behind.calls
    expect(calls, "the upstream was not asked: does a provider of this model point at it?")
    return calls[-1].path.partition("?")[0]


@dialect_check(
    "future",
    "Events and fields of the upstream that nobody knows yet do no harm.",
    source="Anthropic API, versioning",
    scripted=True,
)
def future(gateway: Gateway, dialect: Dialect) -> None:
    path = _path_behind(gateway, dialect)
    streams = [raw for end, raw in FROM_THE_FUTURE.items() if path.endswith(end)]
    expect(streams, f"it asks its upstream at {path}")
    gateway.play(Raw(200, {"content-type": "text/event-stream"}, streams[0]))
    said = gateway.says(dialect, stream=True)
    expect(said.error is None, f"it ends with an error: {said.error}")
    expect((said.text, bool(said.stop)) == (SAID, True), f"it says {said.text!r}, stopped for {said.stop!r}")


@dialect_check(
    "betas",
    "To an upstream of Anthropic's wire, anthropic-version and anthropic-beta travel word for word.",
    source="Claude Code, LLM gateway protocol",
    dialects=(Dialect.MESSAGES,),
    scripted=True,
)
def betas(gateway: Gateway, dialect: Dialect) -> None:
    if not _path_behind(gateway, dialect).endswith("/messages"):
        raise Skipped("the upstream is of another wire, which has no betas")
    gateway.post(dialect, PATHS[dialect], gateway.question(dialect), {"anthropic-beta": BETA})
    sent = gateway.behind.calls[-1].headers
    expect(sent.get("anthropic-beta") == BETA, f"anthropic-beta came as {sent.get('anthropic-beta')!r}")
    expect(sent.get("anthropic-version"), "anthropic-version did not come")


@dialect_check(
    "prompt",
    "What the client says reaches the upstream as it was said.",
    source="Anthropic API, messages; OpenAI API, chat and responses",
    scripted=True,
)
def prompt(gateway: Gateway, dialect: Dialect) -> None:
    _path_behind(gateway, dialect)
    turns = gateway.behind.calls[-1].body["messages"]
    content = turns[-1]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    expect(HELLO in text, f"the upstream was asked {text[:80]!r}")


@dialect_check(
    "key-kept",
    "The client's key is for the gateway, and not handed on.",
    source="gateways in the wild",
    scripted=True,
)
def key_kept(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(GREETING)
    secret = gateway.key or "sk-conformance-probe-key"
    sent = {"authorization": f"Bearer {secret}", "x-api-key": secret}
    gateway.ask(dialect)  # Skips where there is no such route.
    heard = gateway.post(dialect, PATHS[dialect], gateway.question(dialect), sent)
    expect(heard.status == 200, f"answered {heard.status}: {heard.words}")
    seen = [name for name, value in gateway.behind.calls[-1].headers.items() if secret in value]
    expect(not seen, f"the upstream got it as {', '.join(seen)}")
