from typing import Any

import attrs
import pytest
from coderouter_matcher_has_image import HasImage, HasImageMatcher

from coderouter_core.api import Dialect, Request
from coderouter_core.testing import Script, conformance, make_router

IMAGE = {"type": "image", "source": {"type": "url", "url": "http://127.0.0.1/i.png"}}
IMAGE_URL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
INPUT_IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
TEXT = {"type": "text", "text": "an image, in words"}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def asked(*turns: dict[str, Any], dialect: Dialect = Dialect.MESSAGES) -> Request:
    body = {"input" if dialect is Dialect.RESPONSES else "messages": list(turns)}
    return Request(id="r", dialect=dialect, body=body, raw=b"")


def test_it_conforms() -> None:
    conformance(HasImageMatcher())


@pytest.mark.parametrize(
    ("request_", "holds"),
    [
        pytest.param(asked(user(TEXT, IMAGE)), True, id="messages"),
        pytest.param(asked(user(IMAGE_URL), dialect=Dialect.CHAT), True, id="chat"),
        pytest.param(asked(user(INPUT_IMAGE), dialect=Dialect.RESPONSES), True, id="responses"),
        pytest.param(asked(user({"type": "tool_result", "content": [IMAGE]})), True, id="in-a-tool-result"),
        pytest.param(asked(user(IMAGE), user(TEXT)), True, id="two-user-turns"),
        pytest.param(
            asked(user(IMAGE), {"role": "assistant", "content": "a cat"}, user(TEXT)), False, id="answered"
        ),
        pytest.param(asked(user(TEXT)), False, id="text"),
        pytest.param(asked({"role": "user", "content": "image"}), False, id="text-as-string"),
        pytest.param(asked(), False, id="no-turn"),
    ],
)
def test_an_image_in_the_newest_turns(request_: Request, holds: bool) -> None:
    assert HasImageMatcher().match_rule(HasImage(has_image=True), request_) is holds


@pytest.mark.parametrize("content", [IMAGE, TEXT], ids=["image", "text"])
def test_false_never_holds(content: dict[str, Any]) -> None:
    assert HasImageMatcher().match_rule(HasImage(has_image=False), asked(user(content))) is False


def test_a_condition_of_another_matcher_is_left_to_it() -> None:
    assert HasImageMatcher().match_rule("another", asked(user(IMAGE))) is None


def test_only_true_and_false_are_values() -> None:
    with pytest.raises(TypeError):
        HasImage(has_image="yes")


def test_its_key_is_has_image() -> None:
    (option,) = HasImageMatcher().declare_options()

    assert [field.name for field in attrs.fields(option.cls)] == ["has_image"]


@pytest.mark.parametrize(("dialect", "image"), [("messages", IMAGE), ("chat", IMAGE_URL)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_has_image_routes(dialect: str, image: dict[str, Any], stream: bool) -> None:
    router = make_router(
        HasImageMatcher(),
        Script(vision="vision", writing="writing"),
        profiles=[{"name": name, "providers": [name]} for name in ("vision", "writing")],
        default_profile="auto",
        auto_router={"rules": [{"if": {"has_image": True}, "route_to": "vision"}]},
    )

    said = [
        router.ask([user(*content)], dialect=dialect, stream=stream).text
        for content in ((TEXT, image), (TEXT,))
    ]

    assert said == ["vision", "writing"]
