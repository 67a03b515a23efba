"""The front of the package."""

from __future__ import annotations

import pytest

from coderouter_core.model import Dialect
from coderouter_core.wire import codec, translate


@pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.CHAT])
def test_a_codec_is_always_the_same_object(dialect: Dialect) -> None:
    assert codec(dialect) is codec(dialect)


def test_a_dialect_that_is_not_spoken_is_named() -> None:
    with pytest.raises(LookupError, match="'responses' is not spoken; there are messages, chat"):
        codec(Dialect.RESPONSES)


def test_a_request_is_not_translated_to_a_dialect_that_is_not_spoken() -> None:
    with pytest.raises(LookupError, match="from 'chat' to 'responses'"):
        translate({"messages": []}, Dialect.CHAT, Dialect.RESPONSES)
