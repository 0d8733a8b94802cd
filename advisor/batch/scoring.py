"""Score a file: read it, judge and price it on DuckDB, and write results and rejects whole or not at all.

The rows of CSV and NDJSON are scored part by part, so that their number does not matter; `opened` gives a file whose
parts can be scored one by one, `score` does all of it. The engine is locked down: it may read and write one temporary
directory (and the Parquet file given to it), reach no network, load nothing, and use bounded memory; what does not fit
is spilled there. The directory lies beside the output, so that a finished file is renamed into place in one step.
"""

import csv
import errno
import shutil
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial, reduce
from io import BytesIO
from operator import attrgetter, or_
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend
from pyarrow.parquet import ParquetFile, ParquetWriter

from advisor.batch import FORMULA
from advisor.batch.expression import (
    FEE_OUTPUTS,
    PARTS,
    Check,
    Columns,
    Judge,
    Pricer,
    as_decimal,
    output_names,
    rate_outputs,
    texts,
    without_end,
)
from advisor.batch.layout import Layout, read_layout
from advisor.batch.reading import MOST_COLUMNS, PART_ROWS, Part, Reject, Rows, read_csv, read_ndjson
from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES, Program
from advisor.errors import AdvisorError, InvalidInput, Problem, UnreadableInput, say

MEMORY = "512MB"
SLICE = 30_000  # rows
BATCH_CELLS = 8_000_000
LOOKED_AT = 2 * 2**20  # bytes
# The one turns every list of allowed words into a join with buffers of its own; the other moves the check of a row into
# its filter, where nothing that was computed is used again.
OPTIMIZERS_OFF = "in_clause,filter_pushdown"
REJECTS_HEADER = ("row", "column", "code", "reason")
# What is wrong with a value by itself, whatever stands beside it.
OF_ONE_VALUE = {
    "not_a_country",
    "not_a_date",
    "not_a_decimal",
    "not_a_whole_number",
    "not_allowed",
    "not_true_or_false",
    "out_of_range",
    "too_many_decimals",
    "unknown_marketplace",
}
NUMBER = r"^[+\-]?[0-9]+([.,][0-9]+)?%?$"


class Progress(Protocol):
    """Is told how far the work is."""

    def reading(self, size: int) -> None:
        """So many more bytes are read."""

    def scoring(self, share: float) -> None:
        """This share (0 to 1) of the rows is scored."""

    def check(self) -> None:
        """Raise, to end the work here. It is asked between one step of a second or so and the next."""


class Silent:
    """Progress that nobody looks at."""

    def reading(self, size: int) -> None:
        """Say nothing."""

    def scoring(self, share: float) -> None:
        """Say nothing."""

    def check(self) -> None:
        """Go on."""


