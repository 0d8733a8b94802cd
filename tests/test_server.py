"""A real gunicorn on localhost, spoken to in raw bytes: broken bodies, chunks, expectations and shutting down."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LIMIT = 4096
CANARY = "canary-9b2e"
ACCOUNT = b'{"marketplace": "US", "seller": {"name": "Example Tools"}}'
SERVE = ("-m", "gunicorn", "wsgi:app", "--no-control-socket", "--worker-class", "gthread", "--bind", "127.0.0.1:0")
ANNOUNCED = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


@dataclass
class Answer:
    """One answer off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self, status: int, code: str) -> None:
        """Check that it is a problem of the one shape with this status and code."""
        assert (self.status, self.headers["content-type"]) == (status, "application/problem+json"), self
        found = json.loads(self.body)
        assert found["status"] == status
        assert found["request_id"] == self.headers["x-request-id"]
        assert [one["code"] for one in found["errors"]] == [code]


class Server:
    """A gunicorn with one worker process of a few threads, and what it writes to standard error."""

    def __init__(self) -> None:
        environment = {"ADVISOR_MAX_BODY": str(LIMIT), "PYTHONUNBUFFERED": "1", "PATH": "/usr/bin:/bin"}
        self.process = subprocess.Popen(
            [sys.executable, *SERVE, "--workers", "1", "--threads", "4", "--graceful-timeout", "20"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._listening = threading.Event()
        self.port = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._listening.wait(30), "".join(self.lines)
        self._await_ready()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := ANNOUNCED.search(line):
                self.port = int(found[1])
                self._listening.set()

    def _await_ready(self) -> None:
        with self.connect(30) as one:  # the socket listens before the worker has loaded the rules: this waits for it
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert receive(one).status == 200

    def connect(self, timeout: float = 10) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def say(self, *parts: bytes, hang_up: bool = False) -> Answer:
        """Send bytes, then read one answer; with `hang_up`, say first that nothing more will come."""
        with self.connect() as one:
            for part in parts:
                one.sendall(part)
            if hang_up:
                one.shutdown(socket.SHUT_WR)
            return receive(one)

    def stop(self) -> None:
        """End the process, gently if it lets itself, and read what it wrote last."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


def receive(one: socket.socket) -> Answer:
    """Read one whole answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += more(one, data)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in rest]
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", 0)):
        body += more(one, body)
    return Answer(int(first.split()[1]), headers, body)


def more(one: socket.socket, sofar: bytes) -> bytes:
    """Read on; the end of the connection is a failure."""
    part = one.recv(65_536)
    assert part, f"the connection ended after {sofar!r}"
    return part


def head(*headers: str, route: str = "/v1/assessments") -> bytes:
    """Write the head of a request that posts JSON."""
    lines = (f"POST {route} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers, "", "")
    return "\r\n".join(lines).encode()


def chunk(data: bytes) -> bytes:
    """Write one chunk."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def padded(size: int) -> bytes:
    """Write a good request of exactly so many bytes."""
    return ACCOUNT + b" " * (size - len(ACCOUNT))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for all tests of this file but those that stop it."""
    one = Server()
    try:
        yield one
    finally:
        one.stop()


def test_a_whole_body_is_answered(server: Server) -> None:
    """Otherwise a refusal below would say nothing."""
    answer = server.say(head(f"Content-Length: {len(ACCOUNT)}"), ACCOUNT)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.body)["marketplace"] == "US"


@pytest.mark.parametrize("route", ["/v1/assessments", "/v1/assessments:batch", "/v1/fee-estimates", "/v1/advice"])
@pytest.mark.parametrize("arrived", [0, 1, 10, len(ACCOUNT) - 1])
def test_a_body_cut_short_of_its_length_is_refused(server: Server, route: str, arrived: int) -> None:
    """The server hands it over without a word; it is never taken for the whole."""
    answer = server.say(head(f"Content-Length: {len(ACCOUNT)}", route=route), ACCOUNT[:arrived], hang_up=True)
    answer.problem(400, "body_mismatch")


def test_a_cut_body_that_is_json_already_is_refused(server: Server) -> None:
    """What arrived could be read, and is not all."""
    answer = server.say(head(f"Content-Length: {len(ACCOUNT) + 100}"), ACCOUNT, hang_up=True)
    answer.problem(400, "body_mismatch")


@pytest.mark.parametrize(("size", "status"), [(LIMIT - 1, 200), (LIMIT, 200), (LIMIT + 1, 413), (LIMIT * 2, 413)])
@pytest.mark.parametrize("way", ["length", "one chunk", "chunks of 7", "chunks of 1000 with extensions"])
def test_the_limit_holds_with_a_length_and_in_chunks(server: Server, size: int, status: int, way: str) -> None:
    """Up to the last byte taken whole, from one more on refused; never cut."""
    body = padded(size)
    if way == "length":
        answer = server.say(head(f"Content-Length: {size}"), body)
    else:
        step = {"one chunk": size, "chunks of 7": 7}.get(way, 1000)
        chunks = [chunk(body[start : start + step]) for start in range(0, size, step)]
        if "extensions" in way:
            chunks = [one.replace(b"\r\n", b";name=value\r\n", 1) for one in chunks]
        answer = server.say(head("Transfer-Encoding: chunked"), b"".join(chunks), b"0\r\n\r\n")
    if status == 200:
        assert answer.status == 200
    else:
        answer.problem(413, "too_large")


def test_a_length_far_above_the_limit_is_refused_before_the_body_comes(server: Server) -> None:
    """Nobody has to send a terabyte to learn that it is too much."""
    server.say(head(f"Content-Length: {10**12}")).problem(413, "too_large")


def test_a_body_without_length_is_empty(server: Server) -> None:
    """No length and no chunks is no body, whatever follows."""
    server.say(head(), hang_up=True).problem(400, "empty_body")
    server.say(head("Content-Length: 0")).problem(400, "empty_body")


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n" + ACCOUNT + b"\r\n0\r\n\r\n",
        b"-5\r\n12345\r\n0\r\n\r\n",
        b"+5\r\n12345\r\n0\r\n\r\n",
        b"0x5\r\n12345\r\n0\r\n\r\n",
        b"5_0\r\n12345\r\n0\r\n\r\n",
        b" 5\r\n12345\r\n0\r\n\r\n",
        b"\r\n" + ACCOUNT + b"\r\n0\r\n\r\n",
        b"5\n12345\n0\n\n",
        b"3\r\n12345\r\n0\r\n\r\n",
        b"f" * 40 + b"\r\n" + ACCOUNT,
        chunk(ACCOUNT) + b"zz\r\n\r\n",
        chunk(ACCOUNT),
        chunk(ACCOUNT)[:-10],
        b"5",
        b"",
    ],
    ids=lambda chunks: repr(chunks[:12]),
)
def test_malformed_or_missing_chunks_are_never_taken_and_no_failure(server: Server, chunks: bytes) -> None:
    """A size that is none, a chunk of another length, an end that never comes."""
    answer = server.say(head("Transfer-Encoding: chunked"), chunks, hang_up=True)
    assert 400 <= answer.status < 500, answer
    if answer.headers["content-type"] == "application/problem+json":
        assert json.loads(answer.body)["errors"][0]["code"] in ("body_mismatch", "too_large")


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 58"),
        ("Content-Length: +58",),
        ("Content-Length: -1",),
        ("Content-Length: 5_8",),
        ("Content-Length: 58, 58",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding : chunked",),
        ("Content-Length: 58", "X-Bad: a\0b"),
        ("Content-Length: 58", "Host: other"),
        ("Content-Length: 58", "X-Long: " + "x" * 9000),
    ],
    ids=lambda headers: " ".join(headers)[:50],
)
def test_a_length_that_two_servers_read_differently_is_never_taken(server: Server, headers: tuple[str, ...]) -> None:
    """Smuggling a request past a proxy needs a server that takes one of these."""
    answer = server.say(head(*headers), ACCOUNT, hang_up=True)
    assert 400 <= answer.status <= 501 and answer.status != 500


