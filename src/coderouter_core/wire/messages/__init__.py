"""Anthropic Messages."""

from coderouter_core.wire.messages.codec import CODEC

__all__ = ["CODEC"]
