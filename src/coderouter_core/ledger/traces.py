"""The way of a request as a piece of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

#: Request id, Unix time, facts as JSON.
Trace = tuple[str, float, str]

#: A trace is for one person to read; what is longer is not kept.
FACTS_MAX_BYTES = 65_536


def encode_facts(facts: Mapping[str, Any]) -> bytes:
    """`facts` as JSON, whatever they hold: what has no form in JSON becomes its ``str()``."""
    try:
        text = orjson.dumps(dict(facts), default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        text = _encode_odd(facts)
    if len(text) > FACTS_MAX_BYTES:
        return orjson.dumps({"too_long_bytes": len(text)})
    return text


def shown(trace: Trace) -> dict[str, Any]:
    """A trace as the mapping that reports read."""
    request_id, at, facts = trace
    return {"request_id": request_id, "at": at, "facts": orjson.loads(facts)}


def _encode_odd(facts: Mapping[str, Any]) -> bytes:
    """For what orjson refuses: numbers of any size, lone surrogates, keys of any type, loops."""
    try:
        text = json.dumps({str(key): value for key, value in facts.items()}, default=str, ensure_ascii=False)
        return orjson.dumps(orjson.loads(text.encode("utf-8", "replace")))
    except (TypeError, ValueError, RecursionError) as error:
        return orjson.dumps({"unreadable": type(error).__name__})
