"""The way of a request, for people: a label and what stands beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coderouter_core.cli.printable import printable

Facts = Mapping[str, Any]
Row = tuple[str, str, str]

_CHOSEN = {
    "body": "the body's profile field asked for it",
    "header": "the header X-CodeRouter-Profile asked for it",
    "mode": "the mode {word!r} means it (X-CodeRouter-Mode)",
    "model": "the model {word!r} names it",
    "rule": "the rule {word!r} held",
    "conversation": "the rule {word!r} held earlier in this conversation",
    "fallthrough": "no rule held",
    "default": "the default",
}
_GOOD, _BAD, _SO_SO, _DIM, _PLAIN = "green", "red", "yellow", "dim", ""
_STYLES = {"ok": _GOOD, "failed": _BAD, "broken": _BAD, "refused": _SO_SO, "cancelled": _SO_SO}
_SENTENCES = {
    "ok": "ok",
    "failed": "nobody answered",
    "broken": "broken off after its first content",
    "refused": "declined",
    "cancelled": "the client left",
    "unfinished": "the router failed on it; its log has the reason",
}


def show(trace: Facts, zone: dt.tzinfo = dt.UTC) -> None:
    """Print it: in colours on a terminal, as plain text of 80 columns elsewhere."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for label, text, style in rows(trace, zone):
        grid.add_row(label, Text(printable(text), style))
    with console.capture() as captured:
        console.print(grid)
    lines = captured.get().splitlines()
    console.file.write("\n".join(line if console.is_terminal else line.rstrip() for line in lines) + "\n")


def rows(trace: Facts, zone: dt.tzinfo = dt.UTC) -> Iterator[Row]:
    """Label, text and style of each line. `trace` is what the ledger keeps; without an id it is a plan."""
    facts: Facts = trace["facts"]
    if "too_long_bytes" in facts:
        yield "request", f"{trace['request_id']}: its way was too long to be kept", _PLAIN
        return
    yield from _asked(trace, facts, zone)
    yield from _chosen(facts)
    yield from _decided(facts)
    if "planned" in facts or not trace.get("request_id"):
        yield from _planned(facts)
        return
    for attempt in facts.get("attempts") or ():
        yield from _attempt(attempt)
    yield from _ended(facts)


def _kind(facts: Facts) -> str:
    """The dialect, and what was asked for in it where that was no answer."""
    operation = facts.get("operation", "generate")
    return str(facts.get("dialect")) if operation == "generate" else f"{facts.get('dialect')} ({operation})"


def _asked(trace: Facts, facts: Facts, zone: dt.tzinfo) -> Iterator[Row]:
    if identity := trace.get("request_id"):
        yield "request", str(identity), _PLAIN
        at = dt.datetime.fromtimestamp(facts.get("at") or trace["at"], zone)
        yield "when", at.strftime("%Y-%m-%d %H:%M:%S %Z"), _PLAIN
    said = [
        f"{_kind(facts)}, {'streamed' if facts.get('stream') else 'not streamed'}",
        f"model {facts['model']!r}" if facts.get("model") else "no model named",
    ]
    said += [
        f"{word} {facts[key]}"
        for word, key in (("session", "session_id"), ("key", "client_key"))
        if facts.get(key)
    ]
    yield "asked", "; ".join(said), _PLAIN


def _chosen(facts: Facts) -> Iterator[Row]:
    if not facts.get("profile"):
        yield "profile", "none was chosen", _SO_SO
        return
    by = str(facts.get("chosen_by"))
    why = _CHOSEN.get(by, by).format(word=facts.get("chosen_word", ""))
    yield "profile", f"{facts['profile']}: {why}", _PLAIN
    if signals := facts.get("signals"):
        yield "rules saw", ", ".join(f"{name} {_word(value)}" for name, value in signals.items()), _DIM


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _decided(facts: Facts) -> Iterator[Row]:
    for said in facts.get("instructions") or ():
        yield "added", f"an instruction by {said['plugin']}: {said['reason']}", _PLAIN
    if said := facts.get("refusal"):
        yield "declined", f"by {said['plugin']}: {said['reason']}", _SO_SO
    if facts.get("candidates"):
        yield "chain", " → ".join(facts["candidates"]), _PLAIN
    for said in facts.get("rejections") or ():
        yield (
            "left out",
            f"{said['provider']} by {said['plugin']}: {said['reason']} ({said['event']})",
            _SO_SO,
        )
    for said in facts.get("demotions") or ():
        yield (
            "moved back",
            f"{said['provider']} by {said['plugin']}, weight {said['weight']}: {said['reason']}",
            _SO_SO,
        )
    order = facts.get("order") or ()
    if order and list(order) != list(facts.get("candidates") or ()):
        yield "order", " → ".join(order), _PLAIN