def test_expect_100_continue_is_answered_before_the_body(server: Server) -> None:
    """A client that waits for it, as curl does with large bodies, is not left waiting."""
    with server.connect() as one:
        one.sendall(head(f"Content-Length: {len(ACCOUNT)}", "Expect: 100-continue"))
        assert receive(one).status == 100
        one.sendall(ACCOUNT)
        assert receive(one).status == 200


def test_one_connection_serves_many_requests_also_behind_refused_ones(server: Server) -> None:
    """A refused body is not taken for the next request."""
    with server.connect() as one:
        for _ in range(3):
            one.sendall(head(f"Content-Length: {len(ACCOUNT)}") + ACCOUNT)
            assert receive(one).status == 200
            one.sendall(head("Content-Length: 4") + b"nope")
            receive(one).problem(400, "not_json")
        smuggled = b"GET /v1/programs HTTP/1.1\r\nHost: localhost\r\n\r\n"
        one.sendall(head("Content-Type: text/plain", f"Content-Length: {len(smuggled)}") + smuggled)
        assert receive(one).status in (400, 415)
        try:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            last = receive(one)
        except (AssertionError, OSError):
            return  # closing the connection is as good
        assert last.status != 200 or json.loads(last.body) == {"status": "up"}


def test_a_slow_body_is_read_to_its_end(server: Server) -> None:
    """Byte by byte, while others are answered."""
    with server.connect() as one:
        one.sendall(head(f"Content-Length: {len(ACCOUNT)}"))
        for start in range(len(ACCOUNT)):
            one.sendall(ACCOUNT[start : start + 1])
            if start % 20 == 0:
                assert server.say(head(f"Content-Length: {len(ACCOUNT)}"), ACCOUNT).status == 200
        assert receive(one).status == 200


