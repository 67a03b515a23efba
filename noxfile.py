"""Everything that is done to this repository, as sessions: ``nox -l`` lists them, ``nox -s NAME`` runs one.

Without a name: lint, types, tests, alone and wheelhouse, which need Python, pip and a package index.
What stands after ``--`` is passed on to the session's tool.
"""

from __future__ import annotations

import os
import re
import shutil
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import nox
import virtualenv

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "alone", "wheelhouse"]

# As pip does: where the system's store of certificates is, a company's own are in it.
if sys.platform != "linux" or Path(ssl.get_default_verify_paths().openssl_cafile).exists():
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")

PROJECT = nox.project.load_toml("pyproject.toml")
PLUGINS = {path.parent.name: path.parent for path in sorted(Path("plugins").glob("*/*/pyproject.toml"))}

#: What a shell may hold that would change what a session sees: where nox itself was found, and the
#: settings of somebody's own router.
HIDDEN = ("PYTHONPATH", "ALLOW_PAID", *(name for name in os.environ if name.startswith("CODEROUTER_")))

#: Where the clients of e2e are kept between runs: some of them are large.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "coderouter-e2e"
LLM = "llm==0.36"
#: Tests of e2e that need programs from the system's packages.
OPERATORS = ("e2e/test_dashboard.py", "e2e/test_promtool.py")

#: Tests that serve whole routers, with the adapters that `coderouter_core.testing` brings.
NEED_NO_PLUGIN = (
    "tests/engine",
    "tests/web",
    "tests/test_hooks.py",
    "tests/routing/test_choosing.py",
    "tests/testing/test_router.py",
)

NAMES_OF_PLUGINS = "from coderouter_core.plugins import find; print(*(each.name for each in find()))"


