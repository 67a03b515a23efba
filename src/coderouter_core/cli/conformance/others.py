"""Checks of OpenAI's embeddings and legacy completions, where the gateway has them."""

from __future__ import annotations

from typing import Any

from coderouter_core.cli.conformance.check import Skipped, check, expect
from coderouter_core.cli.conformance.gateway import GREETING, MOST_TOKENS, Gateway
from coderouter_core.cli.conformance.heard import Heard
from coderouter_core.cli.conformance.mistakes import expect_error
from coderouter_core.model import Dialect
from coderouter_core.wire.lenient import table

EMBEDDINGS = "OpenAI API, embeddings"
COMPLETIONS = "OpenAI API, legacy completions"


def _ask(gateway: Gateway, path: str, **body: Any) -> Heard:
    gateway.play(GREETING)
    heard = gateway.post(Dialect.CHAT, path, {"model": gateway.model, **body})
    if heard.status in (404, 405, 501):
        raise Skipped(f"the gateway has no {path} for this model (it answered {heard.status})")
    return heard


@check(
    "embeddings",
    "Each text gets a vector, in the order given, and the tokens read are told.",
    source=EMBEDDINGS,
)
def embeddings(gateway: Gateway) -> None:
    heard = _ask(gateway, "/v1/embeddings", input=["one", "another"])
    expect(heard.status == 200, f"answered {heard.status}: {heard.words}")
    vectors = heard.body["data"]
    expect([vector["index"] for vector in vectors] == [0, 1], f"{len(vectors)} vectors for two texts")
    expect(all(vector["embedding"] for vector in vectors), "a vector is empty")
    expect(heard.body["usage"]["prompt_tokens"] > 0, "no tokens are told")


@check("embeddings-no-input", "A request to embed nothing is a 4xx in OpenAI's shape.", source=EMBEDDINGS)
def embeddings_no_input(gateway: Gateway) -> None:
    expect_error(_ask(gateway, "/v1/embeddings"))


@check("completions", "A text is completed, with a finish reason and usage.", source=COMPLETIONS)
def completions(gateway: Gateway) -> None:
    heard = _ask(gateway, "/v1/completions", prompt="Once upon a time", max_tokens=MOST_TOKENS)
    expect(heard.status == 200, f"answered {heard.status}: {heard.words}")
    choice = heard.body["choices"][0]
    expect(isinstance(choice["text"], str) and choice["finish_reason"], "it lacks text or finish_reason")
    expect(heard.body["usage"]["prompt_tokens"] > 0, "no tokens are told")


@check(
    "completions-stream",
    "A streamed completion is chunks with text, a finish reason, and [DONE].",
    source=COMPLETIONS,
)
def completions_stream(gateway: Gateway) -> None:
    asked = {"prompt": "Once upon a time", "max_tokens": MOST_TOKENS, "stream": True}
    heard = _ask(gateway, "/v1/completions", **asked)
    expect(heard.status == 200 and heard.streamed, f"answered {heard.status}: {heard.words}")
    *chunks, done = [event for _, event in heard.events]
    expect(done == "[DONE]", "it does not end with [DONE]")
    choices = [table(chunk)["choices"] for chunk in chunks]
    expect(all(choices), "a chunk has no choices, though usage was not asked for")
    expect([choice for (choice, *_) in choices if choice.get("finish_reason")], "it has no finish reason")
