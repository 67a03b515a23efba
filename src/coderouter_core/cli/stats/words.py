"""Figures as people read them; the same in every report."""

from __future__ import annotations


def tokens(count: int) -> str:
    """Short above ten thousand, exact below."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 10 * size or (unit != "k" and count >= size):
            return f"{count / size:.1f}{unit}"
    return str(count)


def usd(amount: float) -> str:
    """To the cent from a dollar on, finer below."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def duration(seconds: float) -> str:
    """``12s``, ``3m 04s``, ``1h 23m``, ``2d 03h``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"


def seconds(value: float | None) -> str:
    """Milliseconds below a second."""
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def percent(part: float | None) -> str:
    """A share from 0 to 1."""
    return "-" if part is None else f"{part * 100:.0f} %"
