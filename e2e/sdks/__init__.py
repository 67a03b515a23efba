"""The vendors' TypeScript SDKs, asked from Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from e2e.agents import CLIENTS, run

HERE = Path(__file__).parent
TEXTS = {"messages": "text", "chat": "text", "responses": "input_text"}


def ask(url: str, folder: Path, api: str, *parts: Any, **more: Any) -> Any:
    """What an SDK made of one streamed answer."""
    content = [*parts, {"type": TEXTS[api], "text": "hi"}]
    turns = [{"role": "user", "content": content}]
    body = {"model": "some", **({"input": turns} if api == "responses" else {"messages": turns}), **more}
    if api == "messages":
        body["max_tokens"] = 99
    script = [str(HERE / "anthropic.mjs"), url] if api == "messages" else [str(HERE / "openai.mjs"), url, api]
    ran = run(["node", *script, json.dumps(body)], folder, E2E_CLIENTS=str(CLIENTS))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
