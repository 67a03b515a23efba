"""A request without what one provider cannot take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import frozen

from coderouter_core.capabilities import Need
from coderouter_core.model import Capabilities, Dialect, Operation, Request
from coderouter_core.model.images import IMAGE_TYPES
from coderouter_core.wire import simple_format, simple_tools

#: Why something was left out, in the words of CodeRouter 1.10.
UNSUPPORTED = "provider-does-not-support"
LOSSY = "translation-lossy"

#: What the model reads in place of an image.
UNSEEN = "[image left out: this model cannot see images]"

_CACHE = "cache_control"
_CLEARS = "clear_thinking"
_THINKING_FIELDS = ("thinking", "reasoning_effort", "reasoning")
_TOOL_FIELDS = ("tools", "tool_choice", "functions", "function_call", "parallel_tool_calls")
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})

Body = Mapping[str, Any]
Dropped = list[tuple[str, str]]
Change = Callable[[Any], Any]


@frozen
class Reduced:
    """`body` is the client's own object where nothing in it had to change; `dropped` are (field, reason)."""

    body: Body
    dropped: tuple[tuple[str, str], ...] = ()


def reduced(request: Request, can: Capabilities, lacks: Collection[Need], dialect: Dialect) -> Reduced:
    """`request`, still in its own dialect, for a provider that is called in `dialect`, and `lacks` what it needs."""
    body: Body = request.body
    dropped: Dropped = []
    cached = can.prompt_cache is True or request.dialect is not Dialect.MESSAGES
    if request.operation is not Operation.GENERATE or (cached and not lacks and can.tool_schema != "simple"):
        return Reduced(body)
    if can.tool_schema == "simple":
        # Once for all attempts; and always the same bytes, so that a cached prompt stays one.
        simple = request.once("simple_schemas", _simple_schemas)
        body = {**body, **simple} if simple else body
    if Need.THINKING in lacks:
        body = _thoughtless(body, dropped)
        if dialect is Dialect.MESSAGES is request.dialect:
            body = _forgetful(body)
    if Need.TOOLS in lacks:
        body = _without(body, _TOOL_FIELDS, dropped)
    if Need.IMAGES in lacks:
        body = _with_turns(body, request.dialect, _blind)
        dropped.append(("image", UNSUPPORTED))
    if not cached:
        body = _uncached(request, body, can, dialect, dropped)
    return Reduced(body, tuple(dropped))


def _simple_schemas(request: Request) -> dict[str, Any]:
    return {**simple_tools(request.body), **simple_format(request.body)}


def _without(body: Body, fields: Collection[str], dropped: Dropped) -> Body:
    dropped += ((field, UNSUPPORTED) for field in fields if field in body)
    return {key: value for key, value in body.items() if key not in fields}


# ---- thinking


def _thoughtless(body: Body, dropped: Dropped) -> Body:
    """Neither the wish to think nor what goes with it: an effort, and the clearing of old thoughts."""
    body = _without(body, _THINKING_FIELDS, dropped)
    config = body.get("output_config")
    if isinstance(config, dict) and "effort" in config:
        dropped.append(("output_config.effort", UNSUPPORTED))
        body = _put(body, "output_config", {key: value for key, value in config.items() if key != "effort"})
    managed = body.get("context_management")
    edits = managed.get("edits") if isinstance(managed, dict) else None
    if isinstance(managed, dict) and isinstance(edits, list):
        kept = [edit for edit in edits if not _kind(edit).startswith(_CLEARS)]
        if len(kept) < len(edits):
            dropped.append(("context_management", UNSUPPORTED))
            body = _put(body, "context_management", {**managed, "edits": kept} if kept else {})
    return body


def _put(body: Body, field: str, value: Mapping[str, Any]) -> Body:
    """`body` with `value` at `field`; without `field` where nothing is left in it."""
    rest = {key: inner for key, inner in body.items() if key != field}
    return {**rest, field: value} if value else rest


def _forgetful(body: Body) -> Body:
    """Without the thinking of earlier turns; a turn that held nothing else is left out."""
    turns = body.get("messages")
    if not isinstance(turns, list):
        return body
    kept = []
    for turn in turns:
        content = turn.get("content") if isinstance(turn, dict) else None
        if isinstance(content, list) and any(_kind(block) in _THOUGHTS for block in content):
            left = [block for block in content if _kind(block) not in _THOUGHTS]
            kept += [{**turn, "content": left}] if left else []
        else:
            kept.append(turn)
    return {**body, "messages": kept}


# ---- blocks of turns


def _with_turns(body: Body, dialect: Dialect, change: Change) -> Body:
    key = "input" if dialect is Dialect.RESPONSES else "messages"
    turns = body.get(key)
    return {**body, key: [_with_content(turn, change) for turn in turns]} if isinstance(turns, list) else body


def _with_content(holder: Any, change: Change) -> Any:
    content = holder.get("content") if isinstance(holder, dict) else None
    return (
        {**holder, "content": [change(block) for block in content]} if isinstance(content, list) else holder
    )


def _kind(block: Any) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) else ""


def _blind(block: Any) -> Any:
    """`block` without an image, those in a tool's result included."""
    kind = _kind(block)
    if kind in IMAGE_TYPES:
        return {"type": "input_text" if kind == "input_image" else "text", "text": UNSEEN}
    return _with_content(block, _blind) if kind == "tool_result" else block


# ---- hints for prompt caches


def _uncached(request: Request, body: Body, can: Capabilities, dialect: Dialect, dropped: Dropped) -> Body:
    """Without the hints, where they are known to be refused. A translation leaves out those in blocks by itself."""
    native = dialect is Dialect.MESSAGES
    if (native and can.prompt_cache is None) or not request.marks_cache:
        return body
    dropped.append((_CACHE, LOSSY))
    body = {key: value for key, value in body.items() if key != _CACHE}
    if not native:
        return body
    hinted = ((key, body.get(key)) for key in ("system", "tools"))
    lists = {key: [_unhinted(each) for each in value] for key, value in hinted if isinstance(value, list)}
    return _with_turns({**body, **lists}, Dialect.MESSAGES, _unhinted)


def _unhinted(block: Any) -> Any:
    if isinstance(block, dict) and _CACHE in block:
        block = {key: value for key, value in block.items() if key != _CACHE}
    return _with_content(block, _unhinted)
