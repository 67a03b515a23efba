"""What can answer here without a configuration, and the configuration that says so."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from coderouter_core.cli.assemble import enabled_plugins, options_of
from coderouter_core.cli.own import INSTALL, fetch_command, own_kinds, own_models
from coderouter_core.cli.probing import Place, Server, probe, usual_places
from coderouter_core.config import disabled_plugins

#: Models of one server that become providers; the rest can be configured.
MOST_MODELS = 20
#: Of a model's id.
MOST_CHARACTERS = 200
#: Words in the ids of models that do not chat.
_OTHER_TRADES = ("embed", "rerank", "bge-", "whisper", "-tts", "moderation")
HEADING = (
    "# What `coderouter serve` found here. Kept as ~/.coderouter/providers.yaml, it is yours to change.\n"
)


@frozen
class Vendor:
    """A paid service: the variable that holds its key, and what to ask of it."""

    variable: str
    name: str
    base_url: str
    model: str
    kind: str = "openai-compat"


VENDORS = (
    Vendor("ANTHROPIC_API_KEY", "anthropic", "https://api.anthropic.com", "claude-sonnet-4-6", "anthropic"),
    Vendor("OPENAI_API_KEY", "openai", "https://api.openai.com/v1", "gpt-5"),
    Vendor("OPENROUTER_API_KEY", "openrouter", "https://openrouter.ai/api/v1", "openrouter/auto"),
    Vendor("MISTRAL_API_KEY", "mistral", "https://api.mistral.ai/v1", "codestral-latest"),
    Vendor("DEEPSEEK_API_KEY", "deepseek", "https://api.deepseek.com/v1", "deepseek-chat"),
)


@frozen
class Found:
    """What was found. `own` is a kind that brings a model, `own_model` that model's id; empty where there is none."""

    places: Sequence[Place] = ()
    servers: Sequence[Server] = ()
    vendors: Sequence[Vendor] = ()
    allow_paid: bool = False
    own: str = ""
    own_model: str = ""
    can_fetch: bool = False

    @property
    def chatting(self) -> list[tuple[Server, list[str]]]:
        """The servers that have models to talk to, each with those, the best for code first."""
        ranked = ((server, _ranked(server.models)) for server in self.servers)
        return [(server, models) for server, models in ranked if models]

    @property
    def falls_back(self) -> bool:
        """Whether the own model answers: only where nobody else can."""
        return bool(self.own_model) and not self.chatting and not (self.vendors and self.allow_paid)

    @property
    def can_answer(self) -> bool:
        return bool(self.chatting or self.falls_back or (self.vendors and self.allow_paid))


async def discover(environ: Mapping[str, str], places: Sequence[Place] | None = None) -> Found:
    """Look at loopback, at the environment, and at what the plugins bring."""
    plugins = enabled_plugins(disabled_plugins("", environ))
    options = options_of(plugins)
    known = {option.kind for _, option in options}
    asked = usual_places(environ) if places is None else places
    servers = await probe(asked) if "openai-compat" in known else []
    own, own_model = "", ""
    for kind in own_kinds(options):
        own, own_model = kind, next(iter(await own_models(kind, plugins)), "")
        if own_model:
            break
    return Found(
        places=asked,
        servers=servers,
        vendors=[
            vendor for vendor in VENDORS if environ.get(vendor.variable, "").strip() and vendor.kind in known
        ],
        allow_paid=environ.get("ALLOW_PAID", "").strip().lower() in ("1", "true", "yes", "on"),
        own=own,
        own_model=own_model,
        can_fetch=bool(own) and not own_model and fetch_command(own) is not None,
    )


def as_yaml(found: Found) -> str:
    """The configuration that serves what was found."""
    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

    providers, chain = _providers(found)
    # A model may be called `on`, `1.5` or `null`.
    for provider in providers:
        provider |= {key: Quoted(provider[key]) for key in ("name", "model") if key in provider}
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO(HEADING)
    out.seek(0, io.SEEK_END)
    yaml.dump(
        {
            "providers": providers,
            "profiles": [{"name": "default", "providers": [Quoted(name) for name in chain]}],
        },
        out,
    )
    return out.getvalue()


