"""Several processes on one socket: how each writes its figures for the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coderouter_core.api import PeerFolder, Writing
from coderouter_observer_metrics.snapshot import Snapshot, add_up


class Folder(PeerFolder[Snapshot]):
    """The figures of the processes that share the folder `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Writing("metrics", Snapshot.encoded, Snapshot.decoded, _of_the_gone))


def _of_the_gone(gone: Sequence[Snapshot], names: Sequence[str]) -> Snapshot:
    """What is kept of processes that ended: what they counted."""
    total = add_up(gone[0], gone=gone[1:])
    return Snapshot(
        pid=0,
        started_at=total.started_at,
        counts=total.counts.plain(),
        recent=total.recent,
        errors=total.errors,
        startup={},
        live=0,
        standings=[],
        budgets=[],
        ledger={"ok": True},
        added_up=names,
    )
