"""The store on both databases: migrations that keep every value, transactions that lose none, faults that say so."""

import hashlib
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Table,
    event,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, InternalError, ProgrammingError

from advisor.errors import AdvisorError, StoreFull, StoreUnavailable
from advisor.settings import Settings
from advisor.store import database as module
from advisor.store import schema
from advisor.store.database import Database, clock, insert_new, new_id, now_ms
from advisor.store.tables import METADATA, sellers, workspaces

ROWS = 12
TEXTS = ("", " ", "naïve 日本語 🦄\U0010ffff", "a\r\nb\t'\"\\;--%s:x{}", "null", "x" * 70_000, "\u200b\u202e")
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

Contents = dict[str, list[dict[str, Any]]]


MakeEmpty = Callable[[str], Database]


@pytest.fixture
def make_empty(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeEmpty]:
    """Open a database of a kind in which nothing was ever made."""
    made: list[Database] = []

    def make(kind: str) -> Database:
        url = f"sqlite:///{tmp_path}/empty.db"
        if kind != "sqlite":
            server = request.getfixturevalue("postgres")
            name = f"empty_{uuid4().hex}"
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            url = server.get_uri(database=name)
        made.append(Database(url))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, make_empty: MakeEmpty) -> Database:
    return make_empty(request.param)


# Rows of every kind


def fill(connection: Connection, seed: int = 3) -> None:
    """Fill every table with rows of awkward values."""
    chance = random.Random(seed)
    made: dict[str, list[dict[str, Any]]] = {}
    for table in METADATA.sorted_tables:
        made[table.name] = [row(table, number, made, chance) for number in range(ROWS)]
        for one in made[table.name]:  # one by one: each names only the columns that it has
            connection.execute(insert(table).values(one))


def row(table: Table, number: int, made: Contents, chance: random.Random) -> dict[str, Any]:
    values = {column.name: value(column, number, chance) for column in table.columns}
    for key in sorted(table.foreign_key_constraints, key=lambda one: len(one.elements)):
        values |= reference(key, chance.choice(made[key.referred_table.name]))
    return values


def reference(key: ForeignKeyConstraint, parent: dict[str, Any]) -> dict[str, Any]:
    return {one.parent.name: parent[one.column.name] for one in key.elements}


def value(column: Column[Any], number: int, chance: random.Random) -> Any:
    of = column.type
    if column.primary_key or column.unique:
        return number if isinstance(of, Integer) else f"{number}{chance.choice(TEXTS[:4])}"
    if column.nullable and chance.random() < 0.3:
        return None
    if isinstance(of, Date):
        return chance.choice((date.min, date(1969, 12, 31), date(2024, 2, 29), date.max))
    if isinstance(of, LargeBinary):
        return chance.choice((b"", bytes(range(256)), b"\0" * 100_000, chance.randbytes(5000)))
    if isinstance(of, Integer):
        most = 2**53 if isinstance(of, BigInteger) else 2**31 - 1
        return chance.choice((0, -1, 1, most, -most, chance.randrange(most)))
    return chance.choice(TEXTS)


def contents(database: Database) -> Contents:
    """Read every row of the tables that there are, with the columns that they have."""
    there = {name: {one["name"] for one in columns} for name, columns in layout(database)["columns"].items()}
    with database.reading() as connection:
        return {
            table.name: [
                row._asdict()
                for row in connection.execute(
                    select(*(one for one in table.columns if one.name in there[table.name])).order_by(
                        *table.primary_key
                    )
                )
            ]
            for table in METADATA.sorted_tables
            if table.name in there
        }


def digest(rows: Sequence[dict[str, Any]]) -> str:
    return hashlib.sha256("\n".join(sorted(repr(sorted(row.items())) for row in rows)).encode()).hexdigest()


def layout(database: Database) -> dict[str, dict[str, Any]]:
    with database.engine.connect() as connection:
        look = inspect(connection)
        names = [name for name in look.get_table_names() if name != "alembic_version"]
        return {
            "columns": {name: [{**one, "type": str(one["type"])} for one in look.get_columns(name)] for name in names},
            "keys": {name: look.get_pk_constraint(name) for name in names},
            "references": {name: look.get_foreign_keys(name) for name in names},
            "indexes": {name: sorted(look.get_indexes(name), key=str) for name in names},
        }