def install(session: nox.Session, *groups: str, plugins: tuple[Path, ...] = tuple(PLUGINS.values())) -> None:
    """The core and `plugins`, editable, and the development tools of `groups`."""
    session.env.update(dict.fromkeys(HIDDEN))
    editable = [word for path in (Path(), *plugins) for word in ("-e", f"./{path}")]
    session.install(*editable, *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def demo(session: nox.Session) -> None:
    """Show the router at work with a model of its own: ``coderouter demo``."""
    install(session)
    session.run("coderouter", "demo", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and the walls between packages."""
    install(session, "lint", plugins=())
    session.run("ruff", "check", "-q", *(session.posargs or ["."]))
    session.run("ruff", "format", "-q", "--check", *(session.posargs or ["."]))
    session.run("lint-imports", "--no-cache", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    install(session, "types")
    modules = [str(found) for path in PLUGINS.values() for found in path.glob("coderouter_*")]
    places = {"MYPYPATH": os.pathsep.join(map(str, PLUGINS.values()))}
    session.run("mypy", *(session.posargs or ["src/coderouter_core", *modules]), env=places)


@nox.session
def tests(session: nox.Session) -> None:
    """Every test of the core and of the plugins."""
    install(session, "test")
    session.run("pytest", "-q", *session.posargs)


@nox.session
@nox.parametrize("plugin", [nox.param(name, id=name) for name in ("core", *PLUGINS)])
def alone(session: nox.Session, plugin: str) -> None:
    """The core without any plugin, and each plugin without the others."""
    path = PLUGINS.get(plugin)
    install(session, "test", plugins=(path,) if path else ())
    found = session.run("python", "-c", NAMES_OF_PLUGINS, silent=True)
    if str(found).split() != ([plugin] if path else []):
        session.error(f"installed are: {found}")
    session.run("coderouter", "plugins", silent=True)
    session.run("pytest", "-q", *([str(path)] if path else NEED_NO_PLUGIN), *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Build the wheel of every distribution into dist/."""
    session.env.update(dict.fromkeys(HIDDEN))
    session.install("hatchling>=1.27")
    target = Path("dist").absolute()
    for old in target.glob("coderouter_*.whl"):
        old.unlink()
    for path in (Path(), *PLUGINS.values()):
        with session.chdir(path):
            session.run("hatchling", "build", "-t", "wheel", "-d", str(target), silent=True)


@nox.session(requires=["wheels"], reuse_venv=False)
def wheelhouse(session: nox.Session) -> None:
    """Install the wheels as a user does, into a bare environment, and route a request."""
    session.env.update(dict.fromkeys(HIDDEN))
    projects = [PROJECT, *(nox.project.load_toml(path / "pyproject.toml") for path in PLUGINS.values())]
    asked = [name for project in projects for name in project["project"]["dependencies"]]
    session.install(*(name for name in asked if not name.startswith("coderouter-")))
    # Our own names are taken from dist/ or not at all: nobody else's upload of them can slip in.
    # Nor an earlier wheel: uv's cache knows a folder's wheels by name and version, not by content.
    fresh = {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    session.install("--no-index", "--find-links", "dist", "coderouter-core[all]", env=fresh)
    session.run("python", "-I", "tests/smoke.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Write the reference pages that the code can tell; every relative link leads somewhere."""
    install(session)
    session.run("python", "docs/generate.py")
    pages = [*Path().glob("*.md"), *Path("docs").rglob("*.md"), *Path("plugins").glob("*/*/*.md")]
    broken = [
        f"{page}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    if broken:
        session.error("links that lead nowhere:\n  " + "\n  ".join(broken))


@nox.session
def streams(session: nox.Session) -> None:
    """Generated streams through every lane: for a minute, or ``--count N``, ``--seconds S``, ``--seed X``."""
    install(session)
    session.run("python", "-m", "coderouter_core.testing.streams", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks: those named after ``--``, or all."""
    install(session, "bench")
    for script in session.posargs or sorted(str(path) for path in Path("benchmarks").glob("[!_]*.py")):
        session.run("python", script)


@nox.session
def e2e(session: nox.Session) -> None:
    """Clients that nobody here wrote: agents' command lines, and the vendors' SDKs in their newest versions. Needs Node 20 and npm."""
    if shutil.which("npm") is None:
        session.error("npm is not here, which brings the agents' command lines; it comes with Node.js 20")
    install(session, "test")
    session.install("-U", "anthropic", "openai")
    places = {"E2E_CLIENTS": str(npm_clients(session)), "E2E_LLM": str(llm_client(session))}
    sdks = map(str, Path("tests").rglob("test_sdks*.py"))
    # As a module: tests of agents share one, which is found from here.
    rest = [f"--ignore={path}" for path in OPERATORS]
    session.run("python", "-m", "pytest", "-q", *(session.posargs or ["e2e", *rest, *sdks]), env=places)


@nox.session
def browser(session: nox.Session) -> None:
    """What operators look with: Chromium at the dashboard, promtool at the metrics. ``PICTURES`` is a folder for pictures."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    for name, found in (("chromium", chromium), ("promtool", shutil.which("promtool"))):
        if found is None:
            session.error(f"{name} is not here; on Debian: apt-get install chromium prometheus")
    install(session, "test")
    session.install("playwright")
    session.run("pytest", "-q", *(session.posargs or OPERATORS), env={"CHROMIUM": chromium})


def npm_clients(session: nox.Session) -> Path:
    """Where the clients of ``e2e/package.json`` are, installed outside of the repository when it has changed."""
    place, pins = CACHE / "node", Path("e2e/package.json").read_text(encoding="utf-8")

    def fill() -> None:
        place.joinpath("package.json").write_text(pins, encoding="utf-8")
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error")
        session.run("npm", "install", *quiet, "--prefix", str(place), external=True, silent=True)

    return filled(place, pins, fill)


def llm_client(session: nox.Session) -> Path:
    """The command line of ``llm``, in an environment of its own outside of the repository."""
    place = CACHE / "llm"

    def fill() -> None:
        virtualenv.cli_run([str(place)])
        session.run(
            str(place / "bin" / "python"), "-m", "pip", "install", "-q", LLM, external=True, silent=True
        )

    return filled(place, f"{LLM} {sys.version}", fill) / "bin" / "llm"


def filled(place: Path, pins: str, fill: Callable[[], None]) -> Path:
    """`place`, emptied and filled anew unless what it was filled with last were these `pins`."""
    mark = place / "filled-with"
    if not mark.exists() or mark.read_text(encoding="utf-8") != pins:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        fill()
        mark.write_text(pins, encoding="utf-8")
    return place
