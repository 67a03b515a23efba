"""Write the reference pages that the code itself can tell: hooks.md, events.md and translation.md.

``python docs/generate.py``, in an environment with every plugin of this repository.
"""

from __future__ import annotations

import inspect
import re
import runpy
import textwrap
from collections.abc import Iterator
from pathlib import Path

from coderouter_core import hookspecs
from coderouter_core.cli.assemble import enabled_plugins
from coderouter_core.events import CORE_EVENTS, EventSpec

REFERENCE = Path(__file__).parent / "reference"
LINES = ("Called", "Combined", "Must not", "Raises")

HOOKS = """# Hooks

What a plugin may implement, in the order in which the hooks come up in the life of a router. Every hook is an ordinary function that may not
block: work that waits belongs into what `make_adapter`, `stream_filter` or `service` return. A plugin implements the hooks it wants, with
`@hookimpl` from `coderouter_core.api`, and takes only the arguments it needs, by name; a misspelt hook or argument, and one that is `async`, is an error at start. [How
a plugin is written](../how-to/plugin.md).

An answer that is not of the type below is taken as if the hook had raised a `TypeError`. Whatever goes wrong is told with the plugin's name, in `plugin-failed` or in the error that ends
the start.

This page is written by `docs/generate.py` from `coderouter_core.hookspecs`.
"""

EVENTS = """# Events

What the router tells of itself: its log, and whatever a plugin makes of `observe_event`. Each is a name, a level and fields; `request_id` is with all
that belong to a request, and `session_id` where its client named one. What a plugin decided has `plugin` and `reason` besides the fields listed here. Never the text of a request, never a key. Levels: `info` is a decision, `warning` is for this week, `error` for today, `debug`
is not logged unless asked for. [The way of one request](../explanation/one-request.md) is told by `coderouter explain`.

This page is written by `docs/generate.py` from `coderouter_core.events` and from what the plugins declare.
"""


def hooks_page() -> str:
    """The reference of hooks."""
    return "\n".join([HOOKS, *(_hook(name) for name in hook_names())])


def hook_names() -> list[str]:
    """Every hook, in the order in which they are written down."""
    marked = {
        name: function
        for name, function in vars(hookspecs).items()
        if inspect.isfunction(function) and hasattr(function, f"{hookspecs.PROJECT}_spec")
    }
    return sorted(marked, key=lambda name: marked[name].__code__.co_firstlineno)


def _hook(name: str) -> str:
    function = getattr(hookspecs, name)
    said, fixed = _parts(inspect.getdoc(function) or "")
    rows = "\n".join(f"| {line.lower()} | {fixed[line]} |" for line in LINES)
    return f"## `{name}`\n\n```python\n{_signature(name)}\n```\n\n{said}\n\n| | |\n|---|---|\n{rows}\n"


def _signature(name: str) -> str:
    signature = inspect.signature(getattr(hookspecs, name))
    arguments = ", ".join(f"{each.name}: {each.annotation}" for each in signature.parameters.values())
    line = f"def {name}({arguments}) -> {signature.return_annotation}"
    return line if len(line) <= 110 else f"def {name}(\n    {arguments}\n) -> {signature.return_annotation}"


def _parts(doc: str) -> tuple[str, dict[str, str]]:
    """What a hook's docstring says, and its four fixed lines."""
    begins = doc.index(f"{LINES[0]}:")
    fixed = doc[begins:]
    found = dict(re.findall(rf"^({'|'.join(LINES)}):\s+(.*?)(?=^\S|\Z)", fixed, re.MULTILINE | re.DOTALL))
    return doc[:begins].strip().replace("``", "`"), {
        line: " ".join(text.split()).replace("``", "`") for line, text in found.items()
    }


def events_page() -> str:
    """The reference of events: the core's, then those of each plugin that has any."""
    sections = [_events("The core", CORE_EVENTS)]
    sections += [_events(f"Plugin `{name}`", specs) for name, specs in plugin_events()]
    return "\n".join([EVENTS, *sections])


def plugin_events() -> Iterator[tuple[str, tuple[EventSpec, ...]]]:
    """Every plugin that declares events, and those."""
    for name, plugin in enabled_plugins():
        if hasattr(plugin, "declare_events") and (specs := tuple(plugin.declare_events() or ())):
            yield name, specs


def _events(heading: str, specs: tuple[EventSpec, ...]) -> str:
    rows = [
        f"| `{spec.name}` | {spec.level.name.lower()} | {', '.join(f'`{name}`' for name in spec.fields) or '–'} | {spec.text} |"
        for spec in specs
    ]
    head = "| event | level | fields | says |\n|---|---|---|---|"
    return textwrap.dedent(f"## {heading}\n\n{head}\n") + "\n".join(rows) + "\n"


def translation_page() -> str:
    """The reference of translations."""
    page = runpy.run_path(str(Path(__file__).with_name("translations.py")))["translation_page"]
    return str(page())


PAGES = {"hooks.md": hooks_page, "events.md": events_page, "translation.md": translation_page}


def main() -> None:
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
