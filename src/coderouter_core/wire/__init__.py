"""The dialects: pure codecs, without I/O, clock or logging."""

from __future__ import annotations

from coderouter_core.model import Dialect, Operation
from coderouter_core.wire.bodies import Translated, translate
from coderouter_core.wire.bodies.functions import functions
from coderouter_core.wire.bodies.schemas import simple_schema
from coderouter_core.wire.bodies.simple import simple_format, simple_tools
from coderouter_core.wire.chat import CODEC as CHAT
from coderouter_core.wire.codec import ClientSide, Codec
from coderouter_core.wire.completions import CODEC as COMPLETIONS
from coderouter_core.wire.editing import BlockEditor
from coderouter_core.wire.embeddings import CODEC as EMBEDDINGS
from coderouter_core.wire.messages import CODEC as MESSAGES
from coderouter_core.wire.overflow import too_long
from coderouter_core.wire.responses import CODEC as RESPONSES
from coderouter_core.wire.signature import is_ours, without_our_thinking

_CODECS: dict[Dialect, Codec] = {Dialect.MESSAGES: MESSAGES, Dialect.CHAT: CHAT}


#: What else can be asked than to generate, each in OpenAI's words alone.
_OTHERS: dict[Operation, Codec] = {Operation.EMBED: EMBEDDINGS, Operation.COMPLETE: COMPLETIONS}


def codec(dialect: Dialect, operation: Operation = Operation.GENERATE) -> Codec:
    """The codec of a dialect that upstreams speak, always the same object. LookupError for any other."""
    found = _CODECS.get(dialect) if operation is Operation.GENERATE else _OTHERS[operation]
    if found is None:
        raise LookupError(f"the dialect {dialect.value!r} is not spoken; there are {', '.join(_CODECS)}")
    return found


def client_side(dialect: Dialect, operation: Operation = Operation.GENERATE) -> ClientSide:
    """What a client of `dialect` needs; the very same object as its `codec` where it has one."""
    return RESPONSES if dialect is Dialect.RESPONSES else codec(dialect, operation)


__all__ = [
    "BlockEditor",
    "Translated",
    "client_side",
    "codec",
    "functions",
    "is_ours",
    "simple_format",
    "simple_schema",
    "simple_tools",
    "too_long",
    "translate",
    "without_our_thinking",
]