# Migrations


def test_there_is_one_head_and_every_step_says_what_it_keeps() -> None:
    versions = schema.versions()
    assert versions[-1] == schema.head()
    assert len(set(versions)) == len(versions)
    assert all(schema.summary(version) for version in versions)


def test_from_nothing_the_steps_make_the_tables_and_back_nothing_is_left(empty: Database) -> None:
    assert schema.current(empty) is None
    going_up = {}
    for version in schema.versions():
        schema.upgrade(empty, version)
        going_up[version] = layout(empty)
        assert schema.current(empty) == version
    assert schema.check(empty) == []
    assert schema.upgrade(empty) == (schema.head(), schema.head())
    for version in schema.versions()[-2::-1]:
        schema.downgrade(empty, version)
        assert layout(empty) == going_up[version]
        assert schema.check(empty) == [
            f"The layout is version {version}; this program needs {schema.head()}: `advisor db upgrade`."
        ]
    schema.downgrade(empty, "base")
    assert layout(empty)["columns"] == {}
    assert schema.upgrade(empty) == (None, schema.head())
    assert (layout(empty), schema.check(empty)) == (going_up[schema.head()], [])


def test_every_value_survives_steps_down_and_up(database: Database) -> None:
    with database.writing() as connection:
        fill(connection)
    before = contents(database)
    assert {name: len(rows) for name, rows in before.items()} == dict.fromkeys(METADATA.tables, ROWS)
    for version in schema.versions()[-2::-1]:
        schema.downgrade(database, version)
        kept = contents(database)
        assert kept
        for name, rows in kept.items():
            columns = rows[0].keys()
            assert digest(rows) == digest([{key: one[key] for key in columns} for one in before[name]]), (version, name)
        schema.upgrade(database)
        assert schema.check(database) == []
        after = contents(database)
        for name, rows in kept.items():
            assert digest([{key: one[key] for key in rows[0]} for one in after[name]]) == digest(rows), (version, name)


def test_an_unknown_version_is_refused_by_name(database: Database) -> None:
    for step in (schema.upgrade, schema.downgrade):
        with pytest.raises(AdvisorError, match=schema.head()):
            step(database, "9999_nope")
    assert schema.check(database) == []


def test_of_two_processes_that_upgrade_at_once_one_does_it_and_the_other_waits(empty: Database) -> None:
    environment = {"PATH": os.environ["PATH"], "ADVISOR_DATABASE_URL": empty.url.render_as_string(hide_password=False)}
    command = [sys.executable, "-m", "advisor", "db", "upgrade"]
    with schema._connection(empty):
        both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        time.sleep(1.5)
        assert [one.poll() for one in both] == [None, None]
    said = sorted(one.communicate(timeout=60)[0] for one in both)
    assert [one.returncode for one in both] == [0, 0]
    assert "has layout" in said[0] and "was made" in said[1]
    assert schema.check(empty) == []


Steps = Callable[[str], None]


