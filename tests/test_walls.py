"""Who may import whom."""

import ast
import functools
import tomllib
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "src" / "coderouter_core"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/*/pyproject.toml"))

VALUES = {"model", "errors", "events"}
DECIDING = {*VALUES, "hookspecs", "hooks", "plugins", "config", "capabilities", "wire"}
SERVING = {*DECIDING, "costs", "ids", "engine", "exchange", "ledger", "log", "router", "routing", "transport"}

#: What each module or package of the core may import of the others.
MAY_IMPORT: dict[str, Set[str]] = {
    "model": set(),
    "errors": {"model"},
    "events": set(),
    "alarm": set(),
    "transport": {"model", "errors", "alarm"},
    "exchange": {"model", "errors", "transport"},
    "wire": {"model", "errors"},
    "hookspecs": {"model", "events"},
    "api": {*VALUES, "hookspecs", "exchange", "peers"},
    "hooks": {*VALUES, "hookspecs"},
    "plugins": {*VALUES, "hookspecs"},
    "config": {*VALUES, "hookspecs"},
    "capabilities": {*VALUES, "config"},
    "ledger": VALUES,
    "costs": {"model"},
    "ids": set(),
    "peers": set(),
    "log": VALUES,
    "routing": {*VALUES, "hooks"},
    "engine": {*VALUES, "hooks", "wire", "capabilities", "costs", "ids", "alarm"},
    "router": SERVING - {"router"},
    "web": SERVING,
    "testing": {*SERVING, "web"},
    "cli": {*SERVING, "web", "testing"},
    "__main__": {"cli"},
}

#: A codec that touches none of these can be tested with bytes alone, and replayed.
IMPURE = {"asyncio", "httpx", "starlette", "structlog", "time", "socket", "threading", "random", "logging"}

#: Words of the core that are also names of plugins, and why they stand there.
ALSO_WORDS = {
    ("capabilities/gates.py", "adaptive"): "a value of `thinking.type` in the Messages dialect",
    ("capabilities/gates.py", "tokens"): "a fact that every request can tell of itself",
    ("engine/failure.py", "tokens"): "a field of an event",
    ("engine/loop.py", "tokens"): "a fact that every request can tell of itself",
    ("events.py", "tokens"): "a field of an event",
    ("engine/attempt.py", "adaptive"): "a value of `thinking.type` in the Messages dialect",
    ("wire/bodies/thinking.py", "adaptive"): "a value of `thinking.type` in the Messages dialect",
    ("wire/bodies/thinking.py", "anthropic"): "a value of reasoning_control",
    ("model/provider.py", "openai-compat"): "the kind of a provider that names none, as in CodeRouter 1.10",
    ("model/provider.py", "anthropic"): "a value of reasoning_control and of mcp",
    ("model/request.py", "has_image"): "a fact that every request can tell of itself",
    ("model/request.py", "has_tools"): "a fact that every request can tell of itself",
    ("model/request.py", "code_fence_ratio"): "a fact that every request can tell of itself",
    ("model/request.py", "tokens"): "a fact that every request can tell of itself",
    ("routing/choosing.py", "tokens"): "a fact that every request can tell of itself",
    ("routing/families.py", "tokens"): "a fact that every request can tell of itself",
    ("web/count.py", "tokens"): "a fact that every request can tell of itself",
    ("cli/demo/show.py", "tokens"): "a word of the show",
    ("cli/stats/facts.py", "tokens"): "a key of /metrics.json",
    ("cli/stats/page.py", "budget"): "a word of the page",
    ("cli/discover.py", "openai-compat"): "written into the configuration that serve finds for itself",
    ("cli/discover.py", "anthropic"): "written into the configuration that serve finds for itself",
}


def sources(*tops: Path) -> list[Path]:
    """Python files below `tops`, without what tools leave there."""
    found = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*.py"))]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.parts))


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """Dotted names of all imports, lazy ones too; ``from a import b`` gives ``a.b``."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def within(name: str, *modules: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def groups() -> set[str]:
    return {path.relative_to(CORE).parts[0].removesuffix(".py") for path in sources(CORE)} - {"__init__"}


def module_of(plugin: Path) -> str:
    """The name of a plugin's module."""
    entries = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]["entry-points"]
    (target,) = entries["coderouter.plugins"].values()
    return str(target).partition(":")[0]


def test_every_module_of_the_core_has_its_place() -> None:
    assert groups() - MAY_IMPORT.keys() == set()


@pytest.mark.parametrize("group", sorted(MAY_IMPORT))
def test_the_core_keeps_its_walls(group: str) -> None:
    allowed = {group, *MAY_IMPORT[group], "__version__"}
    broken = [
        f"{path.relative_to(CORE)} imports {name}"
        for path in sources(CORE)
        if path.relative_to(CORE).parts[0].removesuffix(".py") == group
        for name in imported(path)
        if within(name, "coderouter_core") and name.split(".")[1] not in allowed
    ]
    assert broken == []


def test_imports_are_absolute() -> None:
    relative = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(CORE, ROOT / "plugins")
        for name in imported(path)
        if name.startswith(".")
    ]
    assert relative == []


def test_wire_is_pure() -> None:
    impure = [
        f"{path.name} imports {name}"
        for path in sources(CORE / "wire")
        for name in imported(path)
        if within(name, *IMPURE)
    ]
    assert impure == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_sees_api_and_wire_only(plugin: Path) -> None:
    seen = {
        name
        for path in sources(plugin)
        if "tests" not in path.relative_to(plugin).parts
        for name in imported(path)
        if name.startswith("coderouter_")
    }
    allowed = ("coderouter_core.api", "coderouter_core.wire", module_of(plugin))
    assert {name for name in seen if not within(name, *allowed)} == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugins_tests_see_what_its_author_sees(plugin: Path) -> None:
    seen = {name for path in sources(plugin / "tests") for name in imported(path)}
    allowed = ("coderouter_core.api", "coderouter_core.wire", "coderouter_core.testing", module_of(plugin))
    assert {name for name in seen if name.startswith("coderouter_") and not within(name, *allowed)} == set()


def test_nobody_imports_a_plugin() -> None:
    modules = [module_of(plugin) for plugin in PLUGINS]
    importers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(CORE, ROOT / "tests", ROOT / "benchmarks", ROOT / "noxfile.py")
        for name in imported(path)
        if within(name, *modules)
    ]
    assert importers == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_the_core_does_not_know_a_plugins_package(plugin: Path) -> None:
    module = module_of(plugin)
    knowing = [
        str(path.relative_to(CORE))
        for path in CORE.rglob("*")
        if path.suffix in {".py", ".yaml", ".html"}
        and any(word in path.read_text(encoding="utf-8") for word in (module, module.replace("_", "-")))
    ]
    assert knowing == []


def test_the_core_does_not_know_a_plugins_name() -> None:
    names = {spelling for plugin in PLUGINS for spelling in (plugin.name, plugin.name.replace("-", "_"))}
    knowing = {
        (str(path.relative_to(CORE)), node.value)
        for path in sources(CORE)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert knowing == ALSO_WORDS.keys()


def test_nothing_is_mocked() -> None:
    mocking = [
        str(path.relative_to(ROOT))
        for path in sources(CORE, ROOT / "plugins", ROOT / "tests", ROOT / "benchmarks")
        if any(within(name, "unittest.mock", "mock", "pytest_mock") for name in imported(path))
    ]
    assert mocking == []
