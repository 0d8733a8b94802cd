"""Score a file: read it, judge and price it on DuckDB, and write results and rejects whole or not at all.

The rows of CSV and NDJSON are scored part by part, so that their number does not matter. The engine is locked down: it
may read and write one temporary directory (and the Parquet file given to it), reach no network, load nothing, and use
bounded memory; what does not fit is spilled there. The directory lies beside the output, so that a finished file is
renamed into place in one step.
"""

import csv
import shutil
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from itertools import chain
from operator import attrgetter, or_
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

import duckdb
import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend
from pyarrow.parquet import ParquetWriter

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
from advisor.batch.reading import MOST_COLUMNS, Reject, Rows, read_csv, read_ndjson
from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES, Program
from advisor.errors import AdvisorError, InvalidInput, Problem, UnreadableInput

FORMATS = ("csv", "ndjson", "parquet")
MEMORY = "512MB"
# The one turns every list of allowed words into a join with buffers of its own; the other moves the check of a row into
# its filter, where nothing that was computed is used again.
OPTIMIZERS_OFF = "in_clause,filter_pushdown"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = r"^[+\-]?[0-9]+([.,][0-9]+)?%?$"


class Progress(Protocol):
    """Is told how far the work is."""

    def reading(self, size: int) -> None:
        """So many more bytes are read."""

    def scoring(self, share: float) -> None:
        """This share (0 to 1) of the rows is scored."""


