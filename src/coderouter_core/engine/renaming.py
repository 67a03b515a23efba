"""Give tools back the names by which the client knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve

from coderouter_core.model import StreamEvent


class Renaming:
    """A stream filter. `names` leads from what the provider was told to what the client said."""

    stage = -100

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        said = self._names.get(event.name) if event.name else None
        return [event if said is None else evolve(event, name=said, frame=None)]

    def flush(self) -> Iterable[StreamEvent]:
        return ()
