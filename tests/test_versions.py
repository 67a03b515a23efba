"""One version, one shape: what holds of all distributions together."""

import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

import coderouter_core

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml"))
FAMILIES = {"adapters", "counters", "guards", "filters", "matchers", "observers"}

EACH_PLUGIN = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)


def read(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


CORE = read(ROOT)["project"]
EXTRAS: dict[str, list[str]] = CORE["optional-dependencies"]


def distribution(plugin: Path) -> str:
    return f"coderouter-{plugin.parent.name.removesuffix('s')}-{plugin.name}"


def module(plugin: Path) -> str:
    return distribution(plugin).replace("-", "_")


def top_level(folder: Path, into: Path) -> set[str]:
    """What the wheel built from `folder` puts into site-packages, its metadata aside."""
    (wheel,) = WheelBuilder(str(folder)).build(directory=str(into), versions=["standard"])
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    return {name for name in names if not name.endswith(".dist-info")}


def test_the_module_says_the_version_of_the_distribution() -> None:
    assert coderouter_core.__version__ == CORE["version"]


@EACH_PLUGIN
def test_a_plugin_has_the_version_of_the_core(plugin: Path) -> None:
    assert read(plugin)["project"]["version"] == CORE["version"]


@EACH_PLUGIN
def test_a_plugin_asks_for_its_own_version_of_the_core(plugin: Path) -> None:
    assert read(plugin)["project"]["dependencies"][0] == f"coderouter-core=={CORE['version']}"


@EACH_PLUGIN
def test_a_plugin_is_an_extra_of_its_name(plugin: Path) -> None:
    assert EXTRAS.get(plugin.name) == [f"{distribution(plugin)}=={CORE['version']}"]


@EACH_PLUGIN
def test_a_plugin_is_named_by_its_folder(plugin: Path) -> None:
    assert read(plugin)["project"]["name"] == distribution(plugin)


@EACH_PLUGIN
def test_a_plugins_entry_point_is_named_by_its_folder(plugin: Path) -> None:
    entries = read(plugin)["project"]["entry-points"]

    assert {group: list(found) for group, found in entries.items()} == {"coderouter.plugins": [plugin.name]}


@EACH_PLUGIN
def test_a_plugins_entry_point_is_in_its_module(plugin: Path) -> None:
    (target,) = read(plugin)["project"]["entry-points"]["coderouter.plugins"].values()

    assert target.partition(":")[0] == module(plugin)


@EACH_PLUGIN
def test_a_plugins_project_file_has_the_common_shape(plugin: Path) -> None:
    common, own = read(PLUGINS[0]), read(plugin)
    for each in (common, own):
        for key in ("name", "description", "entry-points"):
            del each["project"][key]
        # What it needs beyond the core, and whether it is a module or a package, is its own matter.
        del each["project"]["dependencies"][1:]
        del each["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert own == common


@EACH_PLUGIN
def test_a_plugins_wheel_is_one_module(plugin: Path, tmp_path: Path) -> None:
    (name,) = top_level(plugin, tmp_path)

    assert name.removesuffix(".py") == module(plugin)


@EACH_PLUGIN
def test_a_plugin_has_a_readme_and_tests(plugin: Path) -> None:
    assert len((plugin / "README.md").read_text().splitlines()) > 3
    assert list(plugin.glob("tests/**/test_*.py"))


@EACH_PLUGIN
def test_a_plugin_is_a_member_of_the_workspace(plugin: Path) -> None:
    assert read(ROOT)["tool"]["uv"]["sources"].get(distribution(plugin)) == {"workspace": True}


def test_the_cores_wheel_is_its_package(tmp_path: Path) -> None:
    assert top_level(ROOT, tmp_path) == {"coderouter_core"}


def test_folders_of_plugins_are_families() -> None:
    assert {plugin.parent.name for plugin in PLUGINS} <= FAMILIES


@pytest.mark.parametrize("family", sorted({plugin.parent.name for plugin in PLUGINS}))
def test_a_family_is_an_extra_of_all_its_plugins(family: str) -> None:
    members = {plugin.name for plugin in PLUGINS if plugin.parent.name == family}
    (asked,) = EXTRAS[family]

    assert asked.startswith("coderouter-core[")
    assert set(asked.removeprefix("coderouter-core[").removesuffix("]").split(",")) == members


def test_all_is_every_family() -> None:
    (asked,) = EXTRAS["all"]
    families = {plugin.parent.name for plugin in PLUGINS}

    assert set(asked.removeprefix("coderouter-core[").removesuffix("]").split(",")) == families


def test_an_extra_is_a_plugin_a_family_or_a_feature_to_come() -> None:
    plugins = {plugin.name for plugin in PLUGINS}
    others = {name: asked for name, asked in EXTRAS.items() if name not in plugins | FAMILIES | {"all"}}

    assert {name for name, asked in others.items() if asked} == set()
