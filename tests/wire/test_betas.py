"""A beta value and its fields travel together."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.wire import betas

TOOL = {"name": "w", "defer_loading": True, "input_examples": []}


@pytest.mark.parametrize(
    ("value", "body", "dropped", "left"),
    [
        pytest.param("effort-1,x-1", {}, ["output_config.effort"], "x-1", id="its-field"),
        pytest.param("effort-1, x-1", {}, ["output_config"], "x-1", id="what-holds-its-field"),
        pytest.param("effort-1,x-1", {}, ["top_k"], "effort-1,x-1", id="another-field"),
        pytest.param("effort-1", {}, [], "effort-1", id="nothing"),
        pytest.param(
            "advanced-tool-use-1",
            {"tools": [TOOL]},
            ["tools.allowed_callers"],
            "advanced-tool-use-1",
            id="another-field-of-the-pair-stays",
        ),
        pytest.param(
            "structured-outputs-1",
            {"output_config": {"effort": "low"}},
            ["output_config.format"],
            "",
            id="a-neighbour-is-not-of-the-pair",
        ),
    ],
)
def test_what_is_left_of_the_header(value: str, body: dict[str, Any], dropped: list[str], left: str) -> None:
    assert betas.without_unpaired(value, body, dropped) == left


@pytest.mark.parametrize(
    ("unwanted", "fields"),
    [
        ("effort-", ("output_config.effort",)),
        ("effort-2025-11-24", ("output_config.effort",)),
        ("unheard-of-", ()),
    ],
)
def test_the_fields_of_a_beta(unwanted: str, fields: tuple[str, ...]) -> None:
    assert betas.fields_of(unwanted) == fields


def test_the_fields_of_the_whole_header_are_those_of_all_betas() -> None:
    assert set(betas.fields_of("")) == {field for _, fields in betas.PAIRS for field in fields}


@pytest.mark.parametrize(
    ("field", "left"),
    [
        ("speed", {"output_config": {"effort": "low", "format": {}}, "tools": [TOOL]}),
        ("output_config.effort", {"speed": "x", "output_config": {"format": {}}, "tools": [TOOL]}),
        (
            "tools.defer_loading",
            {
                "speed": "x",
                "output_config": {"effort": "low", "format": {}},
                "tools": [{"name": "w", "input_examples": []}],
            },
        ),
    ],
)
def test_a_body_without_a_field(field: str, left: dict[str, Any]) -> None:
    body = {"speed": "x", "output_config": {"effort": "low", "format": {}}, "tools": [TOOL]}

    assert betas.without_field(body, field) == left


def test_nothing_is_left_of_what_held_only_the_field() -> None:
    assert betas.without_field({"output_config": {"effort": "low"}}, "output_config.effort") == {}


def test_a_body_without_the_field_is_the_same_object() -> None:
    body = {"model": "m"}

    assert betas.without_field(body, "speed") is body
