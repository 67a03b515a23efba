"""Ask the usual ports of this machine which models are served there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve, frozen

from coderouter_core.errors import UpstreamError
from coderouter_core.model import Limits, Provider
from coderouter_core.web.security import is_loopback

#: Seconds a server on this machine may take to say what it has.
PATIENCE_S = 0.4


@frozen
class Place:
    """Where a kind of server listens unless told otherwise. `proof` is a path of its own, if it has one. `grammar`:
    it makes a grammar of the schemas of tools, and refuses a request over what has no form there."""

    name: str
    title: str
    port: int
    host: str = "127.0.0.1"
    proof: str = ""
    grammar: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@frozen
class Server:
    """A server that answered, and the ids of its models."""

    place: Place
    models: tuple[str, ...]


PLACES = (
    Place("ollama", "Ollama", 11434, proof="/api/tags"),
    Place("lmstudio", "LM Studio", 1234, grammar=True),
    Place("llamacpp", "llama.cpp", 8080, grammar=True),
    Place("vllm", "vLLM", 8000),
)


def usual_places(environ: Mapping[str, str]) -> list[Place]:
    """The usual places; Ollama where its own variable, OLLAMA_HOST, says, if that is on this machine."""
    return [_moved(place, environ.get("OLLAMA_HOST", "")) if place.proof else place for place in PLACES]


def _moved(place: Place, said: str) -> Place:
    try:
        parts = urlsplit(said if "//" in said else f"//{said}")
        host, port = parts.hostname or place.host, parts.port or place.port
    except ValueError:
        return place
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = place.host
    return evolve(place, host=host, port=port) if is_loopback(host) else place


async def probe(places: Sequence[Place], patience_s: float = PATIENCE_S) -> list[Server]:
    """The servers among `places` that answer with a list of models, in that order. All are asked at once."""
    found = await asyncio.gather(*(_ask(place, patience_s) for place in places))
    return [server for server in found if server is not None]


async def _ask(place: Place, patience_s: float) -> Server | None:
    from coderouter_core.transport import make_transport

    transport = make_transport(Provider(place.name, base_url=place.url))
    limits = Limits(patience_s, patience_s, patience_s)
    try:
        async with asyncio.timeout(patience_s):
            if place.proof and not isinstance(await _get(transport, place.url + place.proof, limits), dict):
                return None
            models = model_ids(await _get(transport, place.url + "/v1/models", limits))
    except (TimeoutError, UpstreamError):
        return None
    finally:
        await transport.aclose()
    return None if models is None else Server(place, models)


async def _get(transport: Any, url: str, limits: Limits) -> Any:
    from coderouter_core.exchange import Endpoint, read_json

    return await read_json(await Endpoint(transport, url).get(limits=limits))


def model_ids(answer: Any) -> tuple[str, ...] | None:
    """The ids in a list of models; None for what is not one, or is another router's."""
    listed = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        # Ollama says null where it has no model.
        return () if isinstance(answer, dict) and answer.get("object") == "list" and listed is None else None
    if not all(isinstance(model, dict) and isinstance(model.get("id"), str) for model in listed):
        return None
    if any(model.get("owned_by") == "coderouter" for model in listed):
        return None
    return tuple(model["id"] for model in listed)
