"""The log as lines: what they say, what they never say, and what becomes of them when they cannot be written."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import pty
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from coderouter_core.errors import ConfigError
from coderouter_core.events import Event, Level
from coderouter_core.log import LogWriter, libraries_told, open_sinks
from coderouter_core.log.mirror import Mirror
from coderouter_core.log.writer import MOST_WAITING, pieces

AT = 1_768_478_400.123


def event(name: str = "adapter-note", level: Level = Level.INFO, **fields: Any) -> Event:
    return Event(name, level, AT, "req_1", fields, "s-1")


def logged(*events: Event, level: Level = Level.INFO, secrets: tuple[str, ...] = ()) -> list[Any]:
    stream = io.StringIO()
    writer = LogWriter(level, stream, secrets)
    for each in events:
        writer(each)
    writer.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def mirroring(path: Path, **how: Any) -> Iterator[LogWriter]:
    writer = LogWriter(target=Mirror(path, **how), name="mirror")
    try:
        yield writer
    finally:
        writer.close()


@contextmanager
def descriptors_beyond_1023() -> Iterator[None]:
    """What is opened meanwhile has a number that `select` cannot take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1_100:
        pytest.skip("no more than 1,024 descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_100), hard))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < 1_023:
            held.append(os.dup(held[0]))
        yield
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Told:
    """Another sink, which waits for what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._came = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._came:
            self.events.append(event)
            self._came.notify_all()

    def wait(self, count: int) -> bool:
        with self._came:
            return self._came.wait_for(lambda: len(self.events) >= count, 5)


# ---- what a line says


def test_a_line_tells_when_in_utc_with_milliseconds_what_and_of_which_request_and_session() -> None:
    [line] = logged(event(provider="local", note="ready"))

    assert line == {
        "ts": "2026-01-15T12:00:00.123Z",
        "level": "info",
        "msg": "adapter-note",
        "request_id": "req_1",
        "session_id": "s-1",
        "provider": "local",
        "note": "ready",
    }


def test_what_is_below_the_level_is_not_written() -> None:
    lines = logged(event(level=Level.INFO), event(level=Level.WARNING), level=Level.WARNING)

    assert [line["level"] for line in lines] == ["warning"]


def test_an_event_that_json_cannot_say_is_still_told() -> None:
    [line] = logged(event(note="\ud800"))

    assert (line["msg"], line["request_id"], line["unreadable"]) == ("adapter-note", "req_1", True)


@pytest.mark.parametrize("secret", ["sk-plain-123456", 'sk-"quoted"\\back', "sk-ümlaut-日本"])
def test_a_secret_is_hidden_however_it_is_spelled(secret: str) -> None:
    [line] = logged(event(note=f"quoting {secret} here", deep=[{"x": secret}]), secrets=(secret,))

    assert (line["note"], line["deep"]) == ("quoting *** here", [{"x": "***"}])


def on_a_terminal(told: Event) -> str:
    """What a terminal is sent of `told`."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        writer = LogWriter(stream=terminal)
        writer(told)
        writer.close()
        shown = os.read(ours, 4096).decode()
    os.close(ours)
    return shown


def test_a_terminal_gets_colours_and_no_json() -> None:
    shown = on_a_terminal(event(note="ready"))

    assert ("\x1b[" in shown, "adapter-note" in shown, "{" in shown) == (True, True, False)


def test_a_terminal_does_not_act_upon_what_a_client_said() -> None:
    shown = on_a_terminal(event(note="one\x1b[2Jword\x9b\u202e"))

    assert r"'one\x1b[2Jword\x9b\u202e'" in shown


# ---- what cannot be written


def test_lines_beyond_what_may_wait_are_dropped_and_told_of() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "w") as full, os.fdopen(ours) as reader:
        writer = LogWriter(stream=full)
        big = event(note="x" * 5_000)
        while not writer.dropped:
            writer(big)
        dropped = writer.dropped
        found: list[str] = []
        reading = threading.Thread(target=lambda: found.extend(reader))
        reading.start()
        writer.close()
        full.close()
        reading.join()

    told = [json.loads(line) for line in found if "log-lines-dropped" in line]
    assert (sum(line["dropped"] for line in told), len(found) > MOST_WAITING) == (dropped, True)


