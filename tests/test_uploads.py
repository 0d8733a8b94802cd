"""Files sent to a real gunicorn: cut, slow, hostile or too large. What is not whole is refused, and leaves nothing."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import delete, func, select

from advisor.batch import REJECTS
from advisor.catalog import Catalog
from advisor.services import batches, keys
from advisor.services.webhooks import announce
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.store.tables import METADATA
from advisor.store.tables import batches as kept_batches
from advisor.worker import Worker

MIB = 2**20
MOST = 16 * MIB
MOST_GROWTH = 150 * MIB
SOON = 10.0  # seconds; on a busy machine
HEADER = "seller_id,marketplace,seller_name,order_defect_rate\n"
ACCOUNTS = (HEADER + 'A1,US,"Müller, ""Söhne""\nin zwei Zeilen",0.001\n' + "A2,UK,日本🦄,0.02\n" * 5).encode()
EDGE = "boundary-7f3a"
LINES, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"


@dataclass
class Answer:
    """One answer off the wire."""

    status: int
    body: Any

    @property
    def codes(self) -> list[str]:
        """The codes of a problem."""
        return [one["code"] for one in self.body["errors"]]


@dataclass
class Server:
    """A gunicorn with one worker, the key of a workspace, and what it keeps."""

    port: int
    pid: int
    key: str
    settings: Settings
    database: Database

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def head(self, *headers: str, query: str = "") -> bytes:
        """Write the head of an upload; it is of CSV unless the headers say else."""
        kind = [] if any(one.startswith("Content-Type") for one in headers) else ["Content-Type: text/csv"]
        lines = [f"POST /v1/batches?as_of=2026-11-22{query} HTTP/1.1", "Host: localhost", *kind, *headers]
        return "\r\n".join([*lines, f"Authorization: Bearer {self.key}", "Connection: close", "", ""]).encode()

    def say(self, head: bytes, *parts: bytes) -> Answer:
        """Send bytes, say that no more will come, and read the answer."""
        with self.connect() as one:
            try:
                for part in (head, *parts):
                    one.sendall(part)
                one.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass  # it has answered before it was told all
            return receive(one)

    def send(self, body: bytes, *headers: str, query: str = "") -> Answer:
        """Send a whole file."""
        return self.say(self.head(f"Content-Length: {len(body)}", *headers, query=query), body)

    def kept(self) -> tuple[dict[str, int], list[Path]]:
        """Say how many rows each table has but those of the key, and which files there are."""
        with self.database.reading() as connection:
            rows = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in METADATA.sorted_tables
                if table.name not in ("workspace", "api_key")
            }
        return {name: count for name, count in rows.items() if count}, [
            path for path in self.settings.files_dir.rglob("*") if path.name not in ("incoming", "batches")
        ]

    def keeps_nothing(self) -> bool:
        """Tell, once it has had the time to clean up, whether it keeps anything."""
        until = time.monotonic() + SOON
        while self.kept() != ({}, []) and time.monotonic() < until:
            time.sleep(0.02)
        return self.kept() == ({}, [])

    def memory(self, name: str) -> int:
        """Read VmRSS, what the worker process has in memory, or VmHWM, the most it had since it was forgotten."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

    def forget_peak(self) -> None:
        """Begin VmHWM anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def receive(one: socket.socket) -> Answer:
    data = b""
    while part := one.recv(65_536):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    assert head, "the connection ended without an answer"
    return Answer(int(head.split()[1]), json.loads(body) if b"json" in head.lower() else body)


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(one) for path in found for one in path.read_text().split()]


@pytest.fixture
def server(serve: Callable[..., str], settings: Settings, database: Database) -> Server:
    """A server that takes files of up to 16 MiB."""
    before = set(children(os.getpid()))
    address = serve(ADVISOR_MAX_UPLOAD=str(MOST))
    (gunicorn,) = set(children(os.getpid())) - before
    (worker,) = children(gunicorn)
    with database.writing() as connection:
        key = keys.create(connection, settings.secret(), "Acme")
    return Server(urlsplit(address).port or 0, worker, key, settings, database)


def chunked(data: bytes, step: int = 50) -> bytes:
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def form(data: bytes) -> bytes:
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    return head.encode() + data + f"\r\n--{EDGE}--\r\n".encode()


def cuts(body: bytes) -> Iterator[int]:
    """Say where a body of accounts is cut."""
    yield from (0, 1, len(HEADER) // 2, len(HEADER), len(HEADER) + 2)
    yield body.index("ü".encode()) + 1  # inside a character
    yield body.index("🦄".encode()) + 2
    yield body.index(b"in zwei")  # inside a quoted cell
    yield body.index(b"A2,UK")  # where whole rows end
    yield len(body) - 1


def test_a_file_that_breaks_off_is_never_taken_and_leaves_nothing(server: Server) -> None:
    length = f"Content-Length: {len(ACCOUNTS)}"
    for cut in cuts(ACCOUNTS):
        answer = server.say(server.head(length, "Idempotency-Key: same"), ACCOUNTS[:cut])
        assert (answer.status, answer.codes) == (400, ["body_mismatch"]), cut
        for end in (b"0\r\n\r\n", b"0\r\n", b"", b"5\r\nA9,"):
            answer = server.say(server.head("Transfer-Encoding: chunked"), chunked(ACCOUNTS[:cut]) + end)
            assert answer.status in (400, 411), (cut, end)
    answer = server.say(server.head("Transfer-Encoding: chunked"), chunked(ACCOUNTS) + b"0\r\n\r\n")
    assert answer.status == 411
    assert server.say(server.head()).status == 411
    wrong = base64.b64encode(hashlib.sha256(ACCOUNTS[:-1]).digest()).decode()
    assert server.send(ACCOUNTS, f"Content-Digest: sha-256=:{wrong}:").codes == ["body_mismatch"]

    whole, kind = form(ACCOUNTS), f"Content-Type: multipart/form-data; boundary={EDGE}"
    last = whole.rindex(b"\r\n--")
    inside = (0, 1, len(EDGE), whole.index(b"name="), *(whole.index(b"seller_id") + cut for cut in cuts(ACCOUNTS)))
    for cut in (*inside, last, last + 1, last + 2, last + 4, last + 9, len(whole) - 4, len(whole) - 3):
        answer = server.say(server.head(kind, f"Content-Length: {len(whole)}"), whole[:cut])
        assert (answer.status, answer.codes) == (400, ["body_mismatch"]), cut
        answer = server.say(server.head(kind, f"Content-Length: {cut}"), whole[:cut])
        assert (answer.status, answer.codes) == (400, ["not_multipart" if cut else "empty_body"]), cut
    for other in ("", "; boundary=", "; boundary=else", "; boundary=" + "x" * 300, "; boundary=\xfc"):
        answer = server.send(whole, f"Content-Type: multipart/form-data{other}")
        assert (answer.status, answer.codes) == (400, ["not_multipart"]), other

    for hang_up in (b"", ACCOUNTS[:50]):
        with server.connect() as one:
            one.sendall(server.head(length) + hang_up)
            time.sleep(0.1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not closed
    assert server.keeps_nothing()
    assert server.send(ACCOUNTS, "Idempotency-Key: same").status == 202
    assert server.send(whole, kind).status == 202


def test_a_slow_file_and_the_largest_are_taken_whole_and_one_byte_more_is_not(server: Server) -> None:
    with server.connect() as one:
        one.sendall(server.head(f"Content-Length: {len(ACCOUNTS)}"))
        for start in range(0, len(ACCOUNTS), 5):
            one.sendall(ACCOUNTS[start : start + 5])
            time.sleep(0.01)
        slow = receive(one)
    largest = ACCOUNTS + b"A3,US,%b,0.001\n" % (b"x" * 980) * (MOST // 1000)
    largest = largest[: MOST - 1] + b"\n"
    for answer, sent in ((slow, ACCOUNTS), (server.send(largest), largest)):
        assert (answer.status, answer.body["size"]) == (202, len(sent))
        stored = batches.folder(server.settings.files_dir, answer.body["id"]) / "input"
        assert stored.read_bytes() == sent
        assert answer.body["digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(sent).digest()).decode()}:"
    kept = server.kept()
    answer = server.say(server.head(f"Content-Length: {MOST + 1}"))  # not one byte of it is sent
    assert (answer.status, answer.codes) == (413, ["too_large"])
    assert server.say(server.head(f"Content-Length: {10**18}")).status == 413
    assert server.kept() == kept


@dataclass
class Hostile:
    """A file that is meant to do harm, and how it is refused; None where that is the worker's to say."""

    body: bytes
    status: int | None
    code: str = ""
    kind: str = "text/csv"
    more: tuple[str, ...] = ()


