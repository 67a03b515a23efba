import pytest

from coderouter_core.model import Usage
from coderouter_core.testing import Close, Quirk, Reply
from coderouter_core.testing.steps import read_steps


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        pytest.param("hi", (Reply("hi"),), id="text"),
        pytest.param(Close(), (Close(),), id="step"),
        pytest.param(["hi", Close(rst=True)], (Reply("hi"), Close(rst=True)), id="list"),
    ],
)
def test_a_script_is_read_as_steps(script: str, steps: tuple[object, ...]) -> None:
    assert read_steps(script) == steps


def test_an_empty_script_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        read_steps([])


def test_usage_may_be_a_pair() -> None:
    assert Reply(usage=(3, 4)).usage == Usage(input=3, output=4, reported=True)


def test_quirks_may_be_named_by_words() -> None:
    assert Reply(quirks=["crlf"]).quirks == {Quirk.CRLF}


def test_an_unknown_quirk_is_refused() -> None:
    with pytest.raises(ValueError, match="'crfl'"):
        Reply(quirks=["crfl"])
