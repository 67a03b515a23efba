"""Arguments of tool calls, as models write them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.wire.arguments import parsed

OBJECTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"city": "Oslo"}', {"city": "Oslo"}, id="object"),
        pytest.param("", {}, id="nothing"),
        pytest.param(" \n", {}, id="blank"),
        pytest.param('"{\\"a\\": 1}"', {"a": 1}, id="encoded-twice"),
        pytest.param('{"city": "Par', {"city": "Par"}, id="cut-in-a-string"),
        pytest.param('{"a": [1, {"b": 2', {"a": [1, {"b": 2}]}, id="cut-in-depth"),
        pytest.param('{"a": "x\\', {"a": "x"}, id="cut-in-an-escape"),
        pytest.param('{"a": 1, "b', {"a": 1}, id="cut-in-a-key"),
        pytest.param('{"a": 1, "b": ', {"a": 1}, id="cut-before-a-value"),
        pytest.param('{"a": {"b": 1}, "c": tr', {"a": {"b": 1}}, id="cut-in-a-word"),
        pytest.param('{"a": "}{][,"', {"a": "}{][,"}, id="marks-in-a-string"),
        pytest.param("[1, 2]", {"_raw": "[1, 2]"}, id="list"),
        pytest.param("city=Oslo", {"_raw": "city=Oslo"}, id="no-json"),
        pytest.param("42", {"_raw": "42"}, id="number"),
    ],
)
def test_arguments_become_an_object(text: str, value: dict[str, Any]) -> None:
    assert parsed(text) == value


@given(OBJECTS)
def test_whole_arguments_are_kept(value: dict[str, Any]) -> None:
    assert parsed(orjson.dumps(value).decode()) == value


@given(OBJECTS, st.integers(0, 60))
def test_arguments_cut_anywhere_are_an_object(value: dict[str, Any], at: int) -> None:
    assert isinstance(parsed(orjson.dumps(value).decode()[:at]), dict)


@given(st.text(alphabet='{}[]",:\\a 1', max_size=60))
def test_any_text_gives_an_object(text: str) -> None:
    assert isinstance(parsed(text), dict)


def test_a_quarter_of_a_megabyte_of_braces_is_given_up_on_quickly() -> None:
    """Work that grows with the square of this would outlast any patience."""
    text = '{"a":' * 40_000

    assert parsed(text) == {"_raw": text}
