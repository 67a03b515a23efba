"""JSON as upstreams and clients really write it: the value where it has the type that is meant, else nothing."""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(raw: bytes) -> Any:
    """JSON, and what is not quite JSON but is sent as such: lone surrogates, ``NaN``, ``-Infinity``. ValueError for
    anything else."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            return json.loads(raw)
        except RecursionError as error:
            raise ValueError("nested too deep") from error


def count(value: Any) -> int:
    """`value` as a number of tokens; 0 for anything that is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value)
    if isinstance(value, float) and 0 < value < 1e15:
        return int(value)
    return 0


def table(value: Any) -> dict[str, Any]:
    """`value` where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def string(value: Any) -> str:
    """`value` where it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
