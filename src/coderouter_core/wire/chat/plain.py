"""The plainest of whole Chat Completions answers, told apart at a glance: one text, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coderouter_core.model.usage import NOTHING
from coderouter_core.wire.chat.usage import Tally
from coderouter_core.wire.codec import Plain

#: What a choice and its message may hold of anything but a text that came to its end.
_CHOICE = frozenset({"index", "message", "finish_reason"})
_MESSAGE = frozenset({"role", "content"})
_ENDS = ("stop", "length")


def plain(body: Mapping[str, Any]) -> Plain | None:
    """The text and usage of an answer that says no more; None for any other, which must be read as events."""
    choices, usage = body.get("choices"), body.get("usage")
    if type(choices) is not list or len(choices) != 1 or type(choices[0]) is not dict:
        return None
    choice = choices[0]
    message = choice.get("message")
    if type(message) is not dict or choice.get("finish_reason") not in _ENDS or choice.get("index") != 0:
        return None
    text = message.get("content")
    if type(text) is not str or not text or body.get("error") or body.get("object") == "error":
        return None
    if _says_more(choice, _CHOICE) or _says_more(message, _MESSAGE):
        return None
    return Plain(text, Tally().add(usage) if type(usage) is dict and usage else NOTHING)


def _says_more(part: Mapping[str, Any], known: frozenset[str]) -> bool:
    return any(value and key not in known for key, value in part.items())
