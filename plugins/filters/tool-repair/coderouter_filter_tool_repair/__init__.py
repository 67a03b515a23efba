"""Recover tool calls that a model wrote as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import frozen

from coderouter_core.api import (
    EventSpec,
    Level,
    Operation,
    Option,
    Provider,
    Request,
    Router,
    Scope,
    StreamFilter,
    hookimpl,
)
from coderouter_filter_tool_repair.scanner import Failed, Found
from coderouter_filter_tool_repair.stream import ToolRepair
from coderouter_filter_tool_repair.tools import Tools

#: Providers of this kind write calls as calls.
NATIVE = "anthropic"


@frozen
class ToolRepairKeys:
    """Key on a provider. Left out, it is on, except for providers of kind `NATIVE`."""

    tool_repair: bool | None = None

    def is_on(self, kind: str) -> bool:
        return kind != NATIVE if self.tool_repair is None else self.tool_repair


class ToolRepairPlugin:
    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROVIDER, ToolRepairKeys)]

    @hookimpl
    def declare_events(self) -> Iterable[EventSpec]:
        return [
            EventSpec(
                "tool-call-repaired",
                Level.INFO,
                ("provider", "model", "tool", "form", "count"),
                "a model wrote tool calls as text; they were made calls",
            ),
            EventSpec(
                "tool-call-unrepaired",
                Level.WARNING,
                ("provider", "model", "form", "reason"),
                "a model wrote what looks like a tool call as text, and it is none; it stayed text",
            ),
        ]

    @hookimpl
    def configure(self, router: Router) -> None:
        self._router = router

    @hookimpl
    def stream_filter(self, provider: Provider, request: Request) -> StreamFilter | None:
        if (
            not provider.option(ToolRepairKeys).is_on(provider.kind)
            or request.operation is not Operation.GENERATE
        ):
            return None
        tools = Tools.of(request)
        if tools is None:
            return None

        def tell(found: list[Found], failed: list[Failed]) -> None:
            counts = Counter((each.form, call.tool) for each in found for call in each.calls)
            for (form, tool), count in counts.items():
                self._router.emit(
                    "tool-call-repaired",
                    provider=provider.name,
                    model=provider.model,
                    tool=tool,
                    form=form,
                    count=count,
                )
            if failed:
                last = failed[-1]
                self._router.emit(
                    "tool-call-unrepaired",
                    provider=provider.name,
                    model=provider.model,
                    form=last.form,
                    reason=last.reason,
                )

        return ToolRepair(tools, tell)
