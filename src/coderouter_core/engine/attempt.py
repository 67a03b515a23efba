"""One try of one provider, from the call to its settlement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from coderouter_core.engine import mishaps
from coderouter_core.engine.client import Client
from coderouter_core.engine.collector import Collector
from coderouter_core.engine.course import Course, Price
from coderouter_core.engine.failure import forgotten
from coderouter_core.engine.judging import holds_content, says_something
from coderouter_core.engine.outgoing import Outgoing
from coderouter_core.engine.patience import Patience
from coderouter_core.engine.slices import Slices
from coderouter_core.engine.speaking import Speaker
from coderouter_core.errors import PluginError, UpstreamError
from coderouter_core.model import (
    Adapter,
    Answer,
    Attempt,
    Call,
    Dialect,
    Fault,
    Request,
    StreamEvent,
    StreamFilter,
    size_of,
)
from coderouter_core.wire.chat.several import folded, size_of_answer
from coderouter_core.wire.codec import Lane
from coderouter_core.wire.lenient import loads

#: A body that is not streamed, or an error's, may be this large.
MOST_BODY = 64 * 1024 * 1024
MOST_ERROR = 1024 * 1024
#: What may be held back until the first content; no honest answer needs more.
MOST_HELD = 4 * 1024 * 1024
#: Seconds that the last frames of an answer may take after its stop reason.
LAST_FRAMES_S = 5.0


class Try:
    """Runs one attempt. `record` is the attempt as it stands; `committed` says that the client got content.

    `dropped` are (field, reason) of what the provider does not get.

    `patience.waited_s` is the time spent waiting for the upstream, apart from the router's own work.
    """

    def __init__(
        self,
        record: Attempt,
        request: Request,
        outgoing: Outgoing,
        call: Call,
        adapter: Adapter,
        client: Client,
        filters: Callable[[], Sequence[StreamFilter]],
        *,
        accept_empty: bool,
        on_content: Callable[[Try], None],
        window: int | None = None,
    ) -> None:
        self.record = record
        self.committed = False
        self.patience = Patience(call.limits)
        self.error: UpstreamError | None = None
        self.plugin_error: PluginError | None = None
        self.dropped = outgoing.dropped
        self.native_anthropic = outgoing.dialect is Dialect.MESSAGES
        self._request = request
        self._call = call
        self._adapter = adapter
        self._client = client
        self._speaker = Speaker(request, outgoing, filters, int(record.started_at), window)
        self._accept_empty = accept_empty
        self._on_content = on_content
        self._loop = asyncio.get_running_loop()
        self._course = Course()

    async def run(self) -> Callable[[], Awaitable[None]]:
        """Ask, and pass on what comes. Returns what is left to send when the attempt is settled.

        Raises `UpstreamError` where the provider failed before its first content; after it, the error is
        in `error` and its frames are in what is left to send.
        """
        try:
            return await self._run()
        except (UpstreamError, PluginError):
            raise
        except Exception as error:
            raise mishaps.unread(error, self._course.status) from None
        finally:
            self.patience.close()

    async def _run(self) -> Callable[[], Awaitable[None]]:
        answer = await self.patience.opened(self._adapter.open(self._call), len(self._call.body))
        try:
            self._course.status = self.patience.status = answer.status
            if not 200 <= answer.status < 300:
                raise await self._refused(answer)
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if self._request.stream and kind not in ("application/json", "text/html"):
                return await self._stream(answer)
            if kind == "text/event-stream":
                return await self._collect(answer)
            return await self._whole(answer)
        finally:
            await answer.aclose()

    async def _refused(self, answer: Answer) -> UpstreamError:
        try:
            body = await self.patience.whole(answer.chunks, MOST_ERROR)
        except UpstreamError:
            body = b""
        fault = self._speaker.upstreams.fault(answer.status, answer.headers, body, now=self.record.started_at)
        return mishaps.refused(fault, answer.status, self.record.provider)

    async def _stream(self, answer: Answer) -> Callable[[], Awaitable[None]]:
        lane = self._speaker.lane()
        held = bytearray()
        limits = self._call.limits
        deadline = self._loop.time() + limits.first_byte_s
        chunks = Slices(answer.chunks) if self._speaker.reads else answer.chunks.__aiter__()
        steps = 0
        try:
            while (data := await self.patience.next(chunks, deadline)) is not None:
                out = lane.feed(data)
                if self.committed:
                    if out:
                        await self._client.stream(out)
                else:
                    held += out
                    if lane.content or (self._accept_empty and lane.stopped):
                        self._commit()
                        await self._client.stream(bytes(held))
                    elif len(held) > MOST_HELD:
                        raise self.patience.too_much(MOST_HELD)
                if lane.fault is not None:
                    raise self._said(lane.fault)
                if lane.failed is not None:
                    raise lane.failed
                if lane.done:
                    break
                if lane.steps != steps:
                    steps = lane.steps
                    if self.committed or lane.size:
                        # What filters hold back or take out has come all the same.
                        deadline = self._loop.time() + (LAST_FRAMES_S if lane.stopped else limits.idle_s)
                    elif steps == 2 and self._thinks:
                        deadline += limits.thinking_s - limits.first_byte_s
            tail = lane.close()
            if lane.fault is not None:
                raise self._said(lane.fault)
            if not self.committed:
                if not (lane.content or self._accept_empty):
                    raise mishaps.empty(self._course.status)
                self._commit()
                tail = bytes(held) + tail
            if lane.done:
                await self.patience.linger(chunks)
            return lambda: self._client.end(tail)
        except Exception as error:
            last = self._broken(lane, error)
            return lambda: self._client.end(last)
        finally:
            self._course.usage, self._course.size, self._course.ended = lane.usage, lane.size, lane.stopped

    def _broken(self, lane: Lane, unexpected: Exception) -> bytes:
        """The last frames of a stream that broke after its first content. Raises what it broke by before that."""
        if isinstance(unexpected, PluginError):
            # What is left of the answer cannot be had without that plugin; nor can another's.
            if not self.committed:
                raise unexpected
            self.plugin_error = unexpected
        error = unexpected
        if not isinstance(error, UpstreamError):
            error = mishaps.unread(error, self._course.status)
        if not self.committed:
            raise error from None
        if lane.fault is None and self.plugin_error is None and (lane.stopped or lane.done):
            # The answer is whole; only its connection broke, or the frame that closes it never came.
            try:
                tail = lane.close()
            except PluginError as failed:
                self.plugin_error, error = failed, mishaps.unread(failed, self._course.status)
            else:
                if lane.fault is None:
                    return tail
        self.error = forgotten(error)
        return lane.fail(error.fault, self._request.id)

    async def _whole(self, answer: Answer) -> Callable[[], Awaitable[None]]:
        """An answer that is not streamed; for a client that streams it becomes a stream."""
        body = await self.patience.whole(answer.chunks, MOST_BODY)
        try:
            decoded = loads(body)
        except ValueError:
            decoded = None
        if not isinstance(decoded, dict):
            fault = self._speaker.upstreams.fault(answer.status, answer.headers, body)
            raise mishaps.garbage(fault, self._course.status)
        if (plain := self._speaker.plain(decoded)) is not None:
            self._course.size, self._course.ended, self._course.usage = size_of(plain.text), True, plain.usage
            self._commit()
            return lambda: self._client.whole(200, {}, body)
        if self._speaker.several:
            return self._whole_choices(decoded, body)
        said = self._speaker.upstreams.events(decoded)
        self._course.size = sum(size_of(event.text) for event in said if event.text)
        self._course.ended = True
        events = await self._speaker.filtered(said)
        self._judge(events, same=decoded if self._speaker.same else None)
        self._commit()
        if self._request.stream:
            frames = self._speaker.streamed(events)
            return lambda: self._client.end(frames)
        if events is not said or not self._speaker.same:
            body = self._speaker.folded(events)
        elif (whole := self._speaker.upstreams.mended(decoded)) is not None:
            body = orjson.dumps(whole)
        return lambda: self._client.whole(200, {}, body)

    def _whole_choices(self, decoded: dict[str, Any], body: bytes) -> Callable[[], Awaitable[None]]:
        """A whole answer of several choices, each through filters of its own."""
        for event in self._speaker.upstreams.events(decoded):
            if event.kind == "error" and event.fault is not None:
                raise self._said(event.fault)
            self._course.usage = self._course.usage.merge(event.usage)
        self._course.size, self._course.ended = size_of_answer(decoded), True
        passed = self._speaker.choices(decoded)
        if not (holds_content(passed) or self._accept_empty):
            raise mishaps.empty(self._course.status)
        self._commit()
        passed = self._speaker.upstreams.mended(passed) or passed
        if self._request.stream:
            frames = self._speaker.choices_streamed(passed)
            return lambda: self._client.end(frames)
        whole = body if passed is decoded else orjson.dumps(passed)
        return lambda: self._client.whole(200, {}, whole)

    async def _collect(self, answer: Answer) -> Callable[[], Awaitable[None]]:
        """A stream from an upstream that streams although nobody asked, folded into a whole answer."""
        limits = self._call.limits
        reader = Collector(self._speaker.upstreams, several=self._speaker.several)
        deadline = self._loop.time() + limits.first_byte_s
        chunks = answer.chunks.__aiter__()
        size = 0
        try:
            while (data := await self.patience.next(chunks, deadline)) is not None:
                size += len(data)
                if size > MOST_BODY:
                    raise self.patience.too_much(MOST_BODY)
                if reader.feed(data):
                    deadline = self._loop.time() + limits.idle_s
            said = reader.close()
            events = said if self._speaker.several else await self._speaker.filtered(said)
        finally:
            self._course.usage, self._course.size = reader.usage, reader.size
            self._course.ended = reader.finished
        if self._speaker.several:
            return self._collected_choices(reader)
        self._judge(events)
        self._commit()
        body = self._speaker.folded(events)
        return lambda: self._client.whole(200, {}, body)

    def _collected_choices(self, reader: Collector) -> Callable[[], Awaitable[None]]:
        """A stream of several choices, each folded on its own."""
        choices = reader.choices()
        for events in choices.values():
            for event in events:
                if event.kind == "error" and event.fault is not None:
                    raise self._said(event.fault)
        whole = folded(choices, created=int(self.record.started_at), asked=self._request.body)
        return self._whole_choices(whole, orjson.dumps(whole))

    @property
    def _thinks(self) -> bool:
        """Whether the model may think for long without a word: it was asked to, and its thoughts may be left out."""
        asked = self._request.body.get("thinking")
        return isinstance(asked, dict) and asked.get("type") in ("enabled", "adaptive")

    def _judge(self, events: Sequence[StreamEvent], same: Mapping[str, Any] | None = None) -> None:
        """Raise for events that are no answer: an error, or nothing in them. `same` is the answer itself where the
        client reads it as it is: then what other dialects have no form for is content, too."""
        for event in events:
            if event.kind == "error" and event.fault is not None:
                raise self._said(event.fault)
            if event.usage.reported:
                self._course.usage = self._course.usage.merge(event.usage)
        content = self._accept_empty or (same is not None and holds_content(same))
        if not (content or says_something(events)):
            raise mishaps.empty(self._course.status)

    def _said(self, fault: Fault) -> UpstreamError:
        return mishaps.said(fault, self._course.status, self.record.provider)

    def _commit(self) -> None:
        self.committed = self.patience.committed = True
        self._course.commit()
        self._on_content(self)

    def settled(self, failure: BaseException | None, price: Price) -> Attempt:
        """The attempt's record, when it ended: well, or by `failure`. `price` tells what it cost."""
        self.record = self._course.settled(self.record, self._request, failure or self.error, price)
        return self.record
