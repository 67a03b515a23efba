"""What is compared: nginx as a plain reverse proxy, and the router by its own command."""

from __future__ import annotations

import contextlib
import http.client
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import orjson
from attrs import frozen

from rig import bodies, stream_upstream
from rig.processes import NotRun, Running, command, free_port, running

HOST = "127.0.0.1"
ANSWER_LIMIT_S = 20.0

_NGINX = """\
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  client_max_body_size 64m;
  client_body_buffer_size 256k;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  {content}
}}
"""

_FIXED = """\
server {{
    listen 127.0.0.1:{port} backlog=4096;
    default_type application/json;
    location / {{ return 200 '{answer}'; }}
  }}"""

_PROXY = """\
upstream behind {{
    server 127.0.0.1:{upstream};
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering {buffering};
    }}
  }}"""

_ROUTER = """\
providers:
  - name: bench
    kind: openai-compat
    base_url: http://127.0.0.1:{upstream}/v1
    model: {model}
    cost: {{input_tokens_per_million: 3.0, output_tokens_per_million: 15.0}}
profiles:
  - name: default
    providers: [bench]
default_profile: default
ledger: {{url: 'sqlite:{home}/ledger.db'}}
"""


@frozen(eq=False)
class Side:
    """One proxy under test. `first_answer_s` is from the start of its process to its first answer."""

    name: str
    port: int
    process: Running

    @property
    def first_answer_s(self) -> float:
        return self.process.started_s


@contextlib.contextmanager
def fixed_upstream(home: Path, core: int) -> Iterator[int]:
    """nginx that answers everything with one small chat completion; its port."""
    port = free_port()
    content = _FIXED.format(port=port, answer=bodies.ANSWER.decode())
    with _nginx("upstream", home, core, content, partial(ask, port)):
        yield port


@contextlib.contextmanager
def streaming_upstream(home: Path, core: int, chunks: int, pace_ms: float) -> Iterator[int]:
    """A server that streams so many chunks, one each `pace_ms` or (at 0) flat out; its port."""
    port = free_port()
    words = [sys.executable, stream_upstream.__file__, str(port), str(chunks), str(pace_ms)]
    output, ready = home / "stream-upstream.out", partial(get, port, "/")
    with running("stream upstream", words, core=core, output=output, ready=ready):
        yield port


@contextlib.contextmanager
def nginx_side(home: Path, core: int, upstream: int, *, stream: bool) -> Iterator[Side]:
    """nginx as a plain reverse proxy with kept connections; streams are passed on unbuffered."""
    port = free_port()
    content = _PROXY.format(port=port, upstream=upstream, buffering="off" if stream else "on")
    ready = partial(get, port, "/") if stream else partial(ask, port)
    with _nginx("nginx", home, core, content, ready) as process:
        yield Side("nginx", port, process)


@contextlib.contextmanager
def _nginx(name: str, home: Path, core: int, content: str, ready: Callable[[], object]) -> Iterator[Running]:
    own = home / name
    own.mkdir()
    config = own / "nginx.conf"
    config.write_text(_NGINX.format(home=own, content=content))
    words = [command("nginx"), "-p", str(own), "-c", str(config), "-e", str(own / "error.log")]
    with running(name, words, core=core, output=own / "output", ready=ready) as process:
        yield process


@contextlib.contextmanager
def router_side(
    home: Path,
    core: int,
    upstream: int,
    *,
    stream: bool,
    name: str = "router",
    environ: Mapping[str, str] | None = None,
) -> Iterator[Side]:
    """`coderouter serve` with one provider and every installed plugin: SQLite ledger, JSON log to a file.

    `environ` are variables of its own."""
    own = home / name
    own.mkdir()
    config = router_config(own, upstream)
    port = free_port()
    words = [str(_coderouter()), "serve", "--config", str(config), "--port", str(port)]
    with running(
        name,
        words,
        core=core,
        output=own / "log",
        ready=partial(get, port, "/readyz") if stream else partial(ask, port),
        environ={**environ_in(own), **(environ or {})},
    ) as process:
        yield Side(name, port, process)


def router_config(home: Path, upstream: int) -> Path:
    """A configuration with the upstream as its one provider, and its ledger in `home`."""
    config = home / "providers.yaml"
    config.write_text(_ROUTER.format(home=home, upstream=upstream, model=bodies.MODEL))
    return config


def _coderouter() -> Path:
    found = Path(sys.executable).with_name("coderouter")
    if not found.exists():
        raise NotRun(f"there is no {found}; install coderouter-core into this environment")
    return found


def environ_in(home: Path) -> dict[str, str]:
    """An environment in which nothing of the user's own router is found."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CODEROUTER_", "ALLOW_PAID", "XDG_"))
    }
    return {**kept, "HOME": str(home)}


def get(port: int, path: str) -> None:
    """Return when a GET is answered. Raises `OSError` while nobody listens or the answer is an error."""
    status, got = _exchange(port, "GET", path, b"")
    if status != 200:
        raise OSError(f"GET {path} gave {status}: {got[:200].decode(errors='replace')}")


def ask(port: int, *, path: str = bodies.PATHS["chat"], body: bytes = b"") -> None:
    """Return when a request is answered. Raises `OSError` while nobody listens, `NotRun` for a wrong answer."""
    status, got = _exchange(port, "POST", path, body or bodies.tiny())
    if status != 200 or not _is_right(got):
        raise NotRun(f"port {port} answers {path} with {status}: {got[:500].decode(errors='replace')}")


def _exchange(port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_LIMIT_S)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise NotRun(f"port {port} does not answer in HTTP: {error!r}") from error
    finally:
        connection.close()


def _is_right(got: bytes) -> bool:
    """Whether it is an answer of a model, in any dialect."""
    try:
        answer = orjson.loads(got)
    except orjson.JSONDecodeError:
        return False
    return isinstance(answer, dict) and ("choices" in answer or "content" in answer)
