"""What servers say when a prompt is too long."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from coderouter_core.model import Dialect, Fault
from coderouter_core.wire import codec, too_long

#: The words as seen in public issue threads and error tables.
WORDS = {
    "anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "anthropic-with-answer": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "openai": "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
    "openai-responses": "Your input exceeds the context window of this model.",
    "llama.cpp": "request (9010 tokens) exceeds the available context size (4096 tokens), try increasing it",
    "vllm": "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
    "vllm-v0": "The prompt (total length 25938) is too long to fit into the model (context length 4096).",
    "sglang": "The input (61709 tokens) is longer than the model's context length (40960 tokens).",
    "lm-studio": "Trying to keep the first 10136 tokens when context the overflows. However, the model is loaded"
    " with context length of only 7866 tokens",
    "lm-studio-keep": "The number of tokens to keep from the initial prompt is greater than the context length",
    "lm-studio-mid": "Reached context length of 4096 tokens with model (arch: qwen3vlmoe)",
    "ollama": "prompt too long; exceeded max context length by 12 tokens",
    "ollama-embed": "the input length exceeds the context length",
    "openrouter": "This endpoint's maximum context length is 32768 tokens. However, you requested about 42832",
    "together": "Input length 9000 exceeds the maximum allowed input length of 8192 tokens.",
    "gemini": "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)",
    "xai": "This model's maximum prompt length is 131072 but the request contains 537812 tokens",
    "groq": "Please reduce the length of the messages or completion.",
    "copilot": "prompt token count of 130431 exceeds the limit of 128000",
    "mistral": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
    "bedrock": "Input is too long for requested model.",
    "minimax": "invalid params, context window exceeds limit",
    "kimi": "Your request exceeded model token limit: 8192 (requested: 9000)",
    "zhipu": "Prompt exceeds max length",
    "qwen": "Range of input length should be [1, 30720]",
    "siliconflow": "number of input tokens (204703) has exceeded max_prompt_tokens (202752) limit.",
    "cohere": "too many tokens: size limit exceeded by 19296 tokens.",
    "ds4": "Prompt tokens (9000) exceeds context size (8192)",
}


def said(message: str, status: int = 400, **error: Any) -> Fault:
    body = orjson.dumps({"error": {"message": message, **error}})
    return codec(Dialect.CHAT).fault(status, {}, body)


@pytest.mark.parametrize("message", [pytest.param(words, id=name) for name, words in WORDS.items()])
def test_every_known_wording_means_that_the_prompt_is_too_long(message: str) -> None:
    assert said(message).code == "context_length_exceeded"


@pytest.mark.parametrize(
    "error",
    [
        {"code": "context_length_exceeded"},
        {"type": "exceed_context_size_error"},
        {"code": "model_max_prompt_tokens_exceeded"},
        {"code": "tokens_limit_reached"},
    ],
    ids=str,
)
def test_a_type_or_code_alone_says_it(error: dict[str, Any]) -> None:
    assert said("no", **error).code == "context_length_exceeded"


def test_the_status_is_400_whatever_the_server_took() -> None:
    assert said(WORDS["ollama"], status=500).status == 400


def test_the_servers_own_words_are_kept() -> None:
    assert said(WORDS["vllm"]).message == WORDS["vllm"]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        pytest.param("Rate limit reached on tokens per minute: Limit 6000, Requested 9000", 429, id="rate"),
        pytest.param("maximum context length is a paid feature", 403, id="permission"),
        pytest.param("input length exceeds 1000 characters", 400, id="some-field"),
        pytest.param("Too many tokens, please wait before trying again", 400, id="throttled"),
        pytest.param(
            "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length"
            " is 32768 tokens and your request has 120 input tokens",
            400,
            id="the-answer-is-what-does-not-fit",
        ),
    ],
)
def test_other_limits_are_not_taken_for_it(message: str, status: int) -> None:
    assert said(message, status).code is None


def test_our_own_refusal_carries_the_word_that_makes_clients_compact() -> None:
    fault = too_long("90000 tokens fit no provider", n_ctx=8192)

    error = orjson.loads(codec(Dialect.MESSAGES).error_body(fault, "r"))["error"]
    assert error == {
        "type": "invalid_request_error",
        "message": "prompt is too long: 90000 tokens fit no provider (capability_rejected: prompt_too_long)",
        "n_ctx": 8192,
    }


@pytest.mark.parametrize("server", ["llama.cpp", "kimi"])
def test_anthropic_clients_can_act_upon_any_servers_words(server: str) -> None:
    body = codec(Dialect.MESSAGES).error_body(said(WORDS[server]), "r")

    shown = f"prompt is too long: {WORDS[server]} (capability_rejected: prompt_too_long)"
    assert orjson.loads(body)["error"]["message"] == shown


def test_words_that_clients_know_stay_as_they_are() -> None:
    words = "prompt is too long: 9010 tokens > 4096 maximum"

    body = codec(Dialect.MESSAGES).error_body(said(words), "r")

    assert orjson.loads(body)["error"]["message"] == words
