"""Send a call over an HTTP transport, and hand back what comes."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from coderouter_core.model import Answer, Call


def join_url(base_url: str, path: str) -> str:
    """`path` below `base_url`, whose query string, if any, is kept."""
    raise NotImplementedError


async def exchange(
    transport: httpx.AsyncBaseTransport, url: str, headers: Mapping[str, str], call: Call
) -> Answer:
    """POST the call's body. Raises `UpstreamError` of kind ``transport`` or ``timeout``."""
    raise NotImplementedError
