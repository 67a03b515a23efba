"""What `serve` finds where there is no configuration, and what it makes of it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from coderouter_core.cli.assemble import from_text
from coderouter_core.cli.discover import VENDORS, Found, Vendor, as_yaml, discover, nothing, report
from coderouter_core.cli.probing import PLACES, Place, Server, model_ids, probe, usual_places
from coderouter_core.model import Config
from coderouter_core.testing import Upstream

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

OLLAMA, LM_STUDIO, LLAMA_CPP, VLLM = PLACES
ANTHROPIC = VENDORS[0]
CODER, CHATTER, EMBEDDER = "qwen2.5-coder:7b", "llama3:8b", "nomic-embed-text:latest"
CHAT = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": CODER,
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "from ollama"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


def model_list(*ids: str, owner: str = "library") -> dict[str, Any]:
    return {"object": "list", "data": [{"id": id_, "object": "model", "owned_by": owner} for id_ in ids]}


def ollama(*ids: str) -> dict[str, Any]:
    """What Ollama answers, by path."""
    tags = {"models": [{"name": id_, "model": id_} for id_ in ids]}
    return {"/api/tags": tags, "/v1/models": model_list(*ids), "/v1/chat/completions": CHAT}


@contextmanager
def answering(paths: Mapping[str, Any]) -> Iterator[int]:
    """A server that answers with JSON by path; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = paths.get(self.path)
            body = json.dumps(found if found is not None else {"error": "no such path"}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def at(place: Place, port: int) -> Place:
    return Place(place.name, place.title, port, place.host, place.proof)


def found_at(*places: Place, patience_s: float = 5.0) -> list[tuple[str, tuple[str, ...]]]:
    return [(server.place.name, server.models) for server in asyncio.run(probe(places, patience_s))]


def served(found: Found) -> Config:
    """The configuration made of it, read as any other is."""
    return from_text(as_yaml(found), "(found)", {}).config


def chain(found: Found) -> tuple[str, ...]:
    (profile,) = served(found).profiles
    return profile.providers


def test_ollama_is_found_with_its_models() -> None:
    with answering(ollama(CODER, CHATTER)) as port:
        assert found_at(at(OLLAMA, port)) == [("ollama", (CODER, CHATTER))]


def test_every_server_that_lists_models_is_found_in_the_order_of_places() -> None:
    with Upstream("ok") as upstream, answering(ollama(CODER)) as second:
        first = int(upstream.url.rpartition(":")[2])
        names = [name for name, _ in found_at(at(VLLM, first), at(OLLAMA, second))]

    assert names == ["vllm", "ollama"]


def test_who_has_no_tags_is_not_ollama() -> None:
    with answering({"/v1/models": model_list(CODER)}) as port:
        assert found_at(at(OLLAMA, port)) == []


def test_a_port_that_refuses_is_nothing() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))

        assert found_at(at(VLLM, held.getsockname()[1])) == []


def test_a_server_that_does_not_answer_in_time_is_left_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert found_at(at(VLLM, silent.getsockname()[1]), patience_s=0.05) == []


def test_a_server_that_answers_by_the_byte_is_left_out() -> None:
    body = json.dumps(model_list("slow")).encode()

    def drip(listening: socket.socket) -> None:
        peer, _ = listening.accept()
        with peer, suppress(OSError):
            peer.recv(65536)
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body))
            for byte in body:
                peer.send(bytes([byte]))
                time.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        dripping = threading.Thread(target=drip, args=(listening,))
        dripping.start()

        found = found_at(at(VLLM, listening.getsockname()[1]), patience_s=0.2)

        dripping.join()
    assert found == []


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        pytest.param(model_list("a", "b"), ("a", "b"), id="models"),
        pytest.param({"object": "list", "data": []}, (), id="no-model"),
        pytest.param({"object": "list", "data": None}, (), id="null-for-no-model"),
        pytest.param(model_list("default", owner="coderouter"), None, id="another-router"),
        pytest.param({"data": [{"name": "x"}]}, None, id="a-list-of-something-else"),
        pytest.param({"data": ["x"]}, None, id="a-list-of-texts"),
        pytest.param({"data": {"id": "x"}}, None, id="no-list"),
        pytest.param([{"id": "x"}], None, id="a-bare-list"),
        pytest.param("hello", None, id="a-text"),
        pytest.param(None, None, id="null"),
    ],
)
def test_what_counts_as_a_list_of_models(answer: Any, ids: tuple[str, ...] | None) -> None:
    assert model_ids(answer) == ids


