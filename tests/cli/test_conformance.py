"""`coderouter conformance`, as a whole: against our own router, and against gateways that are wrong."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from coderouter_core.cli import cli
from coderouter_core.cli.conformance.run import chosen
from coderouter_core.testing import Html, Quirk, Raw, Reply, Script, Step, ToolCall, Upstream, make_router

KEY = "k" * 32
KEYED = {"keys": [{"name": "me", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}]}
#: What an upstream of Anthropic's wire has none of.
ONLY_OPENAIS = {"embeddings", "completions", "completions-stream"}
#: Without a length of the silence it is not waited for.
UNASKED = {f"{dialect}-keep-alive" for dialect in ("messages", "chat", "responses")}


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody else is given while it is held here, and on which somebody who asks for it can listen."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def run(*words: str, **environ: str) -> Result:
    return CliRunner(env={"CODEROUTER_CONFORMANCE_KEY": None, **environ}).invoke(cli, ["conformance", *words])


def verdicts(*words: str) -> dict[str, str]:
    """Verdict and reason of each check."""
    done = run(*words, "--json")
    return {
        each["id"]: f"{each['verdict']} {each['reason']}".strip()
        for each in json.loads(done.stdout)["checks"]
    }


def failed(url: str, *checks: str) -> set[str]:
    found = verdicts(url, *checks, "--model", "any")
    return {name for name, verdict in found.items() if verdict.startswith("fail")}


@pytest.mark.parametrize(
    ("pings_s", "verdict"),
    [
        pytest.param(0.1, "pass", id="pings"),
        pytest.param(60, "fail nothing was heard for the 0.5 s in which the upstream was silent", id="none"),
    ],
)
def test_a_gateway_is_heard_while_its_upstream_thinks(port: int, pings_s: float, verdict: str) -> None:
    # The silence of the one that pings is as long as it takes until the client has heard enough.
    silence_s = "0.5" if pings_s > 1 else "60"
    router = make_router(
        Script(one="x"), providers={"one": {"base_url": f"http://127.0.0.1:{port}/v1"}}, ping_after_s=pings_s
    )

    found = verdicts(router.url, "*-keep-alive", "--upstream", str(port), "--silence", silence_s)

    assert found == dict.fromkeys(UNASKED, verdict)


@pytest.mark.parametrize(
    ("wire", "skipped"),
    [(Script.chat, {"messages-betas"}), (Script.messages, ONLY_OPENAIS)],
    ids=["chat", "messages"],
)
def test_our_own_router_keeps_everything(port: int, wire: Any, skipped: set[str]) -> None:
    # Two providers at one address, so that there is somebody to fall over to.
    behind = {"base_url": f"http://127.0.0.1:{port}/v1"}
    router = make_router(
        Script(one=wire("x"), two=wire("x")), providers={"one": behind, "two": behind}, auth=KEYED
    )

    found = verdicts(router.url, "--upstream", str(port), "--key", KEY)

    assert {name: verdict for name, verdict in found.items() if verdict != "pass"}.keys() == skipped | UNASKED


def test_without_an_upstream_the_model_itself_is_asked() -> None:
    router = make_router(Script(only=Reply("1, 2, 3, 4, ", usage=(9, 16), stop="max_tokens")))

    done = run(router.url)

    assert (done.exit_code, ", 0 failed, " in done.output) == (0, True)


@pytest.mark.parametrize(
    ("check", "step"),
    [
        ("messages-answer", Reply("")),
        ("messages-answer", Html()),
        ("chat-answer", Raw(200, {"content-type": "application/json"}, b'{"id": "x"}')),
        ("messages-stream", Reply("hello", quirks=["no-finish"])),
        ("messages-order", Reply("hello", quirks=["no-done"])),
        ("messages-named", Reply("hello", quirks=["data-only"])),
        ("messages-running-totals", Reply("hello", quirks=["no-usage"])),
        ("messages-start", Reply("hello", quirks=["no-usage"])),
        ("messages-usage", Reply("hello", quirks=["no-usage"])),
        ("messages-limit", Reply("hello", usage=(9, 99))),
        ("messages-tool", Reply(calls=[ToolCall("other")])),
        ("chat-tool", Reply(calls=[ToolCall("get_weather", "{broken")])),
        ("chat-tool", Reply(calls=[ToolCall("get_weather")], quirks=["no-tool-id"])),
        ("chat-stop-sequence", Reply("3, 4, 5, 6")),
        ("chat-order", Reply("hello", quirks=["no-role"])),
        ("chat-order", Reply("hello", quirks=["no-done"])),
        ("chat-usage-hidden", Reply("hello", quirks=["unasked-usage"])),
        ("chat-usage-asked", Reply("hello", quirks=["no-usage"])),
        ("chat-usage-total", Reply("hello", quirks=["no-usage"])),
        (
            "chat-ids",
            Raw(
                200,
                {"content-type": "application/json"},
                b'{"id":"a","model":"m","choices":[{"message":{}}]}',
            ),
        ),
        ("embeddings", Raw(200, {"content-type": "application/json"}, b'{"data": []}')),
        ("completions", Raw(200, {"content-type": "application/json"}, b'{"choices": []}')),
        ("completions-stream", Reply("hello", quirks=["no-done"])),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_wrong_answer_is_seen(check: str, step: Step) -> None:
    with Upstream(step) as gateway:
        assert failed(gateway.url, check) == {check}


def test_a_gateway_that_takes_everything_is_told_of_every_mistake_it_swallowed() -> None:
    with Upstream("hello") as gateway:
        found = failed(
            gateway.url, "request-id", "huge-body", "model", "*-malformed", "*-no-turns", "*-bad-role"
        )

    assert found == {
        "request-id",
        "huge-body",
        "model",
        "count-tokens-malformed",
        "messages-malformed",
        "chat-malformed",
        "messages-no-turns",
        "chat-no-turns",
        "messages-bad-role",
        "chat-bad-role",
    }


#: What a gateway passes that makes its answers up: another provider might have answered.
MADE_UP = {"error-first", "html", "empty"}


def test_a_gateway_that_makes_its_answers_up_passes_nothing_that_it_could_fail(port: int) -> None:
    scripted = {each.id for each in chosen(["messages-*", "chat-*"], None) if each.scripted}
    # These wait for a request to the upstream, which never comes; see the next test.
    quick = sorted(name for name in scripted - UNASKED if not name.endswith("-left-early"))
    with Upstream(Reply("one two three four five", chunk=4)) as gateway:
        found = verdicts(gateway.url, *quick, "--model", "any", "--upstream", str(port))

    passed = {name.partition("-")[2] for name in quick if not found[name].startswith("fail")}
    assert passed == MADE_UP


def test_a_gateway_that_does_not_ask_its_upstream_is_seen(port: int) -> None:
    with Upstream("hello") as gateway:
        asked = ("--model", "any", "--upstream", str(port), "--timeout", "0.3")
        found = verdicts(gateway.url, "chat-left-early", *asked)

    assert found["chat-left-early"].startswith("fail ")


def test_an_empty_answer_after_an_error_is_seen(port: int) -> None:
    with Upstream(Reply("")) as gateway:
        found = verdicts(gateway.url, "*-error-first", "--model", "any", "--upstream", str(port))

    assert found["chat-error-first"] == "fail an empty answer with status 200, stopped for 'stop'"


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A gateway that says the same stream to whoever posts: its URL."""

    class Same(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Nobody wants to read it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


RESPONSE = {"id": "resp_1", "model": "m", "status": "completed", "output": []}
ITEM = [
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_item.done",
]
WHOLE = ["response.created", *ITEM, "response.completed"]


def responses(kinds: list[str], numbers: list[int] | None = None, name: str = "") -> bytes:
    """A stream of these events, each with no more than the checks look at."""
    frames = []
    for number, kind in zip(numbers or range(len(kinds)), kinds, strict=True):
        event = {"type": kind, "sequence_number": number, "response": RESPONSE, "delta": "hi"}
        frames.append(f"event: {name or kind}\ndata: {json.dumps(event)}\n\n")
    return "".join(frames).encode()


@pytest.mark.parametrize(
    ("check", "raw"),
    [
        ("responses-order", responses(WHOLE[1:])),
        ("responses-order", responses(WHOLE[:-1])),
        ("responses-sequence", responses(WHOLE, [0, 1, 2, 2, 3, 4])),
        ("responses-items", responses([WHOLE[0], ITEM[2], ITEM[0], ITEM[1], ITEM[3], WHOLE[-1]])),
        ("responses-items", responses([*WHOLE[:-2], WHOLE[-1]])),
        ("responses-named", responses(WHOLE, name="message")),
        ("responses-stream", responses(WHOLE[:-1])),
        ("responses-previous-response", responses(WHOLE)),
    ],
)
def test_a_wrong_stream_of_responses_is_seen(check: str, raw: bytes) -> None:
    with answering(raw) as url:
        assert failed(url, check) == {check}


def test_a_right_stream_of_responses_passes() -> None:
    with answering(responses(WHOLE)) as url:
        names = [f"responses-{name}" for name in ("order", "sequence", "items", "named", "stream")]
        assert failed(url, *names) == set()


def test_a_dialect_that_is_not_there_is_skipped() -> None:
    with Upstream("hello") as gateway:
        found = verdicts(gateway.url, "responses-answer", "--model", "any")

    assert found == {"responses-answer": "skip the gateway has no /v1/responses (it answered 404)"}


def test_one_dialect_can_be_asked_for_alone() -> None:
    with Upstream("hello") as gateway:
        found = verdicts(gateway.url, "*-ids", "--dialect", "chat", "--model", "any")

    assert list(found) == ["chat-ids"]


def test_a_failure_is_told_with_its_source() -> None:
    with Upstream(Reply("hello", quirks=[Quirk.UNASKED_USAGE])) as gateway:
        done = run(gateway.url, "chat-usage-hidden", "--model", "any")

    assert (done.exit_code, done.stdout) == (
        1,
        "FAIL  chat-usage-hidden  it gets one\n"
        "                         A client that does not ask for usage gets no chunk without choices. "
        "[OpenAI API, chat completion chunks]\n"
        "0 passed, 1 failed, 0 skipped\n",
    )


def test_a_terminal_gets_a_table() -> None:
    with Upstream(Reply("hello", quirks=[Quirk.UNASKED_USAGE])) as gateway:
        done = run(gateway.url, "chat-usage-hidden", "--model", "any", FORCE_COLOR="1", COLUMNS="60")

    assert ("\x1b[" in done.stdout, "it gets one" in done.stdout) == (True, True)


def test_a_gateway_that_takes_any_key_is_seen() -> None:
    router = make_router(Script(only="hello"))

    found = verdicts(router.url, "key-*", "--key", KEY)

    assert found == {"key-either": "pass", "key-wrong": "fail answered 400 to a wrong key and 400 to none"}


def test_what_needs_an_upstream_is_told_once() -> None:
    with Upstream("hello") as gateway:
        done = run(gateway.url, "chat-ids", "*-split", "--model", "any")

    assert done.stdout.splitlines() == [
        "ok    chat-ids",
        "1 passed, 0 failed, 3 skipped",
        "3 of them need a scripted upstream behind the gateway: --upstream PORT",
    ]


def test_the_list_needs_no_gateway() -> None:
    done = run("--list", "chat-order")

    assert done.stdout == (
        "chat-order  Chunks of one id: a role first, one finish reason, nothing after it but usage, then [DONE]. "
        "[OpenAI API, chat completion chunks]\n"
    )


def test_every_check_has_a_name_of_its_own() -> None:
    names = [each.id for each in chosen([], None)]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "conformance: name the gateway, like coderouter conformance http://127.0.0.1:4000"),
        (("localhost:1",), "URL: must be like http://127.0.0.1:4000, not 'localhost:1'"),
        (
            ("http://127.0.0.1:1", "no-such"),
            "there is no check 'no-such'; coderouter conformance --list shows",
        ),
    ],
    ids=["no-url", "no-scheme", "no-such-check"],
)
def test_a_mistake_is_told(words: tuple[str, ...], says: str) -> None:
    done = run(*words)

    assert (done.exit_code, says in done.stderr) == (2, True)


def test_nobody_there_is_told(port: int) -> None:
    done = run(f"http://127.0.0.1:{port}", "--model", "any")

    assert (done.exit_code, done.stderr.partition(": nobody answers there")[0]) == (
        2,
        f"http://127.0.0.1:{port}",
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(b"SSH-2.0-x\r\n\r\n", "answers with something that is not HTTP", id="garbage"),
        pytest.param(b"", "takes the connection and closes it without an answer", id="nothing"),
    ],
)
def test_a_server_that_is_no_gateway_is_told(answer: bytes, says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_answer_once, args=(server, answer))
        thread.start()
        done = run(f"http://127.0.0.1:{server.getsockname()[1]}", "--model", "any")
        thread.join()

    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def test_a_port_that_is_taken_is_told() -> None:
    with Upstream("hello") as gateway:
        taken = gateway.url.rpartition(":")[2]
        done = run(gateway.url, "--upstream", taken)

    assert (done.exit_code, f"--upstream: port {taken}: " in done.stderr) == (2, True)
