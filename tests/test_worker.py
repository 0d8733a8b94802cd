"""Workers: leases, tokens and take-overs. Each part of a batch counts once, whoever dies or sleeps meanwhile."""

import json
from collections.abc import Callable
from dataclasses import replace
from logging import StreamHandler
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import update

from advisor import logs
from advisor.batch.parts import score_part
from advisor.batch.running import PartResult, Run
from advisor.catalog import Catalog
from advisor.errors import StoreFull, StoreUnavailable
from advisor.services import batches
from advisor.services.batches import Claim, LeaseLost
from advisor.services.webhooks import announce
from advisor.settings import Settings
from advisor.store.database import Database
from advisor.worker import Worker

LEASE = 30_000
HEADER = "seller_id,marketplace,order_defect_rate_count,order_defect_rate_of\n"
ACCOUNTS = HEADER + "".join(f"A{number},US,{number},{number % 7 * 400 + 100}\n" for number in range(20))


class Clock:
    """The clock of the database, which a test moves on."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self, connection: object) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr("advisor.services.batches.clock", one)
    return one


@pytest.fixture
def make_worker(settings: Settings, database: Database, catalog: Catalog) -> Callable[..., Worker]:
    def make(part_rows: int = 6, **changes: Any) -> Worker:
        return Worker(replace(settings, **changes), database, catalog, announce, part_rows=part_rows)

    return make


def send(workspace: Any, text: str = ACCOUNTS) -> str:
    """Send a file; returns the id of its batch."""
    sent = workspace.post("/v1/batches?as_of=2026-11-22", data=text, headers={"Content-Type": "text/csv"})
    assert sent.status_code == 202
    return str(sent.json["id"])


def parquet(folder: Path) -> bytes:
    """Write accounts as Parquet, uncompressed."""
    names = [f"A{number}" for number in range(5000)]
    pq.write_table(pa.table({"seller_id": names, "marketplace": ["US"] * 5000}), folder / "in", compression="none")
    return (folder / "in").read_bytes()


def send_parquet(workspace: Any, data: bytes) -> str:
    """Send a Parquet file; returns the id of its batch."""
    headers = {"Content-Type": "application/vnd.apache.parquet"}
    sent = workspace.post("/v1/batches?as_of=2026-11-22", data=data, headers=headers)
    assert sent.status_code == 202
    return str(sent.json["id"])


def take(database: Database, owner: str = "me") -> Claim | None:
    """Claim the next batch."""
    with database.writing() as connection:
        return batches.claim(connection, owner, LEASE, announce)


def taken(database: Database, owner: str = "me") -> Claim:
    """Claim the next batch, which there is."""
    held = take(database, owner)
    assert held is not None
    return held


def results(workspace: Any, batch: str) -> bytes:
    """Get the results of a batch, which is done."""
    return bytes(workspace.download(f"/v1/batches/{batch}/results").data)


def test_a_batch_has_one_owner_until_its_lease_has_passed(workspace: Any, database: Database, clock: Clock) -> None:
    batch = send(workspace)
    first = taken(database)
    assert (first.id, first.token) == (batch, 1)
    clock.now += LEASE - 1
    assert take(database) is None
    clock.now += 1
    second = taken(database)
    assert (second.id, second.token) == (batch, 2)
    with database.writing() as connection:
        batches.renew(connection, second, LEASE)
    for change in (
        lambda connection: batches.renew(connection, first, LEASE),
        lambda connection: batches.begin(connection, first, 20, passed_through=[], unused=[]),
        lambda connection: batches.finish(connection, first, announce),
        lambda connection: batches.give_back(connection, first),
        lambda connection: batches.add_part(
            connection, first, 0, last_row=6, rows=6, scored=6, blamed={}, lease_ms=LEASE
        ),
    ):
        with pytest.raises(LeaseLost), database.writing() as connection:
            change(connection)
    assert workspace.get(f"/v1/batches/{batch}").json["state"] == "running"


def test_batches_are_claimed_in_turn_each_by_one(workspace: Any, database: Database) -> None:
    sent = [send(workspace) for _ in range(6)]
    found: list[str] = []

    def work() -> None:
        while (held := take(database)) is not None:
            found.append(held.id)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(sent)


def test_a_worker_goes_on_after_the_last_part_that_was_counted(
    workspace: Any, database: Database, make_worker: Callable[..., Worker], clock: Clock, monkeypatch: Any
) -> None:
    send(workspace)
    make_worker().score_next(Event())
    (whole,) = workspace.get("/v1/batches").json["items"]
    expected = results(workspace, whole["id"])
    batch = send(workspace)
    counted: list[int] = []
    add_part = batches.add_part

    def dies_at_the_third(connection: Any, held: Claim, number: int, **given: Any) -> None:
        if number == 2 and held.token == 1:
            raise SystemExit  # as good as a kill: nothing is given back
        add_part(connection, held, number, **given)
        counted.append(number)

    monkeypatch.setattr(batches, "add_part", dies_at_the_third)
    monkeypatch.setattr(Worker, "_give_back", lambda *_: None)
    with pytest.raises(SystemExit):
        make_worker().score_next(Event())
    assert (counted, workspace.get(f"/v1/batches/{batch}").json["rows_done"]) == ([0, 1], 12)
    assert not make_worker().score_next(Event())
    clock.now += LEASE
    assert make_worker().score_next(Event())
    assert counted == [0, 1, 2, 3]
    done = workspace.get(f"/v1/batches/{batch}").json
    assert (done["state"], done["rows_done"], done["scored"] + done["rejected"]) == ("done", 20, 20)
    assert results(workspace, batch) == expected


def test_a_worker_that_slept_past_its_lease_changes_nothing(
    workspace: Any, database: Database, make_worker: Callable[..., Worker], clock: Clock, monkeypatch: Any
) -> None:
    batch = send(workspace)

    def sleeps_after_the_second(run: Run, number: int, into: Path) -> PartResult:
        result = score_part(run, number, into)
        if into.name == "part-1-1":
            clock.now += LEASE  # meanwhile another worker takes over, and does it all
            assert make_worker().score_next(Event())
        return result

    monkeypatch.setattr("advisor.worker.score_part", sleeps_after_the_second)
    assert make_worker().score_next(Event())
    done = workspace.get(f"/v1/batches/{batch}").json
    assert (done["state"], done["rows_done"], done["scored"] + done["rejected"]) == ("done", 20, 20)
    with database.reading() as connection:
        tokens = connection.exec_driver_sql("SELECT number, token FROM batch_part ORDER BY number").fetchall()
    assert [tuple(row) for row in tokens] == [(0, 1), (1, 2), (2, 2), (3, 2)]
    assert results(workspace, batch).count(b"\n") == 21


def test_a_deleted_batch_is_abandoned_while_it_is_scored(
    workspace: Any, make_worker: Callable[..., Worker], monkeypatch: Any, settings: Settings
) -> None:
    batch = send(workspace)

    def is_deleted(run: Run, number: int, into: Path) -> PartResult:
        assert workspace.delete(f"/v1/batches/{batch}").status_code == 204
        return score_part(run, number, into)

    monkeypatch.setattr("advisor.worker.score_part", is_deleted)
    assert make_worker().score_next(Event())
    assert workspace.get(f"/v1/batches/{batch}").status_code == 404


def test_a_long_part_is_ended_when_the_worker_stops_and_another_goes_on_at_once(
    workspace: Any, make_worker: Callable[..., Worker]
) -> None:
    batch = send(workspace, HEADER + ACCOUNTS.removeprefix(HEADER) * 10_000)
    stop = Event()
    worker = make_worker(part_rows=10**6)
    thread = Thread(target=worker.run, args=(stop,))
    thread.start()
    until = monotonic() + 30
    while workspace.get(f"/v1/batches/{batch}").json["rows"] is None and monotonic() < until:
        sleep(0.02)
    stopped = monotonic()
    stop.set()
    thread.join(30)
    assert monotonic() - stopped < 5
    state = workspace.get(f"/v1/batches/{batch}").json
    assert (state["state"], state["rows_done"]) == ("queued", 0)
    assert make_worker(part_rows=10**6).score_next(Event())
    state = workspace.get(f"/v1/batches/{batch}").json
    assert (state["state"], state["rows_done"], state["problem"]) == ("done", 200_000, None)


def test_a_batch_over_which_workers_die_is_given_up(workspace: Any, database: Database, clock: Clock) -> None:
    batch = send(workspace)
    for _ in range(batches.MOST_ATTEMPTS):
        assert taken(database).id == batch
        clock.now += LEASE
    assert take(database) is None
    failed = workspace.get(f"/v1/batches/{batch}").json
    assert (failed["state"], failed["problem"]["code"]) == ("failed", "worker_died")


def test_a_disk_that_fails_under_the_engine_fails_no_batch(
    workspace: Any, make_worker: Callable[..., Worker], tmp_path: Path, clock: Clock, monkeypatch: Any
) -> None:
    batch = send_parquet(workspace, parquet(tmp_path))

    def fails(*_: Any) -> Any:
        raise duckdb.IOException("IO Error: Could not read from file: Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("ibis.backends.duckdb.Backend.raw_sql", fails)
        with pytest.raises(OSError, match="Input/output error"):
            make_worker().score_next(Event())
    assert workspace.get(f"/v1/batches/{batch}").json["state"] == "queued"
    clock.now += LEASE
    assert make_worker(part_rows=5000).score_next(Event())
    assert workspace.get(f"/v1/batches/{batch}").json["state"] == "done"


def test_what_the_engine_says_of_a_file_tells_nobody_where_it_lies(
    workspace: Any, make_worker: Callable[..., Worker], settings: Settings, tmp_path: Path
) -> None:
    """Not even where what it says is cut in the middle of the path."""
    for name in ("", "x" * 110):
        worker = make_worker(files_dir=settings.files_dir / name)
        batch = send_parquet(workspace, parquet(tmp_path))
        place = batches.folder(settings.files_dir, batch)
        (place / "input").write_bytes(b"PAR1 and no more")
        moved = batches.folder(worker.files, batch)
        if moved != place:
            moved.parent.mkdir(parents=True)
            place.rename(moved)
        assert worker.score_next(Event())
        failed = workspace.get(f"/v1/batches/{batch}").json
        assert (failed["state"], failed["problem"]["code"]) == ("failed", "not_parquet")
        assert "the file" in failed["problem"]["detail"]
        assert str(tmp_path)[:12] not in str(failed["problem"])


def test_a_batch_whose_program_is_gone_fails_at_once(
    workspace: Any, database: Database, make_worker: Callable[..., Worker]
) -> None:
    batch = send(workspace)
    with database.writing() as connection:
        connection.execute(update(batches.batches).values(program="forgotten"))
    assert make_worker().score_next(Event())
    failed = workspace.get(f"/v1/batches/{batch}").json
    (error,) = failed["problem"]["errors"]
    assert (failed["state"], error["pointer"], error["code"]) == ("failed", "program", "unknown_program")
    assert "There is no program named “forgotten”. There are: enterprise-mall, " in error["detail"]


@pytest.mark.parametrize("fault", [StoreUnavailable("down"), StoreFull("full"), OSError(28, "no space")])
def test_a_fault_of_database_or_disk_fails_no_batch(
    workspace: Any, database: Database, make_worker: Callable[..., Worker], clock: Clock, monkeypatch: Any, fault: Any
) -> None:
    monkeypatch.setattr(batches, "MOST_ATTEMPTS", 3)
    batch = send(workspace)

    def fails(*_: Any) -> Any:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr("advisor.worker.score_part", fails)
        for _ in range(batches.MOST_ATTEMPTS + 2):
            with pytest.raises(type(fault)):
                make_worker().score_next(Event())
            assert not make_worker().score_next(Event())  # it waits, and would let others go first
            clock.now += 30_000
    assert make_worker().score_next(Event())
    assert workspace.get(f"/v1/batches/{batch}").json["state"] == "done"


def test_parts_of_another_size_begin_again(
    workspace: Any, database: Database, make_worker: Callable[..., Worker], monkeypatch: Any
) -> None:
    batch = send(workspace)
    stop = Event()

    def stops(run: Run, number: int, into: Path) -> PartResult:
        if number == 1:
            stop.set()
        return score_part(run, number, into)

    with monkeypatch.context() as patch:
        patch.setattr("advisor.worker.score_part", stops)
        assert make_worker(part_rows=4).score_next(stop)
    assert workspace.get(f"/v1/batches/{batch}").json["rows_done"] > 0
    assert make_worker(part_rows=7).score_next(Event())
    done = workspace.get(f"/v1/batches/{batch}").json
    assert (done["state"], done["rows_done"], done["scored"] + done["rejected"]) == ("done", 20, 20)
    assert results(workspace, batch).count(b"\n") == 21


def test_the_lease_is_renewed_while_a_part_is_scored(
    workspace: Any, database: Database, make_worker: Callable[..., Worker], monkeypatch: Any
) -> None:
    send(workspace)

    def takes_long(run: Run, number: int, into: Path) -> PartResult:
        if number == 0:
            sleep(2.5)
            assert take(database, "another") is None
        return score_part(run, number, into)

    monkeypatch.setattr("advisor.worker.score_part", takes_long)
    assert make_worker(lease_seconds=1).score_next(Event())
    (done,) = workspace.get("/v1/batches").json["items"]
    assert done["state"] == "done"


@pytest.mark.parametrize(
    ("fault", "level", "says"),
    [
        (OSError(5, "broken"), "ERROR", "housekeeping failed"),
        (StoreUnavailable("down"), "WARNING", "housekeeping waits for the next time: StoreUnavailable"),
    ],
)
def test_a_chore_that_fails_holds_up_no_other_and_comes_again_in_its_turn(
    settings: Settings,
    database: Database,
    catalog: Catalog,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: Any,
    fault: Exception,
    level: str,
    says: str,
) -> None:
    monkeypatch.setattr("advisor.worker.POLL_SECONDS", 0.01)
    monkeypatch.setattr("advisor.logs.LOGGER.propagate", True)
    done: list[str] = []
    stop = Event()

    def sends() -> None:
        done.append("sends")
        if done.count("sends") == 3:
            stop.set()

    def fails() -> None:
        done.append("fails")
        raise fault

    worker = Worker(settings, database, catalog, announce, [sends], [fails, lambda: done.append("goes on")])
    worker._do_chores(stop)
    assert done == ["fails", "goes on", "sends", "sends", "sends"]
    lines = [line for line in caplog.records if line.name == "advisor.worker"]
    assert {(line.levelname, line.message) for line in lines} == {(level, says)}


def test_a_line_of_the_log_names_its_batch(
    workspace: Any, make_worker: Callable[..., Worker], monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("advisor.logs.LOGGER.handlers", [])
    monkeypatch.setattr("advisor.logs.HANDLER", StreamHandler())
    logs.set_up("INFO")
    batch = send(workspace)
    capsys.readouterr()
    assert make_worker().score_next(Event())
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["event"], line["batch"]) == ("claimed", batch)


def test_a_file_that_turns_out_to_be_damaged_fails(
    workspace: Any, make_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    whole = parquet(tmp_path)
    place = whole.index(b"A4000")
    damaged = whole[: place - 4] + b"\xff\xff\xff\x7f" + whole[place:]  # a text that is longer than the file
    batch = send_parquet(workspace, damaged)
    assert make_worker().score_next(Event())
    failed = workspace.get(f"/v1/batches/{batch}").json
    assert (failed["state"], failed["problem"]["code"]) == ("failed", "not_readable")
