"""Answer with a small real model of one's own, without any other server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import field, frozen, validators

from coderouter_adapter_embedded.adapter import EmbeddedAdapter
from coderouter_adapter_embedded.model import choose_model
from coderouter_adapter_embedded.weights import find_model
from coderouter_core.api import Config, Option, Provider, Router, Scope, hookimpl

if TYPE_CHECKING:
    import click
    import httpx

__all__ = ["Embedded", "EmbeddedKeys", "EmbeddedModel", "find_model"]

KIND = "embedded"


@frozen
class EmbeddedModel:
    """Below ``embedded:``. `model` is a GGUF file; left out, it is the packaged model. `context` is in tokens
    a request, `threads` are those that compute."""

    model: str | None = None
    context: int | None = field(
        default=None, validator=validators.optional([validators.ge(256), validators.le(1_048_576)])
    )
    threads: int | None = field(
        default=None, validator=validators.optional([validators.ge(1), validators.le(512)])
    )


@frozen
class EmbeddedKeys:
    """Key of a provider of kind ``embedded``."""

    embedded: EmbeddedModel = EmbeddedModel()


class Embedded:
    def __init__(self) -> None:
        self._router: Router | None = None

    @hookimpl
    def declare_options(self) -> Iterable[Option]:
        return [Option(Scope.PROVIDER, EmbeddedKeys, kind=KIND)]

    @hookimpl
    def configure(self, config: Config, router: Router) -> None:  # noqa: ARG002
        self._router = router

    @hookimpl
    def make_adapter(self, provider: Provider, transport: httpx.AsyncBaseTransport) -> EmbeddedAdapter | None:
        if provider.kind != KIND:
            return None
        keys = provider.option(EmbeddedKeys).embedded

        def note(text: str) -> None:
            if self._router is not None:
                self._router.emit("adapter-note", provider=provider.name, note=text)

        model = choose_model(provider.name, keys.model, keys.context)
        return EmbeddedAdapter(provider.name, transport, model, keys.threads, note)

    @hookimpl
    def commands(self, cli: click.Group) -> None:
        from coderouter_adapter_embedded.commands import embedded

        cli.add_command(embedded)
