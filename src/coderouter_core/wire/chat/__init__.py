"""OpenAI Chat Completions."""

from coderouter_core.wire.chat.codec import CODEC

__all__ = ["CODEC"]
