"""Which file is read."""

from pathlib import Path

import pytest

from coderouter_core.config import find, unnamed
from coderouter_core.errors import ConfigError


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}", encoding="utf-8")
    return path


def test_the_named_file_is_taken_before_all_others(tmp_path: Path) -> None:
    named, told = write(tmp_path / "a.yaml"), write(tmp_path / "b.yaml")

    assert find(str(named), {"CODEROUTER_CONFIG": str(told)}) == named


def test_the_environment_is_taken_before_the_home(tmp_path: Path) -> None:
    told = write(tmp_path / "b.yaml")
    write(tmp_path / ".coderouter" / "providers.yaml")

    assert find(None, {"CODEROUTER_CONFIG": str(told), "HOME": str(tmp_path)}) == told


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_variable_counts_as_not_set(tmp_path: Path, blank: str) -> None:
    at_home = write(tmp_path / ".coderouter" / "providers.yaml")

    assert find(None, {"CODEROUTER_CONFIG": blank, "HOME": str(tmp_path)}) == at_home


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert find(None, {"HOME": str(tmp_path)}) is None


def test_a_tilde_is_the_home(tmp_path: Path) -> None:
    named = write(tmp_path / "mine" / "a.yaml")

    assert find("~/mine/a.yaml", {"HOME": str(tmp_path)}) == named


def test_a_wrong_path_is_an_error_though_another_file_is_there(tmp_path: Path) -> None:
    write(tmp_path / ".coderouter" / "providers.yaml")

    with pytest.raises(ConfigError, match=r"^--config: there is no file 'nowhere\.yaml'; correct the path"):
        find("nowhere.yaml", {"HOME": str(tmp_path)})


def test_an_empty_path_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^--config: "):
        find("", {})


def test_a_wrong_variable_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / ".coderouter" / "providers.yaml")

    with pytest.raises(ConfigError, match=r"^CODEROUTER_CONFIG: there is no file 'nowhere\.yaml'"):
        find(None, {"CODEROUTER_CONFIG": "nowhere.yaml", "HOME": str(tmp_path)})


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory; name the file in it"):
        find(str(tmp_path), {})


def test_a_file_in_the_current_directory_is_seen(tmp_path: Path) -> None:
    beside = write(tmp_path / "providers.yaml")

    assert unnamed(tmp_path) == beside


def test_an_empty_directory_has_no_file_to_speak_of(tmp_path: Path) -> None:
    assert unnamed(tmp_path) is None
