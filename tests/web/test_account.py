"""What a request says of itself before it is read."""

from __future__ import annotations

import pytest

from coderouter_core.testing import Script, make_router


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(
            f"00-{'a' * 32}-{'b' * 16}-01", (f"00-{'a' * 32}-{'b' * 16}-01", "v=1"), id="the-standard's"
        ),
        pytest.param(
            f"01-{'a' * 32}-{'b' * 16}-01-x", (f"01-{'a' * 32}-{'b' * 16}-01-x", "v=1"), id="a-later-one"
        ),
        pytest.param(f"ff-{'a' * 32}-{'b' * 16}-01", (None, None), id="never"),
        pytest.param(f"00-{'A' * 32}-{'b' * 16}-01", (None, None), id="upper-case"),
        pytest.param("sk-secret", (None, None), id="something-else"),
    ],
)
def test_a_trace_is_told_where_it_is_one(given: str, told: tuple[str | None, str | None]) -> None:
    router = make_router(Script(only="hello"))

    events = router.ask(headers={"traceparent": given, "tracestate": "v=1"}).events

    fields = next(event.fields for event in events if event.name == "request-received")
    assert (fields["traceparent"], fields["tracestate"]) == told
