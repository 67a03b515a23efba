"""Run the ``coderouter`` command, and tell what each import cost: ``python imports.py FILE serve ...``.

FILE gets a JSON object at the end: for each module, seconds of CPU and KiB of memory that its own code took to run,
without what it imported itself, in the order in which they were imported.
"""

from __future__ import annotations

import atexit
import json
import sys
import time
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

Cost = tuple[float, int]


def _now() -> Cost:
    # /proc/self/statm counts pages: what is resident is the second figure.
    with open("/proc/self/statm", "rb") as statm:
        return time.process_time(), int(statm.read().split()[1]) * 4


class Imports:
    """Measures every module that is imported from now on. `costs` is by module name."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self._inner: list[Cost] = [(0.0, 0)]
        for loader in (SourceFileLoader, ExtensionFileLoader):
            for step in ("create_module", "exec_module"):
                setattr(loader, step, self._measured(getattr(loader, step)))

    def _measured(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def measured(loader: Any, about: Any) -> Any:
            name = about.__name__ if isinstance(about, ModuleType) else about.name
            since = _now()
            self._inner.append((0.0, 0))
            try:
                return step(loader, about)
            finally:
                now, inner = _now(), self._inner.pop()
                whole = (now[0] - since[0], now[1] - since[1])
                before = self.costs.get(name, (0.0, 0))
                self.costs[name] = tuple(b + w - i for b, w, i in zip(before, whole, inner, strict=True))
                self._inner[-1] = tuple(o + w for o, w in zip(self._inner[-1], whole, strict=True))

        return measured


def main(target: Path) -> None:
    imports = Imports()
    atexit.register(lambda: target.write_text(json.dumps(imports.costs)))
    from coderouter_core.cli import main as command

    command()


if __name__ == "__main__":
    told = Path(sys.argv.pop(1))
    # Its own folder is of the benchmarks, and nothing there is to be imported by the command.
    sys.path.pop(0)
    main(told)
