"""What stands in front of every route: Host, Origin, keys, and bounds on headers and bodies."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from coderouter_core.errors import ConfigError, Problem
from coderouter_core.model import AuthKey, Config, Fault

ASGIApp = Any
Scope = Any

MOST_HEADERS = 64 * 1024
#: Host headers that are known to be right without taking them apart again.
MOST_HOSTS_SEEN = 100
LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: Probes that must work without a key; they tell nothing but that a router is there.
OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/healthz", "/api/hello"})


class Keys:
    """The client keys, held as keyed digests; comparing takes the same time for any guess."""

    def __init__(self, keys: Sequence[AuthKey], environ: Mapping[str, str]) -> None:
        self._salt = secrets.token_bytes(32)
        self._digests: list[tuple[str, bytes]] = []
        for key in keys:
            digest = key.sha256
            if key.env is not None:
                value = environ.get(key.env, "").strip()
                if not value:
                    raise ConfigError(Problem(f"auth.keys: the variable {key.env} is not set"))
                digest = hashlib.sha256(value.encode()).hexdigest()
            self._digests.append((key.name, self._salted((digest or "").lower())))

    def __bool__(self) -> bool:
        return bool(self._digests)

    def _salted(self, digest: str) -> bytes:
        return hmac.digest(self._salt, digest.encode(), "sha256")

    def whose(self, offered: Iterable[str]) -> str | None:
        """The name of the key that one of `offered` is; None when it is nobody's."""
        found = None
        for value in offered:
            # The bytes that were sent: headers were read as Latin-1.
            digest = self._salted(hashlib.sha256(value.encode("latin-1", "replace")).hexdigest())
            for name, known in self._digests:
                if hmac.compare_digest(digest, known):
                    found = name
        return found


@frozen
class Denied:
    """Why a request goes no further."""

    fault: Fault


def _denied(status: int, kind: str, message: str) -> Denied:
    return Denied(Fault(status, kind, message, should_retry=False))


class Security:
    """ASGI middleware around the whole application: nothing is routed before it was asked."""

    def __init__(
        self,
        app: ASGIApp,
        config: Config,
        bound: Sequence[str],
        answer: Any,
        open_paths: Set[str] = frozenset(),
    ) -> None:
        self._app = app
        self._open_paths = open_paths
        self._answer = answer
        self._keys = Keys(config.auth_keys, os.environ)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in config.settings.allowed_origins)
        self._hosts = frozenset(
            name.lower()
            for name in (*LOOPBACK, *config.settings.allowed_hosts, *bound)
            if not _wildcard(name)
        )
        self._any_own_address = any(_wildcard(name) for name in bound)
        # As they came, ports included; a client sends the same one for ever.
        self._hosts_seen: set[str] = set()
        self._most_body = config.settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        headers = read_headers(scope)
        scope["coderouter.headers"] = headers
        denied = self._judge(scope, headers)
        if denied is not None:
            await self._answer(scope, send, denied.fault)
            return
        await self._app(scope, receive, send)

    def _judge(self, scope: Scope, headers: Mapping[str, str]) -> Denied | None:
        size = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
        size += sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size > MOST_HEADERS:
            message = f"path and headers: {size} bytes; at most {MOST_HEADERS} are taken"
            return _denied(431, "invalid_request_error", message)
        if not self._known_host(headers.get("host", ""), scope):
            return _denied(
                403,
                "permission_error",
                f"Host {headers.get('host', '')[:100]!r} is not a name of this router;"
                " add it to allowed_hosts in the configuration",
            )
        origin = headers.get("origin")
        if origin is not None and not self._known_origin(origin, headers, scope):
            return _denied(
                403,
                "permission_error",
                f"Origin {origin[:100]!r} may not use this router; add it to allowed_origins in the configuration",
            )
        if origin is None and _from_a_foreign_page(headers):
            return _denied(403, "permission_error", "a page of another origin may not use this router")
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            message = f"a body encoded as {encoding[:40]!r} is not taken; send it as it is"
            return _denied(415, "invalid_request_error", message)
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:18]) > self._most_body:
            return _denied(413, "request_too_large", f"the body is larger than {self._most_body} bytes")
        return self._judge_key(scope, headers)

    def _judge_key(self, scope: Scope, headers: Mapping[str, str]) -> Denied | None:
        if not self._keys:
            return None
        name = self._keys.whose(offered_keys(headers))
        scope["coderouter.key"] = name
        if name is not None or scope["path"] in OPEN_PATHS or self._is_open(scope):
            return None
        return _denied(
            401,
            "authentication_error",
            "this router asks for a key: send one of its auth.keys as x-api-key or as Authorization: Bearer",
        )

    def _is_open(self, scope: Scope) -> bool:
        return scope["path"] in self._open_paths and scope["method"] in ("GET", "HEAD")

    def _known_host(self, value: str, scope: Scope) -> bool:
        if value in self._hosts_seen:
            return True
        host = _host(value)
        if host is None:
            return False
        if host in self._hosts:
            if len(self._hosts_seen) < MOST_HOSTS_SEEN:
                self._hosts_seen.add(value)
            return True
        server = scope.get("server")
        return bool(self._any_own_address and server and _same_address(host, str(server[0])))

    def _known_origin(self, origin: str, headers: Mapping[str, str], scope: Scope) -> bool:
        lowered = origin.lower().rstrip("/")
        if lowered in self._origins:
            return True
        return lowered == f"{scope.get('scheme', 'http')}://{headers.get('host', '').lower()}"


def read_headers(scope: Scope) -> dict[str, str]:
    """Header names in lower case; a repeated header is joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def offered_keys(headers: Mapping[str, str]) -> list[str]:
    """The credentials a client sent: ``x-api-key``, ``Authorization: Bearer``, or both."""
    offered = [headers["x-api-key"].strip()] if headers.get("x-api-key") else []
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        offered.append(token.strip())
    return offered


def is_loopback(host: str) -> bool:
    """Whether binding to `host` keeps the router to this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _from_a_foreign_page(headers: Mapping[str, str]) -> bool:
    """A browser sends no Origin with what a page merely embeds, as an image or a script. Links may be followed."""
    foreign = headers.get("sec-fetch-site", "") in ("cross-site", "same-site")
    return foreign and headers.get("sec-fetch-mode") != "navigate"


def _wildcard(host: str) -> bool:
    return host in ("", "0.0.0.0", "::", "[::]", "*")  # noqa: S104


def _host(value: str) -> str | None:
    """The host of a Host header, in lower case, without port and brackets; None for what is not one."""
    if not value or any(char in value for char in "/@\\ ,?#"):
        return None
    try:
        return urlsplit(f"//{value}").hostname
    except ValueError:
        return None


def _same_address(one: str, other: str) -> bool:
    try:
        left, right = ipaddress.ip_address(one), ipaddress.ip_address(other)
    except ValueError:
        return False
    mapped = getattr(right, "ipv4_mapped", None)
    return left in (right, mapped)
