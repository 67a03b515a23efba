"""Whom to trust."""

from __future__ import annotations

import os
import ssl

import httpx


def client_context() -> ssl.SSLContext:
    """Verifies certificates and names against the system's authorities and those of Mozilla.

    SSL_CERT_FILE and SSL_CERT_DIR, where set, name the only ones. Takes tens of milliseconds:
    not for the event loop.
    """
    context = httpx.create_ssl_context()
    if "SSL_CERT_FILE" not in os.environ and "SSL_CERT_DIR" not in os.environ:
        # httpx brings Mozilla's list, which small containers need; a company's own is the system's.
        context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context
