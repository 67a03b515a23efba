"""The dialects: pure codecs, without I/O, clock or logging."""

from __future__ import annotations

from coderouter_core.model import Dialect
from coderouter_core.wire.bodies import Translated, translate
from coderouter_core.wire.chat import CODEC as CHAT
from coderouter_core.wire.codec import Codec
from coderouter_core.wire.messages import CODEC as MESSAGES
from coderouter_core.wire.overflow import too_long
from coderouter_core.wire.signature import is_ours, without_our_thinking

_CODECS: dict[Dialect, Codec] = {Dialect.MESSAGES: MESSAGES, Dialect.CHAT: CHAT}


def codec(dialect: Dialect) -> Codec:
    """The codec of a dialect, always the same object. LookupError for one that is not spoken yet."""
    found = _CODECS.get(dialect)
    if found is None:
        raise LookupError(f"the dialect {dialect.value!r} is not spoken; there are {', '.join(_CODECS)}")
    return found


__all__ = ["Translated", "codec", "is_ours", "too_long", "translate", "without_our_thinking"]
