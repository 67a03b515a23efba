"""Secrets are sent along every path, and looked for wherever the router writes or answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import define, field

from coderouter_core.api import (
    Attempt,
    Cost,
    Demotion,
    Dialect,
    Event,
    Level,
    Rejection,
    Request,
    Standing,
    hookimpl,
)
from coderouter_core.cli.assemble import secrets_of
from coderouter_core.errors import ConfigError
from coderouter_core.log import LogWriter
from coderouter_core.log.mirror import Mirror
from coderouter_core.testing import (
    CutAfter,
    EmptyStream,
    ErrorAfter,
    ErrorFirst,
    Html,
    ProviderError,
    Raw,
    Reply,
    Script,
    ServedRouter,
    ToolCall,
    Upstream,
    make_router,
)

PROVIDERS_KEY = "sk-canary-provider-0123456789abcdef"
CLIENTS_KEY = "sk-canary-client-0123456789abcdef"
QUERY_KEY = "canary-in-the-query-0123456789"
PROMPT = "canary-said-by-the-user"
SYSTEM = "canary-said-by-the-system"
ARGUMENT = "canary-argument-of-a-tool"
ANSWER = "canary-said-by-the-model"

KEYS = (PROVIDERS_KEY, CLIENTS_KEY, QUERY_KEY)
WORDS = (PROMPT, SYSTEM, ARGUMENT, ANSWER)
ALL = " ".join((*KEYS, *WORDS))
#: What an upstream knows, and may quote.
THEIRS = " ".join((PROVIDERS_KEY, QUERY_KEY, *WORDS))
#: What stands in the first 200 characters of an upstream's error may be logged, keys excepted.
FAR = "x" * 200 + THEIRS

SPOKEN = [(dialect, stream) for dialect in ("messages", "chat") for stream in (False, True)]

PATHS: Mapping[str, Any] = {
    "ok": Reply(f"well, {ANSWER}", thinking=ANSWER, calls=[ToolCall("f", {"x": ARGUMENT})]),
    "error": ProviderError(THEIRS, status=500),
    "their-request": ProviderError(THEIRS, status=400),
    "their-key": ProviderError(THEIRS, status=401),
    "too-many": ProviderError(THEIRS, status=429, headers={"retry-after": "1", "x-canary": THEIRS}),
    "error-of-no-form": ProviderError("", body=THEIRS, content_type="text/plain"),
    "error-first": ErrorFirst(message=THEIRS),
    "error-after": ErrorAfter(6, message=THEIRS, reply=Reply(f"{ANSWER} " * 9)),
    "cut": CutAfter(6, reply=Reply(f"{ANSWER} " * 9)),
    "empty": EmptyStream(),
    "html": Html(),
    "garbage": Raw(200, {"content-type": "application/json"}, THEIRS.encode()),
    "redirect": Raw(302, {"location": f"http://127.0.0.1:1/{QUERY_KEY}?{THEIRS}".replace(" ", "+")}),
}


class Raises:
    """Fails in every hook that it is asked in while a request is served, quoting what it should not."""

    def __init__(self, *hooks: str) -> None:
        self._hooks = hooks

    def _fail(self, hook: str) -> None:
        if hook in self._hooks:
            raise RuntimeError(ALL)

    @hookimpl
    def review_request(self) -> None:
        self._fail("review_request")

    @hookimpl
    def filter_chain(self) -> Iterable[Rejection]:
        self._fail("filter_chain")
        return ()

    @hookimpl
    def reorder_chain(self) -> Iterable[Demotion]:
        self._fail("reorder_chain")
        return ()

    @hookimpl
    def review_attempt(self) -> None:
        self._fail("review_attempt")

    @hookimpl
    def stream_filter(self) -> None:
        self._fail("stream_filter")

    @hookimpl
    def compute_cost(self) -> Cost | None:
        self._fail("compute_cost")
        return None

    @hookimpl
    def observe_attempt(self, attempt: Attempt) -> None:
        self._fail("observe_attempt")

    @hookimpl
    def observe_event(self, event: Event) -> None:
        self._fail("observe_event")

    @hookimpl
    def report_standing(self) -> Iterable[Standing]:
        self._fail("report_standing")
        return ()


@define
class Place:
    """A router with every sink that a served one has."""

    router: ServedRouter
    folder: Path
    log: list[LogWriter] = field(factory=list)
    answers: list[str] = field(factory=list)

    def ask(self, ways: Sequence[tuple[str, bool]] = tuple(SPOKEN), **body: Any) -> None:
        for dialect, stream in ways:
            asked = self.router.ask(
                conversation(dialect),
                dialect=dialect,
                stream=stream,
                headers={"x-api-key": CLIENTS_KEY},
                **body,
            )
            self._answered(asked.headers, asked.raw)
            self._get(f"/explain/{asked.headers['x-request-id']}")

    def post(self, path: str, content: bytes, key: str = CLIENTS_KEY) -> None:
        # A connection of its own: the server closes one whose request it did not read to the end.
        answer = httpx.post(
            self.router.url + path, content=content, headers={"authorization": f"Bearer {key}"}, timeout=30
        )
        self._answered(answer.headers, answer.content)

    def _get(self, path: str) -> None:
        answer = self.router.client.get(path, headers={"x-api-key": CLIENTS_KEY})
        self.answers.append(f"{dict(answer.headers)} {answer.text}")

    def _answered(self, headers: Mapping[str, str], body: bytes) -> None:
        """What the client's own words are in may come back to it, but not in headers, and no key."""
        self.answers.append(str(dict(headers)))
        told = body.decode()
        assert [key for key in KEYS if key in told] == []

    def written(self) -> str:
        """Everything that was written, as one text."""
        for path in ("/healthz", "/v1/models", "/explain/last", "/nowhere"):
            self._get(path)
        self.router.close()
        for sink in self.log:
            sink.close()
        files = [path.read_bytes().decode("latin-1") for path in self.folder.rglob("*") if path.is_file()]
        return "\n".join([*self.answers, *files])