def test_a_disk_that_was_full_is_told_of_with_the_number_of_lines_lost(tmp_path: Path) -> None:
    path, told = tmp_path / "events.jsonl", Told()
    path.symlink_to("/dev/full")
    writer = LogWriter(target=Mirror(path), name="mirror", tell=told)
    writer(event(note="lost"))
    assert told.wait(1)
    path.unlink()
    writer(event(note="kept"))
    writer.close()

    lines = [(line["msg"], line.get("dropped", line.get("note"))) for line in lines_of(path)]
    assert lines == [("log-lines-dropped", 1), ("adapter-note", "kept")]


def test_other_sinks_are_told_of_a_failure_once_and_of_its_end(tmp_path: Path) -> None:
    path, told = tmp_path / "events.jsonl", Told()
    path.symlink_to("/dev/full")
    writer = LogWriter(target=Mirror(path), name="mirror", tell=told)
    writer(event())
    assert told.wait(1)
    path.unlink()
    writer(event())
    writer.close()

    assert [(each.name, dict(each.fields)) for each in told.events] == [
        ("log-failed", {"sink": "mirror", "error": "No space left on device"}),
        ("log-lines-dropped", {"sink": "mirror", "dropped": 1}),
    ]


def test_health_counts_lines_written_and_dropped(tmp_path: Path) -> None:
    path, told = tmp_path / "events.jsonl", Told()
    path.symlink_to("/dev/full")
    writer = LogWriter(target=Mirror(path), name="mirror", tell=told)
    writer(event())
    assert told.wait(1)
    writer.close()

    assert writer.health() == {"mirror": {"written": 0, "dropped": 1}}


def test_a_pipe_that_workers_share_gets_whole_lines_and_no_more_at_once_than_it_keeps_together() -> None:
    lines = "é" * 3_000 + "\n" + "\u2028\n" * 2_000

    found = list(pieces(lines))

    assert "".join(found) == lines
    assert all(piece.endswith("\n") for piece in found)
    assert [len(piece.encode()) <= 4_096 for piece in found] == [False, True, True]


# ---- the file


def test_the_file_and_its_folders_are_made_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "events.jsonl"
    with mirroring(path) as writer:
        writer(event(note="ready"))

    assert ([line["note"] for line in lines_of(path)], path.stat().st_mode & 0o777) == (["ready"], 0o600)


def test_what_stands_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"note": "older"}\n')
    with mirroring(path) as writer:
        writer(event(note="newer"))

    assert [line["note"] for line in lines_of(path)] == ["older", "newer"]


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.touch(0o644)
    with mirroring(path) as writer:
        writer(event())

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_put_aside_and_only_so_many_are_kept(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "events.jsonl", max_bytes=100, keep=2)
    for number in range(6):
        mirror.write(f"{number}" * 60 + "\n")
    mirror.close()

    found = {path.name: path.read_text()[0] for path in tmp_path.iterdir()}
    assert found == {"events.jsonl": "5", "events.jsonl.1": "4", "events.jsonl.2": "3"}


def test_a_file_that_somebody_else_put_aside_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    mirror = Mirror(path)
    mirror.write("one\n")
    path.rename(tmp_path / "moved")
    mirror.write("two\n")
    mirror.close()

    assert (path.read_text(), (tmp_path / "moved").read_text()) == ("two\n", "one\n")


def test_a_line_waits_for_whoever_puts_the_file_aside_and_stands_in_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    mirror = Mirror(path)
    mirror.write("one\n")
    writing = threading.Thread(target=mirror.write, args=("two\n",))
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writing.start()
        writing.join(0.1)
        waits = writing.is_alive()
        path.rename(tmp_path / "events.jsonl.1")
    writing.join()
    mirror.close()

    assert (waits, path.read_text(), (tmp_path / "events.jsonl.1").read_text()) == (True, "two\n", "one\n")


def test_writers_that_share_a_file_lose_no_line_and_break_none(tmp_path: Path) -> None:
    path, count = tmp_path / "events.jsonl", 400
    # Each has a descriptor of its own, as processes have.
    mirrors = [Mirror(path, max_bytes=20_000, keep=50) for _ in range(4)]

    def write(number: int) -> None:
        for line in range(count):
            mirrors[number].write(json.dumps({"note": f"{number}-{line}", "pad": "x" * 100}) + "\n")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    notes = [line["note"] for file in tmp_path.iterdir() for line in lines_of(file)]
    assert sorted(notes) == sorted(f"{number}-{line}" for number in range(4) for line in range(count))


