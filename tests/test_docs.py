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

from coderouter_core.cli import OWN
from coderouter_core.cli.assemble import enabled_plugins, options_of
from coderouter_core.config import parse
from coderouter_core.config.schema import CORE_OPTIONS, AuthKeys, AutoRouterKeys, LedgerKeys, PluginKeys
from coderouter_core.events import CORE_EVENTS
from coderouter_core.model import Capabilities, Scope
from coderouter_core.testing import conformance

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


def pages() -> list[Path]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/*/README.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)


CONFIGURATIONS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in pages()
    for number, block in enumerate(blocks(page, "yaml"))
    if re.search(r"^providers:", block, re.M) and re.search(r"^profiles:", block, re.M)
]
PLUGINS = [
    pytest.param(block, id=match[1])
    for block in blocks(Path("docs/how-to/plugin.md"), "python")
    for match in [re.match(r'"""(\w+)\.py: ', block)]
    if match
]


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_whole_configuration_on_a_page_loads(text: str) -> None:
    if not everything_is_installed():
        pytest.skip("not every plugin of this repository is installed")

    environ = dict.fromkeys(re.findall(r"\benv: (\w+)", text), "a-key")

    assert parse(text, "providers.yaml", options_of(enabled_plugins()), environ).providers


@pytest.mark.parametrize("text", PLUGINS)
def test_a_plugin_on_the_page_conforms(text: str) -> None:
    module: dict[str, Any] = {"__name__": "shown"}
    exec(compile(text, "plugin.md", "exec", dont_inherit=True), module)
    found = [each for each in module.values() if isinstance(each, type) and hooked(each)]

    assert [conformance(plugin()) for plugin in found] == [None]


def hooked(cls: type) -> bool:
    return any(hasattr(each, "coderouter_impl") for each in vars(cls).values())


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))

    assert [target for target in targets if not (ROOT / page.parent / target).exists()] == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_anchor_of_a_link_is_a_heading(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?![a-z]+:)([^)#\s]*)#([^)\s]+)\)", text)
    found = [(ROOT / page.parent / target if target else ROOT / page, anchor) for target, anchor in links]

    assert [anchor for target, anchor in found if anchor not in anchors(target)] == []


def variables() -> set[str]:
    """The variables of the environment that the core reads; one is its own word to the processes it starts."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    return set(re.findall(r'"(CODEROUTER_\w+|ALLOW_PAID|XDG_\w+)"', " ".join(sources))) - {
        "CODEROUTER_SHARED_DIR"
    }


@pytest.mark.parametrize("variable", sorted(variables()))
def test_a_variable_of_the_environment_stands_on_the_page(variable: str) -> None:
    assert f"`{variable}`" in (REFERENCE / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", OWN)
def test_a_command_stands_in_the_readme(command: str) -> None:
    assert f"| `coderouter {command}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "plugin"), [pytest.param(*each, id=each[0]) for each in enabled_plugins()])
def test_the_readme_of_a_plugin_has_its_keys_and_events(name: str, plugin: Any) -> None:
    found = list(ROOT.glob(f"plugins/*/{name}/README.md"))
    if not found:
        pytest.skip("it comes from elsewhere")
    text = found[0].read_text(encoding="utf-8")
    keys = [
        field.alias or field.name
        for _, option in options_of([(name, plugin)])
        for field in attrs.fields(option.cls)
    ]
    events = [spec.name for spec in (plugin.declare_events() if hasattr(plugin, "declare_events") else ())]

    assert [word for word in (*keys, *events) if word not in text] == []