def _providers(found: Found) -> tuple[list[dict[str, Any]], list[str]]:
    """The providers, and the names of those that answer who asks for none."""
    providers: list[dict[str, Any]] = []
    chain: list[str] = []
    taken = {"default"}
    for server, models in found.chatting:
        for number, model in enumerate(models[:MOST_MODELS]):
            name = _name(model, server.place, taken)
            provider = {"name": name, "base_url": f"{server.place.url}/v1", "model": model}
            can = {"capabilities": {"tool_schema": "simple"}} if server.place.grammar else {}
            providers.append({**provider, **can})
            if number == 0:
                chain.append(name)
    for vendor in found.vendors:
        provider = {"name": _name(vendor.name, None, taken)}
        provider |= {"kind": vendor.kind, "base_url": vendor.base_url, "model": vendor.model}
        providers.append({**provider, "api_key_env": vendor.variable, "paid": True})
        chain.append(provider["name"])
    if found.falls_back:
        name = _name(found.own, None, taken)
        providers.append({"name": name, "kind": found.own})
        chain.append(name)
    return providers, chain


def _name(wanted: str, place: Place | None, taken: set[str]) -> str:
    """A name for a provider, so that a client reaches it by its model's name wherever that is unique."""
    name = wanted.rpartition("/")[2].removesuffix(".gguf") if wanted.endswith(".gguf") else wanted
    if name in taken and place is not None:
        name = f"{place.name}/{name}"
    base, number = name, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    taken.add(name)
    return name


def _ranked(models: Sequence[str]) -> list[str]:
    chatting = [
        model
        for model in models
        if _can_be_named(model) and not any(word in model.lower() for word in _OTHER_TRADES)
    ]
    return sorted(chatting, key=lambda model: "code" not in model.lower())


def _can_be_named(model: str) -> bool:
    """Whether an id can stand in a configuration, and on a terminal: whatever listens on a port may have sent it."""
    named = model.rpartition("/")[2].removesuffix(".gguf")
    return bool(named) and model.isprintable() and model == model.strip() and len(model) <= MOST_CHARACTERS


def report(found: Found) -> list[str]:
    """What was found and what will be done with it, a line each."""
    lines = []
    for server, models in found.chatting:
        rest = f"; {len(models) - 1} more by name" if len(models) > 1 else ""
        lines.append(f"{server.place.title} at {server.place.url}: {models[0]} answers{rest}")
    lines += [
        f"{server.place.title} at {server.place.url} has no model to talk to; it is left out"
        for server in found.servers
        if not _ranked(server.models)
    ]
    for vendor in found.vendors:
        when = "" if found.allow_paid else " only with ALLOW_PAID=1"
        lines.append(f"{vendor.variable}: {vendor.name} ({vendor.model}) is paid and answers{when}")
    if found.falls_back:
        lines.append(f"the {found.own} model {found.own_model} answers, since nothing else can")
    return lines


def nothing(found: Found) -> str:
    """What to do when nothing can answer."""
    places = ", ".join(f"{place.title} ({place.port})" for place in found.places)
    steps = []
    if found.vendors:
        steps.append(("ALLOW_PAID=1 coderouter serve", f"use {found.vendors[0].name}, which costs money"))
    if found.can_fetch:
        steps.append((f"coderouter {found.own} fetch", f"get the small {found.own} model, then serve again"))
    elif not found.own:
        steps.append((INSTALL, "get a small model that needs no server"))
    steps.append(("ollama pull qwen2.5-coder:7b", "or start any server of those above, then serve again"))
    steps.append(("coderouter serve --config FILE", "say it yourself, in a providers.yaml"))
    width = max(len(command) for command, _ in steps)
    return "\n".join(
        [
            "nothing can answer: there is no configuration, and nothing was found here",
            f"  looked at {places} on this machine,",
            f"  and for {', '.join(vendor.variable for vendor in VENDORS)}",
            *(f"  {line}" for line in report(found)),
            "do one of these:",
            *(f"  {command:{width}}  {what}" for command, what in steps),
        ]
    )
