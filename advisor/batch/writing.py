"""Write what comes of a file: results in any format, rejects as CSV, each moved to its place once it is complete."""

import csv
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from pyarrow.parquet import ParquetFile, ParquetWriter

from advisor.batch import FORMULA
from advisor.batch.engine import first_line
from advisor.batch.reading import Reject
from advisor.errors import UnreadableInput, say

BATCH_CELLS = 8_000_000
REJECTS_HEADER = ("row", "column", "code", "reason")
NUMBER = r"^[+\-]?[0-9]+([.,][0-9]+)?%?$"
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
                    reason=first_line(error),
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


def write_rejects(out: TextIO, rejects: Iterable[Reject | tuple[str, ...]]) -> None:
    """Write rejects as CSV, or their header."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows((row, harmless(column), code, reason) for row, column, code, reason in rejects)


def harmless(text: str) -> str:
    """Put a ' before a text that a spreadsheet would take for a formula."""
    return "'" + text if text[:1] in FORMULA else text


def harmless_header(header: Sequence[str]) -> list[str]:
    """Make names as harmless as cells; no two of them become one."""
    names: list[str] = []
    for name in header:
        plain = harmless(name)
        while plain != name and (plain in header or plain in names):
            plain = "'" + plain
        names.append(plain)
    return names


def output_cell(value: ir.Value, target_format: str) -> ir.Value:
    """Pass an input cell through; in CSV a text that a spreadsheet would take for a formula gets a leading '.

    Arrow writes no intervals to Parquet: they become text there, and so do UUIDs.
    """
    if target_format == "parquet" and value.type().is_interval():
        return value.cast("string")
    if target_format != "csv" or not value.type().is_string():
        return value
    risky = value.left(1).isin(FORMULA)
    return ibis.ifelse(risky, ibis.ifelse(value.re_search(NUMBER), value, ibis.literal("'") + value), value)


def deliver_rejects(written: Path, number: int, place: Path | None, always: bool) -> Path | None:
    """Move so many rejects to their place, and say where they are; None is standard error.

    Without any, those of an earlier run are removed, unless a file is wanted `always`.
    """
    if not number and not always:
        if place is not None:
            place.unlink(missing_ok=True)
        return None
    if place is None:
        with written.open(encoding="utf-8", newline="") as read:
            shutil.copyfileobj(read, sys.stderr)
        return None
    temporary = place.with_name(f".{place.name}.writing")  # they may lie on another disk than the results
    try:
        shutil.copyfile(written, temporary)
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
    return place


def deliver(written: Path, place: Path | None) -> None:
    """Move results to their place; None is standard output."""
    if place is not None:
        written.replace(place.resolve())
        return
    with written.open("rb") as read:
        shutil.copyfileobj(read, sys.stdout.buffer)
    sys.stdout.buffer.flush()
