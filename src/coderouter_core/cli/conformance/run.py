"""Run the checks that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from coderouter_core.cli import Mistake
from coderouter_core.cli.conformance import (
    answers,
    behind,
    breaks,
    mistakes,
    others,
    quirks,
    service,
    silence,
    streams,
)
from coderouter_core.cli.conformance.check import CHECKS, Check, Result, judge
from coderouter_core.cli.conformance.gateway import GREETING, Gateway
from coderouter_core.model import Dialect

#: Modules of checks, in the order in which they are run; to import one is to list its checks. What makes an upstream
#: fail comes last: a gateway may rest it for that.
MODULES = (service, mistakes, answers, streams, others, quirks, behind, silence, breaks)


def chosen(names: Sequence[str], dialect: Dialect | None) -> list[Check]:
    """The checks of `names`, which may be patterns, and of `dialect`; those of no dialect are always among them."""
    place = {module.__name__: at for at, module in enumerate(MODULES)}
    ordered = sorted(CHECKS, key=lambda one: place[one.module])
    known = [one for one in ordered if dialect is None or one.dialect in (None, dialect)]
    for name in names:
        if not any(fnmatchcase(one.id, name) for one in known):
            raise Mistake(f"there is no check {name!r}; coderouter conformance --list shows those that are")
    return [one for one in known if not names or any(fnmatchcase(one.id, name) for name in names)]


def results(checks: Sequence[Check], gateway: Gateway) -> Iterator[Result]:
    """Each check's result, as it comes."""
    for one in checks:
        gateway.play(GREETING)
        yield judge(one, gateway)
