"""Parts of a file as files of their own: scored one by one, by whoever comes, and joined when all are there.

A part is a directory with one file of results in each format and one of rejects. It is complete before it gets its
name, and so is what is joined: whoever finds a file finds all of it.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow.parquet import ParquetFile, ParquetWriter

from advisor.batch.scoring import FORMATS, REJECTS_HEADER, PartResult, Scoring, write_rejects

REJECTS = "rejects.csv"


def scored_name(target_format: str) -> str:
    """Name the file of results of a format."""
    return f"scored.{target_format}"


def score_part(run: Scoring, number: int, into: Path) -> PartResult:
    """Score a part into the new directory `into`, in every format; it is there whole, or not at all.

    It is written in the run's own directory, the only one that the engine may touch, on the same disk.
    """
    made = run.work / f"part-{number}"
    made.mkdir()
    write = {
        one: partial(run.copy, target_format=one, path=made / scored_name(one), header=number == 0) for one in FORMATS
    }
    result = run.score(number, write)
    with (made / REJECTS).open("w", encoding="utf-8", newline="") as out:
        write_rejects(out, [REJECTS_HEADER] if number == 0 else [])
        write_rejects(out, result.rejects)
    for path in made.iterdir():
        _sync(path)
    _sync(made)
    made.rename(into)
    _sync(into.parent)
    return result


def join(parts: Sequence[Path], into: Path) -> None:
    """Join the parts' files, in order, into files of the same names in the directory `into`."""
    for name in (*map(scored_name, FORMATS), REJECTS):
        pieces = [part / name for part in parts]
        made = into / f".{name}.writing"
        with suppress(FileNotFoundError):
            made.unlink()
        if len(pieces) == 1:
            os.link(pieces[0], made)
        elif name == scored_name("parquet"):
            _join_parquet(pieces, made)
        else:
            with made.open("wb") as out:
                for piece in pieces:
                    _append(piece, out)
        _sync(made)
        made.replace(into / name)
    _sync(into)


def _append(piece: Path, out: BinaryIO) -> None:
    with piece.open("rb") as read:
        shutil.copyfileobj(read, out, 2**20)


def _join_parquet(pieces: Sequence[Path], made: Path) -> None:
    """Join Parquet files, one row group after the other. A column that is whole in one part need not be in another."""
    with ParquetFile(pieces[0]) as first:
        schema = pa.schema([column.with_nullable(True) for column in first.schema_arrow])
    with ParquetWriter(made, schema, compression="zstd") as out:
        for piece in pieces:
            with ParquetFile(piece) as read:
                for group in range(read.num_row_groups):
                    out.write_table(read.read_row_group(group).cast(schema))


def _sync(path: Path) -> None:
    """Bring a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
