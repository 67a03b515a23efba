"""Simple schemas: what they keep, what they tell instead, and that nothing can upset them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderouter_core.wire import simple_format, simple_schema, simple_tools
from coderouter_core.wire.bodies.schemas import KEYWORDS, MOST_DEPTH, MOST_NODES, TYPES

TEXT = {"type": "string"}


def of(inner: Any, **root: Any) -> Any:
    """The simple form of a key's schema; `root` stands beside the keys."""
    return simple_schema({"type": "object", "properties": {"a": inner}, **root})["properties"]["a"]


@pytest.mark.parametrize(
    ("schema", "simple"),
    [
        pytest.param(
            {"type": "string", "description": "d"}, {"type": "string", "description": "d"}, id="as-it-is"
        ),
        pytest.param(
            {"type": "string", "description": "when", "format": "date", "minLength": 2},
            {"type": "string", "description": "when (format: date; minLength: 2)"},
            id="demands-are-told",
        ),
        pytest.param({"const": "x"}, {"enum": ["x"]}, id="const"),
        pytest.param({"enum": []}, {}, id="no-values"),
        pytest.param({"enum": [{"deep": 1}]}, {}, id="values-that-are-no-scalars"),
        pytest.param({"type": ["string", "null"]}, {"type": ["string", "null"]}, id="types"),
        pytest.param({"type": "string", "nullable": True}, {"type": ["string", "null"]}, id="nullable"),
        pytest.param({"type": "any"}, {}, id="a-type-of-no-standard"),
        pytest.param({"type": "STRING"}, TEXT, id="a-type-in-capitals"),
        pytest.param(True, {}, id="anything"),
        pytest.param(
            {"properties": {"x": TEXT}}, {"type": "object", "properties": {"x": TEXT}}, id="no-type"
        ),
        pytest.param(
            {"type": "object", "properties": {"x": TEXT, "y": False}, "required": ["x", "z", "x", 5]},
            {"type": "object", "properties": {"x": TEXT, "z": {}}, "required": ["x", "z"]},
            id="required",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "description": "(additionalProperties: string)"},
            id="a-map",
        ),
        pytest.param(
            {"type": "array", "prefixItems": [TEXT, {"type": "integer"}]},
            {"type": "array", "items": {"anyOf": [TEXT, {"type": "integer"}]}},
            id="a-tuple",
        ),
        pytest.param({"anyOf": [TEXT]}, TEXT, id="one-alternative"),
        pytest.param({"anyOf": [TEXT, dict(TEXT)]}, TEXT, id="equal-alternatives"),
        pytest.param(
            {"oneOf": [{"const": "a"}, {"const": "b"}], "description": "d"},
            {"enum": ["a", "b"], "description": "d"},
            id="alternatives-of-values",
        ),
        pytest.param(
            {"anyOf": [TEXT, {"type": "null"}]},
            {"anyOf": [TEXT, {"type": "null"}]},
            id="different-alternatives",
        ),
        pytest.param({"anyOf": [TEXT, {}]}, {}, id="an-alternative-that-allows-anything"),
        pytest.param(
            {"allOf": [{"properties": {"x": TEXT}, "required": ["x"]}, {"properties": {"y": TEXT}}]},
            {"type": "object", "properties": {"x": TEXT, "y": TEXT}, "required": ["x"]},
            id="all-of",
        ),
        pytest.param(
            {
                "type": "object",
                "properties": {"x": TEXT, "y": TEXT},
                "anyOf": [{"required": ["x"]}, {"required": ["y"]}],
            },
            {"type": "object", "properties": {"x": TEXT, "y": TEXT}},
            id="alternatives-of-what-is-required",
        ),
    ],
)
def test_a_schema_becomes(schema: Any, simple: Any) -> None:
    assert of(schema) == simple


def test_alternatives_of_the_arguments_become_one_object() -> None:
    one = {"properties": {"x": TEXT, "y": TEXT}, "required": ["x", "y"]}
    other = {"properties": {"x": TEXT, "z": TEXT}, "required": ["x"]}

    assert simple_schema({"oneOf": [one, other]}) == {
        "type": "object",
        "properties": {"x": TEXT, "y": TEXT, "z": TEXT},
        "required": ["x"],
    }


@pytest.mark.parametrize(
    ("reference", "simple"),
    [
        pytest.param("#/$defs/X", {"type": "string", "description": "mine"}, id="defs"),
        pytest.param("#/$defs/a~1b%20c", {"type": "integer", "description": "mine"}, id="escapes"),
        pytest.param("#/oneOf/0", {"type": "null", "description": "mine"}, id="in-a-list"),
        pytest.param("#/$defs/Y", {"description": "mine"}, id="missing"),
        pytest.param("https://example.com/x.json", {"description": "mine"}, id="elsewhere"),
        pytest.param("#X", {"description": "mine"}, id="an-anchor"),
    ],
)
def test_a_reference_is_replaced_by_what_it_names(reference: str, simple: Any) -> None:
    defs = {"X": {"type": "string", "description": "theirs"}, "a/b c": {"type": "integer"}}

    found = of({"$ref": reference, "description": "mine"}, **{"$defs": defs, "oneOf": [{"type": "null"}]})

    assert found == simple


