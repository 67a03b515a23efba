"""What is a call and what is not, wherever the text is cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any

import pytest
from coderouter_filter_tool_repair.reading import MOST_CALLS
from coderouter_filter_tool_repair.scanner import MOST_HELD, Found, Scanner
from coderouter_filter_tool_repair.tools import Tool, Tools
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.api import Dialect, Request

TOOLS = Tools(
    [
        Tool(
            "get_weather",
            {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "exact": {"type": "boolean"},
                    "units": {"enum": ["C", "F"]},
                    "at": {"type": "array", "items": {"type": "number"}},
                },
                "required": ["city"],
            },
        ),
        Tool(
            "Bash", {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
        ),
        Tool("list-files"),
        Tool("twin_a"),
        Tool("Twin-A"),
    ]
)
OSLO = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
SPACE = "antml" + ":"


def scan(chunks: Iterable[str]) -> list[str | Found]:
    """What a text that comes in chunks is split into."""
    scanner = Scanner(TOOLS)
    pieces = [piece for chunk in chunks for piece in scanner.feed(chunk)]
    joined: list[str | Found] = []
    for piece in [*pieces, *scanner.feed("", final=True)]:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def found(text: str) -> list[tuple[str, str]]:
    return [
        (call.tool, call.arguments)
        for piece in scan([text])
        if isinstance(piece, Found)
        for call in piece.calls
    ]


@pytest.mark.parametrize(
    ("dialect", "tools", "names"),
    [
        pytest.param("messages", [{"name": "a", "input_schema": {}}], True, id="messages"),
        pytest.param(
            "messages", [{"type": "web_search_20250305", "name": "a"}], False, id="a-tool-of-the-upstream"
        ),
        pytest.param("chat", [{"type": "function", "function": {"name": "a"}}], True, id="chat"),
        pytest.param("chat", [{"type": "custom", "custom": {"name": "a"}}], False, id="free-text"),
        pytest.param(
            "responses", [{"type": "function", "name": "a", "parameters": {}}], True, id="responses"
        ),
        # The model is told of a function that takes the text.
        pytest.param("responses", [{"type": "custom", "name": "a"}], True, id="free-text-in-responses"),
    ],
)
def test_tools_that_the_client_runs_are_known(dialect: str, tools: list[Any], names: bool) -> None:
    declared = Tools.of(Request("1", Dialect(dialect), {"tools": tools}, b""))

    assert (declared is not None and declared.knows("A")) is names


def raw(pieces: Iterable[str | Found]) -> str:
    return "".join(piece if isinstance(piece, str) else piece.raw for piece in pieces)


FORMS = [
    pytest.param(OSLO, "json", id="object"),
    pytest.param(f"[{OSLO}]", "json", id="list"),
    pytest.param(OSLO.replace("arguments", "parameters"), "json", id="parameters"),
    pytest.param(OSLO.replace("arguments", "input"), "json", id="input"),
    pytest.param(OSLO.replace("arguments", "args"), "json", id="args"),
    pytest.param(OSLO.replace('"name"', '"tool"'), "json", id="tool"),
    pytest.param(OSLO.replace("get_weather", "Get-Weather"), "json", id="other-case"),
    pytest.param('{"arguments": {"city": "Oslo"}, "name": "get_weather"}', "json", id="name-last"),
    pytest.param(
        '{"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}', "json", id="json-in-json"
    ),
    pytest.param(f'{{"id": "a", "type": "function", "function": {OSLO}}}', "json", id="function"),
    pytest.param(f'{{"tool_calls": [{{"type": "function", "function": {OSLO}}}]}}', "json", id="tool-calls"),
    pytest.param(OSLO.replace('"', "'"), "json", id="single-quotes"),
    pytest.param(OSLO.replace("}}", ",}}"), "json", id="a-comma-too-many"),
    pytest.param(OSLO[:-1], "json", id="a-bracket-too-few"),
    pytest.param(f"```json\n{OSLO}\n```", "fence", id="fence"),
    pytest.param(f"```\n[{OSLO}]\n```", "fence", id="fence-of-a-list"),
    pytest.param(f"```json\n{OSLO}", "fence", id="fence-unclosed"),
    pytest.param('```tool_code\nget_weather(city="Oslo")\n```', "fence", id="fence-of-python-calls"),
    pytest.param(f"<tool_call>\n{OSLO}\n</tool_call>", "tool_call", id="hermes"),
    pytest.param(f"<tool_call>\n{OSLO}\n", "tool_call", id="hermes-unclosed"),
    pytest.param(f"<tool_call>{OSLO[:-1]}</tool_call>", "tool_call", id="hermes-a-bracket-too-few"),
    pytest.param('<function=get_weather>{"city": "Oslo"}</function>', "function", id="function-tag"),
    pytest.param(
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
        "tool_call",
        id="qwen",
    ),
    pytest.param(
        '<invoke name="get_weather"><parameter name="city">Oslo</parameter></invoke>', "invoke", id="invoke"
    ),
    pytest.param(
        f'<{SPACE}function_calls>\n<{SPACE}invoke name="get_weather">\n<{SPACE}parameter name="city">Oslo'
        f"</{SPACE}parameter>\n</{SPACE}invoke>\n</{SPACE}function_calls>",
        "function_calls",
        id="invoke-with-a-namespace",
    ),
    pytest.param(f"[TOOL_CALLS] [{OSLO}]", "tool_calls", id="mistral"),
    pytest.param('[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}', "tool_calls", id="mistral-with-args"),
    pytest.param(f"<|python_tag|>{OSLO}", "python_tag", id="python-tag"),
    pytest.param('get_weather(city="Oslo")', "python", id="python"),
    pytest.param("[get_weather(city='Oslo')]", "python", id="python-list"),
    pytest.param(
        '[TOOL_CALLS]get_weather[CALL_ID]x1Y2z3A4b[ARGS]{"city": "Oslo"}', "tool_calls", id="mistral-with-id"
    ),
    pytest.param(
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>",
        "tool_call",
        id="glm",
    ),
    pytest.param(
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
        '{"city": "Oslo"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        "deepseek",
        id="deepseek-v3",
    ),
    pytest.param(
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜>'
        "<｜tool▁calls▁end｜>",
        "deepseek",
        id="deepseek-v3.1",
    ),
    pytest.param(
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">'
        "Oslo</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        "function_calls",
        id="deepseek-v3.2",
    ),
    pytest.param(
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
        '{"city": "Oslo"}<|tool_call_end|><|tool_calls_section_end|>',
        "kimi",
        id="kimi",
    ),
    pytest.param(
        "<|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"
        '{"city": "Oslo"}<|call|>',
        "harmony",
        id="harmony",
    ),
    pytest.param(
        '<|channel|>commentary to=functions.get_weather json<|message|>{"city": "Oslo"}<|call|>',
        "harmony",
        id="harmony-without-a-start",
    ),
    pytest.param(
        '<|start|>assistant to=functions.get_weather<|channel|>commentary<|message|>{"city": "Oslo"}',
        "harmony",
        id="harmony-with-the-name-first",
    ),
    pytest.param(
        '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Oslo</parameter>\n</invoke>\n'
        "</minimax:tool_call>",
        "tool_call",
        id="minimax",
    ),
    pytest.param(
        "<seed:tool_call>\n<function=get_weather>\n<parameter=city>Oslo</parameter>\n</function>\n"
        "</seed:tool_call>",
        "tool_call",
        id="seed",
    ),
    pytest.param(f"<TOOLCALL>[{OSLO}]</TOOLCALL>", "toolcall", id="nemotron"),
    pytest.param('<|tool_call_start|>[get_weather(city="Oslo")]<|tool_call_end|>', "python_tag", id="lfm"),
    pytest.param(f"<|action_start|><|plugin|>\n{OSLO}<|action_end|>", "python_tag", id="internlm"),
    pytest.param(
        '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}]'
        "<|END_ACTION|>",
        "python_tag",
        id="command-r",
    ),
]
#: Tokens of a template behind the last call, which go with it.
TAILS = ("<｜tool▁", "<|tool_call_end|>", "<|call|>", "<|action_end|>", "<|END_ACTION|>")


@pytest.mark.parametrize(("text", "form"), FORMS)
def test_a_call_is_found(text: str, form: str) -> None:
    piece, *rest = scan([text])

    assert isinstance(piece, Found)
    assert all(isinstance(tail, str) and tail.lstrip("\n`").startswith(TAILS) for tail in rest)
    assert (piece.form, [(call.tool, call.arguments) for call in piece.calls]) == (
        form,
        [("get_weather", '{"city":"Oslo"}')],
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"name": "bob", "age": 3}', id="another-object"),
        pytest.param('{"name": "get_weather"}', id="a-name-alone"),
        pytest.param('{"name": "get_weather", "arguments": {}}', id="a-required-one-missing"),
        pytest.param(OSLO.replace('"Oslo"', '["Oslo"]'), id="another-type"),
        pytest.param(OSLO.replace('"Oslo"', '"Oslo", "units": "K"'), id="none-of-the-choices"),
        pytest.param(OSLO.replace('"Oslo"', '"Oslo", "days": "soon"'), id="text-that-is-no-number"),
        pytest.param('{"name": "TWIN_A", "arguments": {}}', id="a-name-of-two-tools"),
        pytest.param('{"name": "rm", "arguments": {"city": "Oslo"}}', id="a-tool-that-is-not-declared"),
        pytest.param(OSLO[:-1] + ', "why": "because"}', id="other-keys"),
        pytest.param(OSLO[:-4], id="cut-within-a-text"),
        pytest.param(f"Write `{OSLO}` to call it.", id="inline-code"),
        pytest.param(f"`<tool_call>{OSLO}</tool_call>`", id="inline-tags"),
        pytest.param(f"x={OSLO}\n", id="within-a-word"),
        pytest.param(f"The object {OSLO} is a call.", id="within-a-sentence"),
        pytest.param(f"```js\nsend({OSLO})\n{OSLO}\n```\n", id="within-other-code"),
        pytest.param(f"````md\n```json\n{OSLO}\n```\n````\n", id="within-a-larger-fence"),
        pytest.param('```python\nget_weather(city="Oslo")\n```', id="python-code"),
        pytest.param('Use get_weather(city="Oslo") here.', id="python-within-a-sentence"),
        pytest.param('get_weather("Oslo")', id="python-without-a-key"),
        pytest.param("get_weather(city=open('x').read())", id="python-that-is-no-literal"),
        pytest.param("`<tool_call>` is a tag, and <tool_call> too.", id="a-tag-in-prose"),
        pytest.param("{" * 100, id="brackets"),
        pytest.param("<function=Bash><parameter=command>rm -r /tmp/wo", id="a-parameter-that-was-cut-off"),
        pytest.param(
            "<tool_call><function=Bash><parameter=command>rm -r /tmp/wo",
            id="a-wrapped-parameter-that-was-cut-off",
        ),
        pytest.param("[TOOL_CALLS] are marks", id="a-mark-in-prose"),
        pytest.param("<tool_call>get_weather is one</tool_call>", id="a-name-in-tags"),
        pytest.param("<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Os", id="glm-cut-off"),
        pytest.param(
            "<｜tool▁call▁begin｜>rm<｜tool▁sep｜>{}<｜tool▁call▁end｜>", id="deepseek-of-another-tool"
        ),
        pytest.param("<|channel|>analysis<|message|>I think.<|end|>", id="harmony-without-a-call"),
        pytest.param('<|channel|>final<|message|>{"city": "Oslo"}<|return|>', id="harmony-that-answers"),
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert scan([text]) == [text]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param('"days": "3"', '"days":3', id="number"),
        pytest.param('"exact": "true"', '"exact":true', id="boolean"),
        pytest.param('"exact": "False"', '"exact":false', id="python-boolean"),
        pytest.param('"at": "[1, 2]"', '"at":[1,2]', id="list"),
        pytest.param('"new": null', '"new":null', id="unknown-key"),
    ],
)
def test_arguments_become_what_the_schema_wants(written: str, meant: str) -> None:
    assert found(OSLO.replace('"Oslo"', f'"Oslo", {written}')) == [
        ("get_weather", f'{{"city":"Oslo",{meant}}}')
    ]


def test_parameters_in_tags_become_what_the_schema_wants() -> None:
    text = "<function=get_weather><parameter=city>7</parameter><parameter=days>7</parameter></function>"

    assert found(text) == [("get_weather", '{"city":"7","days":7}')]


def test_a_raw_line_break_in_a_text_is_kept() -> None:
    assert found('{"name": "Bash", "arguments": {"command": "a\nb"}}') == [("Bash", '{"command":"a\\nb"}')]


@pytest.mark.parametrize("between", ["\n", "", "; ", ", ", "\n\n"])
def test_calls_one_after_the_other_are_found(between: str) -> None:
    assert len(found(between.join([OSLO] * 3))) == 3


@pytest.mark.parametrize("more", ["}", "}}", "]}"])
def test_brackets_too_many_go_with_the_call(more: str) -> None:
    *before, last = scan([f"So:\n{OSLO}{more}\n"])

    assert [piece for piece in [*before, last] if isinstance(piece, str)] == ["So:\n", "\n"]


def test_a_broken_call_does_not_hide_one_on_a_later_line() -> None:
    assert len(found(f"{OSLO[:20]}\n\n<tool_call>{OSLO}</tool_call>")) == 1


@pytest.mark.parametrize(("text", "form"), FORMS)
def test_a_text_gives_the_same_letter_by_letter(text: str, form: str) -> None:
    whole = f"So:\n{text}\nBye."

    assert scan(whole) == scan([whole])


def test_brackets_and_quotes_within_a_text_are_text() -> None:
    text = '{"name": "Bash", "arguments": {"command": "echo \\"}\\\\\\" \'{"}}'

    assert [type(piece) for piece in scan(text)] == [Found]


def test_what_is_too_long_is_cut_at_the_same_place_however_it_comes() -> None:
    call = "<function=get_weather><parameter=city>Oslo</parameter></function>"
    text = f'So:\n{OSLO.partition("Oslo")[0]}{"O" * MOST_HELD}\n{call}\n")'
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]

    assert scan(pieces) == scan([text])


def test_a_call_longer_than_is_held_is_text() -> None:
    text = OSLO.replace("Oslo", "O" * MOST_HELD)

    assert scan([text]) == [text]


def test_what_thinks_aloud_in_a_template_is_not_held() -> None:
    text = "<|channel|>analysis<|message|>The user wants"

    assert "".join(map(str, Scanner(TOOLS).feed(text))) == text


@pytest.mark.parametrize(
    "text", ["Hello", " there", "\n\n- a", "{ not", '{"answer": 42', "a < b", "[1, 2", "`x` y"]
)
def test_ordinary_text_is_not_held(text: str) -> None:
    assert "".join(map(str, Scanner(TOOLS).feed(text))) == text


ATOMS = [
    *(form.values[0] for form in FORMS),
    *"{[<`\"'}])\n ,;\\a",
    "```",
    "```json\n",
    "\n```",
    "<tool_call>",
    "</tool_call>",
    '{"name": "',
    '{"id": "a", ',
    "get_weather(",
    "[TOOL_CALLS]",
    "<function=",
    "text ",
]
TEXTS = st.lists(st.sampled_from(ATOMS), max_size=6).map("".join)


@settings(deadline=None, max_examples=300)
@given(text=TEXTS, data=st.data())
def test_a_text_is_split_the_same_wherever_it_is_cut(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert scan(chunks) == scan([text])


@settings(deadline=None, max_examples=300)
@given(text=st.one_of(TEXTS, st.text()))
def test_nothing_is_ever_lost(text: str) -> None:
    assert raw(scan([text])) == text


@settings(deadline=None)
@given(text=st.text().filter(lambda text: "get" not in text.lower() and "bash" not in text.lower()))
def test_text_without_calls_passes(text: str) -> None:
    assert "".join(map(str, scan([text]))) == text


PROSE = st.text(alphabet="Some words, and (more). ", max_size=40)


@pytest.mark.parametrize(
    "text",
    [
        form.values[0]
        for form in FORMS
        if "unclosed" not in (form.id or "") and "too-few" not in (form.id or "")
    ],
)
@settings(deadline=None, max_examples=20)
@given(before=PROSE, after=PROSE, data=st.data())
def test_a_call_in_prose_is_found_wherever_it_is_cut(
    text: str, before: str, after: str, data: st.DataObject
) -> None:
    whole = f"{before}\n{text}\n{after}"
    cut = data.draw(st.integers(0, len(whole)))

    assert sum(isinstance(piece, Found) for piece in scan([whole[:cut], whole[cut:]])) == 1


def test_after_so_many_calls_the_rest_is_text() -> None:
    calls = [OSLO] * 1000

    pieces = scan(["\n".join(calls)])

    assert isinstance(pieces[-1], str)
    assert pieces[-1].endswith(OSLO)


def test_a_long_answer_is_split_the_same_wherever_it_is_cut() -> None:
    text = "\n".join([OSLO, "{'name': 'Bash'}", "get_weather is a tool", "```json"] * 400)

    assert scan(text) == scan([text])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"[{', '.join([OSLO] * (MOST_CALLS + 1))}]", id="list"),
        pytest.param(
            f"<tool_call>{'<function=list-files></function>' * (MOST_CALLS + 1)}</tool_call>", id="tags"
        ),
    ],
)
def test_more_calls_in_one_piece_than_anybody_means_are_text(text: str) -> None:
    assert found(text) == []


def test_arguments_of_more_values_than_are_compared_are_text() -> None:
    assert found(OSLO[:-2] + f', "at": [{"1," * 5000}1]' + "}}") == []


@pytest.mark.parametrize(
    "attack",
    [
        f"{OSLO}\n",
        f"{OSLO} x\n",
        OSLO.replace("city", "town") + "\n",
        'get_weather(city="Oslo")\n',
        "get_weather\n",
        '{"id": 1, "type": "function", ',
        f"<tool_call>{OSLO}</tool_call>\n",
        "<tool_call>{",
        "```\n",
        f"```\n{OSLO}\n```\n",
    ],
)
def test_the_work_for_a_text_has_an_end(attack: str) -> None:
    small, large = (attack * (size // len(attack)) for size in (512 * 1024, 1024 * 1024))

    assert steps(large, 4096) <= 1.2 * steps(small, 4096)


def steps(text: str, size: int = 64) -> int:
    """How many calls, Python's and C's, a text takes that comes in pieces."""
    scanner = Scanner(TOOLS)
    count = 0

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        for at in range(0, len(text), size):
            scanner.feed(text[at : at + size])
        scanner.feed("", final=True)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "attack",
    [
        "{",
        " {",
        "<",
        "```",
        "```\n",
        "[",
        " [",
        '{"name":"',
        ' {"name":"',
        ' {"name":"get_weather","arguments":',
        '{"id":"',
        "<tool_call>",
        '<tool_call>{"name":"get_weather",',
        "<function=",
        "get_weather(",
        "get_weather(\n",
        "[TOOL_CALLS]",
        '```json\n{"name":"get_weather",',
        "<tool_call>get_weather<arg_key>",
        "<tool_call>get_weather<arg_key>a</arg_key><arg_value>",
        "<｜tool▁call▁begin｜>",
        "<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{",
        "<|tool_call_begin|>functions.",
        "<|channel|>commentary to=functions.",
        "<|channel|>commentary to=functions.get_weather <|message|>{",
        "<|start|>assistant",
        "[TOOL_CALLS]get_weather[CALL_ID]",
    ],
)
def test_the_work_grows_no_faster_than_the_text(attack: str) -> None:
    small, large = (attack * (size // len(attack)) for size in (8_192, 65_536))

    assert steps(large) <= 10 * steps(small)
