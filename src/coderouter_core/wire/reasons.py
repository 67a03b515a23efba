"""Why an answer stopped: OpenAI's finish reasons and Anthropic's stop reasons."""

from __future__ import annotations

_TO_MESSAGES = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_TO_CHAT = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
#: Finish reasons that are failures of the server, and the error each stands for.
FAILURES = {"error": "api_error", "insufficient_system_resource": "overloaded_error"}
#: Stop reasons that say nothing by themselves: an answer with only these may be empty.
QUIET = frozenset({"", "end_turn", "tool_use"})


def stop_reason(finish: str, *, called: bool) -> str:
    """The stop reason for a finish reason. `called`: the answer holds tool calls, whatever the server says."""
    reason = _TO_MESSAGES.get(finish, "end_turn")
    if reason in ("end_turn", "tool_use"):
        return "tool_use" if called else "end_turn"
    return reason


def finish_reason(stop: str, *, called: bool) -> str:
    """The finish reason for a stop reason, which is an open set: an unknown one is ``stop``."""
    finish = _TO_CHAT.get(stop, "stop")
    if finish in ("stop", "tool_calls"):
        return "tool_calls" if called else "stop"
    return finish