def test_a_schema_within_itself_is_cut() -> None:
    tree = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}

    assert of({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": tree}}) == {
        "type": "object",
        "properties": {"kids": {"type": "array", "items": {"type": "object"}}},
    }


def test_references_that_double_at_every_step_end() -> None:
    def pair(name: str) -> dict[str, Any]:
        return {"type": "object", "properties": {key: {"$ref": f"#/$defs/{name}"} for key in "ab"}}

    defs = {f"d{step}": pair(f"d{step + 1}") for step in range(MOST_DEPTH)}

    assert nodes(of({"$ref": "#/$defs/d0"}, **{"$defs": defs})) < 2 * MOST_NODES


def test_a_large_definition_is_not_repeated_without_end() -> None:
    defs = {"Long": {"type": "string", "description": "x" * 10_000}}
    keys = {f"k{number}": {"$ref": "#/$defs/Long"} for number in range(1_000)}

    assert len(json.dumps(simple_schema({"properties": keys, "$defs": defs}))) < 1_000_000


def test_what_is_nested_deeper_may_be_anything() -> None:
    schema: dict[str, Any] = TEXT
    for _ in range(5_000):
        schema = {"type": "array", "items": schema}

    assert depth(of(schema)) <= MOST_DEPTH


def nodes(schema: Any) -> int:
    return 1 + sum(nodes(inner) for inner in schema.get("properties", {}).values())


def depth(schema: Any) -> int:
    return 1 + depth(schema["items"]) if "items" in schema else 1


# ---- tools


def test_tools_that_are_simple_already_stay() -> None:
    body = {
        "tools": [
            {"name": "f", "input_schema": {"type": "object", "properties": {"a": TEXT}}},
            {"type": "web"},
        ]
    }

    assert simple_tools(body) == {}


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda schema: {"tools": [{"name": "f", "input_schema": schema}]}, id="messages"),
        pytest.param(
            lambda schema: {"tools": [{"function": {"name": "f", "parameters": schema}}]}, id="chat"
        ),
        pytest.param(
            lambda schema: {"functions": [{"name": "f", "parameters": schema}]}, id="legacy-functions"
        ),
        pytest.param(lambda schema: {"tools": [{"type": "function", "parameters": schema}]}, id="responses"),
        pytest.param(
            lambda schema: {"tools": [{"type": "namespace", "tools": [{"name": "f", "parameters": schema}]}]},
            id="a-group-in-responses",
        ),
        pytest.param(
            lambda schema: {"input": [{"type": "additional_tools", "tools": [{"parameters": schema}]}]},
            id="amid-a-conversation-in-responses",
        ),
        pytest.param(
            lambda schema: {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "system",
                        "content": [
                            {"type": "tool_addition", "tool": {"definition": {"input_schema": schema}}}
                        ],
                    },
                ]
            },
            id="amid-a-conversation-in-messages",
        ),
    ],
)
def test_schemas_are_found_where_each_dialect_has_them(place: Callable[[Any], Any]) -> None:
    odd = {"type": "object", "properties": {"a": {"const": 1}}}

    assert simple_tools(place(odd)) == place(simple_schema(odd))


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            lambda schema: {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}},
            id="chat",
        ),
        pytest.param(
            lambda schema: {"output_config": {"effort": "low", "format": {"schema": schema}}}, id="messages"
        ),
        pytest.param(lambda schema: {"output_format": {"schema": schema}}, id="messages-before"),
        pytest.param(lambda schema: {"text": {"format": {"schema": schema}}}, id="responses"),
    ],
)
def test_the_schema_of_an_answer_is_found_where_each_dialect_has_it(place: Callable[[Any], Any]) -> None:
    odd = {"type": "object", "properties": {"a": {"const": 1}}}

    assert (simple_format(place(odd)), simple_format(place(simple_schema(odd)))) == (
        place(simple_schema(odd)),
        {},
    )


# ---- anything at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)
NAMES = ("a", "b", "c")
REFERENCES = ("#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/allOf/0", "x")
KEYS = [
    "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "examples", "format",
    "items", "maximum", "minLength", "not", "nullable", "oneOf", "pattern", "prefixItems", "required", "title",
]  # fmt: skip
SCHEMAS = st.recursive(
    st.booleans() | st.fixed_dictionaries({"type": st.sampled_from(TYPES)}) | JSON,
    lambda inner: (
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), max_size=3),
                "$ref": st.sampled_from(REFERENCES),
                "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
                "$defs": st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
                "required": st.lists(st.sampled_from(NAMES), max_size=3),
                **{key: inner | st.lists(inner, max_size=3) for key in ("allOf", "anyOf", "oneOf", "items")},
            },
        )
        | st.dictionaries(st.sampled_from(KEYS), inner | JSON, max_size=4)
    ),
    max_leaves=15,
)
OBJECTS = SCHEMAS.filter(lambda schema: isinstance(schema, dict))


