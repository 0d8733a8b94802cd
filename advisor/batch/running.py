"""Run a file through, whatever its rows are: read it, answer its rows part by part, write all or nothing.

A `Kind` says what a file of accounts, listings, texts or plans reads and gives; its `Run` answers the rows. `opened`
gives a run whose parts can be taken one by one, `run_file` does all of it. The temporary directory lies beside the
output, so that a finished file is renamed into place in one step.
"""

import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from advisor.batch.engine import ends_too_soon, engine_faults, first_line, literal, locked_engine, within_memory
from advisor.batch.reading import MOST_COLUMNS, Part, Reject, Rows, read_csv, read_ndjson
from advisor.batch.writing import (
    REJECTS_HEADER,
    TEXT_OPTIONS,
    Parquet,
    batch_rows,
    deliver,
    deliver_rejects,
    harmless_header,
    join_text,
    output_cell,
    write_rejects,
)
from advisor.errors import AdvisorError, InvalidInput, Problem, UnreadableInput, say

SLICE = 30_000  # rows
LOOKED_AT = 2 * 2**20  # bytes


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
class Job:
    """Which file to take and where its results go. `source` and `target` are None for standard input and output."""

    source: Path | None
    source_format: str
    target: Path | None
    target_format: str
    rejects: Path | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The day by whose rules rows are answered, and what stands in for columns that a file does not have.

    The marketplace is also that of rows that name none.
    """

    as_of: date
    marketplace: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went: rows in = scored + rejected; blank lines are not rows."""

    rows: int
    scored: int
    rejected: int
    blank: int
    rejects: Path | None
    passed_through: Sequence[str]
    near: Mapping[str, str]
    unused: Sequence[str]


class Named(Protocol):
    """The columns of a file by their meaning: those that mean nothing, and what some of them may have been meant as."""

    @property
    def other(self) -> Sequence[str]: ...
    @property
    def near(self) -> Mapping[str, str]: ...


class Kind(Protocol):
    """What the rows of a file are."""

    @property
    def rows_name(self) -> str:
        """What the rows are called, such as accounts."""

    @property
    def doing(self) -> str:
        """What is done with them, such as Scoring."""

    @property
    def done(self) -> str:
        """What was done with them, such as scored."""

    @property
    def reader(self) -> str:
        """What reads the columns, such as the id of a program."""

    @property
    def part_rows(self) -> int:
        """How many rows are taken at a time at most."""

    def flatten(self, value: dict[str, Any]) -> Mapping[str, str | None]:
        """Bring a JSON object of a line into cells. Raises UnreadableInput or InvalidInput."""

    def check_columns(self, rows: Rows, work: Path) -> None:
        """Refuse columns that cannot be used, and constants that no row could use. Raises InvalidInput."""

    def run(self, engine: Backend, work: Path, rows: Rows, formats: Sequence[str], progress: Progress) -> "Run":
        """Plan how the rows are answered. Raises InvalidInput as `check_columns`."""


def run_file(job: Job, kind: Kind, progress: Progress | None = None) -> Result:
    """Take a file through. Raises UnreadableInput or InvalidInput when the file as a whole cannot be used."""
    progress = progress or Silent()
    _check_paths(job, kind)
    with _directory(job.target.parent if job.target else None) as work:
        source = _stdin_copy(work) if job.source is None and job.source_format == "parquet" else job.source
        formats = (job.target_format,)
        with opened(source, job.source_format, kind, work, formats, progress, job.threads) as begun:
            return _run_all(job, begun, work)


