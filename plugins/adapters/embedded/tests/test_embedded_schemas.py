"""Tool schemas that llama.cpp cannot make a grammar of, through a whole router."""

from __future__ import annotations

from typing import Any

import pytest
from coderouter_adapter_embedded import Embedded

from coderouter_core.testing import Script, make_router

#: What was refused on 2025-11: a reference to the root, one to elsewhere, a type of no standard, a boolean schema,
#: an empty list of values, a pattern that is none.
REFUSED = {
    "type": "object",
    "properties": {
        "children": {"type": "array", "items": {"$ref": "#"}},
        "icon": {"$ref": "https://example.com/icon.json"},
        "size": {"type": "any"},
        "note": True,
        "kind": {"enum": []},
        "name": {"type": "string", "pattern": "^[a-z$"},
    },
    "required": ["name"],
}
KEYS = {"kind": "embedded", "embedded": {"threads": 1, "context": 1024}}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_schema_that_is_refused_as_it_is_works_when_it_is_simple(stream: bool) -> None:
    providers: dict[str, dict[str, Any]] = {
        "full": {**KEYS, "capabilities": {"tool_schema": "full"}},
        "simple": KEYS,
    }
    router = make_router(Embedded(), Script(full="unused", simple="unused"), providers=providers)

    asked = router.ask(
        "Call note.",
        max_tokens=24,
        stream=stream,
        tools=[{"name": "note", "description": "Take a note", "input_schema": REFUSED}],
    )

    first, *_ = asked.attempts
    assert (first.provider.name, first.status, asked.provider) == ("full", 400, "simple")
