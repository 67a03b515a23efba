"""The front of the package."""

from __future__ import annotations

import pytest

from coderouter_core.model import Dialect
from coderouter_core.wire import client_side, codec, translate


@pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.CHAT])
def test_a_codec_is_always_the_same_object(dialect: Dialect) -> None:
    assert codec(dialect) is codec(dialect)


@pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.CHAT])
def test_a_clients_side_of_a_dialect_that_upstreams_speak_is_its_codec(dialect: Dialect) -> None:
    assert client_side(dialect) is codec(dialect)


def test_clients_speak_responses() -> None:
    assert client_side(Dialect.RESPONSES).dialect is Dialect.RESPONSES


def test_a_dialect_that_is_not_spoken_is_named() -> None:
    with pytest.raises(LookupError, match="'responses' is not spoken; there are messages, chat"):
        codec(Dialect.RESPONSES)


def test_a_request_is_not_translated_to_a_dialect_that_is_not_spoken() -> None:
    with pytest.raises(LookupError, match="from 'chat' to 'responses'"):
        translate({"messages": []}, Dialect.CHAT, Dialect.RESPONSES)