@dataclass(frozen=True, slots=True)
class Terms:
    """By which rules a file is scored, and what stands in for columns that it does not have."""

    program: str
    as_of: date
    marketplace: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """What to score, and how. `source` and `target` are None for standard input and output."""

    source: Path | None
    source_format: str
    target: Path | None
    target_format: str
    program: str
    as_of: date
    marketplace: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    rejects: Path | None = None
    threads: int | None = None

    @property
    def terms(self) -> Terms:
        """The terms without the files."""
        return Terms(self.program, self.as_of, self.marketplace, self.constants)


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went: rows in = scored + rejected; blank lines are not rows."""

    rows: int
    scored: int
    rejected: int
    blank: int
    rejects: Path | None
    passed_through: list[str]
    near: Mapping[str, str]
    unused: list[str]
    program: str


def score(job: Job, catalog: Catalog, progress: Progress | None = None) -> Result:
    """Score a file of accounts. Raises UnreadableInput or InvalidInput when the file as a whole cannot be used."""
    progress = progress or Silent()
    _check_paths(job)
    beside = job.target.parent if job.target else None
    with _directory(beside) as work:
        source = _stdin_copy(work) if job.source is None and job.source_format == "parquet" else job.source
        formats = (job.target_format,)
        with opened(source, job.source_format, job.terms, catalog, work, formats, progress, job.threads) as run:
            return _score_all(job, run, work)


@contextmanager
def opened(
    source: Path | None,
    source_format: str,
    terms: Terms,
    catalog: Catalog,
    work: Path,
    formats: Sequence[str],
    progress: Progress | None = None,
    threads: int | None = None,
    part_rows: int = PART_ROWS,
) -> Iterator["Scoring"]:
    """Read a file (None is standard input) and plan how it is scored, in the temporary directory `work`.

    Raises UnreadableInput or InvalidInput when the file as a whole cannot be used, UnknownName where there is no such
    program, and OSError of a disk that fails. The parts of a file are the same whenever it is read with the same
    `part_rows`.
    """
    progress = progress or Silent()
    program = catalog.program(terms.program)
    with locked_engine(work, source if source_format == "parquet" else None, threads) as engine, _engine_faults():
        rows = _read(source, source_format, terms, work, catalog, progress, engine, part_rows)
        try:
            yield Scoring(terms, catalog, program, engine, work, rows, formats, progress)
        except duckdb.OutOfMemoryException:
            detail = say(
                "This file has {columns} columns, and needs more than {memory} of memory. "
                "Leave out the columns that the results do not need.",
                columns=len(rows.header),
                memory=MEMORY,
            )
            raise UnreadableInput("too_large", detail) from None
        except RuntimeError as error:
            if str(error) == "Query interrupted":  # what DuckDB makes of KeyboardInterrupt
                raise KeyboardInterrupt from None
            raise


@contextmanager
def _engine_faults() -> Iterator[None]:
    """Turn what the engine raises into what it means: the disk fails, or the file is damaged.

    Raises OSError or UnreadableInput.
    """
    try:
        yield
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and not _ends_too_soon(error):
            raise OSError(errno.EIO, _first_line(error)) from error
        detail = say("Some of this file's rows cannot be read: it is damaged. Write it anew.")
        raise UnreadableInput("not_readable", detail) from error


def _ends_too_soon(error: duckdb.Error) -> bool:
    """Tell whether the file names a place behind its end, which the engine reports as a fault of the disk."""
    return "Could not read enough bytes" in str(error)


def look_at(source: Path, source_format: str, terms: Terms, catalog: Catalog, work: Path) -> None:
    """Read the beginning of a file, to refuse at once what cannot be used as a whole.

    Raises UnreadableInput or InvalidInput, or OSError of a disk that fails.
    """
    program = catalog.program(terms.program)
    if source_format == "parquet":
        with locked_engine(work, source, None) as engine, _engine_faults():
            rows = _read_parquet(engine, source, PART_ROWS)
    else:
        with source.open("rb") as stream:
            beginning = stream.read(LOOKED_AT)
            if stream.read(1):
                beginning = beginning[: beginning.rfind(b"\n") + 1] or beginning
        rows = _read_rows(BytesIO(beginning), source_format, terms, work, catalog, Silent(), PART_ROWS)
    layout = _layout(rows.header, terms, catalog, program)
    if terms.constants:
        with locked_engine(work, None, None) as engine:
            check_constants(engine, layout, terms, catalog, rows.decimal_comma)


def _check_paths(job: Job) -> None:
    """Refuse a source that is not there and a target that would swallow it, before any work is done."""
    if job.source is not None and not job.source.is_file():
        what = "is a directory" if job.source.is_dir() else "does not exist"
        raise AdvisorError(f"{job.source} {what}. Name a file of accounts, or - for standard input.")
    if job.target is not None and job.target.is_dir():
        raise AdvisorError(f"{job.target} is a directory. Name a file for the results.")
    if job.target is not None and job.target.exists() and not job.target.is_file():
        raise AdvisorError(f"{job.target} is no regular file. Name one, or - for standard output.")
    if job.target is not None and not job.target.parent.is_dir():
        raise AdvisorError(f"The directory {job.target.parent} does not exist. Make it, or name another file.")
    rejects = _rejects_path(job)
    if rejects is not None and rejects.is_dir():
        raise AdvisorError(f"{rejects} is a directory. Name a file for the rejects.")
    if rejects is not None and not rejects.parent.is_dir():
        raise AdvisorError(f"The directory {rejects.parent} does not exist. Make it, or name another file.")
    named = [path.resolve() for path in (job.source, job.target, rejects) if path is not None]
    if len(set(named)) < len(named):
        raise AdvisorError("The file of accounts, the results and the rejects have to be different files.")


def _rejects_path(job: Job) -> Path | None:
    """Say where rejected rows go: None is standard error."""
    if job.rejects is not None or job.target is None:
        return job.rejects
    return job.target.with_name(job.target.name + ".rejects.csv")


@contextmanager
def _directory(beside: Path | None) -> Iterator[Path]:
    """Make a temporary directory beside the output, and remove it whatever happens."""
    work = Path(tempfile.mkdtemp(prefix=".advisor-", dir=beside))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


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
            engine.con.execute(f"SET {name} = {_literal(value)}")
        engine.con.execute("SET lock_configuration = true")
        yield engine
    finally:
        engine.disconnect()


def _layout(header: list[str], terms: Terms, catalog: Catalog, program: Program) -> Layout:
    """Say what the columns mean. Raises InvalidInput when they contradict each other, or are too few."""
    layout = read_layout(header, terms.constants, catalog.vocabulary, ())
    if "marketplace" in layout.singles or terms.marketplace is None:
        places: Sequence[str] = MARKETPLACES
    else:
        places = (terms.marketplace,)
    outputs = output_names(program, places, terms.as_of, layout.priced)
    layout = read_layout(header, terms.constants, catalog.vocabulary, outputs)
    if "marketplace" not in layout.singles and terms.marketplace is None:
        detail = say("There is no column marketplace. Add one, or name the marketplace of all rows.")
        raise InvalidInput([Problem("marketplace", "missing", detail)])
    return layout


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _stdin_copy(work: Path) -> Path:
    path = work / "input.parquet"
    with path.open("wb") as out:
        shutil.copyfileobj(sys.stdin.buffer, out)
    return path


def _read(
    source: Path | None,
    source_format: str,
    terms: Terms,
    work: Path,
    catalog: Catalog,
    progress: Progress,
    engine: Backend,
    part_rows: int,
) -> Rows:
    if source_format == "parquet" and source is not None:
        return _read_parquet(engine, source, part_rows)
    with _open(source) as stream:
        return _read_rows(stream, source_format, terms, work, catalog, progress, part_rows)


def _read_rows(
    stream: BinaryIO,
    source_format: str,
    terms: Terms,
    work: Path,
    catalog: Catalog,
    progress: Progress,
    part_rows: int,
) -> Rows:
    if source_format == "csv":
        return read_csv(stream, work, progress.reading, part_rows)
    return read_ndjson(stream, work, progress.reading, catalog, terms.program, terms.as_of, part_rows)


@contextmanager
def _open(source: Path | None) -> Iterator[BinaryIO]:
    if source is None:
        yield sys.stdin.buffer
        return
    with source.open("rb") as stream:
        yield stream


def _read_parquet(engine: Backend, source: Path, part_rows: int) -> Rows:
    try:
        path = _literal(str(source.resolve()))
        engine.raw_sql(f"CREATE VIEW given AS SELECT * FROM read_parquet({path}, file_row_number = true)")
        header = [name for name in engine.table("given").columns if name != "file_row_number"]
        ((count,),) = engine.con.execute("SELECT count(*) FROM given").fetchall()
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and not _ends_too_soon(error):
            raise
        detail = say("This is no Parquet file that can be read: {reason}", reason=_first_line(error, source))
        raise UnreadableInput("not_parquet", detail) from None
    if not count:
        raise UnreadableInput("no_rows", say("This file has no rows."))
    lasts = [*range(part_rows, count, part_rows), int(count)]
    return Rows(header, count=lasts[-1], parts=[Part(None, (last - 1) % part_rows + 1, last) for last in lasts])


def _first_line(error: Exception, source: Path | None = None) -> str:
    """Give the first line of what an error says, without where the file lies: that is nobody's business."""
    text = str(error).replace(str(source.resolve()), "the file") if source else str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__