@contextmanager
def opened(
    source: Path | None,
    source_format: str,
    kind: Kind,
    work: Path,
    formats: Sequence[str],
    progress: Progress | None = None,
    threads: int | None = None,
    part_rows: int | None = None,
) -> Iterator["Run"]:
    """Read a file (None is standard input) and plan how its rows are answered, in the temporary directory `work`.

    Raises UnreadableInput or InvalidInput when the file as a whole cannot be used, and OSError of a disk that fails.
    The parts of a file are the same whenever it is read with the same `part_rows`.
    """
    progress, most = progress or Silent(), part_rows or kind.part_rows
    with locked_engine(work, source if source_format == "parquet" else None, threads) as engine, engine_faults():
        if source_format == "parquet" and source is not None:
            rows = _read_parquet(engine, source, most)
        else:
            with _open(source) as stream:
                rows = _read_rows(stream, source_format, kind, work, progress, most)
        if len(rows.header) > MOST_COLUMNS:
            detail = say(
                "This file has {columns} columns; at most {most} are taken.",
                columns=len(rows.header),
                most=MOST_COLUMNS,
            )
            raise UnreadableInput("too_large", detail)
        with within_memory(len(rows.header)):
            yield kind.run(engine, work, rows, formats, progress)


def look_at(source: Path, source_format: str, kind: Kind, work: Path) -> None:
    """Read the beginning of a file, to refuse at once what cannot be used as a whole.

    Raises UnreadableInput or InvalidInput, or OSError of a disk that fails.
    """
    if source_format == "parquet":
        with locked_engine(work, source, None) as engine, engine_faults():
            rows = _read_parquet(engine, source, kind.part_rows)
    else:
        with source.open("rb") as stream:
            beginning = stream.read(LOOKED_AT)
            if stream.read(1):
                beginning = beginning[: beginning.rfind(b"\n") + 1] or beginning
        rows = _read_rows(BytesIO(beginning), source_format, kind, work, Silent(), kind.part_rows)
    kind.check_columns(rows, work)


def _check_paths(job: Job, kind: Kind) -> None:
    """Refuse a source that is not there and a target that would swallow it, before any work is done."""
    if job.source is not None and not job.source.is_file():
        what = "is a directory" if job.source.is_dir() else "does not exist"
        raise AdvisorError(f"{job.source} {what}. Name a file of {kind.rows_name}, or - for standard input.")
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
        raise AdvisorError(f"The file of {kind.rows_name}, the results and the rejects have to be different files.")


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


def _stdin_copy(work: Path) -> Path:
    path = work / "input.parquet"
    with path.open("wb") as out:
        shutil.copyfileobj(sys.stdin.buffer, out)
    return path


def _read_rows(
    stream: BinaryIO, source_format: str, kind: Kind, work: Path, progress: Progress, part_rows: int
) -> Rows:
    if source_format == "csv":
        return read_csv(stream, work, progress.reading, part_rows)
    return read_ndjson(stream, work, progress.reading, kind.flatten, part_rows)


@contextmanager
def _open(source: Path | None) -> Iterator[BinaryIO]:
    if source is None:
        yield sys.stdin.buffer
        return
    with source.open("rb") as stream:
        yield stream


def _read_parquet(engine: Backend, source: Path, part_rows: int) -> Rows:
    try:
        path = literal(str(source.resolve()))
        engine.raw_sql(f"CREATE VIEW given AS SELECT * FROM read_parquet({path}, file_row_number = true)")
        header = [name for name in engine.table("given").columns if name != "file_row_number"]
        ((count,),) = engine.con.execute("SELECT count(*) FROM given").fetchall()
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and not ends_too_soon(error):
            raise
        detail = say("This is no Parquet file that can be read: {reason}", reason=first_line(error, source))
        raise UnreadableInput("not_parquet", detail) from None
    if not count:
        raise UnreadableInput("no_rows", say("This file has no rows."))
    lasts = [*range(part_rows, count, part_rows), int(count)]
    parts = [Part(None, (last - 1) % part_rows + 1, last) for last in lasts]
    return Rows(header, count=lasts[-1], parts=parts, nulls=True)


