"""Any request translates into a correct one, and back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.errors import RequestError
from coderouter_core.model import Dialect
from coderouter_core.wire import codec, translate

TEXT = st.text(alphabet="ab \n", max_size=4)
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}
PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}


def blocks(*more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    texts = st.builds(lambda text: {"type": "text", "text": text}, TEXT)
    return TEXT | st.lists(st.one_of(texts, *more), max_size=4)


IDS = st.sampled_from(["t1", "t2", "a.b:0"])
USES = st.builds(lambda identity: {"type": "tool_use", "id": identity, "name": "f", "input": {}}, IDS)
RESULTS = st.builds(
    lambda identity, content: {"type": "tool_result", "tool_use_id": identity, "content": content},
    IDS,
    blocks(st.just(IMAGE)),
)
ODD = st.sampled_from(
    [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "new"},
        {"type": "document", "source": {}},
    ]
)
MESSAGES_TURNS = st.lists(
    st.one_of(
        st.builds(lambda content: {"role": "user", "content": content}, blocks(st.just(IMAGE), RESULTS, ODD)),
        st.builds(lambda content: {"role": "assistant", "content": content}, blocks(USES, ODD)),
        st.builds(lambda content: {"role": "system", "content": content}, blocks()),
    ),
    min_size=1,
    max_size=6,
)
CALLS = st.builds(
    lambda identity, text: {"id": identity, "type": "function", "function": {"name": "f", "arguments": text}},
    IDS,
    TEXT,
)
CHAT_TURNS = st.lists(
    st.one_of(
        st.builds(
            lambda role, content: {"role": role, "content": content},
            st.sampled_from(["system", "user"]),
            blocks(st.just(PART)),
        ),
        st.builds(
            lambda content, calls: {"role": "assistant", "content": content, "tool_calls": calls},
            TEXT,
            st.lists(CALLS, max_size=2),
        ),
        st.builds(
            lambda identity, content: {"role": "tool", "tool_call_id": identity, "content": content},
            IDS,
            blocks(),
        ),
    ),
    min_size=1,
    max_size=6,
)


def to_chat(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    body = {"model": "m", "max_tokens": 9, "messages": turns}
    found: list[dict[str, Any]] = translate(body, Dialect.MESSAGES, Dialect.CHAT).body["messages"]
    return found


def to_messages(turns: list[dict[str, Any]]) -> dict[str, Any]:
    return translate({"model": "m", "messages": turns}, Dialect.CHAT, Dialect.MESSAGES).body


@given(MESSAGES_TURNS)
def test_any_messages_request_becomes_one_that_chat_allows(turns: list[dict[str, Any]]) -> None:
    codec(Dialect.CHAT).check({"messages": to_chat(turns)})


@given(CHAT_TURNS)
def test_any_chat_request_becomes_one_that_messages_allows(turns: list[dict[str, Any]]) -> None:
    codec(Dialect.MESSAGES).check(to_messages(turns))


@given(CHAT_TURNS)
def test_turns_alternate_beginning_with_the_user(turns: list[dict[str, Any]]) -> None:
    roles = [turn["role"] for turn in to_messages(turns)["messages"]]

    assert roles == [("user", "assistant")[at % 2] for at in range(len(roles))]


@given(CHAT_TURNS)
def test_no_turn_and_no_text_is_empty(turns: list[dict[str, Any]]) -> None:
    contents = [turn["content"] for turn in to_messages(turns)["messages"]]

    assert all(content and all(block.get("text", "x").strip() for block in content) for content in contents)


KEYS = (
    *("role", "content", "type", "text", "source", "name", "id", "function", "tool_calls", "image_url"),
    *("input", "arguments", "tool_use_id", "tool_call_id", "url", "parameters", "input_schema"),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 9)
    | st.sampled_from(["", "user", "assistant", "tool", "text", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=16,
)
KINDS = st.sampled_from(
    ["text", "image", "tool_use", "tool_result", "document", "search_result", "image_url", "file"]
)
ODD_BLOCKS = st.builds(
    lambda kind, rest: {**(rest if isinstance(rest, dict) else {}), "type": kind}, KINDS, VALUES
)
ODD_TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"])},
        optional={
            "content": st.lists(ODD_BLOCKS, max_size=3),
            "tool_calls": st.lists(st.dictionaries(st.sampled_from(["id", "function"]), VALUES), max_size=2),
            "function_call": VALUES,
        },
    ),
    min_size=1,
    max_size=4,
)
ODD_FIELDS = (
    "system",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "stop",
    "thinking",
    "output_config",
)
ODD_BODIES = st.fixed_dictionaries(
    {"messages": ODD_TURNS, "max_tokens": st.just(9)}, optional=dict.fromkeys(ODD_FIELDS, VALUES)
)


@given(ODD_BODIES, st.sampled_from(["chat", "messages"]))
def test_whatever_passes_the_check_translates_into_what_passes_the_others(
    body: dict[str, Any], dialect: str
) -> None:
    source = Dialect(dialect)
    target = Dialect.CHAT if source is Dialect.MESSAGES else Dialect.MESSAGES
    try:
        codec(source).check(body)
    except RequestError:
        return

    for control in ("none", "openai", "anthropic"):
        found = translate(body, source, target, control=control, reasoning=True, structured=True)
        codec(target).check(found.body)


def test_the_same_dialect_on_both_sides_loses_only_our_own_key() -> None:
    body = {"model": "m", "messages": [], "profile": "x", "brand_new": 1}

    assert translate(body, Dialect.CHAT, Dialect.CHAT).body == {"model": "m", "messages": [], "brand_new": 1}
