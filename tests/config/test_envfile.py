"""Files of environment variables."""

from pathlib import Path

import pytest

from coderouter_core.config import envfile
from coderouter_core.errors import ConfigError


def written(directory: Path, text: str, name: str = ".env") -> Path:
    path = directory / name
    path.write_bytes(text.encode())
    return path


def said(*paths: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        envfile.apply(paths, {})
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        pytest.param("A=b", ("A", "b"), id="bare"),
        pytest.param("export A=b", ("A", "b"), id="export"),
        pytest.param("export\tA=b", ("A", "b"), id="export-tab"),
        pytest.param("  A = b  ", ("A", "b"), id="spaces-around"),
        pytest.param("A=b c", ("A", "b c"), id="inner-space"),
        pytest.param("A=b=c", ("A", "b=c"), id="first-equals-sign"),
        pytest.param("A=", ("A", ""), id="empty"),
        pytest.param("A=b # c", ("A", "b"), id="comment"),
        pytest.param("A=b\t# c", ("A", "b"), id="comment-after-tab"),
        pytest.param("A=b#c", ("A", "b#c"), id="hash-inside"),
        pytest.param("A=#c", ("A", "#c"), id="hash-first"),
        pytest.param("A=b\r", ("A", "b"), id="windows-line"),
        pytest.param(r'A="b\n\t\r\"\\\$\`"', ("A", 'b\n\t\r"\\$`'), id="escapes"),
        pytest.param(r'A="\x\\n"', ("A", r"\x\n"), id="other-escapes-kept"),
        pytest.param("A='b\\n$c'", ("A", "b\\n$c"), id="single-quotes"),
        pytest.param('A="b # c" # d', ("A", "b # c"), id="comment-after-quote"),
        pytest.param("A='b'#c", ("A", "b"), id="comment-at-quote"),
        pytest.param("A=$B", ("A", "$B"), id="no-expansion"),
        pytest.param("export=1", ("export", "1"), id="a-variable-called-export"),
        pytest.param("A=b\u2028c", ("A", "b\u2028c"), id="no-other-line-ends"),
    ],
)
def test_a_line(tmp_path: Path, line: str, pair: tuple[str, str]) -> None:
    assert envfile.read(written(tmp_path, f"# comment\n\n{line}\n")) == [pair]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("hunter2", "no '=' in this line; write KEY=value", id="no-equals-sign"),
        pytest.param(
            "2A=hunter2",
            "the name before '=' must be of letters, digits and _, and not begin with a digit",
            id="name",
        ),
        pytest.param("A='hunter2", "a quote that is not closed in this line; close it", id="single-open"),
        pytest.param('A="hunter2\\"', "a quote that is not closed in this line; close it", id="double-open"),
        pytest.param(
            "A='b' hunter2", "text after the closing quote; put all of the value into the quotes", id="junk"
        ),
        pytest.param("A=hunter2\0", "a NUL character, which no variable can hold; remove it", id="nul"),
    ],
)
def test_a_line_that_is_wrong_is_told_but_not_shown(tmp_path: Path, line: str, problem: str) -> None:
    path = written(tmp_path, f"OK=1\n{line}\n")

    assert said(path) == [f"{path}:2: {problem}"]


def test_every_wrong_line_of_every_file_is_told(tmp_path: Path) -> None:
    one, other = written(tmp_path, "a\nB=1\nc\n", "one"), written(tmp_path, "d\n", "other")

    assert [line.split(": ")[0] for line in said(one, other)] == [f"{one}:1", f"{one}:3", f"{other}:1"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"

    assert said(path) == [f"{path}: no such file or directory; name a file that can be read"]


def test_a_byte_order_mark_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffA=1")

    assert said(path) == [f"{path}:1: begins with a byte order mark; save the file as UTF-8 without one"]


def test_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff")

    assert said(path) == [f"{path}: not UTF-8; save the file in that encoding"]


def test_what_is_set_already_stays_and_the_first_file_wins(tmp_path: Path) -> None:
    environ = {"A": "shell"}
    files = [written(tmp_path, "A=1\nB=1", "one"), written(tmp_path, "A=2\nB=2\nC=2", "two")]
    envfile.apply(files, environ)

    assert environ == {"A": "shell", "B": "1", "C": "2"}


def test_with_override_the_last_file_wins(tmp_path: Path) -> None:
    environ = {"A": "shell"}
    files = [written(tmp_path, "A=1\nB=1", "one"), written(tmp_path, "B=2", "two")]
    envfile.apply(files, environ, override=True)

    assert environ == {"A": "1", "B": "2"}


def test_the_report_has_names_and_no_values(tmp_path: Path) -> None:
    one, two = written(tmp_path, "B=secret\nA=secret", "one"), written(tmp_path, "A=secret", "two")

    assert envfile.apply([one, two], {}) == [
        f"{one}: 2 variables applied: A, B",
        f"{two}: 0 variables applied",
    ]


def test_nothing_is_applied_when_one_file_is_wrong(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    with pytest.raises(ConfigError):
        envfile.apply([written(tmp_path, "A=1", "one"), written(tmp_path, "b", "two")], environ)

    assert environ == {}
