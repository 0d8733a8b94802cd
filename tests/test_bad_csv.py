"""Bad files of accounts: every row is scored or rejected with its reason, and nothing is lost or left behind."""

import csv
import gzip
import io
import tomllib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from advisor.batch.reading import LONGEST_CELL, LONGEST_ROW, MOST_COLUMNS
from advisor.cli import ExitCode, main

# Ibis 12 calls what DuckDB 2 names differently.
CORPUS = tomllib.loads((Path(__file__).parent / "corpus" / "bad_csv.toml").read_text(encoding="utf-8"))["file"]
GOOD = "seller_id,order_defect_rate\nA1,0.001\n"
HEADER = "seller_id,order_defect_rate,note\n"


@dataclass
class Case:
    """A file and what becomes of it; as in the corpus."""

    csv: bytes
    options: tuple[str, ...] = ("--marketplace", "US")
    rejects: list[list[object]] = field(default_factory=list)
    kept: list[list[str]] | None = None
    header: list[str] | None = None
    refused: str | None = None


def _zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, GOOD)
    return out.getvalue()


def _parquet() -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"seller_id": ["A1"], "order_defect_rate": ["0.001"]}), out)
    return out.getvalue()


def _many_rows(broken: str) -> Case:
    """A broken row among enough good ones to fill several blocks of the reader."""
    good = [f"S{number},0.001,{'x' * 90}" for number in range(100_000)]
    good[40_000] = broken
    kept = [row.split(",") for index, row in enumerate(good) if index != 40_000]
    return Case((HEADER + "\n".join(good) + "\n").encode(), rejects=[[40_001, "", "malformed_row"]], kept=kept)


