"""Providers, profiles and rules as configured, and the options that plugins add to them."""

from __future__ import annotations

import functools
import ipaddress
import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import unquote_plus, urlsplit

from attrs import field, frozen, validators

T = TypeVar("T")

#: In a base URL; ``api-version=2026-01-15`` is no key.
SHORTEST_KEY = 16


class Scope(StrEnum):
    """Where an option's keys stand in ``providers.yaml``."""

    ROUTER = "router"
    PROVIDER = "provider"
    COST = "cost"
    PROFILE = "profile"
    RULE = "rule"
    KEY = "key"


@frozen
class Option:
    """Configuration fields of a plugin: each attrs field of `cls` is a key of `scope`.

    `kind` ties a PROVIDER option to providers of that kind (and makes the kind known);
    `requires` names core keys that such a provider cannot do without. `facts` names what
    a RULE option needs prepared before it is asked (see `Request.prepare`); `content` says that
    it looks at what was said, not at the request's shape, so that a conversation may keep its answer.
    """

    scope: Scope
    cls: type
    kind: str | None = None
    requires: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    content: bool = False


@frozen
class Capabilities:
    """What a provider can do. None: not said; the capability registry is asked."""

    chat: bool = True
    streaming: bool = True
    tools: bool | None = None
    vision: bool | None = None
    prompt_cache: bool | None = None
    thinking: bool | None = None
    reasoning_passthrough: bool | None = None
    reasoning_control: str = field(
        default="none",
        validator=validators.in_(("none", "openai", "anthropic", "provider_specific")),
    )
    mcp: str = field(default="none", validator=validators.in_(("none", "anthropic", "provider_specific")))
    openai_compatible: bool = True
    max_context_tokens: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    tool_schema: str | None = field(
        default=None, validator=validators.optional(validators.in_(("full", "simple")))
    )


@frozen
class Prices:
    """US dollars per million tokens; None is unknown. The cache factors multiply the input price."""

    input_tokens_per_million: float | None = field(
        default=None, validator=validators.optional(validators.ge(0))
    )
    output_tokens_per_million: float | None = field(
        default=None, validator=validators.optional(validators.ge(0))
    )
    cache_read_discount: float = field(default=0.10, validator=[validators.ge(0), validators.le(1)])
    cache_creation_premium: float = field(default=1.25, validator=validators.ge(0))


def _option(options: Mapping[type, Any], cls: type[T]) -> T:
    found = options.get(cls)
    return found if found is not None else cls()


@functools.cache
def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or "localhost"
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".lan")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_private or address.is_loopback


@functools.cache
def _query_values(base_url: str) -> tuple[str, ...]:
    """Values in the query that are long enough to be keys, which versions and switches are not."""
    pairs = (part.partition("=") for part in urlsplit(base_url).query.split("&"))
    found = {form for _, _, value in pairs for form in (value, unquote_plus(value))}
    return tuple(sorted(value for value in found if len(value) >= SHORTEST_KEY))


@frozen(eq=False)
class Provider:
    """One upstream endpoint and model, as configured. Two providers are equal only if they are the same."""

    name: str
    kind: str = "openai-compat"
    base_url: str = ""
    model: str = ""
    api_key_env: str | None = None
    paid: bool = False
    timeout_s: float | None = None
    connect_timeout_s: float | None = None
    first_byte_timeout_s: float | None = None
    trust_env: bool = False
    extra_body: Mapping[str, Any] = field(factory=dict)
    append_system_prompt: str | None = None
    capabilities: Capabilities = Capabilities()
    cost: Prices | None = None
    options: Mapping[type, Any] = field(factory=dict, repr=False)

    def option(self, cls: type[T]) -> T:
        """The values of a plugin's keys on this provider, its defaults where the file says nothing."""
        return _option(self.options, cls)

    def api_key(self) -> str | None:
        """The key, read from the environment now; None where there is none. Never kept, never logged."""
        value = os.environ.get(self.api_key_env, "").strip() if self.api_key_env else ""
        return value or None

    def secrets(self) -> list[str]:
        """What must not be told of it: its key, and the values in its base URL's query, as written and decoded."""
        key = self.api_key()
        return [*([key] if key else []), *_query_values(self.base_url)]

    @property
    def is_local(self) -> bool:
        """True when the base URL is a loopback or private address."""
        return _is_local(self.base_url)


@frozen(eq=False)
class Profile:
    """A named chain plus its options. `providers` are names in order of preference."""

    name: str
    providers: tuple[str, ...]
    timeout_s: float | None = None
    append_system_prompt: str | None = None
    on_empty_answer: str = "next"
    instruction_place: str = "system"
    options: Mapping[type, Any] = field(factory=dict, repr=False)

    def option(self, cls: type[T]) -> T:
        """The values of a plugin's keys on this profile, its defaults where the file says nothing."""
        return _option(self.options, cls)


@frozen(eq=False)
class Rule:
    """One condition and the profile it chooses. `condition` is an instance of a RULE option's class;
    `facts` is what must be prepared on a request before the condition can be judged, `content` whether
    it looks at what was said (see `Option`)."""

    id: str
    profile: str
    condition: Any
    facts: tuple[str, ...] = ()
    content: bool = False