def test_double_slashes_and_odd_targets_are_no_failure(server: Server) -> None:
    """Whatever stands in the first line."""
    for target in (
        "//v1//programs",
        "/v1/programs?%FF=%00",
        "/%00",
        "/%2e%2e/%2e%2e/etc/passwd",
        "*",
        "http://x/healthz",
    ):
        answer = server.say(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert answer.status < 500, target


def test_sigterm_finishes_the_request_in_flight() -> None:
    """What was begun is answered; then the process ends, with status 0, and takes no more."""
    server = Server()
    try:
        with server.connect() as one:
            one.sendall(head(f"Content-Length: {len(ACCOUNT)}") + ACCOUNT[:20])
            time.sleep(0.5)  # so that a thread is at it
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1)
            assert server.process.poll() is None
            one.sendall(ACCOUNT[20:])
            answer = receive(one)
        assert (answer.status, json.loads(answer.body)["marketplace"]) == (200, "US")
        assert server.process.wait(15) == 0
        with pytest.raises(ConnectionRefusedError):
            server.connect(2).close()
    finally:
        server.stop()


def test_the_log_is_json_lines_without_bodies() -> None:
    """What the application writes to standard error, beside gunicorn's own lines about starting and stopping."""
    server = Server()
    try:
        secret = json.dumps({"marketplace": "US", "seller": {"name": CANARY}, CANARY: CANARY}).encode()
        for body in (secret, secret[:-1], CANARY.encode()):
            assert server.say(head(f"Content-Length: {len(body)}"), body).status in (400, 422)
        assert server.say(head(f"Content-Length: {len(secret) + 9}"), secret, hang_up=True).status == 400
        assert server.say(head("Transfer-Encoding: chunked"), CANARY.encode(), hang_up=True).status == 400
    finally:
        server.stop()
    text = "".join(server.lines)
    assert CANARY not in text
    lines: list[dict[str, Any]] = [json.loads(line) for line in server.lines if line.startswith("{")]
    posts = [line for line in lines if line.get("method") == "POST"]
    assert [line["status"] for line in posts] == [422, 400, 400, 400, 400]
    assert all(line["request_id"] and line["route"] == "/v1/assessments" for line in posts)
    others = [line for line in server.lines if not line.startswith("{")]
    assert all(re.match(r"\[[0-9-]+ [0-9:]+ \+0000\] \[\d+\] \[INFO\]", line) for line in others), others
