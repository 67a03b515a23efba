"""The keys of the core, as classes; plugins add theirs with `Option`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs
from attrs import Factory, field, frozen, validators

from coderouter_core.config.owners import CORE
from coderouter_core.config.words import looks_secret, quote
from coderouter_core.model import Capabilities, Option, Prices, Provider, Scope, Settings

#: What an environment variable may be called.
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: The kind of a provider that names none.
USUAL_KIND = str(attrs.fields(Provider).kind.default)
#: The bounds of numbers that travel in JSON to any upstream.
JSON_INTEGERS = (-(2**63), 2**64 - 1)


def check_name(_instance: Any, _attribute: Any, value: str) -> None:
    """A name stands in headers, logs and metrics."""
    if not value:
        raise ValueError("must not be empty")
    if value != value.strip() or not value.isprintable():
        raise ValueError(f"must be one line without spaces round it, not {quote(value)}")


def check_base_url(_instance: Any, _attribute: Any, value: str) -> None:
    """The message never repeats what may hold a password."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
        if host and (not host.isascii() or "xn--" in host):
            _check_foreign(host)
    except ValueError:
        raise ValueError("is not a URL: its host or port cannot be read") from None
    if "@" in (parts.netloc or value.split("/")[0]):
        raise ValueError("must not hold a user name or password; put the key into api_key_env")
    if parts.scheme not in {"http", "https"}:
        rest = value.split("://")[-1]
        near = "" if looks_secret(value) or "?" in value else f"; did you mean 'http://{rest}'?"
        raise ValueError(f"must begin with http:// or https://{near}")
    if not host:
        raise ValueError("names no host after http:// or https://")
    if parts.fragment or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise ValueError("must not hold spaces or a part after '#'")


def _check_foreign(host: str) -> None:
    """A name in another script than Latin must be one that can be asked for. Raises `ValueError`."""
    # Imported here: hardly any configuration has one.
    import httpx

    try:
        _ = httpx.URL(f"http://{host}").host
    except httpx.InvalidURL as error:
        raise ValueError(host) from error


def check_variable(_instance: Any, _attribute: Any, value: str | None) -> None:
    """What is not the name of a variable may be the key itself, and is not repeated."""
    if value is not None and (not VARIABLE.fullmatch(value) or looks_secret(value)):
        raise ValueError(
            "must be the NAME of an environment variable, such as ANTHROPIC_API_KEY (what stands here is not "
            "shown, it may be a key); put the key into a variable and the variable's name here"
        )


def check_json(_instance: Any, _attribute: Any, value: Any) -> None:
    """Only what JSON can say reaches an upstream."""
    if isinstance(value, Mapping):
        for inner in value.values():
            check_json(None, None, inner)
    elif isinstance(value, list):
        for inner in value:
            check_json(None, None, inner)
    elif isinstance(value, float) and value - value != 0:
        raise ValueError("must not hold .inf or .nan, which JSON cannot say")
    elif isinstance(value, int) and not JSON_INTEGERS[0] <= value <= JSON_INTEGERS[1]:
        raise ValueError("must not hold a whole number of more than 64 bits")


def _seconds(longest: float = 600.0, *, least: float = 1.0) -> Any:
    return field(
        default=None,
        validator=validators.optional([validators.ge(least), validators.le(longest)]),
    )


@frozen
class ProviderKeys:
    name: str = field(validator=check_name)
    kind: str = USUAL_KIND
    base_url: str | None = field(default=None, validator=validators.optional(check_base_url))
    model: str | None = field(default=None, validator=validators.optional(validators.min_len(1)))
    api_key_env: str | None = field(default=None, validator=check_variable)
    paid: bool = False
    timeout_s: float | None = _seconds()
    connect_timeout_s: float | None = _seconds(least=0.1)
    first_byte_timeout_s: float | None = _seconds(3600.0)
    trust_env: bool = False
    extra_body: Mapping[str, Any] = field(factory=dict, validator=check_json)
    append_system_prompt: str | None = None
    capabilities: Capabilities = field(factory=Capabilities)
    cost: Any = None


@frozen
class ProfileKeys:
    name: str = field(validator=check_name)
    providers: tuple[str, ...] = field(validator=validators.min_len(1))
    timeout_s: float | None = _seconds()
    append_system_prompt: str | None = None
    on_empty_answer: Literal["next", "accept"] = "next"
    instruction_place: Literal["system", "user_turn"] = "system"


@frozen
class AutoRouterKeys:
    disabled: bool = False
    rules: Any = None
    default_rule_profile: str = "writing"
    sticky: bool = False


@frozen
class AuthKeys:
    keys: tuple[Any, ...] = field(validator=validators.min_len(1))


@frozen
class AuthEntry:
    name: str | None = field(default=None, validator=validators.optional(check_name))
    env: str | None = field(default=None, validator=check_variable)
    sha256: str | None = None


@frozen
class LedgerKeys:
    url: str = ""
    retention_months: int = field(default=13, validator=[validators.ge(1), validators.le(1200)])
    on_failure: Literal["open", "closed"] = "open"


@frozen
class PluginKeys:
    disabled: tuple[str, ...] = ()


@frozen
class RouterKeys:
    """`providers`, `profiles` and `auto_router` have scopes of their own and are read apart."""

    default_profile: str = "default"
    providers: Any = None
    profiles: Any = None
    mode_aliases: Mapping[str, str] = Factory(dict)
    auto_router: Any = None
    auth: AuthKeys | None = None
    ledger: LedgerKeys = LedgerKeys()
    plugins: PluginKeys = PluginKeys()


CORE_OPTIONS: tuple[tuple[str, Option], ...] = (
    (CORE, Option(Scope.ROUTER, RouterKeys)),
    (CORE, Option(Scope.ROUTER, Settings)),
    (CORE, Option(Scope.PROVIDER, ProviderKeys)),
    (CORE, Option(Scope.COST, Prices)),
    (CORE, Option(Scope.PROFILE, ProfileKeys)),
    (CORE, Option(Scope.KEY, AuthEntry)),
)
