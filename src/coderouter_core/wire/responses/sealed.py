"""Reasoning that a client keeps for us between its turns, in ``encrypted_content``.

Not encrypted: the client may read what its model thought. Marked, so that it is told from what OpenAI sealed.
"""

from __future__ import annotations

import base64

import orjson
from attrs import frozen

from coderouter_core.wire.lenient import string, table
from coderouter_core.wire.signature import MARK, is_ours


@frozen
class Thought:
    """What a model thought, and the signature of the provider that wants it back unchanged, if there was one."""

    text: str
    signature: str = ""


def seal(thought: Thought) -> str:
    raw = orjson.dumps({"text": thought.text, "signature": thought.signature})
    return MARK + base64.b64encode(raw).decode()


def unseal(content: object) -> Thought | None:
    """The thought in `content`; None where it was not sealed here."""
    if not isinstance(content, str) or not is_ours(content):
        return None
    try:
        said = table(orjson.loads(base64.b64decode(content.removeprefix(MARK), validate=True)))
    except ValueError:
        return None
    return Thought(string(said.get("text")), string(said.get("signature")))
