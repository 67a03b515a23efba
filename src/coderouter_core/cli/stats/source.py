"""Where the figures come from: a router's ``/metrics.json``."""

from __future__ import annotations

from typing import Any

from attrs import frozen

#: Seconds that a router may take to answer.
PATIENCE_S = 2.0


class UnreachableError(Exception):
    """There is nothing to show; says why, and what to do."""


@frozen
class Source:
    """A router, by the URL of its figures; `key` is one of its clients' keys."""

    url: str
    key: str | None = None

    def fetch(self) -> dict[str, Any]:
        """The figures as they are now. Raises `UnreachableError`."""
        import httpx

        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            # No proxy of the environment: it is this machine that is asked, or one that was named.
            answer = httpx.get(self.url, headers=headers, timeout=PATIENCE_S, trust_env=False)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            why = str(error) or type(error).__name__
            raise UnreachableError(
                f"{self.url} cannot be reached ({why}); is coderouter serve running there?"
            ) from None
        if answer.status_code in (401, 403):
            raise UnreachableError(
                f"{self.url} wants a key ({answer.status_code}); give one with --key or CODEROUTER_KEY"
            )
        if answer.status_code == 404:
            raise UnreachableError(
                f"{self.url} is not there (404); the router needs the plugin metrics: "
                "pip install 'coderouter-core[metrics]'"
            )
        try:
            document = answer.json() if answer.status_code == 200 else None
        except ValueError:
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("counters"), dict):
            raise UnreachableError(
                f"{self.url} does not answer with a router's figures (status {answer.status_code}); "
                "the URL ends in /metrics.json"
            )
        return document
