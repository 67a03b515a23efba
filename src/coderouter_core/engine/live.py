"""A request in flight, for somebody who looks."""

from __future__ import annotations

from attrs import frozen

from coderouter_core.engine.client import Client
from coderouter_core.engine.report import Report
from coderouter_core.model import Live
from coderouter_core.model.views import Phase


@frozen(eq=False)
class Served:
    """A request that is being served, as the parts that know of it. `seen` is made only when it is asked for."""

    report: Report
    client: Client

    def seen(self) -> Live:
        report, request = self.report, self.report.request
        phase: Phase = "waiting" if report.attempts else "choosing"
        if report.first_token_s is not None:
            phase = "streaming"
        return Live(
            request_id=request.id,
            session_id=request.session_id,
            profile=report.profile.name if report.profile else None,
            provider=report.provider.name if report.provider else None,
            model=request.model[:200],
            dialect=request.dialect.value,
            stream=request.stream,
            began_at=report.began_at,
            phase=phase,
            attempts=report.attempts,
            output_bytes=self.client.sent,
            first_token_s=report.first_token_s,
        )