@pytest.mark.parametrize(
    ("said", "url"),
    [
        pytest.param("", "http://127.0.0.1:11434", id="unset"),
        pytest.param("127.0.0.1:9999", "http://127.0.0.1:9999", id="port"),
        pytest.param("http://localhost:9999", "http://localhost:9999", id="url"),
        pytest.param("0.0.0.0", "http://127.0.0.1:11434", id="listens-everywhere"),
        pytest.param("[::1]:9999", "http://[::1]:9999", id="ipv6"),
        pytest.param("gpu.example.com:9999", "http://127.0.0.1:11434", id="elsewhere-is-not-asked"),
        pytest.param("127.0.0.1:port", "http://127.0.0.1:11434", id="nonsense"),
    ],
)
def test_ollama_is_looked_for_where_its_own_variable_says(said: str, url: str) -> None:
    assert usual_places({"OLLAMA_HOST": said})[0].url == url


def test_a_model_is_reached_by_its_name() -> None:
    found = Found(servers=[Server(OLLAMA, (CODER, CHATTER))])

    assert [(provider.name, provider.model) for provider in served(found).providers] == [
        (CODER, CODER),
        (CHATTER, CHATTER),
    ]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_servers_that_make_grammars_get_simple_schemas(place: Place) -> None:
    (provider,) = served(Found(servers=[Server(place, (CODER,))])).providers

    assert provider.capabilities.tool_schema == ("simple" if place in (LM_STUDIO, LLAMA_CPP) else None)


def test_a_model_for_code_answers_before_one_for_talk() -> None:
    assert chain(Found(servers=[Server(OLLAMA, (CHATTER, CODER))])) == (CODER,)


def test_a_model_that_does_not_talk_is_left_out() -> None:
    assert chain(Found(servers=[Server(OLLAMA, (EMBEDDER, CHATTER))])) == (CHATTER,)


def test_a_model_of_two_servers_is_named_with_its_server_the_second_time() -> None:
    found = Found(servers=[Server(OLLAMA, (CODER,)), Server(VLLM, (CODER,))])

    assert chain(found) == (CODER, f"vllm/{CODER}")


def test_a_model_that_is_named_by_its_file_is_called_by_the_files_name() -> None:
    assert chain(Found(servers=[Server(LLAMA_CPP, ("/models/tiny.Q4.gguf",))])) == ("tiny.Q4",)


@pytest.mark.parametrize(
    "id_", ["yes", "null", "1.5", "- x", "{a: b}", "# c", "&x", "a: b", "it's", '"q"', "é"]
)
def test_a_model_may_be_called_anything_that_yaml_reads_otherwise(id_: str) -> None:
    (provider,) = served(Found(servers=[Server(VLLM, (id_,))])).providers

    assert (provider.name, provider.model) == (id_, id_)


@pytest.mark.parametrize("id_", ["", "  ", "a\nb", "\x1b[31ma", "a\0b", " a", "a/", ".gguf", "m" * 201])
def test_a_model_that_cannot_be_named_is_left_out(id_: str) -> None:
    assert chain(Found(servers=[Server(VLLM, (id_, CHATTER))])) == (CHATTER,)


def test_a_model_called_default_does_not_take_the_profiles_name() -> None:
    assert chain(Found(servers=[Server(LLAMA_CPP, ("default",))])) == ("llamacpp/default",)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_vendors_key_makes_a_paid_provider(vendor: Vendor) -> None:
    (provider,) = served(Found(vendors=[vendor])).providers

    assert (provider.kind, provider.api_key_env, provider.paid) == (vendor.kind, vendor.variable, True)


def test_paid_providers_come_after_those_on_this_machine() -> None:
    found = Found(servers=[Server(OLLAMA, (CODER,))], vendors=[ANTHROPIC], allow_paid=True)

    assert chain(found) == (CODER, "anthropic")


@pytest.mark.parametrize(
    ("allow_paid", "words"),
    [
        pytest.param(False, "is paid and answers only with ALLOW_PAID=1", id="closed"),
        pytest.param(True, "is paid and answers", id="open"),
    ],
)
def test_what_costs_money_is_told(allow_paid: bool, words: str) -> None:
    (line,) = report(Found(vendors=[ANTHROPIC], allow_paid=allow_paid))

    assert line.endswith(words)


