"""Which model is meant: configuration, GGUF headers, tool choices."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest
from coderouter_adapter_embedded import Embedded, EmbeddedKeys, EmbeddedModel
from coderouter_adapter_embedded.adapter import default_threads
from coderouter_adapter_embedded.gguf import Header, read_header
from coderouter_adapter_embedded.model import choose_model
from coderouter_adapter_embedded.tool_choice import honour_tool_choice
from coderouter_adapter_embedded.weights import find_model

from coderouter_core.api import ConfigError, Provider
from coderouter_core.testing import conformance

TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}
OTHER = {"type": "function", "function": {"name": "listen", "parameters": {}}}
ASKED = [{"role": "user", "content": "?"}]


def gguf(path: Path, **fields: Any) -> Path:
    """A GGUF file with a header and nothing else."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def value(of: Any) -> bytes:
        if isinstance(of, str):
            return struct.pack("<I", 8) + text(of)
        if isinstance(of, list):
            return struct.pack("<IIQ", 9, 8, len(of)) + b"".join(text(each) for each in of)
        return struct.pack("<II", 4, of)

    pairs = b"".join(text(name.replace("__", ".")) + value(each) for name, each in fields.items())
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields)) + pairs)
    return path


def test_it_conforms() -> None:
    conformance(Embedded())


def test_other_kinds_are_left_to_others() -> None:
    assert Embedded().make_adapter(Provider("a", kind="other"), httpx.AsyncHTTPTransport()) is None


def test_half_of_the_machine_is_left_to_others() -> None:
    assert 1 <= default_threads() <= max(1, (os.cpu_count() or 1) // 2)


def test_the_packaged_model_says_what_it_is() -> None:
    path = find_model()
    assert path

    assert read_header(path) == Header("Smollm2 135M 8k Lc100K Mix1 Ep2", 8192)


def test_a_file_is_named_by_its_stem_and_title(tmp_path: Path) -> None:
    file = gguf(
        tmp_path / "own-model.gguf",
        general__architecture="llama",
        general__tags=["a", "b"],
        general__name="Own Model",
        llama__context_length=2048,
    )

    model = choose_model("tiny", str(file), None)

    assert (model.id, model.title, model.context) == ("own-model", "Own Model", 2048)


@pytest.mark.parametrize(
    ("asked", "window"), [(None, 4096), (512, 512), (8192, 8192)], ids=["default", "less", "all"]
)
def test_context_is_a_requests_share(asked: int | None, window: int) -> None:
    assert choose_model("tiny", None, asked).context == window


def test_more_context_than_the_model_was_trained_for_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"embedded.context: must be at most 8192.*not 8193"):
        choose_model("tiny", None, 8193)


def test_a_model_file_that_is_missing_is_an_error() -> None:
    keys = EmbeddedKeys(EmbeddedModel("/no/such.gguf"))
    provider = Provider("tiny", kind="embedded", options={EmbeddedKeys: keys})

    with pytest.raises(
        ConfigError, match=r"providers\[tiny\].embedded.model: '/no/such.gguf' cannot be read"
    ):
        Embedded().make_adapter(provider, httpx.AsyncHTTPTransport())


def test_a_model_file_of_another_format_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_text("not a model")

    with pytest.raises(ConfigError, match="no GGUF file"):
        choose_model("tiny", str(tmp_path / "a.gguf"), None)


def test_a_header_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    file = gguf(tmp_path / "a.gguf", general__name="Own Model")
    file.write_bytes(file.read_bytes()[:-3])

    with pytest.raises(ValueError, match="cut off or damaged"):
        read_header(file)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"messages": ASKED}, id="no-tools"),
        pytest.param({"messages": ASKED, "tools": [TOOL], "tool_choice": "auto"}, id="auto"),
        pytest.param({"messages": ASKED, "tools": [TOOL], "tool_choice": "none"}, id="none"),
        pytest.param({"messages": ASKED, "tools": [], "tool_choice": "required"}, id="nothing-to-call"),
        pytest.param(
            {
                "messages": ASKED,
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "taste"}},
            },
            id="unknown-name",
        ),
    ],
)
def test_a_body_that_demands_no_call_is_passed_as_it_came(body: dict[str, Any]) -> None:
    raw = json.dumps(body, indent=1).encode()

    assert honour_tool_choice(raw, open_call=True) == raw


def test_a_choice_by_name_offers_that_function_alone() -> None:
    choice = {"type": "function", "function": {"name": "look"}}
    raw = json.dumps({"messages": ASKED, "tools": [OTHER, TOOL], "tool_choice": choice}).encode()

    body = json.loads(honour_tool_choice(raw, open_call=False))

    assert body == {"messages": ASKED, "tools": [TOOL], "tool_choice": "required"}


def test_an_answer_that_the_client_began_is_not_begun_again() -> None:
    begun = [*ASKED, {"role": "assistant", "content": "{"}]
    raw = json.dumps({"messages": begun, "tools": [TOOL], "tool_choice": "required"}).encode()

    assert json.loads(honour_tool_choice(raw, open_call=True))["messages"] == begun
