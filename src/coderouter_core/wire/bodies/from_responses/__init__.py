"""Responses requests, for providers that speak another dialect."""

from coderouter_core.wire.bodies.from_responses.chat import responses_to_chat
from coderouter_core.wire.bodies.from_responses.messages import responses_to_messages

__all__ = ["responses_to_chat", "responses_to_messages"]
