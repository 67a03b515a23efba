"""Who implements which hook, and what becomes of one that raises.

pluggy's collected list does not say who answered, and one implementation that raises hides
the rest. So the implementations of each hook are listed once, at start, and called one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, TypeVar

import pluggy
from attrs import define, frozen

from coderouter_core.errors import ConfigError, PluginError, where
from coderouter_core.events import Events
from coderouter_core.model import Said

T = TypeVar("T")

#: An observer that raises this often in a row is switched off.
PATIENCE = 10


@define(eq=False)
class Implementation:
    """One plugin's function for one hook; `call` takes every argument of the hook, in order."""

    plugin: str
    call: Callable[..., Any]
    failures: int = 0
    switched_off: bool = False


Table = Mapping[str, Sequence[Implementation]]


def implementations(manager: pluggy.PluginManager) -> Table:
    """Those of every hook, in the order in which they answer."""
    return {
        name: [
            Implementation(found.plugin_name, _caller(found.function, found.argnames, caller.spec.argnames))
            for found in reversed(caller.get_hookimpls())
        ]
        for name, caller in vars(manager.hook).items()
        if not name.startswith("_") and caller.spec is not None
    }


def _caller(function: Callable[..., Any], wanted: Sequence[str], given: Sequence[str]) -> Callable[..., Any]:
    """`function`, which takes the arguments `wanted`, as one that takes all that are `given`."""
    if tuple(wanted) == tuple(given):
        return function
    places = [given.index(name) for name in wanted]
    if not places:
        return lambda *_: function()
    if len(places) == 1:
        (only,) = places
        return lambda *arguments: function(arguments[only])
    pick = itemgetter(*places)
    return lambda *arguments: function(*pick(arguments))


def at_start(each: Implementation, hook: str, make: Callable[[], T]) -> T:
    """What `make` makes of a plugin's answer. Raises `ConfigError`, which names the plugin, for whatever goes wrong:
    who starts the router can do without it."""
    try:
        return make()
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"plugin {each.plugin!r} failed in {hook} ({where(error)}: {error}); uninstall it, or switch it off:"
            f" CODEROUTER_DISABLE={each.plugin}"
        ) from error


def collected(table: Table, hook: str, kind: type = object) -> list[Said[Any]]:
    """What everybody says who is asked without arguments."""
    said: list[Said[Any]] = []
    for each in table[hook]:
        found = at_start(each, hook, partial(_all, each, kind))
        said += [Said(each.plugin, one) for one in found]
    return said


def _all(each: Implementation, kind: type) -> list[Any]:
    return [expected(one, kind) for one in each.call() or ()]


def verdicts(
    hook: str, kinds: tuple[type, ...], asked: Iterable[Implementation], *arguments: Any
) -> list[Said[Any]]:
    """What everybody says, generators exhausted. Raises `PluginError` for the first that raises, or says what is
    of none of the `kinds`: a veto that cannot be read must not count as none."""
    said: list[Said[Any]] = []
    for each in asked:
        try:
            answer = each.call(*arguments)
            if answer is not None:
                said += [Said(each.plugin, expected(one, *kinds)) for one in answer]
        except Exception as error:
            raise PluginError(each.plugin, hook, error) from error
    return said


def expected(answer: Any, *kinds: type) -> Any:
    """`answer`, which is of one of `kinds`. TypeError otherwise."""
    if not isinstance(answer, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"answered {type(answer).__name__}, not {wanted}")
    return answer


@frozen(eq=False)
class Failures:
    """Tells of implementations that raised."""

    events: Events

    def deciding(self, each: Implementation, hook: str, error: Exception) -> None:
        """Of one whose answer the router does without."""
        self.events.emit(
            "plugin-failed",
            plugin=each.plugin,
            hook=hook,
            error=where(error),
            switched_off=each.switched_off,
        )

    def observing(self, each: Implementation, hook: str, error: Exception) -> None:
        """Of one that only looks on, and is no longer called when it goes on like this."""
        each.failures += 1
        each.switched_off = each.failures >= PATIENCE
        self.deciding(each, hook, error)
