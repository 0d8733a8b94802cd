"""The layout of the database, and the steps between its versions (Alembic; one file a step in migrations/versions).

A step is one transaction: it is done whole or not at all, and a step that would leave a reference without its row is
rolled back. Only one process at a time takes steps.
"""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from advisor.errors import AdvisorError
from advisor.store import disk
from advisor.store.database import POSTGRES_CONNECT, Database, faults
from advisor.store.tables import METADATA

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_201_134_455  # any number: whoever migrates PostgreSQL holds the advisory lock of this one


def head() -> str:
    """Name the newest version of the layout."""
    found = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if found is None:
        raise AssertionError("there are no migrations")
    return found


def current(database: Database) -> str | None:
    """Name the version that the database has; None for an empty one. Raises StoreUnavailable."""
    if database.path is not None and not database.path.exists():
        return None
    with database.reading() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, to: str = "head") -> tuple[str | None, str | None]:
    """Bring the database to a version; gives the versions before and after. Raises AdvisorError."""
    if database.path is not None:
        disk.make_private(database.path.parent)
        disk.make_private_file(database.path)
    return _migrate(database, to, command.upgrade)


def downgrade(database: Database, to: str) -> tuple[str | None, str | None]:
    """Bring the database back to an earlier version, or to nothing (`base`). What only the later ones hold is lost."""
    return _migrate(database, to, command.downgrade)


def _migrate(database: Database, to: str, step: Callable[[Config, str], None]) -> tuple[str | None, str | None]:
    with _connection(database) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        before = _revision(connection)
        try:
            step(config, to)
        except CommandError as error:
            raise AdvisorError(f"{error}. The versions are {', '.join(versions())}, and `base` for none.") from None
        return before, _revision(connection)


def versions() -> list[str]:
    """Name every version, oldest first."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def summary(version: str) -> str:
    """Say what a version keeps that those before it do not."""
    return ScriptDirectory(str(MIGRATIONS)).get_revision(version).doc


def _revision(connection: Connection) -> str | None:
    connection.rollback()  # Alembic leaves a transaction open when there was nothing to do
    with connection.begin():
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _connection(database: Database) -> Iterator[Connection]:
    """Open a connection for migrations, alone: no other process migrates while it is open.

    On SQLite foreign keys are off on it, as rebuilding a table would delete the rows that refer to it. Instead
    migrations/env.py checks them before each step is committed.
    """
    connect = {} if database.is_sqlite else POSTGRES_CONNECT
    engine = create_engine(database.url, poolclass=NullPool, hide_parameters=True, connect_args=connect)
    if not database.is_sqlite:
        with faults(), engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            connection.execute(text("SET lock_timeout = '5s'"))
            connection.commit()
            yield connection
        return

    @event.listens_for(engine, "connect")
    def opened(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "busy_timeout = 10000", "foreign_keys = OFF", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with Path(f"{database.path}.migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with faults(), engine.connect() as connection:
            yield connection


def check(database: Database) -> list[str]:
    """Look for what is wrong with the database: its version, its layout, its rows. Empty when all is well."""
    found = []
    version = current(database)
    if version != head():
        found.append(f"The layout is version {version or 'none'}; this program needs {head()}: `advisor db upgrade`.")
    with database.reading() as connection:
        if database.is_sqlite:
            for (line,) in connection.exec_driver_sql("PRAGMA integrity_check").fetchall():
                if line != "ok":
                    found.append(f"SQLite says of the file: {line}")
            for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                found.append(f"Row {row} of {table} refers to a row of {parent} that is not there.")
        if version == head():
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found += [
                f"The layout differs from the tables: {_words(one)}" for one in compare_metadata(context, METADATA)
            ]
    return found


def _words(difference: object) -> str:
    return " ".join(str(part) for part in (difference if isinstance(difference, tuple) else (difference,)))


def backup(database: Database, to: Path) -> None:
    """Write a copy of the whole database to a new file while others go on working. Raises AdvisorError.

    A SQLite database becomes another one; of PostgreSQL `pg_dump` writes its archive.
    """
    if to.exists():
        raise AdvisorError(f"{to} exists. Name a new file.")
    if not to.parent.is_dir():
        raise AdvisorError(f"The directory {to.parent} does not exist. Make it, or name another file.")
    with tempfile.TemporaryDirectory(prefix=".advisor-", dir=to.parent) as work:
        made = Path(work, "backup")
        disk.make_private_file(made)
        if database.path is not None:
            _copy_sqlite(database.path, made)
        else:
            _dump_postgres(database, made)
        with made.open("rb") as written:
            os.fsync(written.fileno())
        made.replace(to)


def _copy_sqlite(path: Path, made: Path) -> None:
    if not path.exists():
        raise AdvisorError(f"There is no database {path}.")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(made),))
    except sqlite3.Error as error:
        raise AdvisorError(f"The backup failed: {error}.") from None


def _dump_postgres(database: Database, made: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise AdvisorError("`pg_dump` is not on the PATH. Install the client programs of PostgreSQL.")
    url = database.url
    asked = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    # Everybody on the machine can read arguments, so the password is none.
    password = {} if url.password is None else {"PGPASSWORD": url.password}
    done = subprocess.run(
        [program, "--format=custom", f"--file={made}", f"--dbname={asked}"],
        env={**os.environ, **password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AdvisorError(f"`pg_dump` failed: {done.stderr.strip()}")
