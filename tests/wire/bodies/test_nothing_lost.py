"""Whatever a request says arrives, or is told; and what arrives is a conversation that backends take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.model import Dialect
from coderouter_core.wire import Translated, codec, translate

LEAF = re.compile(r"leaf\d+x")
LEAVES = st.integers(0, 10**6).map(lambda number: f"leaf{number}x")
PNG = st.builds(lambda leaf: {"type": "base64", "media_type": "image/png", "data": leaf}, LEAVES)
IDS = st.sampled_from(["t1", "t2", "a.b:0", "t" * 60])
NAMES = st.sampled_from(["read", "mcp__x__" + "y" * 70, "ns.tool"])


def block(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


TEXTS = block("text", text=LEAVES | st.just(""))
IMAGES = block(
    "image", source=PNG | block("file", file_id=LEAVES) | block("url", url=LEAVES.map("https://{}".format))
)
DOCUMENTS = block(
    "document",
    title=LEAVES,
    source=block("text", data=LEAVES)
    | block("content", content=st.lists(TEXTS | IMAGES, max_size=2))
    | block("base64", data=LEAVES),
)
FOUND = block("search_result", title=LEAVES, source=LEAVES, content=st.lists(TEXTS, max_size=2))
SHOWN = (
    TEXTS
    | IMAGES
    | DOCUMENTS
    | FOUND
    | block("tool_reference", tool_name=LEAVES)
    | block("brand_new", value=LEAVES)
)
RESULTS = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "tool_use_id": IDS, "content": LEAVES | st.lists(SHOWN, max_size=3)},
    optional={"is_error": st.booleans()},
)
USES = block("tool_use", id=IDS, name=NAMES, input=st.fixed_dictionaries({"path": LEAVES}))
THOUGHTS = block("thinking", thinking=LEAVES, signature=st.just("c2ln")) | block(
    "redacted_thinking", data=LEAVES
)
WORK = block(
    "server_tool_use", id=IDS, name=st.just("web_search"), input=st.fixed_dictionaries({"query": LEAVES})
)


def turn(role: str, blocks: st.SearchStrategy[Any], many: int = 5) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"role": st.just(role), "content": LEAVES | st.lists(blocks, max_size=many)})


MESSAGES = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "max_tokens": st.just(9),
        "messages": st.lists(
            turn("user", SHOWN | RESULTS)
            | turn("assistant", TEXTS | USES | THOUGHTS | WORK | DOCUMENTS)
            | turn("system", TEXTS),
            min_size=1,
            max_size=6,
        ),
    },
    optional={
        "system": LEAVES | st.lists(TEXTS, max_size=3),
        "tools": st.lists(
            st.fixed_dictionaries(
                {"name": NAMES, "input_schema": st.fixed_dictionaries({"description": LEAVES})},
                optional={"description": LEAVES, "input_examples": st.lists(LEAVES, max_size=1)},
            ),
            max_size=2,
        ),
        "metadata": st.fixed_dictionaries({"user_id": LEAVES}),
        "stop_sequences": st.lists(LEAVES, max_size=2),
        "container": LEAVES,
        "mcp_servers": st.lists(st.fixed_dictionaries({"url": LEAVES}), max_size=1),
        "output_config": st.fixed_dictionaries({"brand_new": LEAVES}),
        "thinking": st.sampled_from([{"type": "adaptive"}, {"type": "disabled"}]),
    },
)

PARTS = (
    TEXTS
    | block("image_url", image_url=st.builds(lambda leaf: {"url": f"data:image/png;base64,{leaf}"}, LEAVES))
    | block("file", file=st.builds(lambda leaf: {"file_data": f"data:application/pdf;base64,{leaf}"}, LEAVES))
    | block("input_audio", input_audio=st.fixed_dictionaries({"data": LEAVES}))
)
CALLS = st.builds(
    lambda identity, name, leaf: {
        **({"id": identity} if identity else {}),
        "type": "function",
        "function": {"name": name, "arguments": f'{{"path":"{leaf}"}}'},
    },
    IDS | st.just(""),
    NAMES,
    LEAVES,
)
CHAT = st.fixed_dictionaries(
    {
        "model": st.just("m"),
        "messages": st.lists(
            turn("user", PARTS)
            | turn("system", TEXTS)
            | turn("developer", TEXTS)
            | st.builds(
                lambda content, calls, thought: {
                    "role": "assistant",
                    "content": content,
                    "tool_calls": calls,
                    "reasoning_content": thought,
                },
                LEAVES | st.none(),
                st.lists(CALLS, max_size=3),
                LEAVES | st.none(),
            )
            | st.builds(
                lambda identity, content: {"role": "tool", "tool_call_id": identity, "content": content},
                IDS | st.just(""),
                LEAVES | st.lists(PARTS, max_size=2),
            ),
            min_size=1,
            max_size=7,
        ),
    },
    optional={
        "user": LEAVES,
        "stop": LEAVES | st.lists(LEAVES, max_size=2),
        "prediction": st.fixed_dictionaries({"content": LEAVES}),
        "functions": st.lists(st.fixed_dictionaries({"name": NAMES, "description": LEAVES}), max_size=1),
    },
)
HOW = st.fixed_dictionaries(
    {
        "reasoning": st.booleans(),
        "structured": st.booleans(),
        "control": st.sampled_from(["none", "openai", "anthropic", "provider_specific"]),
    }
)


def to_chat(body: dict[str, Any], how: dict[str, Any]) -> Translated:
    codec(Dialect.MESSAGES).check(body)
    return translate(body, Dialect.MESSAGES, Dialect.CHAT, **how)


def to_messages(body: dict[str, Any], how: dict[str, Any]) -> Translated:
    codec(Dialect.CHAT).check(body)
    return translate(body, Dialect.CHAT, Dialect.MESSAGES, **how)


def leaves(value: Any, around: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every leaf below `value`, and the keys and kinds of blocks that it stands in."""
    if isinstance(value, str):
        yield from ((leaf, around) for leaf in LEAF.findall(value))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, around)
    elif isinstance(value, dict):
        kind = (str(value["type"]),) if "type" in value else ()
        for key, item in value.items():
            yield from leaves(item, (*around, *kind, key))


