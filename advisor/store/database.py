"""One database, SQLite or PostgreSQL: transactions, its clock, and its faults as errors that say what to do.

SQLite is opened so that nothing is lost: a write-ahead log, every commit on the disk before it is acknowledged, and
writers that take their turn before they read what they are about to change. PostgreSQL is asked with short time limits,
so that a fault of the network is an answer soon.
"""

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from advisor.errors import AdvisorError, StoreFull, StoreUnavailable, say
from advisor.store.disk import make_private_file

BUSY_TIMEOUT_MS = 10_000
POSTGRES_OPTIONS = "-c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000"
POSTGRES_CONNECT = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
FULL = {"53100"}  # PostgreSQL's disk_full
# What PostgreSQL says of a transaction that may succeed when it is tried again.
PASSING = ("40", "53", "55P03", "57", "08")
NO_SUCH_TABLE = {"42P01", "42703", "3F000"}
DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
# An insert that says what becomes of a row with its key: SQLAlchemy has one for each database, used alike.
INSERTS: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]]
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
TOO_BUSY = say("The database cannot be reached or is too busy. Try again soon.")
# What a URL may begin with, and the driver that is used for it: of others the faults would not be understood.
DRIVERS = {"sqlite": "sqlite", **dict.fromkeys(("postgres", "postgresql", "postgresql+psycopg"), "postgresql+psycopg")}


class Database:
    """A database by its URL. Opening one connects to nothing; the first transaction does."""

    def __init__(self, url: str, pool_size: int = 8) -> None:
        self.url = _url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # Threads of one process wait here for their turn to write: SQLite would have them sleep and look again.
        self._writes = Lock()
        self.engine = self._engine(pool_size)

    def _engine(self, pool_size: int) -> Engine:
        common: dict[str, Any] = {
            "pool_size": pool_size,
            "max_overflow": pool_size,
            "pool_timeout": 10,
            "pool_use_lifo": True,  # the connection used last still has its pages at hand
            "hide_parameters": True,
        }
        if not self.is_sqlite:
            connect = {**POSTGRES_CONNECT, "options": POSTGRES_OPTIONS}
            try:
                _refuse_options(self.url)
                return create_engine(self.url, pool_pre_ping=True, connect_args=connect, **common)
            except ModuleNotFoundError:
                raise AdvisorError(
                    "ADVISOR_DATABASE_URL names a PostgreSQL, for which the package psycopg is missing: "
                    "`pip install 'psycopg[binary]'`."
                ) from None
            except ArgumentError:
                raise _refused() from None
        path = Path(self.url.database or "").absolute()
        return create_engine(self.url, creator=lambda: _open_sqlite(path), **common)

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in one transaction. Raises StoreUnavailable."""
        with faults(), self._begun("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction, committed at the end, rolled back on any error. Raises StoreUnavailable, StoreFull.

        On SQLite it waits its turn first, so that what is read in it stays true until it is committed.
        """
        with faults(), self._turn(), self._begun("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _begun(self, on_sqlite: str) -> Iterator[Connection]:
        """Begin a transaction, on SQLite by a statement: with a listener to `begin`, every statement asks for more."""
        with self.engine.connect() as connection, connection.begin():
            if self.is_sqlite:
                connection.exec_driver_sql(on_sqlite)
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self._writes.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise StoreUnavailable(TOO_BUSY)
        try:
            yield
        finally:
            self._writes.release()

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


@contextmanager
def faults() -> Iterator[None]:
    """Turn what a database says when it cannot be used into StoreUnavailable or StoreFull."""
    try:
        yield
    except DBAPIError as error:
        found = _fault(error)
        if found is None:
            raise
        raise found from error
    except PoolTimeout as error:
        raise StoreUnavailable(say("All connections to the database are taken. Try again soon.")) from error


def _fault(error: DBAPIError) -> AdvisorError | None:
    state = getattr(error.orig, "sqlstate", None)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if state in FULL or code == sqlite3.SQLITE_FULL:
        return StoreFull(
            say("There is no room left to store this; nothing of it was stored. Make room, and send it again.")
        )
    if code is not None and code & 0xFF in DAMAGED:
        return StoreUnavailable(
            say("The database's file is damaged, or no SQLite database. Put a backup in its place.")
        )
    unknown = code == sqlite3.SQLITE_ERROR and any(one in str(error.orig) for one in ("no such", "has no column"))
    if state in NO_SUCH_TABLE or unknown:
        return StoreUnavailable(
            say("The database has not this version's layout yet. `advisor db upgrade` brings it there.")
        )
    passing = state is None or state.startswith(PASSING)
    if error.connection_invalidated or (isinstance(error, (OperationalError, InterfaceError)) and passing):
        return StoreUnavailable(TOO_BUSY)
    return None


def insert_new(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert a row unless there is one with its key, also one that is being inserted just now; says whether it was."""
    return connection.execute(_insert_new(connection.dialect.name, table), values).first() is not None


@cache
def _insert_new(dialect: str, table: Table) -> Executable:
    return INSERTS[dialect](table).on_conflict_do_nothing().returning(*table.primary_key)


def now_ms() -> int:
    """Say what time it is here, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def clock(connection: Connection) -> int:
    """Say what time it is at the database, by which leases are measured: machines that share one may disagree."""
    if connection.dialect.name == "sqlite":
        return now_ms()
    return int(connection.execute(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")).scalar_one())


def new_id(prefix: str) -> str:
    """Make an id that nobody can guess. It begins with the time, so that new rows lie side by side in an index."""
    return f"{prefix}_{now_ms():012x}{secrets.token_hex(8)}"


def _url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _refused() from None
    driver = DRIVERS.get(parsed.drivername)
    no_file = parsed.host or parsed.query or parsed.database in (None, "", ":memory:")
    if driver is None or (driver == "sqlite" and no_file):
        raise _refused()
    return parsed.set(drivername=driver)


def _refuse_options(url: URL) -> None:
    """Refuse options of a PostgreSQL URL that there are not, before anybody waits for a connection."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    try:
        make_conninfo(**dict.fromkeys(url.query, ""))
    except ProgrammingError:
        raise _refused() from None


def _refused() -> AdvisorError:
    return AdvisorError(
        "ADVISOR_DATABASE_URL cannot be used: it is sqlite:/// and a file's path, or postgresql://USER@HOST/NAME."
    )


def _open_sqlite(path: Path) -> sqlite3.Connection:
    with suppress(OSError):  # SQLite says itself what is wrong
        make_private_file(path)  # as are then the files that SQLite puts beside it
    # Transactions are begun above, not by the driver's guess; one thread at a time has the connection, not always one.
    connection = sqlite3.connect(path, BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False)
    for pragma in (
        "journal_mode = WAL",
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "foreign_keys = ON",
        "synchronous = FULL",
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection
