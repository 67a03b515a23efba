"""What came back from a router under test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from coderouter_core.events import Event
from coderouter_core.model import Attempt


@frozen(eq=False)
class Asked:
    """An answer as its client saw it, and what the router told of it.

    `body` is the decoded body; of a stream, the list of its decoded events. `text` is what the model wrote.
    `reasons` says why providers were left out, `attempts` what became of those that were tried.
    """

    status: int
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    body: Any
    text: str
    events: Sequence[Event] = field(repr=False)
    attempts: Sequence[Attempt]

    @property
    def reasons(self) -> dict[str, str]:
        """Provider and reason of each rejection; several reasons of one are joined by ``; ``.

        The core's own gates are told by the name of their event: ``skip-paid-provider``, ``skip-missing-key``.
        """
        found: dict[str, str] = {}
        for event in self.events:
            if _is_rejection(event):
                name, reason = event.fields["provider"], event.fields.get("reason", event.name)
                found[name] = f"{found[name]}; {reason}" if name in found else reason
        return found

    @property
    def provider(self) -> str | None:
        """Who answered."""
        return self.headers.get("x-coderouter-provider")

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error object, of an answer or of a stream that ends with one."""
        last = self.body if isinstance(self.body, dict) else next(reversed(self.body or [None]), None)
        if isinstance(last, dict) and last.get("type") == "response.failed":
            last = last["response"]
        return last.get("error") if isinstance(last, dict) else None

    @property
    def event_names(self) -> list[str]:
        return [event.name for event in self.events]


def _is_rejection(event: Event) -> bool:
    if event.name.startswith("skip-"):
        return "provider" in event.fields
    return {"plugin", "provider", "reason"} <= event.fields.keys() and "weight" not in event.fields


def read_stream(raw: bytes) -> list[Any]:
    """The data of each event, decoded; ``[DONE]`` is no event."""
    frames = raw.decode().split("\n\n")
    found = [
        line.removeprefix("data:").strip()
        for frame in frames
        for line in frame.splitlines()
        if line.startswith("data:")
    ]
    return [json.loads(data) for data in found if data != "[DONE]"]


def read_text(body: Any) -> str:
    """The text in a body of any dialect, or in the events of a stream."""
    if isinstance(body, list):
        return "".join(_text_of_event(event) for event in body)
    if not isinstance(body, dict):
        return ""
    blocks = body.get("content")
    if isinstance(blocks, list):
        return "".join(block["text"] for block in blocks if block.get("type") == "text")
    if isinstance(items := body.get("output"), list):
        parts = [part for item in items if item.get("type") == "message" for part in item["content"]]
        return "".join(part["text"] for part in parts)
    choices = body.get("choices") or [{}]
    return (choices[0].get("message") or {}).get("content") or ""


def _text_of_event(event: Any) -> str:
    if event.get("type") == "content_block_delta":
        return str(event["delta"].get("text", ""))
    if event.get("type") == "response.output_text.delta":
        return str(event["delta"])
    return "".join((choice.get("delta") or {}).get("content") or "" for choice in event.get("choices") or [])
