"""Wait for one upstream, within its limits, and count the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from coderouter_core.engine.deadline import Deadline
from coderouter_core.errors import UpstreamError
from coderouter_core.model import Fault, Limits

T = TypeVar("T")

#: Bodies that travel slower than this, either way, drip.
LEAST_BYTES_A_SECOND = 16 * 1024
#: After its last frame an upstream gets this long to end its body, so that the connection can be kept.
LINGER_S = 0.25


class Patience:
    """Deadlines are in the event loop's time. `committed`: content came, and silence is what is limited from then on.

    `status` is the upstream's HTTP status, once there is one. `waited_s` is the time spent here.
    """

    def __init__(self, limits: Limits) -> None:
        self.waited_s = 0.0
        self.committed = False
        self.status: int | None = None
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop)

    def close(self) -> None:
        """Nothing more is waited for. Must be called."""
        self._deadline.close()

    async def opened(self, opening: Awaitable[T], size: int) -> T:
        """What `opening` gives: an answer's status and headers. `size` is that of the body to send: the transport
        counts from its last byte, so what the sending may take is added here."""
        limits = self._limits
        limit_s = limits.connect_s + limits.first_byte_s + size / LEAST_BYTES_A_SECOND
        since = time.perf_counter()
        try:
            with self._deadline.at(self._loop.time() + limit_s):
                return await opening
        except TimeoutError:
            raise self._too_slow("no answer", limit_s) from None
        finally:
            self.waited_s += time.perf_counter() - since

    async def next(self, chunks: AsyncIterator[bytes], deadline: float) -> bytes | None:
        """The next bytes; None at the end."""
        since = time.perf_counter()
        try:
            with self._deadline.at(deadline):
                return await anext(chunks)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            if self.committed:
                raise self._too_slow("silent", self._limits.idle_s) from None
            raise self._too_slow("no content", self._limits.first_byte_s) from None
        finally:
            self.waited_s += time.perf_counter() - since

    async def whole(self, chunks: AsyncIterator[bytes], most: int) -> bytes:
        """A whole body of at most `most` bytes. All of it was there when its first byte was, so it must keep coming:
        never silent for longer than the first byte might take, and never at a drip."""
        limit_s = self._limits.first_byte_s
        began = self._loop.time()
        pieces: list[bytes] = []
        size = 0
        iterator = chunks.__aiter__()
        deadline = began + limit_s
        while (data := await self.next(iterator, deadline)) is not None:
            pieces.append(data)
            size += len(data)
            if size > most:
                raise self.too_much(most)
            deadline = min(self._loop.time(), began + size / LEAST_BYTES_A_SECOND) + limit_s
        return b"".join(pieces)

    async def linger(self, chunks: AsyncIterator[bytes]) -> None:
        """Read to the end of the body, for a moment, so that the connection can serve again."""
        try:
            with self._deadline.at(self._loop.time() + LINGER_S):
                async for _ in chunks:
                    pass
        except (TimeoutError, UpstreamError):
            pass

    def too_much(self, most: int) -> UpstreamError:
        """The error for more bytes than an honest answer has."""
        fault = Fault(502, "api_error", f"answered with more than {most >> 20} MiB", code="garbage")
        return UpstreamError("garbage", fault, status=self.status)

    def _too_slow(self, what: str, limit_s: float) -> UpstreamError:
        fault = Fault(504, "timeout_error", f"{what} within {limit_s:g} s")
        return UpstreamError("timeout", fault, status=self.status)
