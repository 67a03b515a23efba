"""Keep keys out of what is sent, whoever put them there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import orjson

from coderouter_core.api import Config

#: Shorter values would blot out words that are no secret.
SHORTEST = 6
BLOT = b"***"


class Secrets:
    """The values of all keys that the configuration names, for what a plugin may quote in a reason or an event; the
    core does the same for the words of upstreams. Read anew each time, and never kept."""

    def __init__(self, config: Config) -> None:
        self._providers = config.providers
        self._variables = [key.env for key in config.auth_keys if key.env]

    def encode(self, value: Any) -> bytes:
        """`value` as JSON without any key in it."""
        try:
            text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:
            # A plugin may say anything: half a character, a number that has no end.
            text = json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace")
        for secret in self._values():
            if len(secret) >= SHORTEST:
                text = text.replace(orjson.dumps(secret)[1:-1], BLOT)
        return text

    def _values(self) -> Iterator[str]:
        for provider in self._providers:
            yield from provider.secrets()
        for name in self._variables:
            yield os.environ.get(name, "").strip()