class _Results:
    """Adds the results of each part to one file."""

    def __init__(self, begun: "Run", work: Path, target_format: str) -> None:
        self.begun = begun
        self.path = work / "scored"
        self.format = target_format
        self._parquet = Parquet(self.path)

    def add(self, number: int) -> "PartResult":
        """Answer a part, and add what comes of it."""
        return self.begun.score(number, {self.format: self._add})

    def _add(self, query: str) -> int:
        if self.format == "parquet":
            return self._parquet.add(self.begun.batches(query))
        part = self.path.with_name("scored-part")
        count = self.begun.copy(query, self.format, part, header=not self.path.exists())
        join_text([part], self.path)
        return count

    def end(self) -> Path:
        """Finish the file, and say where it is."""
        self._parquet.close()
        return self.path


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


def _run_all(job: Job, begun: "Run", work: Path) -> Result:
    """Answer every part, write what came of it, and deliver it."""
    scored = rejected = 0
    blamed: Counter[tuple[str, str, str]] = Counter()
    results = _Results(begun, work, job.target_format)
    with (work / "rejects").open("w", encoding="utf-8", newline="") as out:
        write_rejects(out, [REJECTS_HEADER])
        for number, part in enumerate(begun.parts):
            result = results.add(number)
            part.remove()
            scored, rejected = scored + result.scored, rejected + result.rejected
            blamed.update(result.blamed)
            write_rejects(out, result.rejects)
    if not scored:
        refuse_constants(blamed, begun.rows.well_formed)
    begun.progress.check()
    scored_path = results.end()
    rejects_path = deliver_rejects(work / "rejects", rejected, _rejects_path(job), always=job.rejects is not None)
    deliver(scored_path, job.target)
    return Result(
        rows=begun.rows.count,
        scored=scored,
        rejected=rejected,
        blank=begun.rows.blank,
        rejects=rejects_path,
        passed_through=begun.named.other,
        near=begun.named.near,
        unused=begun.unused,
    )


def refuse_constants(blamed: Mapping[tuple[str, str, str], int], rows: int) -> None:
    """Refuse the constants that none of so many rows can use: the rows are not to blame. Raises InvalidInput."""
    wrong = [name for name, number in blamed.items() if number == rows]
    if wrong:
        raise InvalidInput([Problem(column, code, reason) for column, code, reason in wrong])


