"""Every hook of the house. The docstrings are the reference page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pluggy

from coderouter_core.events import Event, EventSpec
from coderouter_core.model import (
    Adapter,
    Attempt,
    BudgetStanding,
    Config,
    Cost,
    Demotion,
    Drop,
    Instruction,
    Option,
    Profile,
    Provider,
    Refusal,
    Rejection,
    Request,
    Reservation,
    Router,
    Standing,
    StreamFilter,
    Usage,
)

if TYPE_CHECKING:
    import click
    import httpx
    from starlette.routing import BaseRoute

PROJECT = "coderouter"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def declare_options() -> Iterable[Option] | None:
    """The configuration fields this plugin owns.

    Called:    once, before the configuration is read.
    Combined:  collected; two owners of one field are a `ConfigError` naming both.
    Must not:  read files or the environment.
    Raises:    anything raised ends the start.
    """


@hookspec
def declare_events() -> Iterable[EventSpec] | None:
    """The events this plugin emits; the catalogue is the core's events plus these.

    Called:    once, at start.
    Combined:  collected; a name declared twice ends the start.
    Must not:  emit.
    Raises:    anything raised ends the start.
    """


@hookspec
def configure(config: Config, router: Router) -> None:
    """Take what the plugin needs for its life: the ledger, the clock, `emit`, `price`, `vitals`.

    Called:    once, after the configuration was read and before anything is served.
    Combined:  each.
    Must not:  block; state shared by workers belongs into the ledger.
    Raises:    `ConfigError` for what is wrong in the file; anything else ends the start.
    """


@hookspec(firstresult=True)
def make_adapter(provider: Provider, transport: httpx.AsyncBaseTransport) -> Adapter | None:
    """The object that speaks to `provider`, or None when `provider.kind` is not this plugin's.

    `transport` is the provider's own connection pool; requests handed to it follow no redirects.

    Called:    once per provider, at start.
    Combined:  first result.
    Must not:  connect; `Adapter.start` is the place.
    Raises:    `ConfigError` for what is wrong in the file; anything else ends the start.
    """


@hookspec
def service(router: Router) -> AbstractAsyncContextManager[Any] | None:
    """Work beside the requests: entered before the socket opens, left in reverse after it drains.

    Called:    once, at start.
    Combined:  collected.
    Must not:  keep the event loop for more than 5 ms at a time.
    Raises:    anything raised on entering ends the start.
    """


@hookspec
def routes() -> Iterable[BaseRoute] | None:
    """HTTP routes to serve beside the core's, behind the same security middleware.

    Called:    once, at start.
    Combined:  collected; the core's routes come first.
    Must not:  serve what a key would otherwise protect.
    Raises:    anything raised ends the start.
    """


@hookspec
def open_paths() -> Iterable[str] | None:
    """Exact paths of this plugin's own routes that are served without a key: what holds nothing of the router's, like
    the files of a page that asks for the key itself.

    Called:    once, at start.
    Combined:  collected; only GET and HEAD are let through.
    Must not:  name what a key would otherwise protect, or a path that is not one of the plugin's own `routes`.
    Raises:    anything raised ends the start.
    """


@hookspec(firstresult=True)
def token_counter() -> Callable[[str], int] | None:
    """A function that counts the tokens of a piece of text, in place of the core's estimate.

    It is called in the event loop with pieces of at most 16,384 characters, and must be done with each within 5 ms.
    An object with a coroutine function ``load`` is called only after that: it is awaited once, when the first count is
    wanted (at start where a rule needs counts), and loads off the event loop, within 30 s. Until then tokens are
    estimated for whoever does not wait (see `Request.prepare`).

    Called:    once, at start.
    Combined:  first result.
    Must not:  load what takes long; ``load`` is the place.
    Raises:    anything raised ends the start; where ``load`` raises, it is an event, and all is estimated; where the function itself raises, it is an event, and that piece is estimated.
    """


@hookspec
def commands(cli: click.Group) -> None:
    """Add commands to the ``coderouter`` command line.

    Called:    when the command line starts.
    Combined:  each.
    Must not:  import what only the command needs before it runs.
    Raises:    anything raised is shown and the plugin's commands are missing.
    """


@hookspec(firstresult=True)
def match_rule(condition: Any, request: Request) -> bool | None:
    """Whether a rule's condition holds; None when the condition is not this plugin's.

    `condition` is an instance of the RULE option's class that the plugin declared.

    Called:    for each rule in order until one holds; facts the option names are prepared.
    Combined:  first result.
    Must not:  block, await, or change its arguments.
    Raises:    anything raised is an event, and the rule does not hold.
    """


@hookspec
def review_request(request: Request, profile: Profile) -> Refusal | Instruction | None:
    """Decline the request, or add text to its prompt.

    Called:    once per request, when its profile is known.
    Combined:  the first Refusal ends the request; all Instructions are added, in order of plugin name.
    Must not:  block, await, or change its arguments.
    Raises:    anything raised fails the request as `PluginError`.
    """


@hookspec
def filter_chain(chain: Sequence[Provider], request: Request, profile: Profile) -> Iterable[Rejection] | None:
    """Veto providers for this request.

    Called:    once per request, before `reorder_chain`; every plugin sees the whole chain. Also when somebody looks at chains (`Router.chains`): what is emitted then is not told, and nothing comes of the request.
    Combined:  union; a provider rejected twice shows both reasons.
    Must not:  block, await, or change its arguments.
    Raises:    anything raised fails the request as `PluginError`.
    """


@hookspec
def reorder_chain(chain: Sequence[Provider], request: Request, profile: Profile) -> Iterable[Demotion] | None:
    """Move providers back. Weights: slow 1, failing often 2, incapable 10, unhealthy 100.

    Called:    once per request, on what `filter_chain` left; also when somebody looks, as `filter_chain`.
    Combined:  stable sort by (sum of weights, place in the profile); never drops.
    Must not:  block, await, change its arguments, or take what only one request can have; `review_attempt` is the place.
    Raises:    anything raised is an event, and that plugin's demotions are missing.
    """


@hookspec
def review_attempt(
    provider: Provider, request: Request, profile: Profile
) -> Iterable[Rejection | Drop | Reservation] | None:
    """The last look before one attempt: budgets, cooldowns, fields this provider cannot take.

    Called:    before every attempt, fallbacks included.
    Combined:  union; any Rejection skips the provider; Reservations are held until the attempt is settled.
    Must not:  block, await, or change its arguments.
    Raises:    anything raised fails the request as `PluginError`.
    """


@hookspec(firstresult=True)
def trace_context(attempt: Attempt, request: Request) -> Mapping[str, str] | None:
    """Headers of W3C Trace Context (``traceparent``, ``tracestate``) that the call of an attempt carries.

    Called:    once per attempt, before its provider is called.
    Combined:  first result; headers of other names are left out.
    Must not:  block or await.
    Raises:    anything raised is an event, and the call carries none; after ten failures in a row the hook of that
               plugin is switched off.
    """


@hookspec
def stream_filter(provider: Provider, request: Request) -> StreamFilter | None:
    """An object that changes the events of this attempt's answer, streamed or not.

    Called:    once per attempt.
    Combined:  all, by their `stage`, then by plugin name.
    Must not:  block or await, here or in the filter.
    Raises:    anything raised, here or in the filter, fails the request as `PluginError`.
    """


@hookspec(firstresult=True)
def compute_cost(provider: Provider, usage: Usage) -> Cost | None:
    """What `usage` costs at `provider`, or None to leave it to others.

    Called:    once per attempt, when it ends; and for estimates before it.
    Combined:  first result; the core answers last, from the provider's ``cost:`` table.
    Must not:  block or await.
    Raises:    anything raised is an event, and the price is unknown.
    """


@hookspec
def observe_attempt(attempt: Attempt) -> None:
    """See how an attempt ended.

    Called:    exactly once per attempt, whatever its end: ok, failed, broken mid-stream, cancelled.
    Combined:  each.
    Must not:  block or await; it also runs while a request is being cancelled.
    Raises:    anything raised is an event; after ten failures in a row the hook of that plugin is switched off.
    """


@hookspec
def observe_event(event: Event) -> None:
    """See an event of the router.

    Called:    for every event, in order.
    Combined:  each.
    Must not:  block, await, or emit.
    Raises:    anything raised is counted; after ten failures in a row the hook of that plugin is switched off.
    """


@hookspec
def report_standing() -> Iterable[Standing | BudgetStanding] | None:
    """How providers are and what budgets have left, as this plugin sees it now.

    Called:    when somebody looks (a scrape, a page), never while a request is served.
    Combined:  collected.
    Must not:  block, await, or change what later requests get.
    Raises:    anything raised is an event, and that plugin's answer is missing; after ten failures in a row the hook of that plugin is switched off.
    """
