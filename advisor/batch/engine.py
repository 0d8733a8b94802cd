"""Open the DuckDB that files are read and written with: locked down, and its faults told apart.

It may read and write one temporary directory (and the Parquet file given to it), reaches no network, loads nothing,
and uses bounded memory; what does not fit is spilled there.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import ibis
from ibis.backends.duckdb import Backend

from advisor.errors import UnreadableInput, say

MEMORY = "512MB"
# The one turns every list of allowed words into a join with buffers of its own; the other moves the check of a row into
# its filter, where nothing that was computed is used again.
OPTIMIZERS_OFF = "in_clause,filter_pushdown"


@contextmanager
def locked_engine(work: Path, parquet: Path | None, threads: int | None) -> Iterator[Backend]:
    """Open a DuckDB that can touch nothing but its directory and the one Parquet file."""
    engine: Backend = ibis.duckdb.connect()
    try:
        settings: dict[str, object] = {
            "memory_limit": MEMORY,
            "temp_directory": str(work / "spill"),
            "allowed_directories": [str(work)],
            "allowed_paths": [str(parquet.resolve())] if parquet else [],
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "enable_progress_bar": False,
            "disabled_optimizers": OPTIMIZERS_OFF,
            "enable_external_access": False,
        }
        if threads is not None:
            settings["threads"] = threads
        for name, value in settings.items():
            engine.con.execute(f"SET {name} = {literal(value)}")
        engine.con.execute("SET lock_configuration = true")
        yield engine
    finally:
        engine.disconnect()


def literal(value: object) -> str:
    """Write a value as SQL does."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


@contextmanager
def engine_faults() -> Iterator[None]:
    """Turn what the engine raises into what it means: the disk fails, or the file is damaged.

    Raises OSError or UnreadableInput.
    """
    try:
        yield
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and not ends_too_soon(error):
            raise OSError(errno.EIO, first_line(error)) from error
        detail = say("Some of this file's rows cannot be read: it is damaged. Write it anew.")
        raise UnreadableInput("not_readable", detail) from error


@contextmanager
def within_memory(columns: int) -> Iterator[None]:
    """Say of a file of so many columns that it needs too much memory. Raises UnreadableInput.

    An interrupt is made one again.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        detail = say(
            "This file has {columns} columns, and needs more than {memory} of memory. "
            "Leave out the columns that the results do not need.",
            columns=columns,
            memory=MEMORY,
        )
        raise UnreadableInput("too_large", detail) from None
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # what DuckDB makes of KeyboardInterrupt
            raise KeyboardInterrupt from None
        raise


def ends_too_soon(error: duckdb.Error) -> bool:
    """Tell whether the file names a place behind its end, which the engine reports as a fault of the disk."""
    return "Could not read enough bytes" in str(error)


def first_line(error: Exception, source: Path | None = None) -> str:
    """Give the first line of what an error says, without where the file lies: that is nobody's business."""
    text = str(error).replace(str(source.resolve()), "the file") if source else str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__
