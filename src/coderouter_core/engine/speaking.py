"""An answer in the client's dialect, as a stream or as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from attrs import evolve

from coderouter_core.engine.outgoing import Outgoing
from coderouter_core.model import Dialect, Request, StreamEvent, StreamFilter
from coderouter_core.model.seams import passes
from coderouter_core.wire import client_side, codec
from coderouter_core.wire.chat.answer import is_legacy
from coderouter_core.wire.chat.several import as_stream, filtered, several
from coderouter_core.wire.choices import ChoicesLane
from coderouter_core.wire.codec import ClientSide, Codec, Lane, Plain, Writer
from coderouter_core.wire.lanes import Stage, TranslatingLane, through, unchanged
from coderouter_core.wire.windows import Window, WindowWriter

#: Characters of text that filters are given at once; an answer that is not streamed comes as one text.
PIECE = 4096


class Speaker:
    """Puts what the upstream says through the filters and into the client's words.

    `upstreams` reads the one's dialect; `same`: it is the client's own, too; `reads`: every event of a stream is read;
    `several`: the client asked for several choices, each of which goes through filters of its own.
    `created` is the answer's time in whole seconds of Unix time; `window` is the provider's context window in tokens,
    where it is known.
    """

    def __init__(
        self,
        request: Request,
        outgoing: Outgoing,
        filters: Callable[[], Sequence[StreamFilter]],
        created: int,
        window: int | None,
    ) -> None:
        self._request = request
        self._hide_usage = outgoing.hide_usage
        self._make_filters = filters
        self._filters = filters()
        self._created = created
        self._clients: ClientSide = client_side(request.dialect, request.operation)
        self.upstreams: Codec = codec(outgoing.dialect, request.operation)
        self.same = self._clients is self.upstreams
        self.several = self.same and several(request)
        self.reads = bool(self._filters) or not self.same
        # A Messages client is told why an answer was cut short; a Messages upstream has told it already.
        read = request.dialect is Dialect.MESSAGES is not outgoing.dialect
        self._window = Window(window, request.body.get("max_tokens")) if window is not None and read else None

    def lane(self) -> Lane:
        if self.several and self._filters:
            return ChoicesLane(
                self._make_filters,
                include_usage=self._wants_usage(),
                created=self._created,
                legacy=is_legacy(self._request.body),
            )
        if self.same and not self._filters:
            return self.upstreams.relay(hide_usage=self._hide_usage)
        return TranslatingLane(self.upstreams.reader(), self._writer(), self._filters)

    async def filtered(self, events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
        """What filters make of a whole answer; the very same events where they change none.

        A long text is given to them in pieces, between which others have their turn.
        """
        if not self._filters:
            return events
        stages = [Stage(each) for each in self._filters]
        cut = [piece for event in events for piece in _pieces(event)]
        passed: list[StreamEvent] = []
        for event in cut:
            passed += through(stages, [event])
            if len(event.text) == PIECE:
                await asyncio.sleep(0)
        return events if unchanged(passed, cut) or _said(passed) == _said(events) else passed

    def plain(self, answer: Mapping[str, Any]) -> Plain | None:
        """What a whole answer says, where that is one text which reaches the client as it came."""
        if not self.same or self.several or self._request.stream:
            return None
        said = self.upstreams.plain(answer)
        if said is None or len(said.text) > PIECE:
            return None
        return said if all(passes(each, said.text) for each in self._filters) else None

    def streamed(self, events: Sequence[StreamEvent]) -> bytes:
        """A whole answer as the frames of a stream."""
        writer = self._writer()
        return b"".join(writer.write(event) for event in events) + writer.close()

    def folded(self, events: Sequence[StreamEvent]) -> bytes:
        """A whole answer as one body."""
        if self._window is not None:
            events = self._window.told(events)
        return orjson.dumps(self._clients.fold(events, created=self._created, asked=self._request.body))

    def choices(self, answer: dict[str, Any]) -> dict[str, Any]:
        """What filters make of a whole answer of several choices; the very same where they change nothing."""
        return filtered(answer, self._make_filters, legacy=is_legacy(self._request.body))

    def choices_streamed(self, answer: Mapping[str, Any]) -> bytes:
        """A whole answer of several choices as the frames of a stream."""
        return self.upstreams.relay(hide_usage=not self._wants_usage()).feed(as_stream(answer))

    def _writer(self) -> Writer:
        writer = self._clients.writer(
            include_usage=self._wants_usage(), created=self._created, asked=self._request.body
        )
        return writer if self._window is None else WindowWriter(writer, self._window)

    def _wants_usage(self) -> bool:
        if self._request.dialect is not Dialect.CHAT:
            return True
        asked = self._request.body.get("stream_options")
        return isinstance(asked, dict) and bool(asked.get("include_usage"))


def _pieces(event: StreamEvent) -> Sequence[StreamEvent]:
    if len(event.text) <= PIECE:
        return [event]
    return [
        evolve(event, text=event.text[at : at + PIECE], frame=None) for at in range(0, len(event.text), PIECE)
    ]


def _said(events: Sequence[StreamEvent]) -> list[tuple[object, ...]]:
    """What events say, however their texts are cut."""
    steps: list[tuple[object, ...]] = []
    texts: list[list[str]] = []
    for event in events:
        step = (event.kind, event.index, event.block, event.name, event.reason)
        if event.kind == "delta" and steps and steps[-1] == step:
            texts[-1].append(event.text)
        else:
            steps.append(step)
            texts.append([event.text])
    return [(*step, "".join(pieces)) for step, pieces in zip(steps, texts, strict=True)]
