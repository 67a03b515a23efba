"""Requests that are answered whole: how many a second, and how long one takes."""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from pathlib import Path

import orjson
from attrs import frozen

from rig.processes import NotRun, command
from rig.sides import HOST

CONNECTIONS = 32
READ_SIZE = 65536
ANSWER_LIMIT_S = 20.0

_SCRIPT = """\
local path, body = nil, nil
function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method, wrk.body = "POST", file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  file:close()
  request_bytes = wrk.format()
end
function request() return request_bytes end
function done(summary)
  local e = summary.errors
  io.write(string.format('\\nFIGURES {"requests": %d, "microseconds": %d, "errors": %d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def per_second(port: int, path: str, body: bytes, seconds: int, home: Path) -> float:
    """Requests a second, `CONNECTIONS` in parallel. Raises `NotRun` when a single one fails."""
    script, sent = home / "load.lua", home / "load.body"
    script.write_text(_SCRIPT)
    sent.write_bytes(body)
    words = [
        command("wrk"),
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "-s",
        str(script),
    ]
    words += [f"http://{HOST}:{port}{path}", "--", str(sent)]
    done = subprocess.run(words, capture_output=True, timeout=seconds + 30, check=False)
    told = done.stdout.partition(b"FIGURES ")[2]
    if done.returncode or not told:
        raise NotRun(f"wrk ended with {done.returncode}: {(done.stdout + done.stderr)[-500:].decode()}")
    figures = orjson.loads(told)
    if figures["errors"] or not figures["requests"]:
        raise NotRun(f"{figures['errors']} of {figures['requests']} requests to port {port} failed")
    return float(figures["requests"] / (figures["microseconds"] / 1e6))


@frozen
class Latency:
    """Milliseconds."""

    p50: float
    p99: float


def latency(port: int, path: str, body: bytes, count: int) -> Latency:
    """How long one request takes when there is no other, over one kept connection."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {HOST}:{port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    taken = []
    with socket.create_connection((HOST, port), timeout=ANSWER_LIMIT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began = time.perf_counter()
            connection.sendall(request)
            _read_answer(connection)
            taken.append((time.perf_counter() - began) * 1000)
    return Latency(statistics.median(taken), statistics.quantiles(taken, n=100)[98])


def _read_answer(connection: socket.socket) -> None:
    """Read one answer to its end. Raises `NotRun` for one that is not 200 with a length."""
    got = b""
    while (end := got.find(b"\r\n\r\n")) < 0:
        piece = connection.recv(READ_SIZE)
        if not piece:
            raise NotRun("the connection was closed before the answer")
        got += piece
    head = got[:end].lower()
    _, told, after = head.partition(b"\r\ncontent-length:")
    if not head.startswith(b"http/1.1 200") or not told:
        raise NotRun(f"not 200 with a length: {got[:200].decode(errors='replace')}")
    missing = int(after.partition(b"\r\n")[0]) - (len(got) - end - 4)
    while missing > 0:
        piece = connection.recv(READ_SIZE)
        if not piece:
            raise NotRun("the connection was closed inside the answer")
        missing -= len(piece)
