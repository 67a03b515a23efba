"""The whole configuration, as read: ``providers.yaml``, the environment, the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from attrs import field, frozen, validators

from coderouter_core.model.provider import Profile, Provider, Rule

T = TypeVar("T")


@frozen
class AuthKey:
    """A client key: the name of an environment variable that holds it, or its SHA-256 in hex."""

    name: str
    env: str | None = None
    sha256: str | None = None
    options: Mapping[type, Any] = field(factory=dict, repr=False, eq=False)

    def option(self, cls: type[T]) -> T:
        """The values of a plugin's keys on this entry of ``auth.keys``, its defaults where the file says nothing."""
        found = self.options.get(cls)
        return found if found is not None else cls()


@frozen
class AutoRouter:
    """Rules in order; the first that holds chooses the profile.

    `sticky`: a conversation keeps what a rule about its content chose.
    """

    rules: tuple[Rule, ...] = ()
    default_rule_profile: str = "writing"
    disabled: bool = False
    sticky: bool = False


@frozen
class Settings:
    """Top-level keys that are single values. Sizes in bytes, times in seconds."""

    allow_paid: bool = False
    display_timezone: str | None = None
    tag_body: bool = False
    log_upstream_errors: Literal["none", "short", "full"] = "short"
    ping_after_s: float = field(default=10.0, validator=validators.ge(0.1))
    drain_timeout_s: float = field(default=120.0, validator=validators.ge(0))
    max_body_bytes: int = field(default=32 * 1024 * 1024, validator=validators.ge(1024))
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()


@frozen(eq=False)
class Config:
    """Everything the router was told. `mode_source` is ``env`` when CODEROUTER_MODE chose `default_profile`.

    `default_profile` is ``auto`` when rules choose. `ledger_url` is ``memory:`` or ``sqlite:PATH``;
    empty means the default place. `ledger_on_failure` says what becomes of budgets while the ledger's store is down.
    `source` names the file it came from, for people; `places` are lines and columns in it, by path.
    """

    providers: tuple[Provider, ...]
    profiles: tuple[Profile, ...]
    default_profile: str = "default"
    mode_aliases: Mapping[str, str] = field(factory=dict)
    auto_router: AutoRouter | None = None
    settings: Settings = Settings()
    auth_keys: tuple[AuthKey, ...] = ()
    ledger_url: str = ""
    ledger_retention_months: int = 13
    ledger_on_failure: Literal["open", "closed"] = "open"
    plugins_disabled: tuple[str, ...] = ()
    mode_source: str = "config"
    source: str = ""
    places: Mapping[str, tuple[int, int]] = field(factory=dict, repr=False)
    options: Mapping[type, Any] = field(factory=dict, repr=False)

    def option(self, cls: type[T]) -> T:
        """The values of a plugin's ROUTER keys."""
        found = self.options.get(cls)
        return found if found is not None else cls()
