"""How upstreams say that a prompt does not fit the model's context window."""

from __future__ import annotations

import re

from coderouter_core.model import Fault

CODE = "context_length_exceeded"

#: The documented word that makes an Anthropic client compact its conversation.
TOKEN = "capability_rejected: prompt_too_long"  # noqa: S105

#: Error types and codes that say it by themselves.
_NAMES = frozenset(
    {
        CODE,
        "context_exceeded",
        "exceed_context_size_error",
        "model_max_prompt_tokens_exceeded",
        "prompt_too_long",
        "tokens_limit_reached",
    }
)

#: The test beside this module names the server behind each phrase.
_PHRASES = re.compile(
    r"prompt is too long"
    r"|prompt too long"
    r"|exceed(?:s|ed)? (?:the )?(?:available |model'?s? |max(?:imum)? |configured )*context (?:size|length|limit|window)"
    r"|maximum context length"
    r"|maximum prompt length"
    r"|maximum model length"
    r"|maximum allowed input length"
    r"|longer than the (?:model'?s|maximum) (?:context|model) length"
    r"|exceed(?:s|ed)? the (?:context window|model'?s (?:maximum )?context)"
    r"|context window exceeds limit"
    r"|context length exceeded"
    r"|context the overflows"
    r"|greater than the context length"
    r"|reached context length"
    r"|the configured context size is"
    r"|too long to fit into the model"
    r"|exceeded max_prompt_tokens"
    r"|too many tokens: "
    r"|exceeds the maximum number of tokens allowed"
    r"|prompt token count of \d+ exceeds"
    r"|too large for model with \d+ maximum context"
    r"|input is too long for requested model"
    r"|`inputs` (?:tokens|must have less than)"
    r"|exceeded model token limit"
    r"|prompt exceeds max length"
    r"|range of input length should be"
    r"|reduce the length of (?:the |your )?(?:messages|prompt|input)",
    re.IGNORECASE,
)

#: The room asked for the answer is what does not fit; a shorter prompt would not help.
_ANSWER_TOO_LONG = re.compile(r"max(?:_completion)?_tokens\W.{0,40}is too large", re.IGNORECASE)

#: Statuses that say something else, whatever their words.
_OTHERS = frozenset({401, 402, 403, 404, 429})

#: The words of Anthropic's own API. Clients of every age know an overflow by them, newer ones by `TOKEN` too.
WORDS = "prompt is too long"


def says_too_long(status: int, names: tuple[str, ...], message: str) -> bool:
    """Whether an error of `status`, with these types and codes, means that the prompt is too long."""
    if status in _OTHERS:
        return False
    if any(name in _NAMES for name in names):
        return True
    return _PHRASES.search(message) is not None and _ANSWER_TOO_LONG.search(message) is None


def too_long(message: str, **extra: int) -> Fault:
    """Our own refusal of a prompt that fits nowhere, in words that every client knows how to act upon."""
    return Fault(
        400,
        "invalid_request_error",
        f"{WORDS}: {message} ({TOKEN})",
        code=CODE,
        extra=extra,
        should_retry=False,
    )


def for_anthropic_clients(fault: Fault) -> str:
    """The fault's message; where an overflow is told in other words than clients know, those stand around it."""
    known = fault.message.lower()
    if fault.code != CODE or WORDS in known or TOKEN in known:
        return fault.message
    return f"{WORDS}: {fault.message} ({TOKEN})"