def hostile() -> dict[str, Hostile]:
    bomb = gzip.compress(bytes(64 * MIB))
    assert len(bomb) * 1000 < 64 * MIB
    chance = random.Random(1)
    header, lines = HEADER.encode(), b'{"seller_id": "A1", "marketplace": "US"}\n'
    good = parquet_file(pa.array(["A1"]))
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int8()), pa.array(["x" * 65_000]))
    huge_cell = b"A1,US,%b,0.001\n" % (b"x" * 10_000_000)
    huge_line = lines[:-2] + b', "x": "%b"}\n' % (b"x" * 10_000_000)
    return {
        "gzip bomb": Hostile(bomb, 400, "not_csv"),
        "encoded gzip bomb": Hostile(bomb, 415, "", more=("Content-Encoding: gzip",)),
        "gzip bomb as lines": Hostile(bomb, 400, "not_json", LINES),
        "gzip bomb as Parquet": Hostile(bomb, 400, "not_parquet", PARQUET),
        "a header": Hostile(header, 400, "no_rows"),
        "a header and blank lines": Hostile(header + b"\n" * 1000, 400, "no_rows"),
        "blank lines": Hostile(b"\n" * 10 * MIB, 400, "no_header"),
        "NULs": Hostile(bytes(10 * MIB), 400, "no_header"),
        "NULs as lines": Hostile(bytes(10 * MIB), 400, "not_json", LINES),
        "random bytes": Hostile(chance.randbytes(10 * MIB), 400, "no_header"),
        "random bytes as lines": Hostile(chance.randbytes(MIB), 400, "not_json", LINES),
        "random bytes of any type": Hostile(chance.randbytes(MIB), 422, "missing", "application/octet-stream"),
        "an open quote": Hostile(header + b'"' * (10 * MIB + 1), None),
        "commas": Hostile(b"," * 10 * MIB, None),
        "a huge cell in the first row": Hostile(header + huge_cell + ACCOUNTS[len(HEADER) :], None),
        "a huge cell behind good rows": Hostile(ACCOUNTS + huge_cell, None),
        "a huge header": Hostile(b"seller_id,marketplace,%b\nA1,US,1\n" % (b"x" * 10_000_000), 400, "no_header"),
        "a huge line": Hostile(huge_line, 400, "not_json", LINES),
        "a deep line": Hostile(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "not_json", LINES),
        "an empty Parquet": Hostile(parquet_file(pa.array([], pa.string())), 400, "no_rows", PARQUET),
        "a truncated Parquet": Hostile(good[:-20], 400, "not_parquet", PARQUET),
        "a Parquet of nothing but its name": Hostile(b"PAR1PAR1", 400, "not_parquet", PARQUET),
        "a Parquet that lies": Hostile(good[:-8] + b"\xff\xff\xff\x7fPAR1", 400, "not_parquet", PARQUET),
        "a Parquet as CSV": Hostile(good, 400, "not_csv"),
        "CSV as Parquet": Hostile(ACCOUNTS, 400, "not_parquet", PARQUET),
        "a Parquet bomb": Hostile(parquet_file(same), None, "", PARQUET),
    }


