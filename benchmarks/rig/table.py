"""What was measured, against the goals of this version, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import asdict, frozen


@frozen
class Goal:
    """A bound on the ratio router/nginx, or on the router's own figure where `absolute`."""

    bound: float
    at_least: bool
    text: str
    absolute: bool = False


@frozen
class Row:
    """One measure. `low` and `high` are the router's extremes over the rounds; equal where there was one."""

    name: str
    unit: str
    nginx: float | None
    router: float
    low: float
    high: float
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        return self.router / self.nginx if self.nginx else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        value = self.router if self.goal.absolute else self.ratio
        if value is None:
            return False
        return value >= self.goal.bound if self.goal.at_least else value <= self.goal.bound


def render(rows: Sequence[Row]) -> str:
    """One table, as wide as its contents."""
    lines = [("measure", "nginx", "router", "(low to high)", "unit", "router/nginx", "goal", "")]
    for row in rows:
        spread = "" if row.low == row.high else f"({_shown(row.low)} to {_shown(row.high)})"
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        goal = row.goal.text if row.goal else ""
        nginx = "" if row.nginx is None else _shown(row.nginx)
        lines.append((row.name, nginx, _shown(row.router), spread, row.unit, _ratio(row), goal, verdict))
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    right = {1, 2, 5}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _shown(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ""
    return f"{row.ratio:.1f} x" if row.ratio >= 1 else f"1/{1 / row.ratio:.1f}" if row.ratio else "0"


def plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON will hold them."""
    return [
        {
            **asdict(row, filter=lambda attribute, _: attribute.name != "goal"),
            "ratio": row.ratio,
            "goal": row.goal.text if row.goal else None,
            "met": row.met,
        }
        for row in rows
    ]
