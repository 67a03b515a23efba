"""The filter of a plugin, which is named for what goes wrong in it."""

from __future__ import annotations

from collections.abc import Iterable

from coderouter_core.errors import PluginError
from coderouter_core.hooks.implementations import expected
from coderouter_core.model import StreamEvent, StreamFilter
from coderouter_core.model.seams import passes


class Named:
    """`inner`, of `plugin`. Raises `PluginError` for whatever it raises, so that no provider is blamed for it."""

    def __init__(self, plugin: str, inner: StreamFilter) -> None:
        self.plugin = plugin
        self.stage: int = expected(inner.stage, int)
        self._inner = inner
        self._feed, self._flush = inner.feed, inner.flush

    def feed(self, event: StreamEvent) -> Iterable[StreamEvent]:
        try:
            return [expected(passed, StreamEvent) for passed in self._feed(event)]
        except Exception as error:
            raise PluginError(self.plugin, "stream_filter", error) from error

    def passes(self, text: str) -> bool:
        try:
            return expected(passes(self._inner, text), bool)  # type: ignore[no-any-return]
        except Exception as error:
            raise PluginError(self.plugin, "stream_filter", error) from error

    def flush(self) -> Iterable[StreamEvent]:
        try:
            return [expected(passed, StreamEvent) for passed in self._flush()]
        except Exception as error:
            raise PluginError(self.plugin, "stream_filter", error) from error