@pytest.mark.parametrize(
    ("found", "falls_back"),
    [
        pytest.param(Found(own="own", own_model="m"), True, id="alone"),
        pytest.param(Found(own="own", own_model="m", vendors=[ANTHROPIC]), True, id="paid-is-off"),
        pytest.param(
            Found(own="own", own_model="m", vendors=[ANTHROPIC], allow_paid=True), False, id="paid-is-on"
        ),
        pytest.param(
            Found(own="own", own_model="m", servers=[Server(OLLAMA, (CODER,))]), False, id="a-server-is-here"
        ),
        pytest.param(
            Found(own="own", own_model="m", servers=[Server(OLLAMA, ())]), True, id="a-server-without-a-model"
        ),
        pytest.param(Found(own="own"), False, id="without-weights"),
    ],
)
def test_the_own_model_answers_where_nobody_else_can(found: Found, falls_back: bool) -> None:
    assert (found.falls_back, found.can_answer or not falls_back) == (falls_back, True)


def test_a_key_alone_cannot_answer_while_paid_providers_are_off() -> None:
    assert Found(vendors=[ANTHROPIC]).can_answer is False


@pytest.mark.parametrize(
    ("found", "command"),
    [
        pytest.param(Found(own="own", can_fetch=True), "coderouter own fetch", id="weights-to-fetch"),
        pytest.param(Found(), "pip install 'coderouter-core[", id="plugin-to-install"),
        pytest.param(Found(vendors=[ANTHROPIC]), "ALLOW_PAID=1 coderouter serve", id="key-to-allow"),
        pytest.param(Found(own="own"), "coderouter serve --config FILE", id="always"),
    ],
)
def test_where_nothing_can_answer_the_next_command_is_told(found: Found, command: str) -> None:
    assert f"\n  {command}" in nothing(found)


def test_the_own_model_of_an_installed_plugin_is_seen() -> None:
    found = asyncio.run(discover({}, places=[]))

    assert found.own_model or found.can_fetch


def test_a_blank_key_is_no_key() -> None:
    found = asyncio.run(discover({"OPENAI_API_KEY": " ", "MISTRAL_API_KEY": "k"}, places=[]))

    assert [vendor.name for vendor in found.vendors] == ["mistral"]


def test_serve_without_a_configuration_answers_from_ollama(coderouter: CommandLine) -> None:
    with answering(ollama(CODER, CHATTER)) as port:
        serving = coderouter.serve(OLLAMA_HOST=f"127.0.0.1:{port}")

        answer = serving.ask(model=CODER)

    assert answer.json()["content"][0]["text"] == "from ollama"


def test_serve_tells_what_it_found(coderouter: CommandLine) -> None:
    with answering(ollama(CODER, CHATTER)) as port:
        done = coderouter.run("serve", "--print-config", OLLAMA_HOST=f"127.0.0.1:{port}")

    told = f"  Ollama at http://127.0.0.1:{port}: {CODER} answers; 1 more by name"
    assert told in done.stderr.splitlines()


def test_a_printed_configuration_can_be_served_again(coderouter: CommandLine) -> None:
    with answering(ollama(CODER)) as port:
        printed = coderouter.run("serve", "--print-config", OLLAMA_HOST=f"127.0.0.1:{port}").stdout
    file = coderouter.write("kept.yaml", printed)

    assert coderouter.run("check", file).returncode == 0


def test_serve_with_nothing_to_serve_ends_with_2(coderouter: CommandLine) -> None:
    done = coderouter.run("serve", CODEROUTER_DISABLE="openai-compat,anthropic,embedded")

    assert (done.returncode, done.stderr.partition(":")[0]) == (2, "nothing can answer")


def test_a_providers_yaml_beside_is_told_of_and_not_read(coderouter: CommandLine) -> None:
    coderouter.write("providers.yaml", "this: is not even a configuration\n")

    done = coderouter.run("serve", CODEROUTER_DISABLE="openai-compat,anthropic,embedded")

    last = done.stderr.splitlines()[-1]
    assert last == "./providers.yaml is not read unless it is named: coderouter serve --config providers.yaml"