# What a TOML text cannot hold, or nobody wants to read.
BYTES = {
    "a byte order mark": Case(b"\xef\xbb\xbf" + GOOD.encode(), kept=[["A1", "0.001"]]),
    "a byte order mark and quotes": Case(
        b'\xef\xbb\xbf"seller_id","order_defect_rate"\n"A1","x"\n"A2","0"\n',
        rejects=[[1, "order_defect_rate", "not_a_decimal"]],
        kept=[["A2", "0"]],
    ),
    "a byte order mark alone": Case(b"\xef\xbb\xbf", refused="This file is empty."),
    "UTF-16 with byte order mark": Case(GOOD.encode("utf-16"), refused="it is UTF-16"),
    "big-endian UTF-16 with byte order mark": Case(b"\xfe\xff" + GOOD.encode("utf-16-be"), refused="it is UTF-16"),
    "UTF-16 without byte order mark": Case(GOOD.encode("utf-16-le"), refused="The header holds a NUL character."),
    "UTF-32": Case(GOOD.encode("utf-32"), refused="it is UTF-16"),
    "Latin-1 in one row": Case(
        (HEADER + "A1,0.001,Bücher\nA2,0.001,books\n").encode("latin-1"),
        rejects=[[1, "note", "not_utf8"]],
        kept=[["A2", "0.001", "books"]],
    ),
    "Latin-1 in the header": Case("seller_id,Bücher\nA1,x\n".encode("latin-1"), refused="The header cannot be read"),
    "UTF-8 cut within a character": Case(
        (HEADER + "A1,0.001,Bü").encode()[:-1], rejects=[[1, "note", "not_utf8"]], kept=[]
    ),
    "a surrogate in UTF-8": Case(
        HEADER.encode() + b"A1,0.001,\xed\xa0\x80\nA2,0.001,\xf4\x90\x80\x80\nA3,0.001,\xf0\x9f\x98\x80\n",
        rejects=[[1, "note", "not_utf8"], [2, "note", "not_utf8"]],
        kept=[["A3", "0.001", "😀"]],
    ),
    "separators of Unicode are no line ends": Case(
        (HEADER + "A1,0.001,a\u2028b\x0bc\x0cd\x1ce\x85f\nA2,x,a\n").encode(),
        rejects=[[2, "order_defect_rate", "not_a_decimal"]],
        kept=[["A1", "0.001", "a\u2028b\x0bc\x0cd\x1ce\x85f"]],
    ),
    "a NUL in a row": Case(
        (HEADER + "A1,0.001,a\0b\nA\x002,0.001,\nA3,0.001,good\n").encode(),
        rejects=[[1, "note", "nul_character"], [2, "seller_id", "nul_character"]],
        kept=[["A3", "0.001", "good"]],
    ),
    "a NUL in the header": Case(b"seller_id,no\0te\nA1,x\n", refused="The header holds a NUL character."),
    "a cell of the longest length": Case(
        (HEADER + f"A1,0.001,{'x' * (LONGEST_CELL - 20)}\n").encode(), kept=[["A1", "0.001", "x" * (LONGEST_CELL - 20)]]
    ),
    "a cell of 100,000 characters": Case(
        (HEADER + f"A1,0.001,{'x' * 100_000}\nA2,0.001,good\n").encode(),
        rejects=[[1, "", "malformed_row"]],
        kept=[["A2", "0.001", "good"]],
    ),
    "a quoted cell of 100,000 characters": Case(
        (HEADER + f'A1,0.001,"{"x" * 100_000}"\nA2,0.001,good\n').encode(),
        rejects=[[1, "", "malformed_row"]],
        kept=[["A2", "0.001", "good"]],
    ),
    "a cell of ten million characters": Case(
        (HEADER + f"A1,0.001,{'x' * 10_000_000}\nA2,0.001,good\n").encode(),
        rejects=[[1, "", "malformed_row"]],
        kept=[["A2", "0.001", "good"]],
    ),
    "a file of one line of ten million characters": Case(b"x" * 10_000_000, refused="The header cannot be read"),
    "a row of more than a mebibyte in many cells": Case(
        (
            "seller_id"
            + "".join(f",n{i}" for i in range(40))
            + "\nA1"
            + f",{'x' * 60_000}" * 40
            + "\nA2"
            + "," * 40
            + "\n"
        ).encode(),
        rejects=[[1, "", "too_large"]],
        kept=[["A2", *[""] * 40]],
    ),
    "a quote left open for more than a mebibyte": Case(
        (HEADER + 'A1,0.001,"open\n' + "A2,0.001,good\n" * (LONGEST_ROW // 10)).encode(),
        rejects=[[1, "", "malformed_row"]],
        kept=[["A2", "0.001", "good"]] * (LONGEST_ROW // 10),
    ),
    "an open quote among a hundred thousand rows": _many_rows('S,0.001,"open'),
    "a short row among a hundred thousand": _many_rows("S,0.001"),
    "gzip": Case(gzip.compress(GOOD.encode()), refused="it is compressed with gzip"),
    "a ZIP archive": Case(_zipped("accounts.csv"), refused="it is a ZIP archive or an Excel workbook"),
    "an Excel workbook": Case(_zipped("xl/workbook.xml"), refused="it is a ZIP archive or an Excel workbook"),
    "an old Excel workbook": Case(
        bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504), refused="it is an old Excel workbook"
    ),
    "a Parquet file": Case(_parquet(), refused="it is a Parquet file"),
    "a PNG image": Case(bytes.fromhex("89504e470d0a1a0a0000000d49484452"), refused="The header cannot be read"),
    "as many columns as are taken": Case(
        (
            "seller_id" + "".join(f",n{i}" for i in range(1, MOST_COLUMNS)) + "\nA1" + ",1" * (MOST_COLUMNS - 1) + "\n"
        ).encode(),
    ),
    "1,001 columns": Case(b"seller_id" + b",n" * 1000 + b"\nA1" + b",1" * 1000 + b"\n", refused="This file has 1001"),
    "one column more than is taken": Case(
        ("seller_id" + "".join(f",n{i}" for i in range(MOST_COLUMNS)) + "\nA1" + ",1" * MOST_COLUMNS + "\n").encode(),
        refused=f"This file has {MOST_COLUMNS + 1} columns",
    ),
}


def _from_corpus(entry: dict[str, object]) -> Case:
    given = {name: value for name, value in entry.items() if name not in ("name", "csv")}
    return Case(str(entry["csv"]).encode(), **given)  # type: ignore[arg-type]


CASES = {str(entry["name"]): _from_corpus(entry) for entry in CORPUS} | BYTES


def test_every_file_of_the_corpus_has_its_own_name() -> None:
    assert len(CASES) == len(CORPUS) + len(BYTES) >= 65


def _table(text: str, delimiter: str = ",") -> list[list[str]]:
    return [
        row
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        if len(row) > 1 or any(map(str.strip, row))
    ]


@pytest.mark.parametrize("name", CASES)
def test_bad_file(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    source, target, rejects = (tmp_path / part for part in ("in.csv", "out.csv", "out.csv.rejects.csv"))
    source.write_bytes(case.csv)
    program = [] if "--program" in case.options else ["--program", "account-health-amazon-fulfilled"]
    args = ["score", str(source), "-o", str(target), "--as-of", "2026-11-22", *program, *case.options]
    result = CliRunner().invoke(main, args)
    said = result.stderr
    assert "Traceback" not in result.output and "\ufffd" not in said
    assert source.read_bytes() == case.csv
    if case.refused is not None:
        assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, ""), said
        assert said.startswith("advisor: ")
        assert case.refused in said
        assert list(tmp_path.iterdir()) == [source]
        return
    assert result.exit_code == (ExitCode.FOUND if case.rejects else ExitCode.DONE), said
    lines = _table(rejects.read_text(encoding="utf-8")) if case.rejects else [["row", "column", "code", "reason"]]
    assert lines[0] == ["row", "column", "code", "reason"]
    assert [[int(row), column, code] for row, column, code, _ in lines[1:]] == case.rejects
    assert all(reason.endswith(".") for *_, reason in lines[1:])
    expected = {source, target, rejects} if case.rejects else {source, target}
    assert set(tmp_path.iterdir()) == expected
    header, kept = _plain(case)
    found = _table(target.read_bytes().decode())
    assert found[0][: len(header)] == header
    assert [row[: len(header)] for row in found[1:]] == kept
    assert all(row[len(header)] for row in found[1:])  # the verdict
    rejected = len({row for row, *_ in case.rejects})
    assert f"{len(kept)} of {len(kept) + rejected} accounts scored" in said


def _plain(case: Case) -> tuple[list[str], list[list[str]]]:
    """The header, and the rows that are to come out unchanged: those of the corpus, or all that are not rejected."""
    text = case.csv.decode("utf-8-sig", "surrogateescape")
    first = text.lstrip().splitlines()[0]
    rows = _table(text, ";" if first.count(";") > first.count(",") else ",") if case.kept is None else []
    header = case.header or (rows[0] if rows else _table(text.lstrip()[:2000])[0])
    wrong = {row for row, *_ in case.rejects}
    kept = [row for number, row in enumerate(rows[1:], 1) if number not in wrong] if case.kept is None else case.kept
    return header, kept