def test_a_pipe_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    path, told = tmp_path / "pipe", Told()
    os.mkfifo(path)
    log, mirror = open_sinks(Level.ERROR, {"CODEROUTER_EVENTS_PATH": str(path)})
    writer = LogWriter(target=Mirror(path), name="mirror", tell=told)
    writer(event())
    assert told.wait(1)

    assert (told.events[0].fields["error"], writer.dropped) == ("nobody reads this pipe", 1)
    for sink in (log, mirror, writer):
        sink.close()


def test_a_pipe_gets_lines_as_soon_as_somebody_reads_it(tmp_path: Path) -> None:
    path, told = tmp_path / "pipe", Told()
    os.mkfifo(path)
    writer = LogWriter(target=Mirror(path), name="mirror", tell=told)
    writer(event(note="lost"))
    assert told.wait(1)
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8") as reader:
        writer(event(note="kept"))
        writer.close()
        lines = [json.loads(line) for line in reader]

    assert [line.get("dropped", line.get("note")) for line in lines] == [1, "kept"]


def test_a_reader_of_a_pipe_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    mirror, many = Mirror(path), ("x" * 999 + "\n") * 100
    for _ in range(2):
        with pytest.raises(BlockingIOError, match="its reader takes nothing"):
            mirror.write(many)
    os.read(reader, 1_000_000)
    mirror.write("after\n")
    taken = os.read(reader, 1_000_000)
    os.close(reader)
    mirror.close()

    # The line that was cut when there was no more room ends before the next one begins.
    assert taken == b"\nafter\n"


def test_a_pipe_is_waited_for_though_many_connections_are_open(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    mirror, many = Mirror(path), ("x" * 999 + "\n") * 100
    with descriptors_beyond_1023():
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with pytest.raises(BlockingIOError, match="its reader takes nothing"):
            mirror.write(many)
        os.close(reader)
    mirror.close()


def test_half_a_line_is_taken_back_when_there_is_no_room_for_the_rest(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "events.jsonl")
    mirror.write("x" * 600 + "\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            mirror.write("y" * 600 + "\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (tmp_path / "events.jsonl").read_text() == "x" * 600 + "\n"


# ---- what libraries log


def test_what_a_library_warns_of_is_told_without_its_values() -> None:
    told = Told()
    with libraries_told([told]):
        try:
            raise RuntimeError("quoting a prompt")
        except RuntimeError:
            logging.getLogger("some.library").exception("it broke: %s\nwith a prompt", "a prompt")
        logging.getLogger("some.library").info("too little to tell")

    [event] = told.events
    assert (event.name, event.level, event.fields["logger"], event.fields["text"]) == (
        "library-warning",
        Level.ERROR,
        "some.library",
        "it broke: %s",
    )
    assert "prompt" not in event.fields["error"]


# ---- as the environment asks


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CODEROUTER_EVENTS_MAX_BYTES", "10"),
        ("CODEROUTER_EVENTS_KEEP", "-1"),
        ("CODEROUTER_EVENTS_KEEP", "x"),
    ],
)
def test_a_bound_that_cannot_be_is_a_mistake(tmp_path: Path, variable: str, value: str) -> None:
    environ = {"CODEROUTER_EVENTS_PATH": str(tmp_path / "events.jsonl"), variable: value}

    with pytest.raises(ConfigError, match=f"{variable}: must be a whole number"):
        open_sinks(Level.INFO, environ)


def test_a_path_that_cannot_be_a_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"CODEROUTER_EVENTS_PATH: .* is a directory; name a file"):
        open_sinks(Level.INFO, {"CODEROUTER_EVENTS_PATH": str(tmp_path)})


def test_the_users_home_is_known_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    log, mirror = open_sinks(Level.ERROR, {"CODEROUTER_EVENTS_PATH": "~/events.jsonl"})
    mirror(event(level=Level.ERROR))
    mirror.close()
    log.close()

    assert len(lines_of(tmp_path / "events.jsonl")) == 1