TEXT_OPTIONS = {
    "csv": "FORMAT csv, HEADER {header}, DELIMITER ','",
    "ndjson": "FORMAT json",
}


class Parquet:
    """A Parquet file that is written batch by batch; the first ones say its columns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: ParquetWriter | None = None

    def add(self, batches: pa.RecordBatchReader) -> int:
        """Write batches to the end of the file; say how many rows they had."""
        if self._writer is None:
            try:
                self._writer = ParquetWriter(self.path, batches.schema, compression="zstd")
            except pa.ArrowNotImplementedError as error:
                detail = say(
                    "A column's type cannot be written to Parquet: {reason}. Make it a text.",
                    reason=_first_line(error),
                )
                raise UnreadableInput("unsupported_type", detail) from None
        rows = 0
        for batch in batches:
            self._writer.write_batch(batch)
            rows += batch.num_rows
        return rows

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


class _Results:
    """Adds the results of each part to one file."""

    def __init__(self, run: "Scoring", work: Path, target_format: str) -> None:
        self.run = run
        self.path = work / "scored"
        self.format = target_format
        self._parquet = Parquet(self.path)
        self._begun = False

    def add(self, number: int) -> "PartResult":
        """Score a part, and add what comes of it."""
        return self.run.score(number, {self.format: self._add})

    def _add(self, query: str) -> int:
        if self.format == "parquet":
            return self._parquet.add(self.run.batches(query))
        part = self.path.with_name("scored-part")
        count = self.run.copy(query, self.format, part, header=not self._begun)
        self._begun = True
        join_text([part], self.path)
        return count

    def end(self) -> Path:
        """Finish the file, and say where it is."""
        self._parquet.close()
        return self.path


def join_text(parts: Sequence[Path], path: Path) -> None:
    """Add the parts of a text file to its end."""
    with path.open("ab") as whole:
        for part in parts:
            with part.open("rb") as read:
                shutil.copyfileobj(read, whole)


def join_parquet(parts: Sequence[Path], path: Path) -> None:
    """Join Parquet files of the same columns, in order."""
    whole = Parquet(path)
    for part in parts:
        with ParquetFile(part) as read:
            size = batch_rows(len(read.schema_arrow))
            whole.add(pa.RecordBatchReader.from_batches(read.schema_arrow, read.iter_batches(size)))
    whole.close()


def batch_rows(columns: int) -> int:
    """Say how many rows are written at a time, so that a batch has a bounded number of cells."""
    return max(BATCH_CELLS // max(columns, 1), 2048)


@dataclass(frozen=True, slots=True)
class PartResult:
    """What came of a part: rows scored, and the rejects, in order.

    `blamed` counts the rows that a constant (`--set`) spoilt, by its column, code and reason.
    """

    scored: int
    rejects: list[Reject]
    blamed: Mapping[tuple[str, str, str], int]

    @property
    def rejected(self) -> int:
        """How many rows were rejected; one can have several wrong cells."""
        return len({reject.row for reject in self.rejects})


def _score_all(job: Job, run: "Scoring", work: Path) -> Result:
    """Score every part, write what came of it, and deliver it."""
    scored = rejected = 0
    blamed: Counter[tuple[str, str, str]] = Counter()
    results = _Results(run, work, job.target_format)
    with (work / "rejects").open("w", encoding="utf-8", newline="") as out:
        write_rejects(out, [REJECTS_HEADER])
        for number in range(len(run.parts)):
            part = results.add(number)
            run.forget(number)
            scored, rejected = scored + part.scored, rejected + part.rejected
            blamed.update(part.blamed)
            write_rejects(out, part.rejects)
    if not scored:
        refuse_constants(blamed, run.well_formed)
    run.progress.check()
    scored_path = results.end()
    rejects_path = _deliver_rejects(job, work / "rejects", rejected)
    _deliver(job, scored_path)
    return Result(
        rows=run.rows.count,
        scored=scored,
        rejected=rejected,
        blank=run.rows.blank,
        rejects=rejects_path,
        passed_through=run.layout.other,
        near=run.layout.near,
        unused=run.unused,
        program=job.program,
    )


class Scoring:
    """A file that was read, and how it is scored: its parts can be scored one by one, in any order."""

    def __init__(
        self,
        terms: Terms,
        catalog: Catalog,
        program: Program,
        engine: Backend,
        work: Path,
        rows: Rows,
        formats: Sequence[str],
        progress: Progress,
    ) -> None:
        self.terms = terms
        self.catalog = catalog
        self.program = program
        self.engine = engine
        self.work = work
        self.rows = rows
        self.progress = progress
        if len(rows.header) > MOST_COLUMNS:
            detail = say(
                "This file has {columns} columns; at most {most} are taken.",
                columns=len(rows.header),
                most=MOST_COLUMNS,
            )
            raise UnreadableInput("too_large", detail)
        self.layout = _layout(rows.header, terms, catalog, program)
        check_constants(engine, self.layout, terms, catalog, rows.decimal_comma)
        self.malformed = sorted(rows.rejects)
        self._plan(formats)

    @property
    def parts(self) -> Sequence[Part]:
        """The parts of the file, in order."""
        return self.rows.parts

    @property
    def well_formed(self) -> int:
        """How many rows could be read."""
        return self.rows.count - len({reject.row for reject in self.malformed})

    def _plan(self, formats: Sequence[str]) -> None:
        """Build the queries once, over a table `input` that each part fills anew.

        Its columns are row, c0, c1, ... so that no header can get in the way of another name.
        """
        self._names = [f"c{index}" for index in range(len(self.rows.header))]
        typed = ", ".join(f"{name} VARCHAR" for name in self._names)
        if self.parts[0].path is None:
            self._fill(self.parts[0])
        else:
            self.engine.raw_sql(f"CREATE TABLE input (row BIGINT, {typed})")
        table = self.engine.table("input")
        table = self._step("texts", table.mutate(**texts(table, self._names, self.layout)))
        columns = Columns(table, self.layout, self.catalog, self.terms.marketplace, self.rows.decimal_comma)
        pricer = Pricer(self.layout, self.catalog, columns.places, self.terms.as_of) if self.layout.priced else None
        if pricer:
            self.engine.create_table("fee_rules", pricer.rules.table())
        judged = self._judged(columns, pricer, table)
        self._once: str | None = None
        if len(formats) > 1 or "ndjson" in formats:  # what is read more than once is computed once, into a file
            once = _literal(str(self.work / "judged"))
            self._once = f"COPY (SELECT * FROM judged ORDER BY row) TO {once} (FORMAT parquet, COMPRESSION lz4_raw)"
            self._judged_once = f"CREATE OR REPLACE TEMP VIEW judged_once AS SELECT * FROM read_parquet({once})"
            judged = ibis.table(judged.schema(), name="judged_once")
        self._queries = {one: self.engine.compile(self._written(judged, columns, one)) for one in formats}
        self._wrong = self._wrong_cells(columns, pricer, table)

    def _fill(self, part: Part) -> None:
        """Fill the table `input` with a part."""
        if part.path is None:
            given = self.engine.table("given")
            cells = {name: given[header] for name, header in zip(self._names, self.rows.header, strict=True)}
            row = given["file_row_number"] + 1
            some = given.filter(row > part.last - part.rows, row <= part.last)
            self.engine.create_view("input", some.select(row=row, **cells), overwrite=True)
            return
        columns = ", ".join(["'row': 'BIGINT'", *(f"'{name}': 'VARCHAR'" for name in self._names)])
        self.engine.raw_sql(
            f"CREATE OR REPLACE TABLE input AS SELECT * FROM read_csv({_literal(str(part.path))}, "
            f"auto_detect = false, header = false, delim = '{self.rows.delimiter}', quote = '\"', "
            f"escape = '\"', comment = '', new_line = '\\n', strict_mode = true, max_line_size = 4194304, "
            f"columns = {{{columns}}})"
        )

    def score(self, number: int, write: Mapping[str, Callable[[str], int]]) -> PartResult:
        """Score a part: `write` takes the query of each format, and says how many rows it gave.

        Raises AssertionError when a row is lost on the way.
        """
        part = self.parts[number]
        first = self.parts[number - 1].last if number else 0
        self.progress.check()
        self._fill(part)
        if self._once is not None:
            self.engine.raw_sql(self._once)
            self.engine.raw_sql(self._judged_once)
        done, share = first / self.rows.count, (part.last - first) / self.rows.count / len(write)
        scored = 0
        for index, (target_format, add) in enumerate(write.items()):
            self.progress.check()
            work = partial(add, self._queries[target_format])
            scored = self._watched(work, done + index * share, share)
        rejects = self.malformed[self._malformed_up_to(first) : self._malformed_up_to(part.last)]
        blamed: Counter[tuple[str, str, str]] = Counter()
        if scored < part.rows:
            wrong = self._rejects(self._wrong)
            constants = {name.lower() for name in self.terms.constants}
            blamed.update((one.column, one.code, one.reason) for one in wrong if one.column in constants)
            rejects = sorted(rejects + wrong)
        result = PartResult(scored, rejects, blamed)
        if scored + result.rejected != part.last - first:
            raise AssertionError(f"{part.last - first} rows in, {scored} scored, {result.rejected} rejected")
        return result

    def forget(self, number: int) -> None:
        """Remove the rows of a part that will not be scored again."""
        path = self.parts[number].path
        if path is not None:
            path.unlink()

    def _malformed_up_to(self, row: int) -> int:
        return bisect_right(self.malformed, row, key=attrgetter("row"))

    def copy(self, query: str, target_format: str, path: Path, header: bool) -> int:
        """Write what a query gives to a file; say how many rows that was.

        The engine holds text in memory before it writes it, so text comes in slices where the rows lie ready.
        """
        if target_format == "parquet":
            parquet = Parquet(path)
            count = parquet.add(self.batches(query))
            parquet.close()
            return count
        if self._once is None:
            return self._copy(query, target_format, path, header)
        count, piece = 0, self.work / "slice"
        with path.open("wb") as whole:
            while count % SLICE == 0:
                self.progress.check()
                some = f"SELECT * FROM ({query}) LIMIT {SLICE} OFFSET {count}"
                written = self._copy(some, target_format, piece, header and not count)
                with piece.open("rb") as read:
                    shutil.copyfileobj(read, whole)
                count += written
                if not written:
                    break
        return count

    def batches(self, query: str) -> pa.RecordBatchReader:
        """Run a query whose rows come in batches. Arrow writes Parquet in half the time that the engine takes."""
        found = self.engine.con.sql(query)
        return found.to_arrow_reader(batch_rows(len(found.columns)))

    def _copy(self, query: str, target_format: str, path: Path, header: bool) -> int:
        options = TEXT_OPTIONS[target_format].format(header=_literal(header))
        found = self.engine.con.execute(f"COPY ({query}) TO {_literal(str(path))} ({options})").fetchone()
        return int(found[0]) if found else 0

    def _checked(
        self, name: str, columns: Columns, pricer: Pricer | None, table: ir.Table
    ) -> tuple[ir.Table, list[Check]]:
        """Give the typed cells and, from the fee columns on, the fee rule; and what is still to be checked then."""
        typed = self._step(name, table)
        if pricer is None:
            return typed, []
        joined = self._step(f"{name}_priced", pricer.join(typed, self.engine.table("fee_rules")))
        return joined, [columns.category_check(joined)]

    def _judged(self, columns: Columns, pricer: Pricer | None, table: ir.Table) -> ir.Table:
        """Build the expression of good rows: typed cells, then fees, then findings."""
        typed = table.mutate(**columns.typed, is_wrong=columns.wrong)
        checked, later = self._checked("checked", columns, pricer, typed)
        good = checked.filter(~checked["is_wrong"], *(~check.wrong.fill_null(False) for check in later))
        if pricer:
            good = self._steps("priced", good, pricer.steps)
        judge = Judge(self.layout, self.program, columns.places, self.terms.as_of)
        self.unused = judge.unused(self.layout)
        good = self._steps("judged", good, judge.steps)
        answers = output_names(self.program, columns.places, self.terms.as_of, self.layout.priced)
        needed = dict.fromkeys(["row", "place", *self._names, *answers])
        return self._step("judged", good.select([name for name in needed if name in good.columns]))

    def _written(self, good: ir.Table, columns: Columns, target_format: str) -> ir.Table:
        """Write judged rows as a format has them: every input column, then the answers, in the order of the file."""
        header = self._output_header(target_format)
        kept = {name: _output_cell(good[cell], target_format) for cell, name in zip(self._names, header, strict=True)}
        rates = rate_outputs(self.program, columns.places, self.terms.as_of)
        answers = {
            name: _rate(good[name], target_format) if name in rates else good[name]
            for name in output_names(self.program, columns.places, self.terms.as_of, priced=False)
        }
        if self.layout.priced:
            answers |= {
                name: _fee_output(good, name, self.catalog, columns.places, target_format) for name in FEE_OUTPUTS
            }
        order = "row"
        while order in map(str.lower, kept):
            order += "_"
        output = {order: good["row"], **kept, **answers}
        written = good.select([value.name(name) for name, value in output.items()])
        return (written if self._once else written.order_by(order)).drop(order)

    def _output_header(self, target_format: str) -> list[str]:
        """Pass the input's header through; in CSV a name is made as harmless as a cell, and no two names become one."""
        if target_format != "csv":
            return self.rows.header
        names: list[str] = []
        for name in self.rows.header:
            harmless = _harmless(name)
            while harmless != name and (harmless in self.rows.header or harmless in names):
                harmless = "'" + harmless
            names.append(harmless)
        return names

    def _step(self, name: str, expression: ir.Table) -> ir.Table:
        """Give an expression a name in the engine: what stands before it is then computed once, not copied into it."""
        self.engine.raw_sql(f"CREATE TEMP VIEW {name} AS {self.engine.compile(expression)}")
        return ibis.table(expression.schema(), name=name)

    def _steps(
        self, name: str, table: ir.Table, steps: Sequence[Callable[[ir.Table], dict[str, ir.Value]]]
    ) -> ir.Table:
        for number, step in enumerate(steps):
            table = self._step(f"{name}_{number}", table.mutate(**step(table)))
        return table

    def _watched(self, work: Callable[[], int], done: float, share: float) -> int:
        """Run the query beside a watcher that reports how far it is."""
        from threading import Event, Thread

        ended = Event()

        def watch() -> None:
            while not ended.wait(0.2):
                self.progress.scoring(done + share * max(0.0, self.engine.con.query_progress()) / 100)

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            return work()
        finally:
            ended.set()
            watcher.join()
            self.progress.scoring(done + share)

    def _wrong_cells(self, columns: Columns, pricer: Pricer | None, table: ir.Table) -> tuple[list[Check], str]:
        """Build the query for the rows that fail a check: their number, and the fault that each check finds."""
        flags = {f"wrong_{number}": check.fault for number, check in enumerate(columns.checks)}
        checked, later = self._checked("flagged", columns, pricer, table.mutate(**columns.typed, **flags))
        flags = {f"wrong_{number}": checked[f"wrong_{number}"] for number in range(len(columns.checks))}
        flags |= {f"wrong_{len(flags)}": check.fault for check in later}
        failed = self._step("failed", checked.select("row", **flags))
        failed = failed.filter(reduce(or_, (failed[name] > 0 for name in flags))).order_by("row")
        return [*columns.checks, *later], self.engine.compile(failed)

    def _rejects(self, wrong: tuple[list[Check], str]) -> list[Reject]:
        """List every wrong cell of the part."""
        checks, query = wrong
        found = []
        rows = self.engine.con.execute(query)
        while some := rows.fetchmany(10_000):
            for number, *flags in some:
                found += [
                    Reject(number, check.column, check.code, check.reasons[fault])
                    for check, fault in zip(checks, flags, strict=True)
                    if fault
                ]
        return found