def lost(body: dict[str, Any], found: Translated) -> list[str]:
    """Leaves that did not arrive, and are in nothing that was told."""
    there = orjson.dumps(found.body).decode()
    told = {
        part for field, _ in found.dropped for part in field.split(".") if part not in ("messages", "tools")
    }
    return [leaf for leaf, around in leaves(body) if leaf not in there and told.isdisjoint(around)]


@given(MESSAGES, HOW)
def test_all_that_messages_say_reaches_chat_or_is_told(body: dict[str, Any], how: dict[str, Any]) -> None:
    assert lost(body, to_chat(body, how)) == []


@given(CHAT, HOW)
def test_all_that_chat_says_reaches_messages_or_is_told(body: dict[str, Any], how: dict[str, Any]) -> None:
    assert lost(body, to_messages(body, how)) == []


@given(MESSAGES, HOW)
def test_what_reaches_chat_is_a_chat_request_with_every_call_answered_at_once(
    body: dict[str, Any], how: dict[str, Any]
) -> None:
    found = to_chat(body, how).body
    codec(Dialect.CHAT).check(found)

    called: list[str] = []
    for message in [*found["messages"], {"role": "end"}]:
        if message["role"] == "tool":
            called.remove(message["tool_call_id"])
        else:
            assert called == []
            called = [call["id"] for call in message.get("tool_calls", ())]


@given(CHAT, HOW)
def test_what_reaches_messages_alternates_with_every_call_answered_in_the_next_turn(
    body: dict[str, Any], how: dict[str, Any]
) -> None:
    found = to_messages(body, how).body
    codec(Dialect.MESSAGES).check(found)

    turns = [*found["messages"], {"role": "end", "content": []}]
    called: list[str] = []
    for at, each in enumerate(turns[:-1]):
        assert each["role"] == ("user", "assistant")[at % 2]
        blocks = each["content"]
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert sorted(answered) == sorted(called)
        called = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert len(set(called)) == len(called)
    assert called == []


@given(MESSAGES, HOW)
def test_a_longer_conversation_begins_with_the_shorter_one(body: dict[str, Any], how: dict[str, Any]) -> None:
    """What stands before a user's turn of plain text does not depend on what comes after it."""
    settled = [*body["messages"], {"role": "assistant", "content": "ok"}]
    more = [*settled, {"role": "user", "content": "next"}]

    before = to_chat({**body, "messages": settled}, how).body["messages"]

    assert to_chat({**body, "messages": more}, how).body["messages"][: len(before)] == before
