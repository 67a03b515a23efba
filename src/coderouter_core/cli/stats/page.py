"""The page of ``coderouter stats``: the same lines printed once, and on the live screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import frozen
from rich.text import Text

from coderouter_core.cli.stats.facts import Facts, Row
from coderouter_core.cli.stats.words import duration, percent, seconds, tokens, usd

#: Columns of the table of providers: head, width, cell. The name stands before them, the last error behind.
COLUMNS: tuple[tuple[str, int, Callable[[Row], str]], ...] = (
    ("att", 5, lambda row: str(row.attempts)),
    ("ok%", 5, lambda row: f"{row.ok_percent:.0f}"),
    ("failed", 7, lambda row: str(row.failed)),
    ("ttft", 8, lambda row: seconds(row.first_p50_s)),
    ("p95", 8, lambda row: seconds(row.first_p95_s)),
    ("in", 7, lambda row: tokens(row.input_tokens)),
    ("out", 7, lambda row: tokens(row.output_tokens)),
    ("cost", 9, lambda row: usd(row.cost_usd)),
    ("cached", 7, lambda row: percent(row.hit_rate)),
)
#: Left out one after the other where a terminal is too narrow.
DISPENSABLE = ("p95", "in", "cached", "out", "cost", "ttft")
NAME, ERROR, STATE = 22, 25, 9

#: What the table can be sorted by: how, and largest first.
SORTS: Mapping[str, Callable[[Row], float]] = {
    "configured": lambda _: 0.0,
    "attempts": lambda row: -row.attempts,
    "failed": lambda row: -row.failed,
    "ttft": lambda row: -(row.first_p50_s or 0.0),
    "cost": lambda row: -row.cost_usd,
}

COLOURS = {
    "healthy": "green",
    "slow": "yellow",
    "degraded": "yellow",
    "resting": "yellow",
    "unhealthy": "red",
}
DIM, BOLD, BAD = "dim", "bold", "red"
BAR = 16


@frozen
class View:
    """How the page is looked at. `width` in columns; `recent` is how many of the latest steps are shown."""

    width: int = 100
    recent: int = 10
    failures_only: bool = False
    sort: str = "configured"
    selected: str | None = None


def page(facts: Facts, view: View) -> list[Text]:
    """The lines, styled; their plain text is the report that is printed once."""
    return [
        *_title(facts, view),
        Text(),
        *_providers(facts, view),
        Text(),
        *_gates(facts),
        *_budgets(facts),
        *_chains(facts),
        Text(),
        *_recent(facts, view),
    ]


def shown(facts: Facts, view: View) -> list[Row]:
    """The providers as they stand in the table."""
    rows = [row for row in facts.rows if row.failed or not view.failures_only]
    return sorted(rows, key=SORTS[view.sort])


def _title(facts: Facts, view: View) -> list[Text]:
    first = Text.assemble(
        ("CodeRouter", BOLD),
        f"  profile {facts.profile}  up {duration(facts.uptime_s)}  ",
        (f"{facts.requests} requests", BOLD),
        f"  {facts.attempts} attempts  {facts.live} in flight  {facts.zone}",
    )
    second = Text(
        f"first token {seconds(facts.first_p50_s)} (p95 {seconds(facts.first_p95_s)})  "
        f"own {seconds(facts.overhead_p50_s)}  in {tokens(facts.input_tokens)}  "
        f"out {tokens(facts.output_tokens)}  cost {usd(facts.cost_usd)} saved {usd(facts.savings_usd)}"
    )
    return [first, second, Text("-" * min(view.width, 78), style=DIM)]


def _providers(facts: Facts, view: View) -> list[Text]:
    columns = _fitting(view.width)
    head = "".join(f"{name:>{width}}" for name, width, _ in columns)
    sorting = "" if view.sort == "configured" else f" by {view.sort}"
    lines = [Text(f"{'Providers' + sorting:<{NAME}}{'state':>{STATE}}{head}  last error", style=BOLD)]
    rows = shown(facts, view)
    if not facts.attempts:
        lines.append(Text("no requests yet", style=DIM))
    for row in rows:
        lines.append(_provider(row, columns, view))
        if row.name == view.selected:
            lines += _details(row)
    if not rows and view.failures_only:
        lines.append(Text("no provider failed", style=DIM))
    return lines


def _provider(row: Row, columns: Iterable[tuple[str, int, Callable[[Row], str]]], view: View) -> Text:
    line = Text(_cut(row.name, NAME - 1).ljust(NAME))
    line.append(row.state.rjust(STATE), style=COLOURS.get(row.state, ""))
    for name, width, cell in columns:
        failing = name in ("ok%", "failed") and row.failed
        line.append(cell(row).rjust(width), style=BAD if failing else "")
    error = "-" if not row.error else _cut(f"{row.error_status or ''} {row.error}".strip(), ERROR)
    line.append(f"  {error}", style=DIM)
    if row.name == view.selected:
        line.stylize("reverse", 0, NAME)
    return line


def _details(row: Row) -> list[Text]:
    """Why a provider is as it is, for the one that is looked at."""
    said = [*row.notes, *([f"last error: {row.error_status or ''} {row.error}"] if row.error else [])]
    said.append(f"saved {usd(row.savings_usd)} by prompt caches")
    return [Text(f"    {line}", style=DIM) for line in said]


def _fitting(width: int) -> list[tuple[str, int, Callable[[Row], str]]]:
    left = list(COLUMNS)
    for name in DISPENSABLE:
        if NAME + STATE + sum(column[1] for column in left) + 2 + ERROR <= width:
            break
        left = [column for column in left if column[0] != name]
    return left


def _gates(facts: Facts) -> list[Text]:
    rate = 100.0 * facts.failed / facts.attempts if facts.attempts else 0.0
    return [
        Text("Fallback & Gates", style=BOLD),
        _fact("fallback rate", f"{rate:.1f} % ({facts.failed}/{facts.attempts})"),
        _fact("paid-gate blocked", str(facts.paid_gate_blocked)),
        _fact("capability degraded", _broken_down(facts.degraded)),
        _fact("output-filter applied", _broken_down(facts.filters)),
        _fact("guards", _broken_down(facts.guards)),
    ]


def _budgets(facts: Facts) -> list[Text]:
    lines = []
    for budget in facts.budgets:
        share = budget.spent_usd / budget.cap_usd if budget.cap_usd else 1.0
        full = round(min(share, 1.0) * BAR)
        line = _fact("budget", f"{_cut(budget.name, 20):<20} ")
        line.append(
            "#" * full + "." * (BAR - full),
            style=BAD if share >= 1 else "yellow" if share >= 0.8 else "green",
        )
        line.append(f" {usd(budget.spent_usd)} of {usd(budget.cap_usd)}")
        lines.append(line)
    return lines


def _chains(facts: Facts) -> list[Text]:
    """Chains that are not what was configured, and why; the others go without saying."""
    lines = []
    for chain in facts.chains:
        if chain.effective == chain.configured:
            continue
        now = " > ".join(chain.effective) or "nobody"
        lines.append(
            _fact(f"chain {_cut(chain.profile, 15)}", f"{now}  (configured {' > '.join(chain.configured)})")
        )
        lines += [Text(f"    {reason}", style=DIM) for reason in chain.reasons]
    return lines


def _recent(facts: Facts, view: View) -> list[Text]:
    steps = [step for step in facts.recent if step.failed or not view.failures_only][: max(0, view.recent)]
    lines = [Text("Recent" + (" failures" if view.failures_only else ""), style=BOLD)]
    for step in steps:
        line = Text(f"{step.at}  {_cut(step.provider, NAME - 1):<{NAME}}")
        line.append(step.word, style=BAD if step.failed else "green" if step.word == "ok" else DIM)
        lines.append(line)
    return lines


def _fact(name: str, value: str) -> Text:
    return Text.assemble((f"  {name:<22}", DIM), value)


def _broken_down(counts: Mapping[str, int]) -> str:
    told = "  ".join(f"{name}:{count}" for name, count in sorted(counts.items()) if count)
    total = sum(counts.values())
    return f"{total}  {told}" if told else str(total)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
