"""The body that goes to a provider: what changes, and what does not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.api import Dialect, Drop, Instruction, Profile, Provider, Request
from coderouter_core.engine.outgoing import outgoing

PROFILE = Profile("main", ("local",))
TURNS = [{"role": "user", "content": "hi"}]


def request(raw: bytes, dialect: Dialect = Dialect.CHAT) -> Request:
    return Request("req_1", dialect, orjson.loads(raw), raw)


def sent(raw: bytes, provider: Provider, dialect: Dialect = Dialect.CHAT, **more: Any) -> Any:
    profile = more.pop("profile", PROFILE)
    return orjson.loads(outgoing(request(raw, dialect), provider, profile, dialect, **more).body)


def test_only_the_model_changes_and_every_other_byte_stays() -> None:
    raw = b'{ "model" : "gpt-x",\n "messages":[{"role":"user","content":"h\xc3\xa9"}] , "seed":7 }'

    body = outgoing(request(raw), Provider("p", model="qwen"), PROFILE, Dialect.CHAT).body

    assert body == raw.replace(b'"model" : "gpt-x"', b'"model":"qwen"')


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"model": "gpt-x", "messages": TURNS, "seed": 7}, id="first"),
        pytest.param({"messages": TURNS, "model": "gpt-x"}, id="last"),
        pytest.param({"metadata": {"model": "keep"}, "model": "gpt-x", "messages": TURNS}, id="nested"),
        pytest.param({"model": None, "messages": TURNS}, id="null"),
        pytest.param({"messages": TURNS}, id="none"),
    ],
)
@pytest.mark.parametrize("extra", [{}, {"top_k": 1}], ids=["as-it-is", "with-extra-body"])
def test_a_body_that_is_known_to_be_compact_is_sent_as_any_other(
    body: dict[str, Any], extra: dict[str, Any]
) -> None:
    raw, provider = orjson.dumps(body), Provider("p", model="qwen", extra_body=extra)
    known = Request("req_1", Dialect.CHAT, body, raw, compact=True)

    assert orjson.loads(outgoing(known, provider, PROFILE, Dialect.CHAT).body) == sent(raw, provider)


@pytest.mark.parametrize("first", ["model", "seed"])
def test_of_a_compact_body_every_other_byte_stays(first: str) -> None:
    body = {"seed": 1e22, "model": "gpt-x", "messages": [{"role": "user", "content": "h\u00e9"}]}
    raw = orjson.dumps({first: body[first], **body})
    known = Request("req_1", Dialect.CHAT, orjson.loads(raw), raw, compact=True)

    sent = outgoing(known, Provider("p", model="qwen"), PROFILE, Dialect.CHAT).body

    assert sent == raw.replace(b"gpt-x", b"qwen")


def test_a_model_named_in_the_text_is_left_alone() -> None:
    raw = orjson.dumps({"messages": [{"role": "user", "content": '{"model": "x"}'}], "model": "gpt-x"})

    body = sent(raw, Provider("p", model="qwen"))

    assert (body["model"], body["messages"][0]["content"]) == ("qwen", '{"model": "x"}')


def test_a_nested_key_called_model_is_left_alone() -> None:
    raw = orjson.dumps({"metadata": {"model": "keep"}, "model": "gpt-x", "messages": TURNS})

    body = sent(raw, Provider("p", model="qwen"))

    assert (body["model"], body["metadata"]["model"]) == ("qwen", "keep")


def test_a_key_spelled_with_escapes_does_not_survive_as_a_second_model() -> None:
    raw = b'{"mod\\u0065l": "gpt-x", "metadata": {"model": "gpt-x"}, "messages": []}'

    assert sent(raw, Provider("p", model="qwen")) == {
        "model": "qwen",
        "metadata": {"model": "gpt-x"},
        "messages": [],
    }


def test_a_body_without_a_model_gets_the_providers() -> None:
    assert sent(b'{"messages":[]}', Provider("p", model="qwen"))["model"] == "qwen"


def test_a_provider_without_a_model_keeps_the_clients() -> None:
    assert sent(b'{"model":"gpt-x","messages":[]}', Provider("p"))["model"] == "gpt-x"


def test_the_profile_key_does_not_travel() -> None:
    assert "profile" not in sent(b'{"model":"m","messages":[],"profile":"main"}', Provider("p"))


def test_extra_body_fills_in_and_never_overrides() -> None:
    provider = Provider("p", model="qwen", extra_body={"temperature": 0.1, "options": {"num_ctx": 4096}})

    body = sent(b'{"model":"m","messages":[],"temperature":0.9}', provider)

    assert (body["temperature"], body["options"]) == (0.9, {"num_ctx": 4096})


def test_extra_body_cannot_change_the_model() -> None:
    provider = Provider("p", model="qwen", extra_body={"model": "other"})

    assert sent(b'{"messages":[]}', provider)["model"] == "qwen"


def test_the_version_header_in_extra_body_is_not_a_field() -> None:
    provider = Provider("p", extra_body={"anthropic_version": "2023-06-01"})

    assert "anthropic_version" not in sent(b'{"model":"m","messages":[]}', provider, Dialect.MESSAGES)


def test_the_router_asks_for_usage_when_the_client_did_not() -> None:
    out = outgoing(
        request(b'{"model":"m","messages":[],"stream":true}'), Provider("p"), PROFILE, Dialect.CHAT
    )

    assert (orjson.loads(out.body)["stream_options"], out.hide_usage) == ({"include_usage": True}, True)


def test_a_client_that_asked_for_usage_keeps_it() -> None:
    raw = b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}'

    assert not outgoing(request(raw), Provider("p"), PROFILE, Dialect.CHAT).hide_usage


def test_the_usage_of_a_translated_stream_is_not_hidden() -> None:
    raw = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}'

    out = outgoing(request(raw, Dialect.MESSAGES), Provider("p"), PROFILE, Dialect.CHAT)

    assert (orjson.loads(out.body)["stream_options"], out.hide_usage) == ({"include_usage": True}, False)


def test_other_stream_options_of_the_client_stay() -> None:
    raw = b'{"model":"m","messages":[],"stream":true,"stream_options":{"chunk":3}}'

    assert sent(raw, Provider("p"))["stream_options"] == {"chunk": 3, "include_usage": True}


def test_a_provider_that_refuses_usage_options_is_not_sent_them() -> None:
    provider = Provider("p", extra_body={"stream_options": {"include_usage": False}})
    raw = b'{"model":"m","messages":[],"stream":true}'

    assert sent(raw, provider)["stream_options"] == {"include_usage": False}


def test_a_drop_leaves_a_field_out_of_this_attempt() -> None:
    provider = Provider("p")
    raw = b'{"model":"m","messages":[],"thinking":{"type":"adaptive"}}'

    out = outgoing(
        request(raw, Dialect.MESSAGES),
        provider,
        PROFILE,
        Dialect.MESSAGES,
        [Drop(provider, "thinking", "cannot")],
    )

    assert ("thinking" in orjson.loads(out.body), out.dropped) == (False, (("thinking", "cannot"),))


@pytest.mark.parametrize(
    ("system", "result"),
    [
        pytest.param({}, "/no_think", id="none"),
        pytest.param({"system": "be kind"}, "be kind\n/no_think", id="string"),
        pytest.param(
            {"system": [{"type": "text", "text": "be kind"}]},
            [{"type": "text", "text": "be kind"}, {"type": "text", "text": "/no_think"}],
            id="blocks",
        ),
    ],
)
def test_a_directive_is_appended_to_an_anthropic_system_prompt(system: dict[str, Any], result: Any) -> None:
    raw = orjson.dumps({"model": "m", "messages": TURNS, **system})

    assert sent(raw, Provider("p", append_system_prompt="/no_think"), Dialect.MESSAGES)["system"] == result


@pytest.mark.parametrize(
    ("turns", "first"),
    [
        pytest.param(TURNS, {"role": "system", "content": "/no_think"}, id="none"),
        pytest.param(
            [{"role": "system", "content": "be kind"}, *TURNS],
            {"role": "system", "content": "be kind\n/no_think"},
            id="system",
        ),
        pytest.param(
            [{"role": "developer", "content": "be kind"}, *TURNS],
            {"role": "developer", "content": "be kind\n/no_think"},
            id="developer",
        ),
    ],
)
def test_a_directive_is_appended_to_a_chat_system_turn(turns: list[Any], first: dict[str, Any]) -> None:
    raw = orjson.dumps({"model": "m", "messages": turns})

    assert sent(raw, Provider("p", append_system_prompt="/no_think"))["messages"][0] == first


def test_the_profiles_directive_replaces_the_providers_and_an_empty_one_clears_it() -> None:
    raw = b'{"model":"m","messages":[]}'
    provider = Provider("p", append_system_prompt="/no_think")

    cleared = sent(raw, provider, profile=Profile("main", ("p",), append_system_prompt=""))
    replaced = sent(raw, provider, profile=Profile("main", ("p",), append_system_prompt="brief"))

    assert (cleared["messages"], replaced["messages"]) == ([], [{"role": "system", "content": "brief"}])


def test_an_instruction_goes_to_the_end_of_the_system_prompt() -> None:
    raw = orjson.dumps({"model": "m", "messages": TURNS, "system": "be kind"})

    body = sent(raw, Provider("p"), Dialect.MESSAGES, instructions=[Instruction("stop looping", "loop")])

    assert body["system"] == "be kind\n\nstop looping"


def test_an_instruction_does_not_touch_the_system_prompt_of_signed_thinking() -> None:
    turns = [
        *TURNS,
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]},
        {"role": "user", "content": "go on"},
    ]
    raw = orjson.dumps({"model": "m", "messages": turns, "system": "be kind"})

    body = sent(raw, Provider("p"), Dialect.MESSAGES, instructions=[Instruction("stop looping", "loop")])

    assert (body["system"], body["messages"][-1]["content"][-1]["text"]) == ("be kind", "stop looping")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.just("model"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(extra=st.dictionaries(st.text(max_size=6), JSON, max_size=4), escape=st.booleans())
def test_whatever_the_body_holds_only_the_model_differs(extra: dict[str, Any], escape: bool) -> None:
    import json

    whole = {**extra, "model": "gpt-x", "messages": TURNS}
    whole.pop("profile", None)
    whole.pop("stream", None)
    raw = json.dumps(whole, ensure_ascii=escape).encode("utf-8", "surrogatepass")
    try:
        decoded = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return

    assert sent(raw, Provider("p", model="qwen")) == {**decoded, "model": "qwen"}
