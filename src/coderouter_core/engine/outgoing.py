"""The body that goes to one provider: as the client sent it, but for what must differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from attrs import field, frozen

from coderouter_core.engine.fitting import fitted, headers, is_claude, without_betas
from coderouter_core.engine.reduced import Reduced
from coderouter_core.model import Dialect, Drop, Instruction, Operation, Profile, Provider, Request
from coderouter_core.wire import Translated, translate
from coderouter_core.wire.bodies.losses import Losses

#: Keys of ours in a request's body; they never travel.
OURS = ("profile",)

#: Keys of `extra_body` that are not the upstream's: lifted into headers by the adapter.
LIFTED = ("anthropic_version",)

_MODEL = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')


@frozen
class Outgoing:
    """An encoded body, in the dialect it will be sent in.

    `dropped` are (field, reason) of what the provider will not get. `hide_usage`: the stream will hold a
    usage chunk that the client did not ask for. `headers` are the client's own that go with it; `names` leads from names
    of tools in it to those that the client knows.
    """

    body: bytes
    dialect: Dialect
    dropped: tuple[tuple[str, str], ...] = ()
    hide_usage: bool = False
    headers: Mapping[str, str] = field(factory=dict)
    names: Mapping[str, str] = field(factory=dict)


def outgoing(
    request: Request,
    provider: Provider,
    profile: Profile,
    dialect: Dialect,
    drops: Sequence[Drop] = (),
    instructions: Sequence[Instruction] = (),
    taken: Reduced | None = None,
    *,
    ask_usage: bool = True,
) -> Outgoing:
    """Build it, in this order: what the provider can take (`taken`), `extra_body` as defaults, translation, drops,
    system prompt, instructions."""
    taken = taken or Reduced(request.body)
    directive, instructions = _added(request, provider, profile, instructions)
    losses = Losses()
    names: Mapping[str, str] = {}
    hide_usage = False
    if dialect is request.dialect:
        sent = fitted(taken.body, request, provider, dialect, losses)
        missing, hide_usage = _missing(request, provider, dialect, ask_usage=ask_usage)
        plain = sent is request.body and not (directive or instructions or _concerns(drops, sent))
        if plain and (spliced := _splice(request, provider.model, missing)) is not None:
            return Outgoing(spliced, dialect, hide_usage=hide_usage, headers=headers(request, dialect, sent))
        body = {**missing, **sent}
        if hide_usage:
            body["stream_options"] = missing["stream_options"]
    else:
        translated = _translated(taken.body, request, provider, dialect)
        names = translated.names
        losses.told(translated.dropped)
        body = dict(fitted({**_defaults(provider), **translated.body}, request, provider, dialect, losses))
        if not ask_usage:
            body.pop("stream_options", None)
    body = _without(body, drops, losses)
    if provider.model:
        body["model"] = provider.model
    if directive:
        add_to_system(body, dialect, directive, "\n")
    for instruction in instructions:
        _instruct(body, dialect, instruction, profile)
    dropped = taken.dropped + losses.all()
    sent_headers = headers(request, dialect, body, [name for name, _ in dropped])
    return Outgoing(orjson.dumps(body), dialect, dropped, hide_usage, sent_headers, names)


def _added(
    request: Request, provider: Provider, profile: Profile, instructions: Sequence[Instruction]
) -> tuple[str | None, Sequence[Instruction]]:
    """What is added to the prompt: the profile's directive, else the provider's; and `instructions`."""
    if request.operation is not Operation.GENERATE:
        # A text to complete or to embed is the client's data: there is no system prompt to add to.
        return None, ()
    own = profile.append_system_prompt
    return (provider.append_system_prompt if own is None else own), instructions


def _defaults(provider: Provider) -> dict[str, Any]:
    return {key: value for key, value in provider.extra_body.items() if key not in LIFTED}


def _missing(
    request: Request, provider: Provider, dialect: Dialect, *, ask_usage: bool
) -> tuple[dict[str, Any], bool]:
    """What the client's body lacks, and whether the answer's usage is asked for without the client's knowing."""
    defaults = _defaults(provider)
    missing = {key: value for key, value in defaults.items() if key not in request.body}
    hide_usage = ask_usage and _wants_usage(request, dialect, defaults)
    if hide_usage:
        asked = request.body.get("stream_options") or missing.get("stream_options")
        missing["stream_options"] = _with_usage(asked)
    return missing, hide_usage