def conversation(dialect: str) -> list[dict[str, Any]]:
    """A turn with text, and one with a tool's call and its result."""
    if Dialect(dialect) is Dialect.CHAT:
        call = {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": f'{{"x": "{ARGUMENT}"}}'},
        }
        return [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": ARGUMENT},
        ]
    return [
        {"role": "user", "content": PROMPT},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"x": ARGUMENT}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": ARGUMENT}]},
    ]


@contextmanager
def placed(tmp_path: Path, local: Any, *plugins: Any, how: str = "short", **config: Any) -> Iterator[Place]:
    """A router whose first provider does as told; its URL holds a key, and the second answers well."""
    ledger = {"url": f"sqlite:{tmp_path / 'ledger' / 'ledger.sqlite3'}"}
    with Upstream([local]) as upstream, open(tmp_path / "stderr", "w", encoding="utf-8") as stderr:
        router = make_router(
            *plugins,
            Script(local="unused", cloud=Script.messages(Reply(ANSWER))),
            providers={
                "local": {
                    "base_url": f"{upstream.url}/v1?token={QUERY_KEY}",
                    "api_key_env": "CANARY_PROVIDER",
                }
            },
            auth={"keys": ["CANARY_CLIENT"]},
            environ={"CANARY_CLIENT": CLIENTS_KEY},
            ledger=ledger,
            log_upstream_errors=how,
            **config,
        )
        hidden = secrets_of(router.core.config)
        place = Place(router, tmp_path)
        place.log = [
            LogWriter(Level.DEBUG, stderr, hidden),
            LogWriter(Level.DEBUG, secrets=hidden, target=Mirror(tmp_path / "events.jsonl"), name="mirror"),
        ]
        router.core.events.sinks += place.log
        try:
            yield place
        finally:
            router.close()


def found(text: str) -> list[str]:
    return [secret for secret in (*KEYS, *WORDS) if secret in text]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_PROVIDER", PROVIDERS_KEY)
    monkeypatch.setenv("CANARY_CLIENT", CLIENTS_KEY)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_that_is_secret_is_written_when_errors_are_not_logged(tmp_path: Path, path: str) -> None:
    with placed(tmp_path, PATHS[path], how="none") as place:
        place.ask()

        assert found(place.written()) == []


@pytest.mark.parametrize("path", PATHS)
def test_no_key_is_written_when_errors_are_logged_in_full(tmp_path: Path, path: str) -> None:
    with placed(tmp_path, PATHS[path], how="full") as place:
        place.ask()

        assert [secret for secret in found(place.written()) if secret in KEYS] == []


@pytest.mark.parametrize(
    "local",
    [
        pytest.param(ProviderError(FAR, status=500), id="error"),
        pytest.param(ProviderError(FAR, status=400), id="their-request"),
        pytest.param(ErrorAfter(6, message=FAR), id="error-after"),
    ],
)
def test_what_an_upstream_says_is_cut_where_prompts_begin(tmp_path: Path, local: Any) -> None:
    with placed(tmp_path, local) as place:
        place.ask()

        assert found(place.written()) == []


@pytest.mark.parametrize(
    "hook",
    [
        "review_request",
        "filter_chain",
        "reorder_chain",
        "review_attempt",
        "stream_filter",
        "compute_cost",
        "observe_attempt",
        "observe_event",
        "report_standing",
    ],
)
def test_what_a_plugin_quotes_when_it_fails_is_not_written(tmp_path: Path, hook: str) -> None:
    with placed(tmp_path, "hello", Raises(hook), how="full") as place:
        place.ask()
        place.router.core.standings()
        place.router.core.chains()

        assert found(place.written()) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f'{{"x": "{ALL}'.encode(), id="not-json"),
        pytest.param(json.dumps([ALL]).encode(), id="not-an-object"),
        pytest.param(
            json.dumps({"model": "m", "messages": ALL, "max_tokens": ALL}).encode(), id="not-a-request"
        ),
        pytest.param(json.dumps({"model": "m", "messages": [], "profile": 3}).encode(), id="not-a-profile"),
        pytest.param(ALL.encode() * 20, id="too-large"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"])
def test_what_a_request_that_is_none_holds_is_not_written(tmp_path: Path, path: str, content: bytes) -> None:
    with placed(tmp_path, "hello", max_body_bytes=1_024) as place:
        place.post(path, content)
        place.post(path, content, key=f"wrong-{QUERY_KEY}")

        assert found(place.written()) == []


def test_a_mistake_in_a_configuration_does_not_repeat_a_key() -> None:
    with pytest.raises(ConfigError) as told:
        make_router(
            Script(local="hello"),
            providers={
                "local": {"base_url": f"http://user:{QUERY_KEY}@127.0.0.1/v1", "api_key_env": PROVIDERS_KEY}
            },
            auth={"keys": [CLIENTS_KEY]},
        )

    assert found(str(told.value)) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    with placed(tmp_path, "hello") as place:
        place.router.core.emit("adapter-note", provider="local", note=f"{PROMPT} {PROVIDERS_KEY}")

        assert found(place.written()) == [PROMPT]


def test_a_request_is_recorded_without_its_text(tmp_path: Path) -> None:
    with placed(tmp_path, "hello") as place:
        place.ask([("messages", False)])

        text = place.written()
    assert ("request-finished" in text, "attempts" in text, Request.__name__ in text) == (True, True, False)