def _attempt(attempt: Facts) -> Iterator[Row]:
    outcome = str(attempt["outcome"])
    words = [outcome, *([str(attempt["status"])] if attempt.get("status") else [])]
    if attempt.get("error_kind") not in (None, "status"):
        words.append(str(attempt["error_kind"]))
    told = f"{attempt['provider']}: {', '.join(words)} after {_seconds(attempt['seconds'])}"
    if attempt.get("first_token_s") is not None:
        told += f", first content after {_seconds(attempt['first_token_s'])}"
    if attempt.get("error"):
        told += f": {attempt['error']}"
    yield f"attempt {attempt['number']}", told, _STYLES.get(outcome, _PLAIN)
    if used := _used(attempt):
        yield "", used, _DIM
    yield from _dropped(attempt)


def _used(attempt: Facts) -> str:
    usage: Facts = attempt.get("usage") or {}
    if not (usage.get("reported") or usage.get("estimated")):
        return ""
    written = usage["cache_write_5m"] + usage["cache_write_1h"]
    prompt = usage["input"] + usage["cache_read"] + written
    said = f"{prompt:,} tokens in"
    cached = [(usage["cache_read"], "read from cache"), (written, "written to cache")]
    if parts := [f"{count:,} {what}" for count, what in cached if count]:
        said += f" ({', '.join(parts)})"
    said += f", {usage['output']:,} out"
    usd = attempt.get("cost_usd")
    said += "; price unknown" if usd is None else f"; {dollars(usd)}"
    if attempt.get("savings_usd"):
        said += f", saved {dollars(attempt['savings_usd'])}"
    return said + (" (estimated)" if usage.get("estimated") else "")


def _dropped(what: Facts) -> Iterator[Row]:
    for field, reason in what.get("dropped") or ():
        yield "", f"without {field}: {reason}", _DIM


def _planned(facts: Facts) -> Iterator[Row]:
    planned: Sequence[Facts] = facts.get("planned") or ()
    for number, each in enumerate(planned, 1):
        yield f"{'first' if number == 1 else 'then'}", f"{each['provider']}: {_model(each)}", _GOOD
        for hold in each["holds"]:
            # A cap is of dollars as far as the core knows: counters of spending are what it is used for.
            yield "", f"would hold {dollars(hold['amount'])} of {hold['counter']} (cap {hold['cap']:g})", _DIM
        yield from _dropped(each)
    if error := facts.get("error"):
        yield "nobody", f"{facts['status']} {error['kind']}: {error['message']}", _BAD


def _model(each: Facts) -> str:
    return f"as model {each['provider_model']!r}" if each.get("provider_model") else "its own model"


def _ended(facts: Facts) -> Iterator[Row]:
    tried = {attempt["provider"] for attempt in facts.get("attempts") or ()}
    gone = {said["provider"] for said in facts.get("rejections") or ()}
    left = [name for name in facts.get("order") or () if name not in tried | gone]
    if left and tried:
        why = f": {facts['stopped']}" if facts.get("stopped") else ""
        yield "not tried", f"{', '.join(left)}{why}", _DIM
    outcome = str(facts.get("outcome"))
    status = f", {facts['status']}" if facts.get("status") else ""
    told = f"{_SENTENCES.get(outcome, outcome)}{status} after {_seconds(facts.get('seconds') or 0.0)}"
    if facts.get("overhead_ms") is not None:
        told += f"; {facts['overhead_ms']:.1f} ms of them the router's own until the answer began"
    if (error := facts.get("error")) and not facts.get("refusal"):
        told += f"\n{error['kind']}: {error['message']}" if error["message"] else f"\n{error['kind']}"
    yield "ended", told, _STYLES.get(outcome, _PLAIN)


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def dollars(usd: float) -> str:
    """Four digits, more where that would show nothing."""
    return f"${usd:.4f}" if not usd or usd >= 0.0001 else f"${usd:.8f}"