def _translated(
    body: Mapping[str, Any], request: Request, provider: Provider, dialect: Dialect
) -> Translated:
    claude = is_claude(provider, request)
    return translate(
        body,
        request.dialect,
        dialect,
        control=provider.capabilities.reasoning_control,
        # Claude would refuse thoughts that it did not sign.
        reasoning=provider.capabilities.reasoning_passthrough is True and not claude,
        structured=claude,
    )


def _without(body: dict[str, Any], drops: Sequence[Drop], losses: Losses) -> dict[str, Any]:
    for key in OURS:
        body.pop(key, None)
    for drop in drops:
        if body.pop(drop.field, None) is not None:
            losses.add(drop.field, drop.reason)
    return without_betas(body, drops, losses)


def _concerns(drops: Sequence[Drop], body: Mapping[str, Any]) -> bool:
    return any(drop.field in body or drop.field.startswith("anthropic-beta") for drop in drops)


def _wants_usage(request: Request, dialect: Dialect, defaults: Mapping[str, Any]) -> bool:
    """Whether the router must ask for the usage of a chat stream, because the client did not."""
    if dialect is not Dialect.CHAT or not request.stream:
        return False
    asked = request.body.get("stream_options")
    if isinstance(asked, dict) and asked.get("include_usage"):
        return False
    declared = defaults.get("stream_options")
    return not (isinstance(declared, dict) and declared.get("include_usage") is False)


def _with_usage(options: Any) -> dict[str, Any]:
    return {**(options if isinstance(options, dict) else {}), "include_usage": True}


def _splice(request: Request, model: str, missing: Mapping[str, Any]) -> bytes | None:
    """The client's own bytes with another model and with `missing` put in front; None where that is not safe.

    Safe is: no key of ours in the body, ``"model"`` stands in it exactly once, and no escape could spell it a
    second time.
    """
    raw, body = request.raw, request.body
    if any(key in body for key in OURS) or any(key in body for key in missing):
        return None
    if model and "model" not in body:
        missing, model = {**missing, "model": model}, ""
    if model:
        if request.compact:
            # No key stands in it twice, and writing it again changes nothing else.
            begins = b'{"model":' + orjson.dumps(body["model"])
            if not raw.startswith(begins):
                return orjson.dumps({**missing, **body, "model": model})
            raw = b"".join((b'{"model":', orjson.dumps(model), memoryview(raw)[len(begins) :]))
        else:
            found = _MODEL.search(raw)
            if found is None or raw.count(b'"model"') != 1 or b"\\u00" in raw:
                return None
            raw = b"".join((raw[: found.start()], b'"model":', orjson.dumps(model), raw[found.end() :]))
    if missing:
        at = raw.index(b"{") + 1
        raw = b"".join((raw[:at], orjson.dumps(missing)[1:-1], b"," if body else b"", raw[at:]))
    return raw


def add_to_system(body: dict[str, Any], dialect: Dialect, text: str, glue: str) -> None:
    """Append `text` to the system prompt, at its very end, so that a cached prefix stays one."""
    if dialect is Dialect.MESSAGES:
        body["system"] = _appended(body.get("system"), text, glue)
        return
    if dialect is Dialect.RESPONSES:
        body["instructions"] = _appended(body.get("instructions"), text, glue)
        return
    turns = list(body.get("messages") or ())
    for at, turn in enumerate(turns):
        if isinstance(turn, dict) and turn.get("role") in ("system", "developer"):
            turns[at] = {**turn, "content": _appended(turn.get("content"), text, glue)}
            break
    else:
        turns.insert(0, {"role": "system", "content": text})
    body["messages"] = turns


def _appended(content: Any, text: str, glue: str) -> Any:
    if isinstance(content, list):
        return [*content, {"type": "text", "text": text}]
    return f"{content}{glue}{text}" if content else text


def _instruct(body: dict[str, Any], dialect: Dialect, instruction: Instruction, profile: Profile) -> None:
    """At the end of the system prompt, except where that would break what was signed or cached."""
    turns = body.get("messages")
    if isinstance(turns, list) and (profile.instruction_place == "user_turn" or _signed(turns)):
        last = turns[-1] if turns else None
        text = {"type": "text", "text": instruction.text}
        if isinstance(last, dict) and last.get("role") == "user":
            content = last.get("content")
            pieces = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
            body["messages"] = [*turns[:-1], {**last, "content": [*pieces, text]}]
        else:
            body["messages"] = [*turns, {"role": "user", "content": [text]}]
        return
    add_to_system(body, dialect, instruction.text, "\n\n")


def _signed(turns: Iterable[Any]) -> bool:
    for turn in turns:
        content = turn.get("content") if isinstance(turn, dict) and turn.get("role") == "assistant" else None
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") in ("thinking", "redacted_thinking"):
                return True
    return False
