"""What answers cost, to the figure that was computed by hand, whoever asks whom, streamed or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from coderouter_core.costs import price
from coderouter_core.model import Cost, Prices, Usage
from coderouter_core.testing import Reply, Script, make_router

#: US dollars for a million tokens; reading a cache costs a tenth of input, writing to it 1.25 times, for an hour twice.
PRICES = {"input_tokens_per_million": 3.0, "output_tokens_per_million": 15.0}

#: Usage, dollars, dollars saved: (100 × 3 + 20 × 15) / 1e6 = 0.0006, and what the cache adds to it.
PLAIN = pytest.param(Usage(100, output=20, reported=True), 0.0006, 0.0, id="no-cache")
READ = pytest.param(
    # 2,048 × 0.3 / 1e6 = 0.0006144; saved 2,048 × 2.7 / 1e6
    Usage(100, cache_read=2048, output=20, reported=True), 0.0012144, 0.0055296, id="read",
)  # fmt: skip
WRITE = pytest.param(
    # 1,000 × 3.75 / 1e6 = 0.00375
    Usage(100, cache_write_5m=1000, output=20, reported=True), 0.00435, 0.0, id="write",
)  # fmt: skip
READ_AND_WRITE = pytest.param(
    # 0.0006 + 0.0006144 + 400 × 3.75 / 1e6
    Usage(100, cache_read=2048, cache_write_5m=400, output=20, reported=True), 0.0027144, 0.0055296, id="read-and-write",
)  # fmt: skip
REASONING = pytest.param(
    # Output holds the reasoning: (100 × 3 + 5,000 × 15) / 1e6
    Usage(100, output=5000, reasoning=4900, reported=True), 0.0753, 0.0, id="reasoning",
)  # fmt: skip
HOUR = pytest.param(
    # 1,000 × 6 / 1e6 = 0.006
    Usage(100, cache_write_1h=1000, output=20, reported=True), 0.0066, 0.0, id="write-for-an-hour",
)  # fmt: skip
ALL = pytest.param(
    # 0.0006 + 0.0006144 + 400 × 3.75 / 1e6 + 300 × 6 / 1e6
    Usage(100, cache_read=2048, cache_write_5m=400, cache_write_1h=300, output=20, reported=True),
    0.0045144, 0.0055296, id="all-of-it",
)  # fmt: skip

EVERYWHERE = [PLAIN, READ, WRITE, READ_AND_WRITE, REASONING]

clients = pytest.mark.parametrize("client", ["messages", "chat"])
ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])

#: What may differ between the rows of two attempts that are the same.
OWN = ("id", "request_id", "dialect", "started_at", "seconds", "first_token_s")


def recorded(upstream: str, usage: Usage, client: str, stream: bool) -> Mapping[str, Any]:
    """The ledger's row of one answer."""
    wire = {"messages": Script.messages, "chat": Script.chat}[upstream]
    with make_router(
        Script(cloud=wire(Reply("hello", usage=usage))), providers={"cloud": {"cost": PRICES}}
    ) as router:
        assert router.ask(dialect=client, stream=stream).text == "hello"
        (row,) = router.core.ledger.attempts()
    return row


@clients
@ways
@pytest.mark.parametrize(("usage", "usd", "saved"), [*EVERYWHERE, HOUR, ALL])
def test_an_answer_of_the_messages_dialect_costs(
    usage: Usage, usd: float, saved: float, stream: bool, client: str
) -> None:
    row = recorded("messages", usage, client, stream)

    assert (row["cost_usd"], row["savings_usd"], row["estimated"]) == (
        pytest.approx(usd, abs=1e-9),
        pytest.approx(saved, abs=1e-9),
        False,
    )


@clients
@ways
@pytest.mark.parametrize(("usage", "usd", "saved"), EVERYWHERE)
def test_an_answer_of_the_chat_dialect_costs(
    usage: Usage, usd: float, saved: float, stream: bool, client: str
) -> None:
    row = recorded("chat", usage, client, stream)

    assert (row["cost_usd"], row["savings_usd"], row["estimated"]) == (
        pytest.approx(usd, abs=1e-9),
        pytest.approx(saved, abs=1e-9),
        False,
    )


@ways
@pytest.mark.parametrize(
    ("upstream", "usage"),
    [
        pytest.param(upstream, *case.values[:1], id=f"{upstream}-{case.id}")
        for upstream, cases in {"messages": [*EVERYWHERE, HOUR, ALL], "chat": EVERYWHERE}.items()
        for case in cases
    ],
)
def test_clients_of_both_dialects_leave_the_same_row(upstream: str, usage: Usage, stream: bool) -> None:
    rows = [dict(recorded(upstream, usage, client, stream)) for client in ("messages", "chat")]
    for row in rows:
        for column in OWN:
            del row[column]

    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("prices", "usage", "cost"),
    [
        pytest.param(None, Usage(5, output=5, reported=True), Cost(None), id="no-prices"),
        pytest.param(Prices(), Usage(5, output=5, reported=True), Cost(None), id="empty-prices"),
        pytest.param(Prices(3.0), Usage(5, output=5, reported=True), Cost(None), id="output-unknown"),
        pytest.param(Prices(3.0), Usage(1_000_000, reported=True), Cost(3.0), id="output-not-needed"),
        pytest.param(Prices(0.0, 0.0), Usage(5, output=5, reported=True), Cost(0.0), id="free"),
        pytest.param(
            Prices(4.0, 1.0, cache_read_discount=0.25, cache_creation_premium=3.0),
            Usage(cache_read=1_000_000, cache_write_5m=1_000_000, cache_write_1h=1_000_000, reported=True),
            Cost(25.0, savings_usd=3.0),
            id="own-factors",
        ),
    ],
)
def test_unknown_is_not_free(prices: Prices | None, usage: Usage, cost: Cost) -> None:
    assert price(usage, prices) == cost


#: A million of each.
MUCH = Usage(1_000_000, cache_read=1_000_000, cache_write_5m=1_000_000, output=1_000_000, reported=True)


@pytest.mark.parametrize(
    ("written", "usd", "saved"),
    [
        # 3 + 0.3 + 3.75 + 15
        pytest.param({}, 22.05, 2.7, id="defaults"),
        # 6 + 0.6 + 7.5 + 15
        pytest.param({"input_tokens_per_million": 6.0}, 29.1, 5.4, id="input_tokens_per_million"),
        pytest.param({"output_tokens_per_million": 30.0}, 37.05, 2.7, id="output_tokens_per_million"),
        # 3 + 1.5 + 3.75 + 15
        pytest.param({"cache_read_discount": 0.5}, 23.25, 1.5, id="cache_read_discount"),
        # 3 + 0.3 + 6 + 15
        pytest.param({"cache_creation_premium": 2.0}, 24.3, 2.7, id="cache_creation_premium"),
    ],
)
def test_the_keys_of_cost_are_what_is_counted_by(written: dict[str, float], usd: float, saved: float) -> None:
    with make_router(
        Script(cloud=Script.messages(Reply("hello", usage=MUCH))),
        providers={"cloud": {"cost": {**PRICES, **written}}},
    ) as router:
        router.ask(stream=True)
        (row,) = router.core.ledger.attempts()

    assert (row["cost_usd"], row["savings_usd"]) == (
        pytest.approx(usd, abs=1e-9),
        pytest.approx(saved, abs=1e-9),
    )