def problems(schema: Any) -> list[str]:
    """What an engine could stumble over."""
    found = [f"keyword {key}" for key in schema.keys() - KEYWORDS]
    types = schema.get("type", [])
    found += [f"type {name}" for name in ([types] if isinstance(types, str) else types) if name not in TYPES]
    found += ["an empty list of values"] if schema.get("enum") == [] else []
    found += ["too few alternatives"] if len(schema.get("anyOf", "ab")) < 2 else []
    found += [
        f"requires {name}" for name in schema.get("required", []) if name not in schema.get("properties", {})
    ]
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    inner += [schema["items"]] if "items" in schema else []
    return [*found, *(problem for each in inner for problem in problems(each))]


@settings(deadline=None, max_examples=150)
@given(OBJECTS)
def test_whatever_comes_is_made_of_the_few_keywords_alone(schema: dict[str, Any]) -> None:
    simple = simple_schema(schema)

    assert (simple["type"], problems(simple)) == ("object", [])


@settings(deadline=None, max_examples=100)
@given(OBJECTS)
def test_the_same_schema_gives_the_same_bytes_and_is_left_as_it_was(schema: dict[str, Any]) -> None:
    before = json.dumps(schema)

    once, again = json.dumps(simple_schema(schema)), json.dumps(simple_schema(json.loads(before)))

    assert (once, json.dumps(schema)) == (again, before)


# ---- what was allowed is allowed

LEAVES: list[tuple[Any, Any]] = [
    ({"type": "string", "format": "uri", "pattern": "^x"}, "x:y"),
    ({"type": "integer", "minimum": 1, "multipleOf": 3}, 3),
    ({"const": "k"}, "k"),
    ({"enum": ["e", 1, None]}, None),
    ({"type": ["boolean", "null"]}, True),
    ({"type": "object", "additionalProperties": {"type": "string"}}, {"any": "thing"}),
    (True, [1]),
    ({}, "free"),
]


@st.composite
def pairs(draw: st.DrawFn, defs: dict[str, Any], levels: int = 3) -> tuple[Any, Any]:
    """A schema and something that it allows. `defs` takes what it refers to."""
    kind = draw(st.sampled_from(["leaf", "object", "array", "any", "all", "ref"] if levels else ["leaf"]))
    inner = pairs(defs, levels - 1)
    if kind == "leaf":
        leaf: tuple[Any, Any] = draw(st.sampled_from(LEAVES))
        return leaf
    if kind == "object":
        return draw_object(draw, inner, NAMES)
    if kind == "array":
        schema, value = draw(inner)
        return {"type": "array", "items": schema}, [value] * draw(st.integers(0, 2))
    if kind == "any":
        chosen = draw(st.lists(inner, min_size=1, max_size=3))
        return {draw(st.sampled_from(["anyOf", "oneOf"])): [schema for schema, _ in chosen]}, chosen[-1][1]
    if kind == "all":
        one, two = draw_object(draw, inner, ("a", "b")), draw_object(draw, inner, ("c", "d"))
        return {"allOf": [one[0], two[0]]}, {**one[1], **two[1]}
    schema, value = draw(inner)
    name = f"d{len(defs)}"
    defs[name] = schema
    return {"$ref": f"#/$defs/{name}", "description": "by name"}, value


def draw_object(draw: st.DrawFn, inner: Any, names: tuple[str, ...]) -> tuple[Any, Any]:
    given = draw(st.dictionaries(st.sampled_from(names), inner, max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(given)), unique=True)) if given else []
    schema = {
        "type": "object",
        "properties": {name: pair[0] for name, pair in given.items()},
        "required": required,
    }
    kept = {name: pair[1] for name, pair in given.items() if name in required or draw(st.booleans())}
    return schema, kept


IS: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


def allows(schema: Any, value: Any) -> bool:
    """Whether a simple schema allows `value`."""
    types = schema.get("type", list(TYPES))
    if not any(IS[name](value) for name in ([types] if isinstance(types, str) else types)):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(allows(each, value) for each in schema["anyOf"]):
        return False
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return set(schema.get("required", ())) <= value.keys() and all(
            allows(known[name], inner) for name, inner in value.items() if name in known
        )
    return not isinstance(value, list) or all(allows(schema.get("items", {}), inner) for inner in value)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_what_a_schema_allows_its_simple_form_allows(data: st.DataObject) -> None:
    defs: dict[str, Any] = {}
    schema, value = data.draw(pairs(defs))

    simple = of(schema, **{"$defs": defs})

    assert allows(simple, value), simple