class Silent:
    """Progress that nobody looks at."""

    def reading(self, size: int) -> None:
        """Say nothing."""

    def scoring(self, share: float) -> None:
        """Say nothing."""


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


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went: rows in = scored + rejected; blank lines are not rows."""

    rows: int
    scored: int
    rejected: int
    blank: int
    rejects: Path | None
    passed_through: list[str]


def score(job: Job, catalog: Catalog, progress: Progress | None = None) -> Result:
    """Score a file of accounts. Raises UnreadableInput or InvalidInput when the file as a whole cannot be used."""
    progress = progress or Silent()
    program = catalog.program(job.program)
    _check_paths(job)
    beside = job.target.parent if job.target else None
    with _directory(beside) as work:
        source = _stdin_copy(work) if job.source is None and job.source_format == "parquet" else job.source
        with _locked_engine(work, source if job.source_format == "parquet" else None, job.threads) as engine:
            rows = _read(job, source, work, catalog, progress, engine)
            try:
                return _Run(job, catalog, program, engine, work, rows, progress).run()
            except duckdb.OutOfMemoryException:
                raise UnreadableInput(
                    "too_large",
                    f"This file has {len(rows.header)} columns, and needs more than {MEMORY} of memory. "
                    "Leave out the columns that the results do not need.",
                ) from None
            except RuntimeError as error:
                if str(error) == "Query interrupted":  # what DuckDB makes of KeyboardInterrupt
                    raise KeyboardInterrupt from None
                raise


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
def _locked_engine(work: Path, parquet: Path | None, threads: int | None) -> Iterator[Backend]:
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


def _read(job: Job, source: Path | None, work: Path, catalog: Catalog, progress: Progress, engine: Backend) -> Rows:
    if job.source_format == "parquet" and source is not None:
        return _read_parquet(engine, source)
    with _open(source) as stream:
        if job.source_format == "csv":
            return read_csv(stream, work, progress.reading)
        return read_ndjson(stream, work, progress.reading, catalog, job.program, job.as_of)


@contextmanager
def _open(source: Path | None) -> Iterator[BinaryIO]:
    if source is None:
        yield sys.stdin.buffer
        return
    try:
        stream = source.open("rb")
    except OSError as error:
        raise AdvisorError(f"{source} cannot be read: {error.strerror}.") from None
    with stream:
        yield stream


def _read_parquet(engine: Backend, source: Path) -> Rows:
    try:
        path = _literal(str(source.resolve()))
        engine.raw_sql(f"CREATE VIEW given AS SELECT * FROM read_parquet({path}, file_row_number = true)")
        header = [name for name in engine.table("given").columns if name != "file_row_number"]
        ((count,),) = engine.con.execute("SELECT count(*) FROM given").fetchall()
    except duckdb.Error as error:
        raise UnreadableInput(
            "not_parquet", f"This is no Parquet file that can be read: {_first_line(error)}"
        ) from None
    if not count:
        raise UnreadableInput("no_rows", "This file has no rows.")
    return Rows(header, count=int(count))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


class _Results:
    """Adds the results of each part to one file. `several` says whether there is more than one part."""

    def __init__(self, engine: Backend, work: Path, target_format: str, several: bool) -> None:
        self.engine = engine
        self.path = work / "scored"
        self.part = work / "part"
        self.format = target_format
        self.several = several
        self.parquet: ParquetWriter | None = None

    def add(self, query: str) -> int:
        """Add what the query gives; say how many rows that was."""
        if self.several and self.format == "parquet":
            return self._add_with_arrow(query)
        options = {
            "csv": f"FORMAT csv, HEADER {_literal(not self.path.exists())}, DELIMITER ','",
            "ndjson": "FORMAT json",
            "parquet": "FORMAT parquet, COMPRESSION zstd",
        }[self.format]
        found = self.engine.con.execute(f"COPY ({query}) TO {_literal(str(self.part))} ({options})").fetchone()
        if self.several:
            with self.part.open("rb") as part, self.path.open("ab") as whole:
                shutil.copyfileobj(part, whole)
        else:
            self.part.replace(self.path)
        return int(found[0]) if found else 0

    def _add_with_arrow(self, query: str) -> int:
        """Write with Arrow: the engine cannot add to a Parquet file. The cells of parts are texts and numbers."""
        table = self.engine.con.sql(query).to_arrow_table()
        if self.parquet is None:
            self.parquet = ParquetWriter(self.path, table.schema, compression="zstd")
        self.parquet.write_table(table)
        return len(table)

    def end(self) -> Path:
        """Close the file, and say where it is."""
        if self.parquet is not None:
            self.parquet.close()
        return self.path


class _Run:
    """One run over rows that were read."""

    def __init__(
        self, job: Job, catalog: Catalog, program: Program, engine: Backend, work: Path, rows: Rows, progress: Progress
    ) -> None:
        self.job = job
        self.catalog = catalog
        self.program = program
        self.engine = engine
        self.work = work
        self.rows = rows
        self.progress = progress

    def run(self) -> Result:
        """Score the rows, write what came of it, and check that no row was lost."""
        job, rows = self.job, self.rows
        if len(rows.header) > MOST_COLUMNS:
            raise UnreadableInput(
                "too_large", f"This file has {len(rows.header)} columns; at most {MOST_COLUMNS} are taken."
            )
        layout = self._layout()
        parts = self._parts()
        first = next(parts)  # makes the table that the expression is built over
        names = [f"c{index}" for index in range(len(rows.header))]
        table = self.engine.table("input")
        table = self._step("texts", table.mutate(**texts(table, names, layout)))
        columns = Columns(table, layout, self.catalog, job.marketplace, rows.decimal_comma)
        pricer = Pricer(layout, self.catalog, columns.places, job.as_of) if layout.priced else None
        if pricer:
            self.engine.create_table("fee_rules", pricer.rules.table())
        query = self.engine.compile(self._scored(columns, pricer, layout, table, names))
        wrong = self._wrong_cells(columns, pricer, table)
        scored = done = rejected = 0
        blamed: Counter[Reject] = Counter()
        results = _Results(self.engine, self.work, job.target_format, several=len(rows.parts) > 1)
        malformed, taken = sorted(rows.rejects), 0
        with (self.work / "rejects").open("w", encoding="utf-8", newline="") as out:
            _write_rejects(out, [("row", "column", "code", "reason")])
            for number, last in chain([first], parts):
                good = self._watched(lambda: results.add(query), done / rows.count, (last - done) / rows.count)
                before, taken = taken, bisect_right(malformed, last, key=attrgetter("row"))
                found = malformed[before:taken]
                if good < number:
                    found += self._rejects(wrong)
                    blamed.update(self._blamed(found))
                scored, done = scored + good, last
                rejected += len({reject.row for reject in found})
                _write_rejects(out, sorted(found))
        if scored + rejected != rows.count:
            raise AssertionError(f"{rows.count} rows in, {scored} scored, {rejected} rejected")
        if not scored:
            _refuse_constants(blamed, rows.count - len({reject.row for reject in malformed}))
        scored_path = results.end()
        rejects_path = self._deliver_rejects(rejected)
        self._deliver(scored_path)
        return Result(rows.count, scored, rejected, rows.blank, rejects_path, layout.other)

    def _parts(self) -> Iterator[tuple[int, int]]:
        """Make the table `input` of each part in turn; give how many rows it has, and the number of its last row.

        Its columns are row, c0, c1, ... so that no header can get in the way of another name.
        """
        names = [f"c{index}" for index in range(len(self.rows.header))]
        if self.rows.parts:
            columns = ", ".join(["'row': 'BIGINT'", *(f"'{name}': 'VARCHAR'" for name in names)])
            for part in self.rows.parts:
                self.engine.raw_sql(
                    f"CREATE OR REPLACE TABLE input AS SELECT * FROM read_csv({_literal(str(part.path))}, "
                    f"auto_detect = false, header = false, delim = '{self.rows.delimiter}', quote = '\"', "
                    f"escape = '\"', comment = '', new_line = '\\n', strict_mode = true, max_line_size = 4194304, "
                    f"columns = {{{columns}}})"
                )
                yield part.rows, part.last
                part.path.unlink()
            return
        given = self.engine.table("given")
        cells = {name: given[header] for name, header in zip(names, self.rows.header, strict=True)}
        self.engine.create_view("input", given.select(row=given["file_row_number"] + 1, **cells))
        yield self.rows.count, self.rows.count

    def _layout(self) -> Layout:
        vocabulary = self.catalog.vocabulary
        layout = read_layout(self.rows.header, self.job.constants, vocabulary, ())
        outputs = output_names(self.program, self._places(layout), self.job.as_of, layout.priced)
        layout = read_layout(self.rows.header, self.job.constants, vocabulary, outputs)
        if "marketplace" not in layout.singles and self.job.marketplace is None:
            raise AdvisorError("There is no column marketplace. Add one, or give --marketplace.")
        return layout

    def _places(self, layout: Layout) -> Sequence[str]:
        if "marketplace" in layout.singles or self.job.marketplace is None:
            return MARKETPLACES
        return (self.job.marketplace,)

    def _checked(
        self, name: str, columns: Columns, pricer: Pricer | None, table: ir.Table
    ) -> tuple[ir.Table, list[Check]]:
        """Give the typed cells and, from the fee columns on, the fee rule; and what is still to be checked then."""
        typed = self._step(name, table)
        if pricer is None:
            return typed, []
        joined = self._step(f"{name}_priced", pricer.join(typed, self.engine.table("fee_rules")))
        return joined, [columns.category_check(joined)]

    def _scored(
        self, columns: Columns, pricer: Pricer | None, layout: Layout, table: ir.Table, names: Sequence[str]
    ) -> ir.Table:
        """Build the whole expression: typed cells of good rows, then fees, then findings, then the output's columns."""
        job = self.job
        typed = table.mutate(**columns.typed, is_wrong=columns.wrong)
        checked, later = self._checked("checked", columns, pricer, typed)
        good = checked.filter(~checked["is_wrong"], *(~check.wrong.fill_null(False) for check in later))
        if pricer:
            good = self._steps("priced", good, pricer.steps)
        judge = Judge(layout, self.program, columns.places, job.as_of)
        good = self._steps("judged", good, judge.steps)
        kept = {
            header: _output_cell(good[name], job.target_format)
            for name, header in zip(names, self._output_header(), strict=True)
        }
        rates = rate_outputs(self.program, columns.places, job.as_of)
        answers = {
            name: _rate(good[name], job.target_format) if name in rates else good[name]
            for name in output_names(self.program, columns.places, job.as_of, priced=False)
        }
        if layout.priced:
            answers |= {
                name: _fee_output(good, name, self.catalog, columns.places, job.target_format) for name in FEE_OUTPUTS
            }
        order = "row"
        while order in map(str.lower, kept):
            order += "_"
        output = {order: good["row"], **kept, **answers}
        return good.select([value.name(name) for name, value in output.items()]).order_by(order).drop(order)

    def _output_header(self) -> list[str]:
        """Pass the input's header through; in CSV a name is made as harmless as a cell, and no two names become one."""
        if self.job.target_format != "csv":
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
        """Build the query for the rows that fail a check: their number, and a flag for each check."""
        flags = {f"wrong_{number}": check.wrong.fill_null(False) for number, check in enumerate(columns.checks)}
        checked, later = self._checked("flagged", columns, pricer, table.mutate(**columns.typed, **flags))
        flags = {f"wrong_{number}": checked[f"wrong_{number}"] for number in range(len(columns.checks))}
        flags |= {f"wrong_{len(flags)}": check.wrong.fill_null(False) for check in later}
        failed = self._step("failed", checked.select("row", **flags))
        failed = failed.filter(reduce(or_, (failed[name] for name in flags))).order_by("row")
        return [*columns.checks, *later], self.engine.compile(failed)

    def _rejects(self, wrong: tuple[list[Check], str]) -> list[Reject]:
        """List every wrong cell of the part."""
        checks, query = wrong
        found = []
        rows = self.engine.con.execute(query)
        while some := rows.fetchmany(10_000):
            for number, *flags in some:
                found += [
                    Reject(number, check.column, check.code, check.reason)
                    for check, is_wrong in zip(checks, flags, strict=True)
                    if is_wrong
                ]
        return found

    def _blamed(self, found: Sequence[Reject]) -> Iterator[Reject]:
        """Give the rejects for which a constant is to blame, without their rows."""
        constants = {name.lower() for name in self.job.constants}
        return (reject._replace(row=0) for reject in found if reject.column in constants)

    def _deliver_rejects(self, number: int) -> Path | None:
        """Move the rejects to their place, or remove those of an earlier run; without a place they go to stderr."""
        path, written = _rejects_path(self.job), self.work / "rejects"
        if not number and self.job.rejects is None:
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

    def _deliver(self, scored: Path) -> None:
        if self.job.target is not None:
            scored.replace(self.job.target.resolve())
            return
        with scored.open("rb") as read:
            shutil.copyfileobj(read, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _refuse_constants(blamed: Counter[Reject], rows: int) -> None:
    """Refuse the constants that no row can use: the rows are not to blame. Raises InvalidInput."""
    problems = [Problem(f"--set {one.column}", one.code, one.reason) for one in blamed if blamed[one] == rows]
    if problems:
        raise InvalidInput(problems)


def _write_rejects(out: TextIO, rejects: Iterable[Reject | tuple[str, ...]]) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows((row, _harmless(column), code, reason) for row, column, code, reason in rejects)


def _harmless(text: str) -> str:
    return "'" + text if text[:1] in FORMULA else text


def _output_cell(value: ir.Value, target_format: str) -> ir.Value:
    """Pass an input cell through; in CSV a text that a spreadsheet would take for a formula gets a leading '."""
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
