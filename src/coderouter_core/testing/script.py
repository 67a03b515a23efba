"""What each provider of a router under test will do, and how the router speaks to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx
from attrs import frozen

from coderouter_core.exchange import Endpoint, join_url
from coderouter_core.hookspecs import hookimpl
from coderouter_core.model import Answer, Call, Dialect, Operation, Option, Provider, Scope
from coderouter_core.testing.steps import Step, Steps, read_steps

_PATHS = {Operation.EMBED: "embeddings", Operation.COMPLETE: "completions"}
_GENERATE = {Dialect.CHAT: "chat/completions", Dialect.MESSAGES: "messages"}


@frozen
class Spoken:
    """Steps of a provider that speaks `dialect`."""

    dialect: Dialect
    steps: tuple[Step, ...]


class Script:
    """Providers by name, in the order of the chain, and the steps of each.

    A provider speaks the chat dialect; ``Script.messages(…)`` makes it speak the other::

        Script(local=ProviderError("out of memory"), cloud=Script.messages("hello"))
    """

    def __init__(self, **providers: Steps | Spoken) -> None:
        self.providers = {
            name: said if isinstance(said, Spoken) else Spoken(Dialect.CHAT, read_steps(said))
            for name, said in providers.items()
        }

    @staticmethod
    def messages(*steps: str | Step) -> Spoken:
        """Steps of a provider with the Anthropic Messages wire."""
        return Spoken(Dialect.MESSAGES, read_steps(steps))

    @staticmethod
    def chat(*steps: str | Step) -> Spoken:
        """Steps of a provider with the OpenAI Chat Completions wire."""
        return Spoken(Dialect.CHAT, read_steps(steps))


@frozen
class ChatKeys:
    """No keys beyond those that every provider has."""


@frozen
class MessagesKeys:
    """No keys beyond those that every provider has."""


def kind_of(dialect: Dialect) -> str:
    """The `kind` of a scripted provider."""
    return f"scripted-{dialect}"


class ScriptedAdapters:
    """Plugin that speaks both wires with no more than a call needs, so that a plugin and the core can
    be tested without any adapter installed."""

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        needs = ("base_url", "model")
        return [
            Option(Scope.PROVIDER, ChatKeys, kind=kind_of(Dialect.CHAT), requires=needs),
            Option(Scope.PROVIDER, MessagesKeys, kind=kind_of(Dialect.MESSAGES), requires=needs),
        ]

    @hookimpl
    def make_adapter(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> ScriptedAdapter | None:
        for dialect in _GENERATE:
            if provider.kind == kind_of(dialect):
                return ScriptedAdapter(provider, transport, dialect)
        return None


class ScriptedAdapter:
    """One provider of a script."""

    def __init__(self, provider: Provider, transport: httpx.AsyncBaseTransport, dialect: Dialect) -> None:
        self.dialects = (dialect,)
        self._provider = provider
        paths = {Operation.GENERATE: _GENERATE[dialect], **(_PATHS if dialect is Dialect.CHAT else {})}
        self.operations = tuple(paths)
        self._endpoints = {
            operation: Endpoint(transport, join_url(provider.base_url, path))
            for operation, path in paths.items()
        }

    async def start(self) -> None:
        """Nothing to make ready: the first call connects."""

    async def open(self, call: Call) -> Answer:
        key = self._provider.api_key()
        secret = {"authorization": f"Bearer {key}"} if key else {}
        return await self._endpoints[call.operation].post(call, {**call.headers, **secret})

    async def vitals(self) -> Mapping[str, Any]:
        return {}

    async def count_tokens(self, call: Call) -> int | None:  # noqa: ARG002
        return None

    async def models(self) -> Sequence[Mapping[str, Any]]:
        return [{"id": self._provider.model}]

    async def aclose(self) -> None:
        """Nothing to let go of: the transport is the router's."""
