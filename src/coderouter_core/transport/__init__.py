"""HTTP to upstreams: one pool of connections per provider, made once."""

from __future__ import annotations

import httpx

from coderouter_core.model import Provider
from coderouter_core.transport.http import HttpTransport
from coderouter_core.transport.proxied import ProxiedTransport, proxy_for

__all__ = ["HttpTransport", "ProxiedTransport", "make_transport"]


def make_transport(provider: Provider) -> httpx.AsyncBaseTransport:
    """The connection pool of one provider.

    Proxies of the environment are used only where `trust_env` asks for it and one applies to the base URL.
    """
    if provider.trust_env and (proxy := proxy_for(provider.base_url)) is not None:
        return ProxiedTransport(proxy)
    return HttpTransport()