def parquet_file(names: pa.Array) -> bytes:
    """Write a Parquet file of accounts with these ids."""
    out = io.BytesIO()
    table = {"seller_id": names}
    for name, value in (("marketplace", "US"), ("order_defect_rate", "0.001")):
        table[name] = pa.DictionaryArray.from_arrays(pa.array([0] * len(names), pa.int8()), pa.array([value]))
    pq.write_table(pa.table(table), out, compression="zstd")
    return out.getvalue()


def test_hostile_files_are_refused_soon_within_little_memory(
    server: Server, settings: Settings, database: Database, catalog: Catalog
) -> None:
    files = settings.files_dir
    for body, kind in ((ACCOUNTS, "text/csv"), (parquet_file(pa.array(["A1"])), PARQUET)):
        assert server.send(body, f"Content-Type: {kind}").status == 202  # the engine is loaded now
    usual = server.memory("VmRSS")
    server.forget_peak()
    taken = {}
    for name, one in hostile().items():
        started = time.monotonic()
        answer = server.send(one.body, f"Content-Type: {one.kind}", *one.more)
        assert time.monotonic() - started < SOON, name
        assert server.memory("VmHWM") < usual + MOST_GROWTH, name
        assert str(files) not in json.dumps(answer.body), name
        assert answer.status == (one.status or 202), (name, answer)
        if one.status is None:
            taken[name] = answer.body["id"]
        else:
            assert answer.codes == ([one.code] if one.code else []), (name, answer)
            assert answer.body["detail"], name
    assert list((files / "incoming").iterdir()) == []
    assert len(list((files / "batches").iterdir())) == len(taken) + 2

    huge = taken["a huge cell in the first row"]
    with database.writing() as connection:
        connection.execute(delete(kept_batches).where(kept_batches.c.id != huge))
    assert Worker(settings, database, catalog, announce).score_next(Event())
    assert (batches.folder(files, huge) / REJECTS).read_text().splitlines()[1:] == [
        "1,,malformed_row,A cell has more than 65536 characters."
    ]
