"""The way a request took, as plain values: what the ledger keeps for ``explain``."""

from __future__ import annotations

from typing import Any

from coderouter_core.engine.failure import quoted
from coderouter_core.engine.report import Dropped, Planned, Report
from coderouter_core.hooks import Said
from coderouter_core.model import Attempt, Demotion, Fault, Outcome, Rejection

#: Words of a client or of a plugin are cut at this many characters.
MOST_WORDS = 500


def facts_of(report: Report, how: str, *, status: int | None = None, seconds: float = 0.0) -> dict[str, Any]:
    """Everything that was decided about a request, by whom and why, and what became of its attempts.

    Never the prompt, never a key. `how` is ``log_upstream_errors``: how much of an upstream's words is kept.
    `status` is what the client got, None while nothing was sent. Times: Unix seconds, and seconds.
    """
    request, choice, chain, refusal = report.request, report.choice, report.chain, report.refusal
    facts = {
        "at": report.began_at,
        "dialect": request.dialect.value,
        "operation": request.operation.value,
        "stream": request.stream,
        "model": request.model[:200],
        "session_id": request.session_id,
        "client_key": request.client_key,
        "profile": choice.profile.name if choice else None,
        "chosen_by": choice.by if choice else None,
        "chosen_word": choice.word[:200] if choice else "",
        "signals": choice.signals if choice else {},
        "instructions": [
            {"plugin": said.plugin, "reason": said.verdict.reason[:MOST_WORDS]}
            for said in report.instructions
        ],
        "refusal": None
        if refusal is None
        else {
            "plugin": refusal.plugin,
            "reason": refusal.verdict.message[:MOST_WORDS],
            "status": refusal.verdict.status,
            "code": refusal.verdict.code,
        },
        "candidates": choice.profile.providers if choice else (),
        "rejections": [_rejection(said) for said in report.rejected],
        "demotions": [_demotion(said) for said in chain.demoted] if chain else [],
        "order": [provider.name for provider in chain.providers] if chain else [],
        "attempts": [_attempt(record, dropped, how) for record, dropped in report.tried],
        "stopped": report.stopped,
        "outcome": outcome_of(report, status),
        "status": status,
        "error": _error(report, how),
        "seconds": round(seconds, 4),
        "overhead_ms": None if report.overhead_s is None else round(report.overhead_s * 1000, 3),
    }
    if report.planned:
        facts["planned"] = [_planned(each) for each in report.planned]
    return facts


def outcome_of(report: Report, status: int | None) -> str:
    """How the request ended, in a word: ``ok``, ``failed``, ``refused``, ``broken``, ``cancelled``; before that
    ``planned`` or ``unfinished``."""
    if report.refusal is not None:
        return "refused"
    if report.left:
        return "cancelled"
    if report.fault is not None:
        return "failed"
    if report.planned:
        return "planned"
    if status is None:
        return "unfinished"
    last = report.last
    return "broken" if last is not None and last.outcome is Outcome.BROKEN else "ok"


def _rejection(said: Said[Rejection]) -> dict[str, Any]:
    rejection = said.verdict
    return {
        "provider": rejection.provider.name,
        "plugin": said.plugin,
        "reason": rejection.reason[:MOST_WORDS],
        "event": rejection.event,
    }


def _demotion(said: Said[Demotion]) -> dict[str, Any]:
    demotion = said.verdict
    return {
        "provider": demotion.provider.name,
        "plugin": said.plugin,
        "weight": demotion.weight,
        "reason": demotion.reason[:MOST_WORDS],
    }


def _attempt(record: Attempt, dropped: Dropped, how: str) -> dict[str, Any]:
    usage, cost = record.usage, record.cost
    text = record.error_text
    return {
        "provider": record.provider.name,
        "number": record.number,
        "provider_model": record.provider.model,
        "outcome": record.outcome.value,
        "status": record.status,
        "error_kind": record.error_kind,
        "error": quoted(text, how) if text else "",
        "seconds": round(record.seconds, 4),
        "first_token_s": None if record.first_token_s is None else round(record.first_token_s, 4),
        "usage": {
            "input": usage.input,
            "cache_read": usage.cache_read,
            "cache_write_5m": usage.cache_write_5m,
            "cache_write_1h": usage.cache_write_1h,
            "output": usage.output,
            "reasoning": usage.reasoning,
            "reported": usage.reported,
            "estimated": record.estimated,
        },
        "cost_usd": cost.usd if cost is not None else None,
        "savings_usd": cost.savings_usd if cost is not None else 0.0,
        "dropped": dropped,
    }


def _error(report: Report, how: str) -> dict[str, Any] | None:
    """What the client was told. As soon as an upstream was asked, its words may be in it."""
    fault: Fault | None = report.fault
    if fault is None:
        return None
    message = quoted(fault.message, how) if report.tried else fault.message
    return {"kind": fault.kind, "code": fault.code, "message": message[:2000]}


def _planned(planned: Planned) -> dict[str, Any]:
    return {
        "provider": planned.provider.name,
        "provider_model": planned.provider.model,
        "dropped": planned.dropped,
        "holds": [
            {"counter": each.counter, "amount": each.amount, "cap": each.cap} for each in planned.reservations
        ],
    }
