"""Checks of what no model answers: probes, lists of models, counts, keys."""

from __future__ import annotations

from typing import Any

from coderouter_core.cli.conformance.check import Skipped, check, expect
from coderouter_core.cli.conformance.gateway import PATHS, VERSION, Gateway
from coderouter_core.cli.conformance.heard import Heard
from coderouter_core.model import Dialect

GATEWAY_DOCS = "Claude Code, LLM gateway protocol"
ANTHROPIC_ERRORS = "Anthropic API, errors"
OPENAI_MODELS = "OpenAI API, models"
COUNTING = "Anthropic API, token counting"
COUNT = "/v1/messages/count_tokens"
#: More than the 32 MB that Anthropic takes; blanks, so that no model is asked whatever the limit is.
HUGE = b" " * (33 * 1024 * 1024)


def _quiet(heard: Heard) -> None:
    expect(heard.status < 500, f"answered {heard.status}: {heard.words}")
    expect(
        not 300 <= heard.status < 400,
        f"answered {heard.status}, a redirect, which clients take for a failure",
    )


@check("head-root", "HEAD / is answered without a server error or a redirect.", source=GATEWAY_DOCS)
def head_root(gateway: Gateway) -> None:
    _quiet(gateway.get("/", method="HEAD"))


@check(
    "hello",
    "HEAD /api/hello, a client's first probe, may be refused but never redirected.",
    source=GATEWAY_DOCS,
)
def hello(gateway: Gateway) -> None:
    _quiet(gateway.get("/api/hello", method="HEAD"))


@check(
    "telemetry",
    "Telemetry that a client posts is taken or refused, without a server error.",
    source=GATEWAY_DOCS,
)
def telemetry(gateway: Gateway) -> None:
    _quiet(gateway.post(Dialect.MESSAGES, "/api/event_logging/batch", {"events": []}))


@check("unknown-route", "A route that does not exist is a 404 whose body is JSON.", source=ANTHROPIC_ERRORS)
def unknown_route(gateway: Gateway) -> None:
    heard = gateway.get("/v1/no-such-route-here")
    expect(heard.status == 404, f"answered {heard.status}")
    expect(isinstance(heard.body, dict), f"answered with {heard.words}")


@check(
    "request-id",
    "Every answer has an id, in x-request-id or request-id, and no two have the same.",
    source=ANTHROPIC_ERRORS,
)
def request_id(gateway: Gateway) -> None:
    answers = [gateway.post(Dialect.MESSAGES, PATHS[Dialect.MESSAGES], b"{}") for _ in range(2)]
    ids = [heard.headers.get("request-id") or heard.headers.get("x-request-id") for heard in answers]
    expect(all(ids), "the header is missing")
    expect(ids[0] != ids[1], f"two answers have the id {ids[0]}")


@check(
    "huge-body", "A body over 33 MiB is refused with a 4xx status and a JSON error.", source=ANTHROPIC_ERRORS
)
def huge_body(gateway: Gateway) -> None:
    heard = gateway.post(Dialect.MESSAGES, PATHS[Dialect.MESSAGES], HUGE)
    expect(400 <= heard.status < 500, f"answered {heard.status}: {heard.words}")
    expect(heard.body["error"]["message"], "the error has no message")


@check("models", "GET /v1/models lists models as OpenAI does.", source=OPENAI_MODELS)
def models(gateway: Gateway) -> None:
    listed = _listed(gateway.get("/v1/models?limit=1000"))
    expect(listed["object"] == "list", f"its object is {listed['object']!r}")
    wrong = [
        model for model in listed["data"] if model["object"] != "model" or not isinstance(model["id"], str)
    ]
    expect(not wrong, f"an entry is no model: {wrong[:1]}")


@check(
    "models-anthropic",
    "With anthropic-version, GET /v1/models lists models as Anthropic does.",
    source=GATEWAY_DOCS,
)
def models_anthropic(gateway: Gateway) -> None:
    listed = _listed(gateway.get("/v1/models?limit=1000", VERSION))
    expect(listed["has_more"] is False or isinstance(listed["has_more"], bool), "has_more is missing")
    lacking = [model for model in listed["data"] if not (model.get("id") and model.get("display_name"))]
    expect(not lacking, f"an entry lacks id or display_name: {lacking[:1]}")
    ends = (listed["data"][0]["id"], listed["data"][-1]["id"])
    expect((listed["first_id"], listed["last_id"]) == ends, "first_id and last_id are not those of the list")


