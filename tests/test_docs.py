"""The reference pages are complete, and say what the code says."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from coderouter_core.cli.assemble import enabled_plugins, options_of
from coderouter_core.config.schema import CORE_OPTIONS, AuthKeys, AutoRouterKeys, LedgerKeys, PluginKeys
from coderouter_core.events import CORE_EVENTS
from coderouter_core.model import Capabilities, Scope

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
GENERATE: Mapping[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))

SECTIONS = {
    Scope.ROUTER: "Top level",
    Scope.PROVIDER: "A provider",
    Scope.COST: "`cost`",
    Scope.PROFILE: "A profile",
    Scope.RULE: "A rule",
    Scope.KEY: "An entry of `auth.keys`",
}
NESTED = {
    "`capabilities`": Capabilities,
    "`auto_router`": AutoRouterKeys,
    "`auth`": AuthKeys,
    "`ledger`": LedgerKeys,
    "`plugins`": PluginKeys,
}
#: Required in the file, and checked apart from their class.
REQUIRED = {("Top level", "providers"), ("Top level", "profiles")}


def configuration_keys() -> list[tuple[str, str, str]]:
    """Section, key and default of every key of the core and of the installed plugins."""
    options = [option for _, option in (*CORE_OPTIONS, *options_of(enabled_plugins()))]
    classes = [*((SECTIONS[option.scope], option.cls) for option in options), *NESTED.items()]
    return sorted(
        {
            (section, key, "required" if (section, key) in REQUIRED else shown(field.default))
            for section, cls in classes
            for field in attrs.fields(cls)
            for key in [field.alias or field.name]
        }
    )


def shown(default: Any) -> str:
    """A default as the page writes it."""
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    if default is attrs.NOTHING:
        return "required"
    if default is None:
        return "–"
    if attrs.has(type(default)):
        return "`{}`"
    if isinstance(default, str):
        return f"`{default}`" if default else "–"
    return f"`{json.dumps(list(default) if isinstance(default, tuple) else default)}`"


def documented_keys() -> list[tuple[str, str, str]]:
    """The same of the page."""
    found = []
    for section in re.split(
        r"^## ", (REFERENCE / "configuration.md").read_text(encoding="utf-8"), flags=re.M
    )[1:]:
        heading = section.partition("\n")[0]
        found += [
            (heading, key, default)
            for key, default in re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", section, re.M)
        ]
    return found


def everything_is_installed() -> bool:
    here = {path.parent.name for path in ROOT.glob("plugins/*/*/pyproject.toml")}
    return here <= {name for name, _ in enabled_plugins()}


@pytest.mark.parametrize(("section", "key", "default"), configuration_keys())
def test_a_configuration_key_stands_in_its_section_with_its_default(
    section: str, key: str, default: str
) -> None:
    assert (section, key, default) in documented_keys()


def test_no_key_is_documented_that_does_not_exist() -> None:
    if not everything_is_installed():
        pytest.skip("not every plugin of this repository is installed")

    assert sorted(set(documented_keys()) - set(configuration_keys())) == []


@pytest.mark.parametrize("hook", GENERATE["hook_names"]())
def test_a_hook_has_its_section(hook: str) -> None:
    assert f"\n## `{hook}`\n" in (REFERENCE / "hooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("spec", CORE_EVENTS, ids=lambda spec: spec.name)
def test_an_event_of_the_core_has_its_row(spec: Any) -> None:
    assert f"\n| `{spec.name}` |" in (REFERENCE / "events.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("plugin", "specs"), list(GENERATE["plugin_events"]()))
def test_the_events_of_a_plugin_have_their_rows(plugin: str, specs: Any) -> None:
    page = (REFERENCE / "events.md").read_text(encoding="utf-8")

    assert [spec.name for spec in specs if f"\n| `{spec.name}` |" not in page] == []


@pytest.mark.parametrize("page", ["hooks.md", "events.md", "translation.md"])
def test_a_page_is_what_the_generator_writes(page: str) -> None:
    if not everything_is_installed():
        pytest.skip("not every plugin of this repository is installed")

    assert (REFERENCE / page).read_text(encoding="utf-8") == GENERATE["PAGES"][page]()
