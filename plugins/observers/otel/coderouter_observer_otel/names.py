"""Every name that leaves this plugin, in one table for each version of the conventions.

``current`` is what the GenAI conventions say today (all of it "Development"). ``latest`` is their next
version, in which the histogram of tokens becomes counters. Source: the files ``gen-ai-metrics.md`` and
``gen-ai-spans.md`` of OpenTelemetry's semantic-conventions-genai repository.
"""

# ruff: noqa: S105 (names of tokens that models count)
from __future__ import annotations

import functools
from urllib.parse import urlsplit

from attrs import frozen

from coderouter_core.api import Provider

TOKEN_BUCKETS = tuple(4.0**power for power in range(14))
SECONDS_BUCKETS = tuple(0.01 * 2**power for power in range(14))
#: The router's own time is far shorter than a model's.
OVERHEAD_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
PER_TOKEN_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
    2.5,
)

# ---- attributes

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
CONVERSATION = "gen_ai.conversation.id"
TOKEN_TYPE = "gen_ai.token.type"
TOKEN_CACHE = "gen_ai.token.cache"
TOKEN_PHASE = "gen_ai.token.phase"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
METHOD = "http.request.method"
ROUTE = "http.route"
STATUS = "http.response.status_code"
REQUEST_ID = "coderouter.request_id"
DIALECT = "coderouter.dialect"
PROFILE = "coderouter.profile"
PROVIDER_NAME = "coderouter.provider"
ATTEMPT = "coderouter.attempt"
ATTEMPTS = "coderouter.attempts"
OUTCOME = "coderouter.outcome"
STREAM = "coderouter.stream"
ESTIMATED = "coderouter.estimated"
COST = "coderouter.cost_usd"

#: Who serves a client: this router, whoever it asks.
OURSELVES = "coderouter"


@frozen
class Names:
    """Names of the metrics. None: not told in this version."""

    token_usage: str | None
    tokens: str | None
    tokens_by_cache: str | None
    tokens_by_phase: str | None
    duration: str = "gen_ai.client.operation.duration"
    first_chunk: str = "gen_ai.client.operation.time_to_first_chunk"
    server_duration: str = "gen_ai.server.request.duration"
    server_first_token: str = "gen_ai.server.time_to_first_token"
    server_per_token: str = "gen_ai.server.time_per_output_token"
    overhead: str = "coderouter.overhead"
    cost: str = "coderouter.cost"


CURRENT = Names("gen_ai.client.token.usage", None, None, None)
LATEST = Names(
    None,
    "gen_ai.client.inference.tokens",
    "gen_ai.client.inference.input_tokens_by_cache",
    "gen_ai.client.inference.output_tokens_by_phase",
)

#: What the conventions call what is asked of a model, by what the router calls it.
OPERATIONS = {
    "generate": "chat",
    "complete": "text_completion",
    "embed": "embeddings",
    "count": "count_tokens",
}

ROUTES = {
    ("messages", "generate"): "/v1/messages",
    ("messages", "count"): "/v1/messages/count_tokens",
    ("chat", "generate"): "/v1/chat/completions",
    ("responses", "generate"): "/v1/responses",
    ("chat", "complete"): "/v1/completions",
    ("chat", "embed"): "/v1/embeddings",
}

#: Hosts, or ends of them, whose owners have a name in the conventions.
HOSTS = {
    "anthropic.com": "anthropic",
    "openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "deepseek.com": "deepseek",
    "mistral.ai": "mistral_ai",
    "groq.com": "groq",
    "moonshot.ai": "moonshot_ai",
    "moonshot.cn": "moonshot_ai",
    "x.ai": "x_ai",
    "perplexity.ai": "perplexity",
    "cohere.com": "cohere",
    "openrouter.ai": "openrouter",
}


def provider_name(provider: Provider) -> str:
    """Who serves `provider`: the name that the conventions have for its host, else its kind."""
    host = _place(provider.base_url)[0]
    known = (name for end, name in HOSTS.items() if host == end or host.endswith(f".{end}"))
    return next(known, provider.kind.replace("-", "_"))


def server(provider: Provider) -> dict[str, str | int]:
    """Host and port of `provider`; nothing for one that has none."""
    host, port = _place(provider.base_url)
    return {SERVER_ADDRESS: host, SERVER_PORT: port} if host else {}


@functools.lru_cache(maxsize=1000)
def _place(url: str) -> tuple[str, int]:
    """Host and port; kept, since every attempt asks for those of its provider, and reading a URL takes long."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or "", port or (443 if parts.scheme == "https" else 80)
