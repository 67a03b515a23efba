"""What one process saw, for the others that it serves together with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from attrs import asdict, frozen

from coderouter_core.api import Event, PeerFolder, Writing
from coderouter_observer_dashboard.figures import Figures, evenly, joined
from coderouter_observer_dashboard.record import MOST_ACTIONS, MOST_EVENTS, MOST_REQUESTS, Action, Minute

#: The id of what several knew that are gone.
GONE = "gone"

Plain = Mapping[str, Any]


@frozen(eq=False)
class Snapshot:
    """Plain values. `id` is a process's own, `at` when it said so (Unix time); `*_seen` count everything that ever
    came, of which `requests` and `events` are the newest. `figures` are those of the last hour by provider."""

    id: str
    pid: int
    began_at: float
    at: float
    requests_seen: int = 0
    events_seen: int = 0
    requests: Sequence[Plain] = ()
    events: Sequence[Plain] = ()
    minutes: Sequence[Plain] = ()
    figures: Mapping[str, Figures] = {}
    actions: Sequence[Plain] = ()
    live: Sequence[Plain] = ()
    standings: Sequence[Plain] = ()
    budgets: Sequence[Plain] = ()
    ledger_ok: bool = True
    added_up: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        figures = {name: each.plain() for name, each in self.figures.items()}
        minutes = [{**each, "durations": evenly(each["durations"])} for each in self.minutes]
        return {**asdict(self, recurse=False), "figures": figures, "minutes": minutes}

    @classmethod
    def decoded(cls, raw: bytes) -> Snapshot:
        """Raises `ValueError` or `TypeError` for what `plain` did not say."""
        said = orjson.loads(raw)
        try:
            figures = {name: Figures.read(each) for name, each in said.pop("figures").items()}
        except (AttributeError, KeyError) as error:
            raise ValueError(error) from None
        return cls(**said, figures=figures)


def folder_of(path: Path, encode: Callable[[Any], bytes]) -> PeerFolder[Snapshot]:
    """Where processes leave theirs; `encode` makes JSON of plain values."""
    writing = Writing("dashboard", lambda each: encode(each.plain()), Snapshot.decoded, of_the_gone)
    return PeerFolder(path, writing)


def of_the_gone(gone: Sequence[Snapshot], names: Sequence[str]) -> Snapshot:
    """What is kept of processes that ended: what they counted, and the newest of what they saw."""
    providers = dict.fromkeys(chain.from_iterable(each.figures for each in gone))
    return Snapshot(
        id=GONE,
        pid=0,
        began_at=min(each.began_at for each in gone),
        at=max(each.at for each in gone),
        requests_seen=sum(each.requests_seen for each in gone),
        events_seen=sum(each.events_seen for each in gone),
        requests=newest_of((each.requests for each in gone), MOST_REQUESTS),
        events=newest_of((each.events for each in gone), MOST_EVENTS),
        minutes=[plain_minute(each) for each in minutes_of(gone)],
        figures={
            name: joined([each.figures[name] for each in gone if name in each.figures]) for name in providers
        },
        actions=actions_of(gone),
        added_up=names,
    )


def newest_of(lists: Iterable[Sequence[Plain]], most: int) -> list[Plain]:
    """All in the order of time, the newest `most` of them."""
    return sorted(chain.from_iterable(lists), key=lambda each: float(each["at"]))[-most:]


def plain_minute(minute: Minute) -> dict[str, Any]:
    return {**asdict(minute), "durations": sorted(minute.durations)}


def minutes_of(snapshots: Iterable[Snapshot]) -> list[Minute]:
    """Minutes of several processes, joined, the newest last."""
    found: dict[int, Minute] = {}
    for said in chain.from_iterable(each.minutes for each in snapshots):
        minute = found.setdefault(said["minute"], Minute(said["minute"], durations=deque()))
        for name in ("ok", "failed", "left", "again", "tokens"):
            setattr(minute, name, getattr(minute, name) + said[name])
        minute.durations.extend(said["durations"])
    return [found[number] for number in sorted(found)]


def plain_actions(actions: Mapping[tuple[str, str, str], Action]) -> list[Plain]:
    return [
        {"event": event, "provider": provider, "plugin": plugin, **asdict(action)}
        for (event, provider, plugin), action in actions.items()
    ]


def actions_of(snapshots: Iterable[Snapshot]) -> list[Plain]:
    """How often each was done by all of them, why and when the last time."""
    found: dict[tuple[str, str, str], Action] = {}
    for said in chain.from_iterable(each.actions for each in snapshots):
        key = (said["event"], said["provider"], said["plugin"])
        if key not in found and len(found) >= MOST_ACTIONS:
            continue
        action = found.setdefault(key, Action())
        action.count += said["count"]
        if said["at"] >= action.at:
            action.why, action.at = said["why"], said["at"]
    return plain_actions(found)


def event_of(event: Event) -> dict[str, Any]:
    """An event as the feed shows it."""
    return {
        "name": event.name,
        "level": event.level.name.lower(),
        "at": event.at,
        "request_id": event.request_id,
        "session_id": event.session_id,
        "fields": event.fields,
    }


def request_of(event: Event, model: str) -> dict[str, Any]:
    """A request as the timeline shows it, from the event of its end."""
    said = {"request_id": event.request_id, "session_id": event.session_id, "at": event.at}
    return {**said, "model": model, **event.fields}
