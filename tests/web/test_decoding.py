"""A body as JSON: how deep it may be, and whether it is written as orjson writes."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.errors import RequestError
from coderouter_core.web.exchange import MOST_DEPTH, MOST_WRITTEN, decode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def nested(levels: int, kind: type, **more: Any) -> dict[str, Any]:
    """A body of so many containers in one another, itself included."""
    value: Any = kind()
    for _ in range(levels - 2):
        value = [value] if kind is list else {"a": value}
    return {"deep": value, **more}


@pytest.mark.parametrize("kind", [list, dict])
@pytest.mark.parametrize("write", [orjson.dumps, lambda body: json.dumps(body).encode()])
@pytest.mark.parametrize("text", ["", "x" * MOST_WRITTEN, "{" * MOST_WRITTEN], ids=["short", "long", "dense"])
def test_the_deepest_body_that_is_taken(kind: type, write: Any, text: str) -> None:
    decode(write(nested(MOST_DEPTH, kind, text=text)))
    with pytest.raises(RequestError, match="nested more than 200 levels deep"):
        decode(write(nested(MOST_DEPTH + 1, kind, text=text)))


@given(body=st.dictionaries(st.text(), VALUES), spaced=st.booleans())
def test_a_body_is_compact_only_where_orjson_would_write_the_same(body: dict[str, Any], spaced: bool) -> None:
    body = {**body, "text": "x" * 500}
    raw = json.dumps(body).encode() if spaced else orjson.dumps(body)

    assert decode(raw) == (body, not spaced)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"model":"a","model":"b","text":"%b"}', id="twice"),
        pytest.param(b'{"model":"a","mod\\u0065l":"a","text":"%b"}', id="escaped"),
        pytest.param(b'{"model":"a","n":1.00,"text":"%b"}', id="a-number-written-otherwise"),
    ],
)
def test_what_would_not_stay_the_same_is_not_compact(raw: bytes) -> None:
    _, compact = decode(raw % (b"x" * 500))

    assert not compact
