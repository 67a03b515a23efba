"""OpenAI Responses, as clients speak it. No upstream is asked in this dialect."""

from coderouter_core.wire.responses.codec import CODEC

__all__ = ["CODEC"]
