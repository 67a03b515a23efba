"""Values are taken as they stand: nothing is coerced, nothing is ignored."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import pytest
from attrs import Attribute, Factory, field, frozen, validators

from coderouter_core.config.structure import MistakesError, structure


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@frozen
class Point:
    x: int = 0
    y: int = 0


@frozen
class Window:
    """A validator compares two fields."""

    window: int = 5
    threshold: int = field(default=3)
    names: list[str] = Factory(list)

    @threshold.validator
    def _fits(self, _attribute: "Attribute[int]", value: int) -> None:
        if value > self.window:
            raise ValueError(f"must not exceed the window of {self.window}, not {value}")


@frozen
class Both:
    a: int = field(validator=validators.gt(0))
    b: int = field(validator=validators.lt(9))


@frozen
class Whole:
    first: int = 0
    second: int = 0

    def __attrs_post_init__(self) -> None:
        if self.first > self.second:
            raise ValueError("first must come before second")


def wrong(raw: Any, kind: Any) -> dict[tuple[str | int, ...], str]:
    """What is wrong with `raw` as a `kind`, by path."""
    with pytest.raises(MistakesError) as caught:
        structure(raw, kind)
    return {item.path: item.message for item in caught.value.items}


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        pytest.param(5, float, 5.0, id="whole-number-for-a-number"),
        pytest.param(["a"], tuple[str, ...], ("a",), id="tuple"),
        pytest.param([1], list[int], [1], id="list"),
        pytest.param(["a", "a"], frozenset[str], frozenset({"a"}), id="set"),
        pytest.param(["a"], Sequence[str], ("a",), id="sequence"),
        pytest.param({"a": 1}, Mapping[str, int], {"a": 1}, id="mapping"),
        pytest.param({"a": [None]}, dict[str, Any], {"a": [None]}, id="anything"),
        pytest.param(None, int | None, None, id="optional-left-out"),
        pytest.param(3, int | None, 3, id="optional"),
        pytest.param("a", int | str, "a", id="one-of-two-types"),
        pytest.param({"x": 1}, Point | str, Point(1), id="class-or-text"),
        pytest.param("red", Colour, Colour.RED, id="enum"),
        pytest.param("a", Literal["a", "b"], "a", id="choice"),
        pytest.param(1, Literal[True, 1], 1, id="choice-by-type"),
        pytest.param([{"y": 2}], list[Point], [Point(0, 2)], id="classes-in-a-list"),
        pytest.param({"window": 4}, Window, Window(4), id="defaults"),
    ],
)
def test_a_value_becomes_its_type(raw: Any, kind: Any, value: Any) -> None:
    assert structure(raw, kind) == value


@pytest.mark.parametrize(
    ("raw", "kind", "message"),
    [
        pytest.param("5", int, "must be a whole number, not '5'", id="text-for-number"),
        pytest.param(True, int, "must be a whole number, not true", id="boolean-for-number"),
        pytest.param(5.0, int, "must be a whole number, not 5", id="fraction"),
        pytest.param(True, float, "must be a number, not true", id="boolean-for-fraction"),
        pytest.param(10**400, float, f"must be a number, not 1{'0' * 58}…", id="too-large"),
        pytest.param(float("inf"), float, "must be a number, not inf", id="infinite"),
        pytest.param(1, bool, "must be true or false, not 1", id="number-for-boolean"),
        pytest.param(5, str, "must be text, not 5; put it in quotes", id="number-for-text"),
        pytest.param(None, str, "must be text, not empty", id="nothing"),
        pytest.param("ab", tuple[str, ...], "must be a list, not 'ab'", id="text-for-list"),
        pytest.param([], dict[str, int], "must be a mapping, not a list", id="list-for-mapping"),
        pytest.param([], Point, "must be a mapping, not a list", id="list-for-class"),
        pytest.param(True, Literal[1, 2], "must be one of 1, 2, not true", id="choice-of-another-type"),
        pytest.param("rad", Colour, "must be one of red, green, not 'rad'; did you mean 'red'?", id="enum"),
        pytest.param([], Colour, "must be one of red, green, not a list", id="enum-of-another-type"),
        pytest.param([], int | str, "must be a whole number or text, not a list", id="neither-type"),
        pytest.param("x", int | None, "must be a whole number, not 'x'", id="optional"),
        pytest.param({"first": 2}, Whole, "first must come before second", id="the-whole"),
        pytest.param("a" * 99, int, f"must be a whole number, not '{'a' * 58}…", id="long-text"),
    ],
)
def test_a_value_of_another_type_is_refused(raw: Any, kind: Any, message: str) -> None:
    assert wrong(raw, kind) == {(): message}


def test_every_mistake_has_its_path() -> None:
    raw = {"points": [{"x": 1}, {"x": "a", "z": 1}, 5]}

    assert wrong(raw, dict[str, list[Point]]) == {
        ("points", 1, "x"): "must be a whole number, not 'a'",
        ("points", 1, "z"): "unknown key; known: x, y",
        ("points", 2): "must be a mapping, not 5",
    }


def test_a_field_that_nobody_can_set_is_no_key() -> None:
    @frozen
    class Holder:
        value: int = 0
        made: int = field(default=0, init=False)

    assert wrong({"made": 1}, Holder) == {("made",): "unknown key; known: value"}


def test_of_two_types_the_one_that_was_meant_is_told() -> None:
    assert wrong({"x": "a"}, Point | str) == {("x",): "must be a whole number, not 'a'"}


def test_every_validator_is_heard() -> None:
    assert wrong({"a": 0, "b": 9}, Both) == {("a",): "must be > 0, not 0", ("b",): "must be < 9, not 9"}


def test_a_key_without_default_is_asked_for() -> None:
    assert wrong({"a": 1}, Both) == {("b",): "missing; it has no default"}


def test_a_default_must_fit_what_is_written() -> None:
    assert wrong({"window": 2}, Window) == {("threshold",): "must not exceed the window of 2, not 3"}


def test_a_validator_can_compare_fields() -> None:
    assert wrong({"window": 2, "threshold": 4}, Window) == {
        ("threshold",): "must not exceed the window of 2, not 4"
    }


def test_a_validator_that_looks_at_a_broken_field_keeps_silent() -> None:
    assert wrong({"window": "x", "threshold": 4}, Window) == {("window",): "must be a whole number, not 'x'"}


def _even(_instance: Any, _attribute: Any, value: int) -> None:
    if value % 2:
        raise ValueError(f"must be even, not {value}")


@pytest.mark.parametrize(
    ("validator", "value", "message"),
    [
        pytest.param(validators.ge(1), 0, "must be ≥ 1, not 0", id="ge"),
        pytest.param(validators.gt(1), 1, "must be > 1, not 1", id="gt"),
        pytest.param(validators.le(1), 2, "must be ≤ 1, not 2", id="le"),
        pytest.param(validators.lt(1), 1, "must be < 1, not 1", id="lt"),
        pytest.param(validators.and_(validators.ge(0), validators.le(5)), 6, "must be ≤ 5, not 6", id="and"),
        pytest.param(validators.optional(validators.ge(1)), 0, "must be ≥ 1, not 0", id="optional"),
        pytest.param(validators.in_(["ab", "cd"]), "ac", "must be one of ab, cd, not 'ac'", id="in"),
        pytest.param(validators.instance_of(bool), 1, "must be true or false, not 1", id="instance"),
        pytest.param(
            validators.instance_of((int, str)), 1.5, "must be a whole number or text, not 1.5", id="instances"
        ),
        pytest.param(
            validators.matches_re("[a-z]+"), "A", "must match the pattern [a-z]+, not 'A'", id="pattern"
        ),
        pytest.param(validators.min_len(1), "", "must not be empty", id="empty"),
        pytest.param(validators.min_len(2), "a", "must have at least 2 entries, not 1", id="short"),
        pytest.param(validators.max_len(1), "ab", "must have at most 1 entries, not 2", id="long"),
        pytest.param(_even, 3, "must be even, not 3", id="own"),
    ],
)
def test_a_validator_speaks_our_words(validator: Any, value: Any, message: str) -> None:
    @frozen
    class Holder:
        value: Any = field(validator=validator)

    assert wrong({"value": value}, Holder) == {("value",): message}


def test_an_optional_validator_lets_nothing_pass() -> None:
    @frozen
    class Holder:
        value: Any = field(validator=validators.optional(validators.ge(1)))

    assert structure({"value": None}, Holder) == Holder(None)
