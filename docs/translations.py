"""The reference page translation.md, made by translating one sample of every kind of content and of every field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

from coderouter_core.errors import RequestError
from coderouter_core.model import Dialect
from coderouter_core.wire import Translated, codec, translate
from coderouter_core.wire.responses.sealed import Thought, seal

MARK = "M4RK"
PAIRS = (
    (Dialect.MESSAGES, Dialect.CHAT),
    (Dialect.CHAT, Dialect.MESSAGES),
    (Dialect.RESPONSES, Dialect.CHAT),
    (Dialect.RESPONSES, Dialect.MESSAGES),
)
PROSE = Path(__file__).with_name("translation.txt")

URL = f"https://example.com/{MARK}.png"
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
USER: dict[str, Any] = {"role": "user", "content": "hi"}
ASKED: dict[str, Any] = {"type": "message", "role": "user", "content": "hi"}


@frozen
class Kind:
    """One kind of content: a sample for each dialect that has it, and the marks of its own place in each target.

    A place is told by the roles, the types and the keys that stand around the sample's mark.
    """

    name: str
    messages: Any = None
    chat: Any = None
    responses: Any = None
    at_home: Mapping[str, frozenset[str]] = field(factory=dict)
    how: Mapping[str, Any] = field(factory=dict)


def home(chat: str = "", messages: str = "") -> dict[str, frozenset[str]]:
    return {"chat": frozenset(chat.split()), "messages": frozenset(messages.split())}


def ant(*blocks: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(blocks)}]}


def ant_result(*blocks: Any, **more: Any) -> dict[str, Any]:
    use = {"type": "tool_use", "id": "t", "name": "read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": list(blocks), **more}
    return {
        "messages": [USER, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    }


def oai(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def oai_result(*parts: Any) -> dict[str, Any]:
    call = {"id": "t", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "t", "content": list(parts)}
    return {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result]}


def res(*items: Any) -> dict[str, Any]:
    return {"input": list(items)}


def res_said(*parts: Any) -> dict[str, Any]:
    return res({"type": "message", "role": "user", "content": list(parts)})


def res_result(output: Any) -> dict[str, Any]:
    call = {"type": "function_call", "call_id": "t", "name": "read", "arguments": "{}"}
    return res(ASKED, call, {"type": "function_call_output", "call_id": "t", "output": output})


def text(said: str = MARK) -> dict[str, Any]:
    return {"type": "text", "text": said}


def image(**source: Any) -> dict[str, Any]:
    return {"type": "image", "source": source}


def url(address: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": address}}


def input_image(address: str) -> dict[str, Any]:
    return {"type": "input_image", "image_url": address}


def document(kind: str, **source: Any) -> dict[str, Any]:
    return {"type": "document", "source": {"type": kind, **source}}


PNG = image(type="base64", media_type="image/png", data=MARK)
DATA = f"data:image/png;base64,{MARK}"
PDF = f"data:application/pdf;base64,{MARK}"
TOOL = {"name": "read", "description": MARK, "input_schema": SCHEMA}
FUNCTION = {"name": "read", "description": MARK, "parameters": SCHEMA}
SHELL_RESULT = {"type": "shell_call_output", "call_id": "t", "output": [{"stdout": "ok"}]}
ARGUMENTS = f'{{"path":"{MARK}"}}'
THOUGHT = {"type": "thinking", "thinking": MARK, "signature": "c2ln"}
ANSWER = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]}
SEALED = res(
    ASKED,
    {"type": "reasoning", "summary": [], "encrypted_content": seal(Thought(MARK))},
    {"type": "function_call", "call_id": "t", "name": "read", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "t", "output": "ok"},
)
REASONED = {"role": "assistant", "content": "a", "reasoning_content": MARK}

KINDS = (
    Kind("text", ant(text()), oai(text()), res_said({"type": "input_text", "text": MARK}), home("user", "user text")),
    Kind("image, base64", ant(PNG), oai(url(DATA)), res_said(input_image(DATA)), home("user image_url", "user image")),
    Kind("image, address", ant(image(type="url", url=URL)), oai(url(URL)), res_said(input_image(URL)), home("user image_url", "user image")),
    Kind("image, uploaded", ant(image(type="file", file_id=MARK)), None, res_said({"type": "input_image", "file_id": MARK}), home("user image_url", "user image")),
    Kind("document, text", ant(document("text", media_type="text/plain", data=MARK)), at_home=home("file")),
    Kind("document, PDF", ant(document("base64", media_type="application/pdf", data=MARK)), oai({"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}), res_said({"type": "input_file", "filename": "a.pdf", "file_data": PDF}), home("file", "document")),
    Kind("search result", ant({"type": "search_result", "title": "t", "source": "s", "content": [text()]}), at_home=home("search_result")),
    Kind("audio", None, oai({"type": "input_audio", "input_audio": {"data": MARK, "format": "wav"}}), None, home("input_audio", "audio")),
    Kind("system prompt", {"messages": [USER], "system": MARK}, {"messages": [{"role": "developer", "content": MARK}, USER]}, {"instructions": MARK, **res(ASKED)}, home("system", "@system")),
    Kind("system amid the conversation", {"messages": [USER, {"role": "assistant", "content": "a"}, {"role": "system", "content": MARK}, USER]}, {"messages": [USER, {"role": "assistant", "content": "a"}, {"role": "system", "content": MARK}, USER]}, res(ASKED, {"type": "message", "role": "assistant", "content": "a"}, {"type": "message", "role": "developer", "content": MARK}, ASKED), home("system", "system")),
    Kind("attribution of the client", {"messages": [USER], "system": [text(f"x-anthropic-billing-header: {MARK}")]}, at_home=home("system")),
    Kind("cache hint", ant({**text("a"), "cache_control": {"type": "ephemeral", "ttl": MARK}}), oai({**text("a"), "cache_control": {"type": "ephemeral", "ttl": MARK}}), None, home("cache_control", "cache_control")),
    Kind("tool definition", {"messages": [USER], "tools": [TOOL]}, {"messages": [USER], "tools": [{"type": "function", "function": FUNCTION}]}, {**res(ASKED), "tools": [{"type": "function", **FUNCTION}]}, home("tools", "tools")),
    Kind("tool that the server runs", {"messages": [USER], "tools": [{"type": "web_search_20250305", "name": MARK}]}, None, {**res(ASKED), "tools": [{"type": "web_search", "user_location": MARK}]}, home("tools", "tools")),
    Kind("tool of free text", None, {"messages": [USER], "tools": [{"type": "custom", "custom": {"name": MARK}}]}, {**res(ASKED), "tools": [{"type": "custom", "name": "apply_patch", "description": MARK}]}, home("tools", "tools")),
    Kind("tool call", {"messages": [USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "read", "input": {"path": MARK}}]}, ANSWER]}, {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "t", "type": "function", "function": {"name": "read", "arguments": ARGUMENTS}}]}, {"role": "tool", "tool_call_id": "t", "content": "ok"}]}, res(ASKED, {"type": "function_call", "call_id": "t", "name": "read", "arguments": ARGUMENTS}, {"type": "function_call_output", "call_id": "t", "output": "ok"}), home("tool_calls", "tool_use")),
    Kind("call of OpenAI's shell, run by the client", None, None, {**res(ASKED, {"type": "shell_call", "call_id": "t", "action": {"commands": [MARK]}}, SHELL_RESULT), "tools": [{"type": "shell"}]}, home("tool_calls", "tool_use")),
    Kind("patch by OpenAI's tool, run by the client", None, None, {**res(ASKED, {"type": "apply_patch_call", "call_id": "t", "operation": {"type": "create_file", "path": "a", "diff": MARK}}, {"type": "apply_patch_call_output", "call_id": "t", "status": "completed"}), "tools": [{"type": "apply_patch"}]}, home("tool_calls", "tool_use")),
    Kind("tool defined amid the conversation", {"messages": [USER, {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_definition", "definition": TOOL}}]}, USER]}, at_home=home("tools")),
    Kind("tool result", ant_result(text()), oai_result(text()), res_result(MARK), home("tool", "tool_result")),
    Kind("image in a tool result", ant_result(PNG), oai_result(url(DATA)), res_result([input_image(DATA)]), home("tool image_url", "tool_result image")),
    Kind("PDF in a tool result", ant_result(document("base64", media_type="application/pdf", data=MARK)), oai_result({"type": "file", "file": {"file_data": PDF}}), None, home("tool file", "tool_result document")),
    Kind("reference to a found tool", ant_result({"type": "tool_reference", "tool_name": MARK}), at_home=home("tool_reference")),
    Kind("error result", ant_result(text(), is_error=True), at_home=home("is_error")),
    Kind("result without its call", {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": MARK}]}]}, {"messages": [USER, {"role": "tool", "tool_call_id": "t", "content": MARK}]}, res(ASKED, {"type": "function_call_output", "call_id": "t", "output": MARK}), home("tool", "tool_result")),
    Kind("work of Anthropic's servers", ant({"type": "server_tool_use", "id": "t", "name": "web_search", "input": {"query": MARK}}, text("a"), role="assistant"), at_home=home("server_tool_use")),
    Kind("thinking", ant(THOUGHT, text("a"), role="assistant"), {"messages": [USER, REASONED]}, SEALED, home("reasoning_content", "thinking")),
    Kind("thinking, `reasoning_passthrough: true`", ant(THOUGHT, text("a"), role="assistant"), {"messages": [USER, REASONED]}, SEALED, home("reasoning_content", "thinking"), {"reasoning": True}),
    Kind("redacted thinking", ant({"type": "redacted_thinking", "data": MARK}, text("a"), role="assistant"), at_home=home("reasoning_content")),
)  # fmt: skip

FIELDS: Mapping[Dialect, tuple[tuple[str, Any], ...]] = {
    Dialect.MESSAGES: (
        ("stop_sequences", ["a"]),
        ("top_k", 5),
        ("metadata", {"user_id": "u"}),
        ("tool_choice", {"type": "any", "disable_parallel_tool_use": True}),
        ("output_config", {"format": {"type": "json_schema", "schema": SCHEMA}}),
        ("context_management", {"edits": [{"type": "clear_tool_uses_20250919"}]}),
        ("container", "c"),
        ("mcp_servers", [{"type": "url", "url": "https://example.com"}]),
        ("service_tier", "auto"),
    ),
    Dialect.CHAT: (
        ("max_completion_tokens", 9),
        ("stop", "a"),
        ("user", "u"),
        ("tool_choice", "required"),
        ("parallel_tool_calls", False),
        ("stream_options", {"include_usage": True}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}),
        ("n", 2),
        ("seed", 7),
        ("logprobs", True),
        ("logit_bias", {"5": 1}),
        ("frequency_penalty", 0.5),
        ("prediction", {"type": "content", "content": "a"}),
        ("service_tier", "flex"),
    ),
}

CONTROLS = ("none", "openai", "anthropic", "provider_specific")
THINKING: tuple[tuple[Dialect, Mapping[str, Any]], ...] = (
    (Dialect.MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    (Dialect.MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 10_000}}),
    (Dialect.MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 31_999}}),
    (Dialect.MESSAGES, {"thinking": {"type": "adaptive"}}),
    (Dialect.MESSAGES, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
    (Dialect.MESSAGES, {"output_config": {"effort": "low"}}),
    (Dialect.MESSAGES, {"thinking": {"type": "disabled"}}),
    (Dialect.MESSAGES, {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}),
    (Dialect.CHAT, {"reasoning_effort": "none"}),
    (Dialect.CHAT, {"reasoning_effort": "minimal"}),
    (Dialect.CHAT, {"reasoning_effort": "high"}),
)


def translation_page() -> str:
    """The reference of translations."""
    prose = PROSE.read_text(encoding="utf-8").split("---\n")
    tables = ["\n".join(rows()) + "\n" for rows in (_contents, _fields, _thinking)]
    return "".join(part for pair in zip(prose, [*tables, ""], strict=True) for part in pair)


def _contents() -> Iterator[str]:
    yield "| content | " + " | ".join(f"{source} → {target}" for source, target in PAIRS) + " |"
    yield "|---" * (len(PAIRS) + 1) + "|"
    for kind in KINDS:
        cells = [_fate(kind, source, target) for source, target in PAIRS]
        yield f"| {kind.name} | {' | '.join(cells)} |"
    yield ""


def _fate(kind: Kind, source: Dialect, target: Dialect) -> str:
    sample = getattr(kind, source)
    if sample is None:
        return "–"
    try:
        found = _translated(sample, source, target, **kind.how)
    except RequestError:
        return "refused"
    except LookupError:
        return "not translated"
    places = list(_places(found.body))
    if any(kind.at_home[target] <= place for place in places if kind.at_home[target]):
        said = "carried"
    elif any(place & {"image", "image_url", "file", "document"} for place in places):
        said = "moved"
    elif places:
        said = "as text"
    else:
        return "left out, told" if found.dropped else "left out"
    return f"{said}, told" if found.dropped else said


def _translated(sample: Mapping[str, Any], source: Dialect, target: Dialect, **how: Any) -> Translated:
    whole = {"model": "m", **({"max_tokens": 9} if source is Dialect.MESSAGES else {}), **sample}
    with suppress(LookupError):
        # A dialect that is translated, and not spoken yet, has no check.
        codec(source).check(whole)
    found = translate(whole, source, target, **how)
    codec(target).check(found.body)
    return found


def _places(value: Any, around: frozenset[str] = frozenset()) -> Iterator[frozenset[str]]:
    """What stands around every mark below `value`: keys, types and roles; ``@key`` for the keys of the body itself."""
    if isinstance(value, str):
        if MARK in value:
            yield around
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, around)
    elif isinstance(value, dict):
        named = {value[key] for key in ("type", "role") if isinstance(value.get(key), str)}
        for key, item in value.items():
            top = set() if around else {f"@{key}"}
            yield from _places(item, around | named | {key} | top)


def _fields() -> Iterator[str]:
    for source, rows in FIELDS.items():
        target = Dialect.CHAT if source is Dialect.MESSAGES else Dialect.MESSAGES
        yield f"| {source} | {target} | {target}, told |"
        yield "|---|---|---|"
        for name, value in rows:
            sent, told = _outcome({name: value}, source, target)
            yield f"| `{name}` | {sent} | {told} |"
        yield ""


def _thinking() -> Iterator[str]:
    yield "| asked | " + " | ".join(f"`{control}`" for control in CONTROLS) + " |"
    yield "|---" * (len(CONTROLS) + 1) + "|"
    for source, asked in THINKING:
        target = Dialect.CHAT if source is Dialect.MESSAGES else Dialect.MESSAGES
        cells = [_cell(*_outcome(asked, source, target, control=control)) for control in CONTROLS]
        yield f"| {_shown(asked)} | {' | '.join(cells)} |"
    yield ""


def _cell(sent: str, told: str) -> str:
    return sent if told == "–" else f"told: {told}" if sent == "–" else f"{sent}; told: {told}"


def _outcome(asked: Mapping[str, Any], source: Dialect, target: Dialect, **how: Any) -> tuple[str, str]:
    """The fields that stand for those that were `asked`, and the names of those that are told as lost."""
    declared = {"name": "read", "input_schema": SCHEMA}
    if source is Dialect.CHAT:
        declared = {"type": "function", "function": {"name": "read", "parameters": SCHEMA}}
    plain = {"messages": [USER], "tools": [declared]}
    base = _translated(plain, source, target).body
    try:
        found = _translated({**plain, **asked}, source, target, **how)
    except RequestError:
        return "refused (400)", "–"
    new = {key: value for key, value in found.body.items() if key not in base or base[key] != value}
    return _shown(new) or "–", ", ".join(f"`{name}`" for name, _ in found.dropped) or "–"


def _shown(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"`{path}`" for key, value in fields.items() for path in _paths(key, value))


def _paths(key: str, value: Any) -> list[str]:
    if isinstance(value, dict) and key.rpartition(".")[2] not in ("schema", "json_schema"):
        return [path for inner, each in value.items() for path in _paths(f"{key}.{inner}", each)]
    if isinstance(value, dict | list):
        return [key]
    shown = str(value).lower() if isinstance(value, bool) else value
    return [f"{key}: {shown}"]
