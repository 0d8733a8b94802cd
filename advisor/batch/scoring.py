"""Score files of accounts: one expression on DuckDB judges and prices all rows of a part at once."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from advisor.batch.engine import literal, locked_engine
from advisor.batch.expression import (
    FEE_OUTPUTS,
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
from advisor.batch.header import NO_MARKETPLACE
from advisor.batch.layout import Layout, read_layout
from advisor.batch.reading import PART_ROWS, Part, Reject, Rows, flat
from advisor.batch.running import Progress, Run, Terms
from advisor.catalog import Catalog
from advisor.domain.fees import PART_NAMES
from advisor.domain.program import MARKETPLACES, Program
from advisor.errors import InvalidInput, Problem
from advisor.inputs.rows import flatten_assessment

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


class Accounts:
    """Files of accounts, held against one program. Raises UnknownName where there is no such program."""

    rows_name, doing, done = "accounts", "Scoring", "scored"
    part_rows = PART_ROWS

    def __init__(self, catalog: Catalog, program: str, terms: Terms) -> None:
        self.catalog = catalog
        self.program: Program = catalog.program(program)
        self.terms = terms

    @property
    def reader(self) -> str:
        """The program."""
        return self.program.id

    def flatten(self, value: dict[str, Any]) -> Mapping[str, str | None]:
        """Bring the body of an assessment request into cells; an object without facts and metrics is flat already."""
        if "metrics" in value or "facts" in value:
            return flatten_assessment(self.catalog, value, self.program.id, self.terms.as_of)
        return flat(value)

    def check_columns(self, rows: Rows, work: Path) -> None:
        """Refuse columns that contradict each other, and constants that no row could use. Raises InvalidInput."""
        layout = self.layout(rows.header)
        if self.terms.constants:
            with locked_engine(work, None, None) as engine:
                check_constants(engine, layout, self.terms, self.catalog, rows.decimal_comma)

    def run(self, engine: Backend, work: Path, rows: Rows, formats: Sequence[str], progress: Progress) -> "Scoring":
        """Plan how the accounts are scored. Raises InvalidInput."""
        layout = self.layout(rows.header)
        check_constants(engine, layout, self.terms, self.catalog, rows.decimal_comma)
        scoring = Scoring(self, layout, engine, work, rows, progress)
        scoring.plan(formats)
        return scoring

    def layout(self, header: list[str]) -> Layout:
        """Say what the columns mean. Raises InvalidInput when they contradict each other, or are too few."""
        terms, catalog = self.terms, self.catalog
        layout = read_layout(header, terms.constants, catalog.vocabulary, ())
        if "marketplace" in layout.singles or terms.marketplace is None:
            places: Sequence[str] = MARKETPLACES
        else:
            places = (terms.marketplace,)
        outputs = output_names(self.program, places, terms.as_of, layout.priced)
        layout = read_layout(header, terms.constants, catalog.vocabulary, outputs)
        if "marketplace" not in layout.singles and terms.marketplace is None:
            raise InvalidInput([Problem("marketplace", "missing", NO_MARKETPLACE)])
        return layout


class Scoring(Run):
    """A file of accounts, and the expression by which they are scored."""

    def __init__(
        self, accounts: Accounts, layout: Layout, engine: Backend, work: Path, rows: Rows, progress: Progress
    ) -> None:
        super().__init__(engine, work, rows, layout, accounts.terms.constants, progress)
        self.terms = accounts.terms
        self.catalog = accounts.catalog
        self.program = accounts.program
        self.layout = layout

    def _answered(self, table: ir.Table) -> ir.Table:
        """Build the expression of good rows, and the query for what is wrong with the others."""
        table = self._step("texts", table.mutate(**texts(table, self._names, self.layout)))
        columns = Columns(table, self.layout, self.catalog, self.terms.marketplace, self.rows.decimal_comma)
        self.places: Sequence[str] = columns.places
        pricer = Pricer(self.layout, self.catalog, columns.places, self.terms.as_of) if self.layout.priced else None
        if pricer:
            self.engine.create_table("fee_rules", pricer.rules.table())
        judged = self._judged(columns, pricer, table)
        self._wrong = self._wrong_cells(columns, pricer, table)
        return judged

    def _begin(self, part: Part, told: Callable[[float], None]) -> None:
        """Do nothing: the rows are scored as they are written."""

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

    def _written(self, good: ir.Table, target_format: str) -> dict[str, ir.Value]:
        """Write rates and money as the format has them."""
        rates = rate_outputs(self.program, self.places, self.terms.as_of)
        answers = {
            name: _rate(good[name], target_format) if name in rates else good[name]
            for name in output_names(self.program, self.places, self.terms.as_of, priced=False)
        }
        if self.layout.priced:
            answers |= {name: _fee_output(good, name, self.catalog, self.places, target_format) for name in FEE_OUTPUTS}
        return answers

    def _steps(
        self, name: str, table: ir.Table, steps: Sequence[Callable[[ir.Table], dict[str, ir.Value]]]
    ) -> ir.Table:
        for number, step in enumerate(steps):
            table = self._step(f"{name}_{number}", table.mutate(**step(table)))
        return table

    def _wrong_cells(self, columns: Columns, pricer: Pricer | None, table: ir.Table) -> tuple[list[Check], str]:
        """Build the query for the rows that fail a check: their number, and the fault that each check finds."""
        flags = {f"wrong_{number}": check.fault for number, check in enumerate(columns.checks)}
        checked, later = self._checked("flagged", columns, pricer, table.mutate(**columns.typed, **flags))
        flags = {f"wrong_{number}": checked[f"wrong_{number}"] for number in range(len(columns.checks))}
        flags |= {f"wrong_{len(flags)}": check.fault for check in later}
        failed = self._step("failed", checked.select("row", **flags))
        failed = failed.filter(reduce(or_, (failed[name] > 0 for name in flags))).order_by("row")
        return [*columns.checks, *later], self.engine.compile(failed)

    def _rejects(self) -> list[Reject]:
        """List every wrong cell of the part."""
        checks, query = self._wrong
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


def check_constants(engine: Backend, layout: Layout, terms: Terms, catalog: Catalog, decimal_comma: bool) -> None:
    """Refuse the constants whose value no row could use, whatever else it holds. Raises InvalidInput."""
    if not terms.constants:
        return
    place = layout.singles.get("marketplace")
    cells = [f"text_{index}" for index in sorted(layout.meaningful)] or ["nothing"]
    values = [
        ", ".join(
            literal(name) if place and place.column is not None and cell == f"text_{place.column}" else "NULL"
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
    checks = [check for check in columns.checks if check.column.lower() in names and check.code in OF_ONE_VALUE]
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


def _rate(ppm: ir.Value, target_format: str) -> ir.Value:
    """Write an observed rate without trailing zeros; Parquet keeps it as a decimal."""
    rate = as_decimal(ppm, 6)
    return rate if target_format == "parquet" else without_end(without_end(rate.cast("string"), "0"), ".")


def _fee_output(good: ir.Table, name: str, catalog: Catalog, places: Sequence[str], target_format: str) -> ir.Value:
    """Write money with the decimals of its currency; Parquet keeps it as a decimal."""
    value = good[name]
    if name not in PART_NAMES:
        return value
    kind = "decimal(20, 2)" if target_format == "parquet" else "string"
    by_decimals: dict[int, list[str]] = {}
    for place in places:
        by_decimals.setdefault(catalog.schedule(place).decimals, []).append(place)
    branches = [
        (good["place"].isin(names), as_decimal(value, decimals).cast(kind)) for decimals, names in by_decimals.items()
    ]
    return branches[0][1] if len(branches) == 1 else ibis.cases(*branches, else_=ibis.null(kind))