class Run(ABC):
    """A file that was read, and how its rows are answered: its parts can be taken one by one, in any order.

    Its queries are built once, over a table `input` that each part fills anew. The columns of that are row, c0, c1, ...
    so that no header can get in the way of another name.
    """

    # The share of the time that writing takes; before that a part is answered.
    writing_share = 1.0

    def __init__(
        self,
        engine: Backend,
        work: Path,
        rows: Rows,
        named: Named,
        constants: Mapping[str, str],
        progress: Progress,
    ) -> None:
        self.engine = engine
        self.work = work
        self.rows = rows
        self.named = named
        self.constants = {name.lower() for name in constants}
        self.progress = progress
        self.unused: Sequence[str] = ()
        self._names = [f"c{index}" for index in range(len(rows.header))]

    @property
    def parts(self) -> Sequence[Part]:
        """The parts of the file, in order."""
        return self.rows.parts

    @abstractmethod
    def _answered(self, table: ir.Table) -> ir.Table:
        """Say where the rows of `input` that can be used are found with their answers: row, c0, ..., answers."""

    @abstractmethod
    def _written(self, good: ir.Table, target_format: str) -> dict[str, ir.Value]:
        """Write the answers as a format has them, by the names of their columns."""

    @abstractmethod
    def _begin(self, part: Part, told: Callable[[float], None]) -> None:
        """Answer the rows in `input` before they are written, and tell how far that is (0 to 1)."""

    @abstractmethod
    def _rejects(self) -> list[Reject]:
        """List what is wrong with the rows of the part that could be read and cannot be used."""

    def plan(self, formats: Sequence[str]) -> None:
        """Build the queries."""
        typed = ", ".join(f"{name} VARCHAR" for name in self._names)
        if self.parts[0].path is None:
            self._fill(self.parts[0])
        else:
            self.engine.raw_sql(f"CREATE TABLE input (row BIGINT, {typed})")
        answered = self._answered(self.engine.table("input"))
        self._once: str | None = None
        if len(formats) > 1 or "ndjson" in formats:  # what is read more than once is computed once, into a file
            once, found = literal(str(self.work / "answered")), self.engine.compile(answered.order_by("row"))
            self._once = f"COPY ({found}) TO {once} (FORMAT parquet, COMPRESSION lz4_raw)"
            self._answered_once = f"CREATE OR REPLACE TEMP VIEW answered_once AS SELECT * FROM read_parquet({once})"
            answered = ibis.table(answered.schema(), name="answered_once")
        self._queries = {one: self.engine.compile(self._output(answered, one)) for one in formats}

    def _output(self, good: ir.Table, target_format: str) -> ir.Table:
        """Write rows as a format has them: every input column, then the answers, in the order of the file."""
        header = harmless_header(self.rows.header) if target_format == "csv" else self.rows.header
        kept = {
            name: self._kept(good[cell], index, target_format)
            for index, (cell, name) in enumerate(zip(self._names, header, strict=True))
        }
        order = "row"
        while order in map(str.lower, kept):
            order += "_"
        output = {order: good["row"], **kept, **self._written(good, target_format)}
        written = good.select([value.name(name) for name, value in output.items()])
        return (written if self._once else written.order_by(order)).drop(order)

    def _kept(self, value: ir.Value, index: int, target_format: str) -> ir.Value:
        """Pass the cells of a column through."""
        return output_cell(value, target_format)

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
            f"CREATE OR REPLACE TABLE input AS SELECT * FROM read_csv({literal(str(part.path))}, "
            f"auto_detect = false, header = false, delim = '{self.rows.delimiter}', quote = '\"', "
            f"escape = '\"', comment = '', new_line = '\\n', strict_mode = true, max_line_size = 4194304, "
            f"allow_quoted_nulls = {literal(not self.rows.nulls)}, columns = {{{columns}}})"
        )

    def score(self, number: int, write: Mapping[str, Callable[[str], int]]) -> PartResult:
        """Answer a part: `write` takes the query of each format, and says how many rows it gave.

        Raises AssertionError when a row is lost on the way.
        """
        part = self.parts[number]
        first = self.parts[number - 1].last if number else 0
        self.progress.check()
        self._fill(part)
        done, share = first / self.rows.count, (part.last - first) / self.rows.count
        before = share * (1 - self.writing_share)
        self._begin(part, lambda told: self.progress.scoring(done + before * told))
        if self._once is not None:
            self.engine.raw_sql(self._once)
            self.engine.raw_sql(self._answered_once)
        done, share = done + before, share * self.writing_share / len(write)
        scored = 0
        for index, (target_format, add) in enumerate(write.items()):
            self.progress.check()
            work = partial(add, self._queries[target_format])
            scored = self._watched(work, done + index * share, share)
        rejects = part.rejects()
        blamed: Counter[tuple[str, str, str]] = Counter()
        if scored < part.rows:
            wrong = self._rejects()
            blamed.update((one.column, one.code, one.reason) for one in wrong if one.column.lower() in self.constants)
            rejects += wrong
        result = PartResult(scored, sorted(rejects), blamed)
        if scored + result.rejected != part.last - first:
            raise AssertionError(f"{part.last - first} rows in, {scored} scored, {result.rejected} rejected")
        return result

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
        options = TEXT_OPTIONS[target_format].format(header=literal(header))
        found = self.engine.con.execute(f"COPY ({query}) TO {literal(str(path))} ({options})").fetchone()
        return int(found[0]) if found else 0

    def _step(self, name: str, expression: ir.Table) -> ir.Table:
        """Give an expression a name in the engine: what stands before it is then computed once, not copied into it."""
        self.engine.raw_sql(f"CREATE TEMP VIEW {name} AS {self.engine.compile(expression)}")
        return ibis.table(expression.schema(), name=name)

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