@pytest.fixture
def add_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Add a further step to the migrations, for this test alone."""
    copy = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(schema, "MIGRATIONS", copy)

    def add(body: str) -> None:
        before = schema.head()
        name = f"{9000 + len(schema.versions())}_step"
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        (copy / "versions" / f"{name}.py").write_text(
            f'"""A step of a test."""\nimport sqlalchemy as sa\nfrom alembic import op\n'
            f"revision, down_revision = {name!r}, {before!r}\ndef upgrade():\n{lines}def downgrade():\n    pass\n"
        )

    return add


def test_a_step_that_fails_half_way_is_undone_whole_and_those_before_it_stay(
    database: Database, add_step: Steps
) -> None:
    with database.writing() as connection:
        fill(connection)
    before, old = contents(database), schema.head()
    add_step("op.create_table('first', sa.Column('id', sa.Integer(), primary_key=True))")
    good = schema.head()
    add_step(
        "op.create_table('second', sa.Column('id', sa.Integer(), primary_key=True))\n"
        "op.execute('DELETE FROM webhook_delivery')\n"
        "op.drop_table('shared_result')\n"
        "op.add_column('seller', sa.Column('note', sa.Text()))\n"
        "raise LookupError('half-way')"
    )
    with pytest.raises(LookupError, match="half-way"):
        schema.upgrade(database)
    assert schema.current(database) == good != old
    assert set(layout(database)["columns"]) == {*METADATA.tables, "first"}
    assert contents(database) == before
    with pytest.raises(LookupError):  # and nobody holds a lock any more
        schema.upgrade(database)


def test_rebuilding_a_table_loses_no_row_that_refers_to_it(database: Database, add_step: Steps) -> None:
    with database.writing() as connection:
        fill(connection)
    before = contents(database)
    add_step(
        "with op.batch_alter_table('seller') as batch:\n"
        "    batch.alter_column('name', existing_type=sa.Text(), type_=sa.String())\n"
        "    batch.add_column(sa.Column('note', sa.Text(), server_default='none', nullable=False))"
    )
    schema.upgrade(database)
    assert contents(database) == before
    with database.writing() as connection:
        assert connection.execute(text("SELECT DISTINCT note FROM seller")).scalars().all() == ["none"]
        connection.execute(text("DELETE FROM seller"))  # its references still point to it
    assert {name for name, rows in contents(database).items() if not rows} == {
        "seller",
        "seller_group",
        "snapshot",
        "assessment",
        "standing",
    }


def test_a_step_that_would_leave_rows_without_what_they_refer_to_is_undone(database: Database, add_step: Steps) -> None:
    with database.writing() as connection:
        fill(connection)
    before = contents(database)
    add_step("op.execute('DELETE FROM workspace')")
    with pytest.raises((RuntimeError, IntegrityError)):
        schema.upgrade(database)
    assert contents(database) == before


# Backups


def test_a_backup_of_a_database_that_is_written_to_is_complete(
    database: Database,
    make_empty: MakeEmpty,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with database.writing() as connection:
        fill(connection)
    filled = contents(database)
    done, acknowledged = Event(), []

    def write() -> None:
        while not done.is_set():
            with database.writing() as connection:  # always two
                for _ in range(2):
                    values = {"id": new_id("wsp"), "name": new_id("name"), "created_at": now_ms()}
                    connection.execute(insert(workspaces).values(values))
                    time.sleep(0.002)
            acknowledged.append(values["id"])

    if not database.is_sqlite:
        monkeypatch.setenv("PATH", f"{request.getfixturevalue('postgres').bin_path}:{os.environ['PATH']}")
    writer = Thread(target=write)
    writer.start()
    try:
        while len(acknowledged) < 20:
            time.sleep(0.01)
        sure = list(acknowledged)
        schema.backup(database, tmp_path / "copy")
    finally:
        done.set()
        writer.join()
    assert len(acknowledged) > len(sure)
    with pytest.raises(AdvisorError, match="exists"):
        schema.backup(database, tmp_path / "copy")
    if database.is_sqlite:
        copy = Database(f"sqlite:///{tmp_path}/copy")
    else:
        copy = make_empty("postgresql")
        url = copy.url.set(drivername="postgresql").render_as_string(hide_password=False)
        subprocess.run(["pg_restore", "--exit-on-error", f"--dbname={url}", tmp_path / "copy"], check=True)
    assert schema.check(copy) == []
    found = contents(copy)
    copy.close()
    written = {one["id"] for one in found["workspace"]} - {one["id"] for one in filled["workspace"]}
    assert {*sure} <= written and len(written) % 2 == 0
    assert all(found[name] == rows for name, rows in filled.items() if name != "workspace")


def test_a_backup_that_cannot_be_made_leaves_no_file(database: Database, tmp_path: Path) -> None:
    with pytest.raises(AdvisorError, match="does not exist"):
        schema.backup(database, tmp_path / "none" / "copy")
    missing = database.url.set(database=str(tmp_path / "missing"))
    nothing = Database(missing.render_as_string(hide_password=False))
    with pytest.raises(AdvisorError):
        schema.backup(nothing, tmp_path / "copy")
    nothing.close()
    assert not (tmp_path / "copy").exists()
    assert not list(tmp_path.glob(".advisor-*"))


@only_postgres
def test_the_password_of_a_backup_is_not_among_the_arguments(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "pg_dump"
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n: > {tmp_path}/made\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    secret = Database(database.url.set(password="hunter2").render_as_string(hide_password=False))
    with pytest.raises(AdvisorError, match="pg_dump"):
        schema.backup(secret, tmp_path / "copy")
    secret.close()
    assert "hunter2" not in (tmp_path / "arguments").read_text()


# Transactions

COUNTING = """
import sys
from threading import Thread
from sqlalchemy import select, update
from advisor.store.database import Database
from advisor.store.tables import workspaces

