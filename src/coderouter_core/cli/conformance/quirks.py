"""Checks of what comes through the gateway from an upstream that speaks its dialect as servers really do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coderouter_core.cli.conformance.check import (
    ANTHROPIC_AND_CHAT,
    EVERY_DIALECT,
    dialect_check,
    expect,
)
from coderouter_core.cli.conformance.gateway import TOOL_NAME, TOOLS, Gateway, usage_of_streams
from coderouter_core.cli.conformance.heard import Said
from coderouter_core.cli.conformance.streams import grammatical
from coderouter_core.model import Dialect, Usage
from coderouter_core.testing import Quirk, Reply, ToolCall

SPLITTING = "WHATWG HTML, server-sent events"
CHUNKS = "OpenAI API, chat completion chunks"
IN_THE_WILD = "servers in the wild"
#: Characters of two, three and four bytes, a quote, and what ends a line.
TEXT = 'Grüße, 東京! 🎉 "so" \\ {brace}\nand a second line.'
THOUGHT = "First I think about it, 慎重に."
CALLS = (
    ToolCall(TOOL_NAME, {"city": 'Zürich "x" 🎉'}),
    ToolCall(TOOL_NAME, {"city": "東京"}),
    ToolCall(TOOL_NAME, {"city": "Bern", "days": [1, 2]}),
)


def _both(gateway: Gateway, dialect: Dialect, reply: Reply, **more: Any) -> Sequence[tuple[str, Said]]:
    """What a whole and a streamed answer of the same upstream say."""
    gateway.play(reply)
    return [
        ("a whole answer", gateway.says(dialect, **more)),
        ("a stream", gateway.says(dialect, stream=True, **more)),
    ]


def _text_comes(gateway: Gateway, dialect: Dialect, *quirks: Quirk) -> None:
    for how, said in _both(gateway, dialect, Reply(TEXT, chunk=20, quirks=quirks)):
        expect(said.error is None, f"{how} ends with an error: {said.error}")
        expect(said.text == TEXT, f"{how} says {said.text!r}, not {TEXT!r}")


@dialect_check(
    "split",
    "Text comes whole where its stream is cut between any bytes, inside of characters, too.",
    source=SPLITTING,
    scripted=True,
)
def split(gateway: Gateway, dialect: Dialect) -> None:
    _text_comes(gateway, dialect, Quirk.SPLIT_BYTES)


@dialect_check(
    "lines",
    "Comments, CRLF, and fields without a space are read as what they are.",
    source=SPLITTING,
    scripted=True,
)
def lines(gateway: Gateway, dialect: Dialect) -> None:
    _text_comes(gateway, dialect, Quirk.COMMENTS, Quirk.CRLF, Quirk.NO_SPACE)


@dialect_check(
    "pings",
    "Keep-alives of the upstream, before and between its events, do no harm.",
    source="Anthropic API, streaming messages",
    scripted=True,
)
def pings(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(Reply(TEXT, chunk=12, head_delay_s=0.08, delay_s=0.02, ping_s=0.01))
    said = gateway.says(dialect, stream=True)
    expect(said.text == TEXT, f"it says {said.text!r}")


@dialect_check(
    "no-end-mark",
    "A stream with its stop reason, and without the mark after it, ends well.",
    source=IN_THE_WILD,
    scripted=True,
)
def no_end_mark(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(Reply(TEXT, quirks=[Quirk.NO_DONE]))
    said = gateway.says(dialect, stream=True)
    expect(said.error is None, f"it ends with an error: {said.error}")
    expect((said.text, bool(said.stop)) == (TEXT, True), "text or stop reason is missing")


def _calls_come(gateway: Gateway, dialect: Dialect, *quirks: Quirk) -> None:
    """Each call keeps its own arguments, and has an id of its own."""
    reply = Reply(calls=CALLS, chunk=4, quirks=quirks)
    wanted: list[tuple[str, Any]] = [(call.name, call.arguments) for call in CALLS]
    for how, said in _both(gateway, dialect, reply, tools=TOOLS[dialect]["tools"]):
        expect(said.error is None, f"{how} ends with an error: {said.error}")
        expect([(call.name, call.decoded) for call in said.calls] == wanted, f"{how} calls {said.calls}")
        expect(
            len({call.id for call in said.calls} - {""}) == len(CALLS), f"{how} has not an id for each call"
        )
        _stopped_for_calls(how, dialect, said)


def _stopped_for_calls(how: str, dialect: Dialect, said: Said) -> None:
    if dialect is Dialect.MESSAGES:
        expect(said.stop == "tool_use", f"{how} stopped for {said.stop!r}")


#: What a client of the upstream's own dialect may be handed as it came, others not.
_TRANSLATED = (Dialect.MESSAGES, Dialect.RESPONSES)

#: Checks of calls that come in odd ways: name, what is so, source, dialects, the quirk of the upstream.
_CALLS: Sequence[tuple[str, str, str, Sequence[Dialect], Sequence[Quirk]]] = (
    ("calls", "Calls of several tools each keep their arguments, in order.", CHUNKS, EVERY_DIALECT, ()),
    (
        "calls-interleaved",
        "Calls whose arguments come in turns are not mixed up.",
        CHUNKS,
        EVERY_DIALECT,
        (Quirk.INTERLEAVED,),
    ),
    (
        "calls-whole",
        "A call that comes in one piece is a call like any other.",
        IN_THE_WILD,
        EVERY_DIALECT,
        (Quirk.WHOLE_ARGS,),
    ),
    (
        "calls-object",
        "Arguments that are an object, not text, are understood.",
        IN_THE_WILD,
        _TRANSLATED,
        (Quirk.ARGS_OBJECT,),
    ),
    ("calls-no-index", "Calls without an index are told apart.", IN_THE_WILD, _TRANSLATED, (Quirk.NO_INDEX,)),
    (
        "calls-same-index",
        "Parallel calls that all claim index 0 are told apart.",
        IN_THE_WILD,
        _TRANSLATED,
        (Quirk.SAME_INDEX,),
    ),
    (
        "calls-repeated-id",
        "A call that repeats its id with each piece stays one call.",
        IN_THE_WILD,
        _TRANSLATED,
        (Quirk.REPEAT_ID,),
    ),
    ("calls-no-id", "A call without an id is given one.", IN_THE_WILD, _TRANSLATED, (Quirk.NO_TOOL_ID,)),
    (
        "calls-stop",
        "Calls after which a server says stop are calls to the client.",
        IN_THE_WILD,
        _TRANSLATED,
        (Quirk.TOOL_FINISH_STOP,),
    ),
)


def _calls_come_with(quirks: Sequence[Quirk]) -> Callable[[Gateway, Dialect], None]:
    def run(gateway: Gateway, dialect: Dialect) -> None:
        _calls_come(gateway, dialect, *quirks)

    return run


for _name, _asserts, _source, _dialects, _quirks in _CALLS:
    dialect_check(_name, _asserts, source=_source, dialects=_dialects, scripted=True)(
        _calls_come_with(_quirks)
    )


@dialect_check(
    "calls-in-order",
    "A stream of interleaved calls keeps the dialect's order.",
    source="Anthropic API, streaming messages",
    dialects=(Dialect.MESSAGES,),
    scripted=True,
)
def calls_in_order(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play(Reply("Looking.", calls=CALLS, chunk=4, quirks=[Quirk.INTERLEAVED]))
    heard = gateway.answer(dialect, stream=True, tools=TOOLS[dialect]["tools"])
    expect(len(heard.said.calls) == len(CALLS), f"it has {len(heard.said.calls)} calls, not {len(CALLS)}")
    grammatical(dialect, heard.raw)


@dialect_check(
    "tool-in-text",
    "A call that the model wrote as text becomes a call, or stays text; it is not lost.",
    source=IN_THE_WILD,
    scripted=True,
)
def tool_in_text(gateway: Gateway, dialect: Dialect) -> None:
    written = f'<tool_call>{{"name": "{TOOL_NAME}", "arguments": {{"city": "Bern"}}}}</tool_call>'
    for how, said in _both(gateway, dialect, Reply(written), tools=TOOLS[dialect]["tools"]):
        repaired = [(call.name, call.decoded) for call in said.calls] == [(TOOL_NAME, {"city": "Bern"})]
        expect(repaired or said.text == written, f"{how} says {said.text!r} and calls {said.calls}")


@dialect_check(
    "reasoning",
    "What a model thinks comes as thinking, apart from its text, under either name.",
    source="servers' reasoning_content and reasoning",
    scripted=True,
)
def reasoning(gateway: Gateway, dialect: Dialect) -> None:
    for quirks in ((), (Quirk.REASONING,)):
        for how, said in _both(gateway, dialect, Reply(TEXT, thinking=THOUGHT, chunk=5, quirks=quirks)):
            expect(said.text == TEXT, f"{how} says {said.text!r}")
            expect(said.thinking in (THOUGHT, ""), f"{how} thinks {said.thinking!r}")
            expect(said.thinking or dialect is not Dialect.MESSAGES, f"{how} lost its thinking")


@dialect_check(
    "thinking-back",
    "A conversation goes on with the thinking that the gateway itself handed out.",
    source="Anthropic API, extended thinking",
    dialects=(Dialect.MESSAGES,),
    scripted=True,
)
def thinking_back(gateway: Gateway, dialect: Dialect) -> None:
    gateway.play([Reply(TEXT, thinking=THOUGHT), Reply("And on.")])
    first = gateway.answer(dialect).body["content"]
    user: Mapping[str, Any] = {"role": "user", "content": "hi"}
    turns = [user, {"role": "assistant", "content": first}, {"role": "user", "content": "Go on."}]
    expect(gateway.says(dialect, messages=turns).text == "And on.", "it does not")


@dialect_check(
    "cache",
    "Tokens read from a cache are counted once, and told as such.",
    source="Anthropic API, prompt caching; OpenAI API, usage",
    scripted=True,
)
def cache(gateway: Gateway, dialect: Dialect) -> None:
    told = Usage(input=100, cache_read=50, output=7, reported=True)
    gateway.play(Reply(TEXT, usage=told))
    for streamed in (False, True):
        said = gateway.says(dialect, stream=streamed, **(usage_of_streams(dialect) if streamed else {}))
        counted = (said.prompt, said.cached, said.output)
        how = "a stream" if streamed else "a whole answer"
        expect(counted == (150, 50, 7), f"{how}: prompt, cached and output are {counted}, not (150, 50, 7)")


@dialect_check(
    "usage-unasked",
    "Usage that the upstream sends unasked, on its last chunk, is told right.",
    source=IN_THE_WILD,
    dialects=(Dialect.MESSAGES,),
    scripted=True,
)
def usage_unasked(gateway: Gateway, dialect: Dialect) -> None:
    for quirk in (Quirk.UNASKED_USAGE, Quirk.USAGE_ON_FINISH):
        gateway.play(Reply(TEXT, usage=(33, 5), quirks=[quirk]))
        said = gateway.says(dialect, stream=True)
        expect(
            (said.prompt, said.output) == (33, 5), f"prompt and output are {said.prompt} and {said.output}"
        )


@dialect_check(
    "usage-missing",
    "An answer whose upstream tells no usage is an answer all the same.",
    source=IN_THE_WILD,
    dialects=ANTHROPIC_AND_CHAT,
    scripted=True,
)
def usage_missing(gateway: Gateway, dialect: Dialect) -> None:
    _text_comes(gateway, dialect, Quirk.NO_USAGE)
