"""A YAML file becomes plain values that remember their places."""

import os
from pathlib import Path
from typing import Any

import pytest

from coderouter_core.config.document import MOST_BYTES, Document, spell
from coderouter_core.errors import ConfigError


def said(document: Document) -> list[str]:
    return [str(problem) for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("a", "a", id="text"),
        pytest.param("'5'", "5", id="quoted"),
        pytest.param("1_000", 1000, id="number-with-separators"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("010", 10, id="leading-zero"),
        pytest.param("-7", -7, id="negative"),
        pytest.param("1e3", 1000.0, id="exponent"),
        pytest.param(".5", 0.5, id="fraction"),
        pytest.param("-.inf", float("-inf"), id="infinite"),
        pytest.param("~", None, id="null"),
        pytest.param("Off", False, id="switch"),
        pytest.param("y", "y", id="letter"),
        pytest.param("2026-01-01", "2026-01-01", id="date"),
        pytest.param("12:30", "12:30", id="time"),
        pytest.param("=", "=", id="sign"),
        pytest.param("!!str 5", "5", id="tag-of-text"),
        pytest.param("|\n  a\n  b\n", "a\nb\n", id="block"),
        pytest.param("[a, {b: 1}]", ["a", {"b": 1}], id="flow"),
        pytest.param("{1: a, null: b}", {"1": "a", "null": "b"}, id="keys-are-text"),
        pytest.param("{'<<': 1}", {"<<": 1}, id="quoted-merge-sign"),
    ],
)
def test_a_value(text: str, value: Any) -> None:
    assert Document.parse(text, "f").tree == value


def test_an_anchor_is_used_twice() -> None:
    assert Document.parse("a: &x [1]\nb: *x", "f").tree == {"a": [1], "b": [1]}


def test_an_anchor_may_be_given_anew() -> None:
    assert Document.parse("a: &x 1\nb: &x 2\nc: *x", "f").tree == {"a": 1, "b": 2, "c": 2}


def test_own_keys_come_before_merged_ones() -> None:
    text = "a: &x {k: 1, l: 1}\nb: &y {l: 2, m: 2}\nc: {<<: [*x, *y], k: 3}"

    assert Document.parse(text, "f").tree["c"] == {"k": 3, "l": 1, "m": 2}


def test_merges_can_be_nested() -> None:
    assert Document.parse("a: &x {k: 1}\nb: &y {<<: *x}\nc: {<<: *y}", "f").tree["c"] == {"k": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: 1\na: 2", "f:2:1: a: stands here twice, first in line 1; keep one", id="duplicate"),
        pytest.param("a: !x 1", "f:1:4: a: the tag '!x' has no meaning here; remove it", id="tag"),
        pytest.param(
            "a: !!set {b}", "f:1:4: a: the tag '!!set' has no meaning here; remove it", id="standard-tag"
        ),
        pytest.param(
            "a: !!int x", "f:1:4: a: cannot be read as !!int; put it in quotes if it is text", id="int"
        ),
        pytest.param(
            f"a: {'9' * 5000}",
            "f:1:4: a: cannot be read as !!int; put it in quotes if it is text",
            id="digits",
        ),
        pytest.param("? [a]\n: 1", "f:1:3: a key must be text", id="list-as-key"),
        pytest.param("<<: 5", "f:1:5: '<<' takes a mapping, or a list of mappings", id="merged-number"),
        pytest.param(
            '- "\\ude00\\ud83d"',
            "f:1:3: [0]: an escape in it names half a character; write both",
            id="halves",
        ),
        pytest.param("<<: [5]", "f:1:6: '<<' takes a mapping, or a list of mappings", id="merged-list"),
    ],
)
def test_a_problem(text: str, problem: str) -> None:
    assert said(Document.parse(text, "f")) == [problem]


def test_a_character_may_be_escaped_as_in_json() -> None:
    assert Document.parse('{"\\ud83d\\ude00": "a \\ud83d\\ude00\\ud83d\\ude01"}', "f").tree == {
        "😀": "a 😀😁"
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: [1,\n", "f:2:1: not YAML: ", id="open-list"),
        pytest.param("a: 'x", "f:1:6: not YAML: ", id="open-quote"),
        pytest.param("a\n---\nb", "f:2:1: not YAML: but found another document", id="two-documents"),
        pytest.param('"\\U99999999"', "f: an escape in a text names no character", id="escape"),
        pytest.param("[" * 200, "f:1:101: not YAML: nested more than 100 levels deep", id="deep"),
        pytest.param("&a [*a]", "f: too many values, or nested too deeply", id="endless"),
        pytest.param(
            "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9 if i else ['1'])}]" for i in range(9)),
            "f: too many values, or nested too deeply",
            id="explosive",
        ),
    ],
)
def test_what_is_no_document(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Document.parse(text, "f")

    assert str(caught.value).startswith(problem)


TEXT = """\
list:
  - one
  - {two: 2}
empty:
"""


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        pytest.param(("list",), False, (2, 3), id="value-of-a-key"),
        pytest.param(("list",), True, (1, 1), id="key"),
        pytest.param(("list", 1), False, (3, 5), id="item"),
        pytest.param(("list", 1, "two"), False, (3, 11), id="inside"),
        pytest.param(("list", 1, "three"), False, (3, 5), id="missing"),
        pytest.param(("empty",), False, (4, 1), id="empty"),
        pytest.param(("nowhere", "at", "all"), False, (1, 1), id="unknown"),
    ],
)
def test_a_place(path: tuple[str | int, ...], place: tuple[int, int], *, key: bool) -> None:
    problem = Document.parse(TEXT, "f").at(path, "wrong", key=key)

    assert (problem.line, problem.column) == place


def test_problems_come_in_order_of_place() -> None:
    document = Document.parse(TEXT, "f")
    for path in [("empty",), ("list", 1), ("list", 0)]:
        document.problem(path, "wrong")

    with pytest.raises(ConfigError) as caught:
        document.raise_problems()

    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]


def test_a_path_is_spelt_as_people_do() -> None:
    assert spell(("providers", 1, "cost", "usd")) == "providers[1].cost.usd"


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: \xc3\xa4\r\n")

    assert Document.read(tmp_path / "a.yaml").tree == {"a": "ä"}


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xe4\n")

    with pytest.raises(ConfigError) as caught:
        Document.read(path)

    assert str(caught.value) == f"{path}:2:1: not UTF-8; save the file in that encoding"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or directory; name a file that can be read"):
        Document.read(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        pytest.param("a\x1b[31mb", r"a\x1b[31mb", id="terminal-escape"),
        pytest.param("a\nb", r"a\nb", id="line-break"),
        pytest.param("\ud800", r"\ud800", id="half-a-character"),
        pytest.param("é", "é", id="letter"),
        pytest.param("-" * 70, "-" * 59 + "…", id="long"),
    ],
)
def test_a_key_is_shown_on_one_line_and_printable(key: str, path: str) -> None:
    assert spell((key,)) == path


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")

    with pytest.raises(ConfigError, match=r"pipe\.yaml: is no regular file; name a file that can be read$"):
        Document.read(tmp_path / "pipe.yaml")


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("#" * (MOST_BYTES + 1))

    with pytest.raises(ConfigError, match="holds more than 1,048,576 bytes"):
        Document.read(file)