database = Database(sys.argv[1])

def count():
    for _ in range(20):
        with database.writing() as connection:
            (found,) = connection.execute(select(workspaces.c.created_at).with_for_update()).one()
            connection.execute(update(workspaces).values(created_at=found + 1))

threads = [Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
database.close()
"""


def keep_workspace(database: Database, name: str = "one", created_at: int = 0) -> None:
    with database.writing() as connection:
        connection.execute(insert(workspaces).values(id=name, name=name, created_at=created_at))


def test_no_update_is_lost_between_threads_and_processes(database: Database) -> None:
    keep_workspace(database)
    command = [sys.executable, "-c", COUNTING, database.url.render_as_string(hide_password=False)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [one.communicate(timeout=60)[1] for one in both] == ["", ""]
    with database.reading() as connection:
        assert connection.execute(select(workspaces.c.created_at)).scalar() == 2 * 4 * 20


@only_sqlite
def test_sqlite_is_opened_so_that_nothing_is_lost(database: Database) -> None:
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": module.BUSY_TIMEOUT_MS,
    }


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    def write(then: Callable[[Connection], object]) -> None:
        with database.writing() as connection:
            connection.execute(insert(workspaces).values(id="one", name="one", created_at=0))
            then(connection)

    with pytest.raises(ZeroDivisionError):
        write(lambda connection: 1 // 0)
    with pytest.raises(IntegrityError):
        write(lambda connection: connection.execute(insert(sellers).values(seller("nobody"))))
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(workspaces)).scalar() == 0


def seller(workspace: str) -> dict[str, Any]:
    texts = dict.fromkeys(("marketplace", "programs", "facts"), "x")
    return {"workspace_id": workspace, "id": "s", "created_at": 0, "updated_at": 0, **texts}


def test_of_many_who_insert_the_same_row_one_does(database: Database) -> None:
    def put(number: int) -> bool:
        with database.writing() as connection:
            return insert_new(connection, workspaces, {"id": "same", "name": f"{number}", "created_at": number})

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(put, range(8))) == [False] * 7 + [True]


def test_the_database_tells_the_time(database: Database) -> None:
    with database.reading() as connection:
        first, second = clock(connection), clock(connection)
    assert now_ms() - 5000 < first <= second < now_ms() + 5000


# Faults


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/advisor.db",
        "sqlite:///file:advisor?mode=memory&uri=true",
        "sqlite:///advisor.db?timeout=1",
        "sqlite+aiosqlite:///advisor.db",
        "sqlite+nope:///advisor.db",
        "mysql://host/advisor",
        "postgresql+asyncpg://host/advisor",
        "postgresql+psycopg2://host/advisor",
        "postgresql://host:port/advisor",
        "postgresql://me:hunter2@host/advisor?nonsense=1",
        "postgresql://me:hunter2@/advisor?host=a&host=b&port=2",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_by_name(url: str) -> None:
    with pytest.raises(AdvisorError, match="ADVISOR_DATABASE_URL cannot be used") as refused:
        Database(Settings.from_environment({"ADVISOR_DATABASE_URL": url}).database_url if url else url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_a_postgresql_url_is_taken(scheme: str) -> None:
    assert Database(f"{scheme}://me@host/advisor").url.drivername == "postgresql+psycopg"


def test_a_postgresql_that_is_not_there_is_said_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as closed:
        ports = silent.getsockname()[1], closed.getsockname()[1]
        closed.close()

        def read(port: int) -> None:
            with pytest.raises(StoreUnavailable), Database(f"postgresql://127.0.0.1:{port}/none").reading():
                pass

        def upgrade(port: int) -> None:
            with pytest.raises(StoreUnavailable):
                schema.upgrade(Database(f"postgresql://127.0.0.1:{port}/none"))

        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            for asked in [pool.submit(ask, port) for ask in (read, upgrade) for port in ports]:
                asked.result(10)
        assert time.monotonic() - started < 5


def test_a_missing_layout_is_said_with_what_brings_it(empty: Database) -> None:
    with pytest.raises(StoreUnavailable, match="`advisor db upgrade`"), empty.reading() as connection:
        connection.execute(select(sellers))
    schema.upgrade(empty, schema.versions()[0])
    with pytest.raises(StoreUnavailable, match="`advisor db upgrade`"), empty.reading() as connection:
        connection.execute(select(METADATA.tables["webhook_delivery"]))
    for statement in ("SELECT colour FROM seller", "INSERT INTO seller (colour) VALUES (1)"):
        with pytest.raises(StoreUnavailable, match="`advisor db upgrade`"), empty.writing() as connection:
            connection.execute(text(statement))


def test_who_waits_too_long_for_a_writer_is_told_to_try_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 400)
    monkeypatch.setattr(module, "POSTGRES_OPTIONS", "-c lock_timeout=400")
    holder, other = Database(database_url), Database(database_url)
    keep_workspace(holder)

    def write(_: int) -> None:
        with pytest.raises(StoreUnavailable, match="Try again"), other.writing() as connection:
            connection.execute(update(workspaces).values(created_at=2))

    with holder.writing() as connection:
        connection.execute(update(workspaces).values(created_at=1))
        started = time.monotonic()
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(write, range(6)))
        assert 0.3 < time.monotonic() - started < 2
        with other.reading() as reading:
            assert reading.execute(select(workspaces.c.created_at)).scalar() == 0
    with other.writing() as connection:
        assert connection.execute(select(workspaces.c.created_at)).scalar() == 1
    holder.close()
    other.close()


@only_sqlite
def test_a_full_sqlite_keeps_what_was_acknowledged(database: Database) -> None:
    with database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    most = [pages + 10]

    @event.listens_for(database.engine, "checkout")
    def bound(connection: Any, record: object, proxy: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {most[0]}")

    acknowledged: list[str] = []

    def keep_many() -> None:
        for number in range(1000):
            keep_workspace(database, f"{number:0500}")
            acknowledged.append(f"{number:0500}")

    with pytest.raises(StoreFull, match="Make room"):
        keep_many()
    assert acknowledged
    most[0] = pages + 100
    keep_workspace(database, "last")
    with database.reading() as connection:
        assert set(connection.execute(select(workspaces.c.id)).scalars()) == {*acknowledged, "last"}
    assert schema.check(database) == []


@only_postgres
def test_what_postgresql_says_is_an_error_of_ours_or_stays_one_of_its_own(database: Database) -> None:
    busy = ("40001", "40P01", "53300", "55P03", "57014", "57P01", "57P03", "08006")
    bugs = {"23505": IntegrityError, "42601": ProgrammingError, "XX000": InternalError}
    for state, error in {"53100": StoreFull, **dict.fromkeys(busy, StoreUnavailable), **bugs}.items():
        told = text(f"DO $$ BEGIN RAISE EXCEPTION 'told' USING ERRCODE = '{state}'; END $$")
        with pytest.raises(error) as raised, database.reading() as connection:
            connection.execute(told)
        assert type(raised.value) is error


@only_postgres
def test_connections_that_postgresql_ended_are_made_anew(database: Database) -> None:
    with database.reading() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False)) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with database.reading() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar() != pid


def test_when_all_connections_are_taken_it_is_said(database_url: str) -> None:
    database = Database(database_url, pool_size=1)
    database.engine.pool._timeout = 0.2  # type: ignore[attr-defined]
    with (
        database.reading(),
        database.reading(),
        pytest.raises(StoreUnavailable, match="are taken"),
        database.reading(),
    ):
        pass
    database.close()


@pytest.mark.parametrize("damage", ["no database", "torn"])
def test_a_file_that_is_damaged_or_no_database_is_said(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "advisor.db"
    database = Database(f"sqlite:///{path}")
    if damage == "torn":
        schema.upgrade(database)
        with database.writing() as connection:
            fill(connection)
        database.close()
        with suppress(sqlite3.Error), sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        with path.open("r+b") as out:
            out.seek(4096)
            out.write(b"\xff" * 60 * 4096)
    else:
        path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="damaged"), database.writing() as connection:
        fill(connection)
    database.close()
