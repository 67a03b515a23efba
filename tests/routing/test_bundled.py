"""The rules that apply where none are written, with the matchers that judge them."""

from __future__ import annotations

from typing import Any

import pytest

from coderouter_core.plugins import find
from coderouter_core.testing import Script, ServedRouter, make_router

CHAINS = ("multi", "coding", "writing")
CODE = "```python\nprint('hello')\n```\nwhy?"
IMAGES = {
    "messages": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
    "chat": {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
}


def routed(**config: Any) -> ServedRouter:
    installed = [(plugin.name, plugin.instance) for plugin in find()]
    return make_router(
        *installed,
        Script(**{name: name for name in CHAINS}),
        profiles=[{"name": name, "providers": [name]} for name in CHAINS],
        default_profile="auto",
        **config,
    )


@pytest.mark.parametrize("dialect", ["messages", "chat"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_without_rules_images_code_and_prose_go_apart(dialect: str, stream: bool) -> None:
    image = [{"role": "user", "content": [{"type": "text", "text": CODE}, IMAGES[dialect]]}]
    router = routed()

    said = [router.ask(asked, dialect=dialect, stream=stream).text for asked in (image, CODE, "a poem")]

    assert said == ["multi", "coding", "writing"]


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        pytest.param(
            [{"role": "user", "content": [IMAGES["messages"]]}], "builtin:image-attachment", id="image"
        ),
        pytest.param(CODE, "builtin:code-fence-dense", id="code"),
    ],
)
def test_the_event_names_the_bundled_rule(asked: Any, rule: str) -> None:
    events = routed().ask(asked).events

    assert [event.fields["rule_id"] for event in events if event.name == "auto-router-resolved"] == [rule]


def test_bundled_rules_can_be_sticky() -> None:
    router = routed(auto_router={"sticky": True})
    session = {"x-claude-code-session-id": "s"}
    router.ask(CODE, headers=session)

    assert router.ask("thanks", headers=session).text == "coding"


def test_a_fall_through_tells_what_was_looked_at() -> None:
    events = routed().ask("a poem").events

    (fields,) = [event.fields for event in events if event.name == "auto-router-fallthrough"]
    assert fields == {
        "resolved_profile": "writing",
        "signals": {
            "has_image": False,
            "has_tools": False,
            "model": "any",
            "content_len": 6,
            "code_fence_ratio": 0.0,
            "disabled": False,
        },
    }
