"""Who implements which hook, and what becomes of one that raises.

pluggy's collected list does not say who answered, and one implementation that raises hides
the rest. So the implementations of each hook are listed once, at start, and called one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import pluggy
from attrs import define, frozen

from coderouter_core.errors import PluginError, where
from coderouter_core.events import Events
from coderouter_core.model import Said

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


def collected(table: Table, hook: str) -> list[Said[Any]]:
    """What everybody says who is asked without arguments."""
    return [Said(each.plugin, one) for each in table[hook] for one in each.call() or ()]


def verdicts(hook: str, asked: Iterable[Implementation], *arguments: Any) -> list[Said[Any]]:
    """What everybody says, generators exhausted. Raises `PluginError` for the first that raises."""
    said: list[Said[Any]] = []
    for each in asked:
        try:
            answer = each.call(*arguments)
            if answer is not None:
                said += [Said(each.plugin, one) for one in answer]
        except Exception as error:
            raise PluginError(each.plugin, hook, error) from error
    return said


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
