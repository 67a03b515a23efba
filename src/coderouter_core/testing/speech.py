"""What a scripted upstream says at each of its paths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from coderouter_core.testing import chat, messages
from coderouter_core.testing.frames import Frame, dump, pieces
from coderouter_core.testing.steps import Quirk, Reply


@frozen
class Speech:
    """How answers are written at one path: whole, streamed, as an error; and how to keep alive."""

    name: str
    body: Callable[[Reply, Mapping[str, Any], int], dict[str, Any]]
    frames: Callable[[Reply, Mapping[str, Any], int], Iterator[Frame]]
    error: Callable[[str, str], dict[str, Any]]
    ping: bytes
    done: tuple[Frame, ...] = ()
    """The end mark of a stream that says nothing else."""

    def error_frame(self, kind: str, message: str) -> Frame:
        return Frame(dump(self.error(kind, message)), "error" if self.name == "messages" else "")


def _embeddings(reply: Reply, asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A vector for each input: its length, so that order can be told, and the answer's number."""
    given = asked.get("input", "")
    texts = given if isinstance(given, list) else [given]
    vectors = [
        {"object": "embedding", "index": index, "embedding": [float(len(str(text))), float(number)]}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": reply.usage.prompt, "total_tokens": reply.usage.prompt}
    return {"object": "list", "data": vectors, "model": asked.get("model", ""), "usage": usage}


def _completion(reply: Reply, asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    choice = {"index": 0, "text": reply.text, "logprobs": None, "finish_reason": chat.finish(reply)}
    answer = {
        "id": f"cmpl-{number}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": asked.get("model", ""),
        "choices": [choice],
    }
    return answer if Quirk.NO_USAGE in reply.quirks else {**answer, "usage": chat.usage(reply)}


def _completion_frames(reply: Reply, asked: Mapping[str, Any], number: int) -> Iterator[Frame]:
    whole = {key: value for key, value in _completion(reply, asked, number).items() if key != "usage"}
    for piece in pieces(reply.text, reply.chunk):
        yield Frame(dump({**whole, "choices": [{"index": 0, "text": piece, "finish_reason": None}]}))
    if Quirk.NO_FINISH not in reply.quirks:
        last = {"index": 0, "text": "", "finish_reason": chat.finish(reply)}
        yield Frame(dump({**whole, "choices": [last]}))
    if chat.usage_chunk_due(reply, asked):
        yield Frame(dump({**whole, "choices": [], "usage": chat.usage(reply)}))
    if Quirk.NO_DONE not in reply.quirks:
        yield chat.DONE


def _one_frame(reply: Reply, asked: Mapping[str, Any], number: int) -> Iterator[Frame]:
    yield Frame(dump(_embeddings(reply, asked, number)))


CHAT = Speech("chat", chat.body, chat.frames, chat.error, chat.PING, done=(chat.DONE,))
MESSAGES = Speech("messages", messages.body, messages.frames, messages.error, messages.PING)
EMBEDDINGS = Speech("embeddings", _embeddings, _one_frame, chat.error, chat.PING)
COMPLETIONS = Speech("completions", _completion, _completion_frames, chat.error, chat.PING, done=(chat.DONE,))

#: What a POST to a path that ends so is answered in; the first that fits.
BY_PATH = {
    "/chat/completions": CHAT,
    "/messages": MESSAGES,
    "/embeddings": EMBEDDINGS,
    "/completions": COMPLETIONS,
}


def speech_at(path: str) -> Speech | None:
    """The speech of a path; None where nothing is generated."""
    return next((speech for suffix, speech in BY_PATH.items() if path.endswith(suffix)), None)


def models() -> dict[str, Any]:
    """One model, described so that clients of either dialect can read it."""
    model = {
        "id": "scripted",
        "object": "model",
        "type": "model",
        "display_name": "Scripted",
        "created": 1_750_000_000,
        "created_at": "2025-06-15T00:00:00Z",
        "owned_by": "script",
    }
    return {
        "object": "list",
        "data": [model],
        "has_more": False,
        "first_id": "scripted",
        "last_id": "scripted",
    }
