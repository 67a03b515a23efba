"""From a ledger's URL to a ledger."""

from pathlib import Path

import pytest

from coderouter_core.errors import ConfigError
from coderouter_core.ledger import MemoryLedger, SqliteLedger, default_path, open_ledger, path_of
from coderouter_core.testing import FakeClock


def test_memory_is_a_ledger_without_a_file(clock: FakeClock) -> None:
    assert isinstance(open_ledger("memory:", clock, print), MemoryLedger)


def test_sqlite_names_a_file(clock: FakeClock) -> None:
    ledger = open_ledger("sqlite:/var/lib/spending.db", clock, print)

    assert isinstance(ledger, SqliteLedger)
    assert ledger.path == Path("/var/lib/spending.db")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("sqlite:/a/b.db", "/a/b.db", id="absolute"),
        pytest.param("sqlite:///a/b.db", "/a/b.db", id="as-other-programs-write-it"),
        pytest.param("sqlite:~/b.db", "/home/ada/b.db", id="home"),
    ],
)
def test_the_path_of_a_url(url: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")

    assert path_of(url) == Path(path)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("redis://x", "ledger.url: no ledger is named 'redis://x'; known are memory: and sqlite:PATH", id="scheme"),
        pytest.param("ledger.db", "ledger.url: no ledger is named 'ledger.db'; known are", id="no-scheme"),
        pytest.param("memory:x", "ledger.url: no ledger is named 'memory:x'; known are", id="memory-with-a-name"),
        pytest.param("sqlite:b.db", "the path must be absolute or start with ~; did you mean sqlite:/", id="relative"),
        pytest.param("sqlite:", "'sqlite:' names no file; write sqlite:/path/to/ledger.db, or nothing for", id="no-path"),
    ],
)  # fmt: skip
def test_a_url_that_names_no_ledger_is_an_error(url: str, says: str, clock: FakeClock) -> None:
    with pytest.raises(ConfigError) as raised:
        open_ledger(url, clock, print)

    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("data_home", "path"),
    [
        pytest.param("/data/ada", "/data/ada/coderouter/ledger.db", id="given"),
        pytest.param("", "/home/ada/.local/share/coderouter/ledger.db", id="not-given"),
        pytest.param("here", "/home/ada/.local/share/coderouter/ledger.db", id="relative-does-not-count"),
    ],
)
@pytest.mark.skipif("sys.platform in ('win32', 'darwin')", reason="these have places of their own")
def test_the_default_place_is_the_users_data_directory(
    data_home: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_DATA_HOME", data_home)

    assert (path_of(""), default_path()) == (Path(path), Path(path))