def _deliver_rejects(job: Job, written: Path, number: int) -> Path | None:
    """Move the rejects to their place, or remove those of an earlier run; without a place they go to stderr."""
    path = _rejects_path(job)
    if not number and job.rejects is None:
        if path is not None:
            path.unlink(missing_ok=True)
        return None
    if path is None:
        with written.open(encoding="utf-8", newline="") as read:
            shutil.copyfileobj(read, sys.stderr)
        return None
    temporary = path.with_name(f".{path.name}.writing")  # they may lie on another disk than the results
    try:
        shutil.copyfile(written, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _deliver(job: Job, scored: Path) -> None:
    if job.target is not None:
        scored.replace(job.target.resolve())
        return
    with scored.open("rb") as read:
        shutil.copyfileobj(read, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def refuse_constants(blamed: Mapping[tuple[str, str, str], int], rows: int) -> None:
    """Refuse the constants that none of so many rows can use: the rows are not to blame. Raises InvalidInput."""
    wrong = [name for name, number in blamed.items() if number == rows]
    if wrong:
        raise InvalidInput([Problem(column, code, reason) for column, code, reason in wrong])


def check_constants(engine: Backend, layout: Layout, terms: Terms, catalog: Catalog, decimal_comma: bool) -> None:
    """Refuse the constants whose value no row could use, whatever else it holds. Raises InvalidInput."""
    if not terms.constants:
        return
    place = layout.singles.get("marketplace")
    cells = [f"text_{index}" for index in sorted(layout.meaningful)] or ["nothing"]
    values = [
        ", ".join(
            _literal(name) if place and place.column is not None and cell == f"text_{place.column}" else "NULL"
            for cell in cells
        )
        for name in (MARKETPLACES if place else ("",))
    ]
    rows = ", ".join(f"({one})" for one in values)
    typed = ", ".join(f"{cell}::VARCHAR AS {cell}" for cell in cells)
    engine.raw_sql(
        f"CREATE OR REPLACE TEMP VIEW constants AS SELECT {typed} FROM (VALUES {rows}) AS t ({', '.join(cells)})"
    )
    columns = Columns(engine.table("constants"), layout, catalog, terms.marketplace, decimal_comma)
    names = {name.lower() for name in terms.constants}
    checks = [check for check in columns.checks if check.column in names and check.code in OF_ONE_VALUE]
    if not checks:
        return
    query = columns.table.select(**{f"wrong_{number}": check.fault for number, check in enumerate(checks)})
    faults = engine.con.execute(engine.compile(query)).fetchall()
    wrong = [
        Problem(check.column, check.code, check.reasons[found[0]])
        for check, found in zip(checks, zip(*faults, strict=True), strict=True)
        if all(found)
    ]
    if wrong:
        raise InvalidInput(wrong)


def write_rejects(out: TextIO, rejects: Iterable[Reject | tuple[str, ...]]) -> None:
    """Write rejects as CSV, or their header."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows((row, _harmless(column), code, reason) for row, column, code, reason in rejects)


def _harmless(text: str) -> str:
    return "'" + text if text[:1] in FORMULA else text


def _output_cell(value: ir.Value, target_format: str) -> ir.Value:
    """Pass an input cell through; in CSV a text that a spreadsheet would take for a formula gets a leading '.

    Arrow writes no intervals to Parquet: they become text there, and so do UUIDs.
    """
    if target_format == "parquet" and value.type().is_interval():
        return value.cast("string")
    if target_format != "csv" or not value.type().is_string():
        return value
    risky = value.left(1).isin(FORMULA)
    return ibis.ifelse(risky, ibis.ifelse(value.re_search(NUMBER), value, ibis.literal("'") + value), value)


def _rate(ppm: ir.Value, target_format: str) -> ir.Value:
    """Write an observed rate without trailing zeros; Parquet keeps it as a decimal."""
    rate = as_decimal(ppm, 6)
    return rate if target_format == "parquet" else without_end(without_end(rate.cast("string"), "0"), ".")


def _fee_output(good: ir.Table, name: str, catalog: Catalog, places: Sequence[str], target_format: str) -> ir.Value:
    """Write money with the decimals of its currency; Parquet keeps it as a decimal."""
    value = good[name]
    if name not in PARTS:
        return value
    kind = "decimal(20, 2)" if target_format == "parquet" else "string"
    by_decimals: dict[int, list[str]] = {}
    for place in places:
        by_decimals.setdefault(catalog.schedule(place).decimals, []).append(place)
    branches = [
        (good["place"].isin(names), as_decimal(value, decimals).cast(kind)) for decimals, names in by_decimals.items()
    ]
    return branches[0][1] if len(branches) == 1 else ibis.cases(*branches, else_=ibis.null(kind))
