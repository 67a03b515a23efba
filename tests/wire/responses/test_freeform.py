"""The free text in a function call that stands for a custom tool's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderouter_core.wire.responses.freeform import Freeform

PATCH = '*** Begin Patch\n*** Add File: a\n+"ü" \\ 🎉\n*** End Patch\n'


def told(arguments: str, size: int = 1) -> list[str]:
    """What comes of `arguments`, in pieces of `size` characters; what is left at the end is the last."""
    freeform = Freeform()
    pieces = [freeform.feed(arguments[at : at + size]) for at in range(0, len(arguments), size)]
    return [*pieces, freeform.end()]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(json.dumps({"input": PATCH}), id="as-asked"),
        pytest.param(json.dumps({"input": PATCH}, ensure_ascii=False), id="without-escapes"),
        pytest.param(json.dumps({"patch": PATCH}), id="another-name"),
        pytest.param(json.dumps({"whatever": PATCH}), id="any-single-name"),
        pytest.param(json.dumps({"why": "because", "input": PATCH}), id="not-the-first"),
        pytest.param(json.dumps({"command": ["apply_patch", PATCH]}), id="a-command"),
        pytest.param(json.dumps(json.dumps({"input": PATCH})), id="encoded-twice"),
        pytest.param(json.dumps(PATCH), id="a-bare-string"),
        pytest.param(PATCH, id="no-json"),
        pytest.param(json.dumps({"input": f"```diff\n{PATCH}\n```"}), id="fence"),
        pytest.param(json.dumps({"input": f"apply_patch <<'EOF'\n{PATCH}EOF\n"}), id="here-document"),
        pytest.param(json.dumps({"input": f"```bash\napply_patch <<EOF\n{PATCH}EOF\n```"}), id="both"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_was_meant(arguments: str, size: int) -> None:
    assert "".join(told(arguments, size)) == PATCH


def test_text_passes_while_its_string_grows() -> None:
    assert told('{"input": "line one') == [*[""] * 11, *"line one", ""]


def test_a_text_that_begins_like_a_wrapping_and_is_none_is_whole() -> None:
    assert "".join(told(json.dumps({"input": "apply_patchwork()"}))) == "apply_patchwork()"


def test_a_fence_within_the_text_stays() -> None:
    assert "".join(told(json.dumps({"input": "see\n```\nx\n```\n"}))) == "see\n```\nx\n```\n"


def test_escapes_that_json_does_not_know_stand_for_themselves() -> None:
    assert "".join(told(r'{"input": "\d+ \n"}')) == "\\d+ \n"


@given(text=st.text(max_size=40), size=st.integers(1, 9), escaped=st.booleans())
def test_any_text_survives(text: str, size: int, escaped: bool) -> None:
    arguments = json.dumps({"input": f"x{text}"}, ensure_ascii=escaped)

    assert "".join(told(arguments, size)) == f"x{text}"


@given(st.text(alphabet='{}[]":\\u`<\n input123', max_size=60), st.integers(1, 5))
def test_nothing_raises(arguments: str, size: int) -> None:
    assert all(isinstance(piece, str) for piece in told(arguments, size))
