"""Check the rows of a file one by one, each as the request that it would be: a file answers as single requests do."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend
from marshmallow import Schema
from pyarrow.parquet import ParquetWriter

from advisor.answers.parts import Answer
from advisor.batch.bodies import Bodies, Reading
from advisor.batch.engine import literal
from advisor.batch.expression import as_text
from advisor.batch.reading import Part, Reject, Rows, flat
from advisor.batch.running import Progress, Run, Terms
from advisor.batch.writing import output_cell
from advisor.domain.program import Vocabulary
from advisor.errors import InvalidInput, Problem, say
from advisor.inputs.bodies import load

PART_ROWS = 20_000
CHUNK = 500  # rows
TYPES = {"text": pa.string(), "count": pa.int64(), "flag": pa.bool_(), "day": pa.date32(), "money": pa.string()}


@ibis.udf.scalar.builtin(name="to_json", signature=((None,), "string"))
def _to_json(value):  # type: ignore[no-untyped-def]
    """Write a list or an object as JSON."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a file of one kind reads and gives.

    A row is a request by `schema`, with one entry of its list `items` where it has one. `ask` answers the request,
    raising InvalidInput. `outputs` are the columns of the results and what they hold (text, count, flag, day or money),
    and `values` makes them of an answer. `without` are fields that files do not have; `bare` are objects whose fields
    have columns of their own names, as in files of accounts; `any_of` are fields of which a file has one at least.
    """

    rows_name: str
    schema: Schema
    items: str | None
    ask: Callable[[Any], Answer]
    outputs: Mapping[str, str]
    values: Callable[[Answer], Answer]
    without: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()


class Checks:
    """Files whose rows are checked one by one."""

    doing, done, reader = "Checking", "checked", "this check"
    part_rows = PART_ROWS

    def __init__(self, check: Check, terms: Terms, vocabulary: Vocabulary) -> None:
        self.check = check
        self.terms = terms
        self.vocabulary = vocabulary
        self.rows_name = check.rows_name
        self._nested = self._bodies().nested

    def flatten(self, value: dict[str, Any]) -> Mapping[str, str | None]:
        """Bring a body with one entry into cells, refused as the API refuses it; any other object is flat already."""
        check = self.check
        if check.items is not None and check.items in value:
            load(check.schema, value)
            given = [name for name in check.without if value.get(name) is not None]
            if given:
                detail = say("A file has no column for this. Leave it out, or send the request by itself.")
                raise InvalidInput([Problem(f"/{name}", "not_allowed", detail) for name in given])
            entries: list[Any] = value[check.items] or []
            if len(entries) != 1:
                detail = say("A row has one entry here; this one has {number}.", number=len(entries))
                raise InvalidInput([Problem(f"/{check.items}", "wrong_length", detail)])
            beside = {name: one for name, one in value.items() if name not in (check.items, *check.without)}
            value = beside | {name: one for name, one in entries[0].items() if one is not None}
        return flat(value, self._nested)

    def check_columns(self, rows: Rows, work: Path) -> None:
        """Refuse columns that cannot be used, and constants that no row could use. Raises InvalidInput."""
        self.read(rows)

    def run(self, engine: Backend, work: Path, rows: Rows, formats: Sequence[str], progress: Progress) -> "Checking":
        """Plan how the rows are checked. Raises InvalidInput."""
        checking = Checking(self, self.read(rows), engine, work, rows, progress)
        checking.plan(formats)
        return checking

    def read(self, rows: Rows) -> Bodies:
        """Find the columns. Raises InvalidInput."""
        bodies = self._bodies()
        bodies.read(rows.header, self.terms.constants, self.check.outputs, self.terms.marketplace)
        bodies.check_constants()
        return bodies

    def _bodies(self) -> Bodies:
        check = self.check
        return Bodies(check.schema, check.items, self.vocabulary, check.without, check.bare, check.any_of)


class Checking(Run):
    """A file whose rows are checked one by one; what comes of those of a part lies in a file beside them."""

    writing_share = 0.05

    def __init__(
        self, checks: Checks, bodies: Bodies, engine: Backend, work: Path, rows: Rows, progress: Progress
    ) -> None:
        super().__init__(engine, work, rows, bodies, checks.terms.constants, progress)
        self.check = checks.check
        self.terms = checks.terms
        self.bodies = bodies
        self.how = Reading(rows.decimal_comma, rows.nulls)
        self._columns = bodies.meaningful
        self._defaults = {"as_of": self.terms.as_of.isoformat()}
        if self.terms.marketplace is not None:
            self._defaults["marketplace"] = self.terms.marketplace
        self._wrong: list[Reject] = []
        self._answers_path: Path | None = None
        types = {name: TYPES[held] for name, held in self.check.outputs.items()}
        self._answers = pa.schema({"row": pa.int64(), **types})

    def _answered(self, table: ir.Table) -> ir.Table:
        cells = {f"text_{index}": self._cell(table[f"c{index}"], index) for index in self._columns}
        self._cells = self.engine.compile(table.select("row", **cells))
        self._write(self.work / "answers", [])
        return table.join(self.engine.table("answers"), "row").select("row", *self._names, *self.check.outputs)

    def _cell(self, value: ir.Value, index: int) -> ir.Value:
        """Read a column as text, whatever its type in the file; lists and objects as JSON, where one may stand."""
        if not value.type().is_nested():
            return as_text(value)
        if index not in self.bodies.whole:
            detail = say("This column holds lists or objects, and one value a row is read here.")
            raise InvalidInput([Problem(self.rows.header[index], "not_text", detail)])
        return _to_json(value)

    def _written(self, good: ir.Table, target_format: str) -> dict[str, ir.Value]:
        def written(held: str, value: ir.Value) -> ir.Value:
            if held == "money" and target_format == "parquet":
                return value.cast("decimal(20, 2)")
            return output_cell(value, target_format)

        return {name: written(held, good[name]) for name, held in self.check.outputs.items()}

    def _kept(self, value: ir.Value, index: int, target_format: str) -> ir.Value:
        """Pass the cells of a column through; what came in as a list or an object of JSON goes out as one."""
        if target_format == "ndjson" and self.rows.nulls and index in self.bodies.whole and value.type().is_string():
            return value.try_cast("json")
        return super()._kept(value, index, target_format)

    def _begin(self, part: Part, told: Callable[[float], None]) -> None:
        self._wrong = []

        def checked() -> Iterator[list[Answer]]:
            done = 0
            for batch in self.engine.con.sql(self._cells).to_arrow_reader(CHUNK):
                rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                yield [found for number, *cells in rows if (found := self._checked(number, cells)) is not None]
                done += batch.num_rows
                told(done / part.rows)

        self._write(self.work / f"answers-{part.last}", checked())

    def _write(self, path: Path, chunks: Iterable[list[Answer]]) -> None:
        """Write answers to a file, chunk by chunk, and take that for the table `answers`."""
        with ParquetWriter(path, self._answers, compression="lz4") as writer:
            for rows in chunks:
                writer.write_batch(pa.RecordBatch.from_pylist(rows, self._answers))
        self.engine.raw_sql(f"CREATE OR REPLACE VIEW answers AS SELECT * FROM read_parquet({literal(str(path))})")
        if self._answers_path is not None:
            self._answers_path.unlink()
        self._answers_path = path

    def _checked(self, number: int, texts: Sequence[str | None]) -> Answer | None:
        """Check one row; None where it cannot be used, which is noted with the columns that are wrong."""
        self.progress.check()
        if not self.how.nulls:
            texts = ["" if text is None else text for text in texts]
        cells = dict(zip(self._columns, texts, strict=True))
        try:
            body = self.bodies.body(cells, self.how)
        except InvalidInput as error:
            self._refuse(number, error.problems, str)
            return None
        try:
            answer = self.check.ask({**self._defaults, **body})
        except InvalidInput as error:
            self._refuse(number, error.problems, lambda place: self.bodies.column(place, cells, self.how))
            return None
        return {"row": number, **self.check.values(answer)}

    def _refuse(self, number: int, problems: Sequence[Problem], column: Callable[[str], str]) -> None:
        self._wrong += [Reject(number, column(one.pointer), one.code, one.detail) for one in problems]

    def _rejects(self) -> list[Reject]:
        return self._wrong
