"""What can be added to this installation: the extras of the distribution, read from its metadata."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache

from attrs import frozen

from coderouter_core.config.owners import normal

DISTRIBUTION = "coderouter-core"
ENTRY_POINTS = "coderouter.plugins"

#: Extras that stand for several plugins.
FAMILIES = frozenset({"adapters", "all", "filters", "guards", "matchers", "observers"})

_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def belongs(key: str, name: str) -> bool:
    """Whether the words of `name` stand side by side in `key`: ``tool_loop_window`` is of ``tool-loop``."""
    return f"-{normal(name)}-" in f"-{normal(key)}-"


def owner_of(key: str, names: Iterable[str]) -> str | None:
    """The longest of `names` that `key` belongs to."""
    return max((name for name in names if belongs(key, name)), key=len, default=None)


@frozen
class Features:
    """Extras by name; whether this version has a plugin for each. `installed` names entry points."""

    extras: Mapping[str, bool]
    installed: Collection[str] = ()

    @classmethod
    @cache
    def of_installation(cls) -> Features:
        """What the metadata of the installed distribution say; nothing where there are none."""
        # Imported here: it is slow, and asked only where something is missing or disabled.
        from importlib import metadata

        installed = {normal(point.name) for point in metadata.entry_points(group=ENTRY_POINTS)}
        try:
            said = metadata.metadata(DISTRIBUTION)
        except metadata.PackageNotFoundError:
            return cls({}, installed)
        extras = {normal(name) for name in said.get_all("Provides-Extra") or ()} - FAMILIES
        required = {
            normal(extra) for line in said.get_all("Requires-Dist") or () for extra in _EXTRA.findall(line)
        }
        return cls({name: name in required for name in sorted(extras)}, installed)

    def advice(self, name: str) -> str:
        """What to do about something that comes with the extra `name`, which is not there."""
        if self.extras[name]:
            return f"comes with a plugin that is not installed; run: pip install '{DISTRIBUTION}[{name}]'"
        return f"comes with the extra {name!r}, for which this version has no plugin yet; remove it"
