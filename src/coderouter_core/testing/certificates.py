"""Certificates for servers that speak TLS on loopback."""

from __future__ import annotations

import subprocess
from pathlib import Path

_COMMAND = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
    "-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
)


def self_signed(folder: Path) -> Path:
    """Key and self-signed certificate for ``localhost``, in one PEM file in `folder`.

    Valid for two days. Made by the ``openssl`` command; `FileNotFoundError` where there is none.
    """
    subprocess.run(_COMMAND.split(), cwd=folder, check=True, capture_output=True, timeout=30)  # noqa: S603 (a constant)
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both