def _listed(heard: Heard) -> Any:
    if heard.status == 404:
        raise Skipped("the gateway lists no models")
    expect(heard.status == 200, f"answered {heard.status}: {heard.words}")
    expect(heard.body["data"], "the list is empty")
    return heard.body


@check(
    "model",
    "GET /v1/models/ID tells of one model of the list, and answers 404 for one that is not.",
    source=OPENAI_MODELS,
)
def model(gateway: Gateway) -> None:
    wanted = _listed(gateway.get("/v1/models"))["data"][0]["id"]
    heard = gateway.get(f"/v1/models/{wanted}")
    expect(heard.status == 200, f"answered {heard.status} for {wanted!r}, which it lists")
    expect(heard.body["id"] == wanted, f"answered with {heard.body['id']!r} for {wanted!r}")
    missing = gateway.get("/v1/models/no-such-model-here")
    expect(missing.status == 404, f"answered {missing.status} for a model that is not listed")


def _count(gateway: Gateway, text: str) -> int:
    body = {"model": gateway.model, "messages": [{"role": "user", "content": text}]}
    heard = gateway.post(Dialect.MESSAGES, COUNT, body)
    if heard.status == 404:
        raise Skipped("the gateway does not count; clients then do without")
    expect(heard.status == 200, f"answered {heard.status}: {heard.words}")
    told = heard.body["input_tokens"]
    expect(type(told) is int and told > 0, f"input_tokens is {told!r}")
    return int(told)


@check(
    "count-tokens",
    "count_tokens answers a body without max_tokens with a positive input_tokens.",
    source=COUNTING,
)
def count_tokens(gateway: Gateway) -> None:
    _count(gateway, "hi")


@check("count-tokens-grows", "A prompt a hundred times as long counts more tokens.", source=COUNTING)
def count_tokens_grows(gateway: Gateway) -> None:
    short, long = _count(gateway, "word "), _count(gateway, "word " * 100)
    expect(long > short, f"counts {short} for one word and {long} for a hundred")


@check(
    "count-tokens-malformed",
    "count_tokens answers a body that is not JSON with 400.",
    source=ANTHROPIC_ERRORS,
)
def count_tokens_malformed(gateway: Gateway) -> None:
    heard = gateway.post(Dialect.MESSAGES, COUNT, b"{nope")
    if heard.status == 404:
        raise Skipped("the gateway does not count; clients then do without")
    expect(heard.status == 400, f"answered {heard.status}: {heard.words}")


def _with_key(gateway: Gateway, headers: dict[str, str]) -> int:
    body = {"model": gateway.model, "messages": []}
    sent = {"content-type": "application/json", **VERSION, **headers}
    return gateway.send("POST", PATHS[Dialect.MESSAGES], str(body).encode(), sent, Dialect.MESSAGES).status


def _key(gateway: Gateway) -> str:
    if gateway.key is None:
        raise Skipped("it needs a key: --key KEY")
    return gateway.key


@check(
    "key-either", "The key is taken as x-api-key, as Authorization: Bearer, and as both.", source=GATEWAY_DOCS
)
def key_either(gateway: Gateway) -> None:
    api, bearer = {"x-api-key": _key(gateway)}, {"authorization": f"Bearer {_key(gateway)}"}
    refused = [
        list(sent) for sent in (api, bearer, {**api, **bearer}) if _with_key(gateway, sent) in (401, 403)
    ]
    expect(not refused, f"refused where it came as {refused}")


@check("key-wrong", "A wrong key, and none, are refused with 401.", source=ANTHROPIC_ERRORS)
def key_wrong(gateway: Gateway) -> None:
    statuses = [_with_key(gateway, sent) for sent in ({"x-api-key": _key(gateway) + "x"}, {})]
    expect(statuses == [401, 401], f"answered {statuses[0]} to a wrong key and {statuses[1]} to none")
