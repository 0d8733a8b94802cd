"""Files of accounts in every format: one answer, every row, and nothing written but the results."""

import csv
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.batch.engine import locked_engine
from advisor.batch.reading import _well_formed
from advisor.batch.running import Job, Result, Terms, run_file
from advisor.batch.scoring import Accounts
from advisor.catalog import Catalog
from advisor.cli import ExitCode, main
from advisor.cli.files import _Quiet, _Stop
from advisor.errors import AdvisorError, UnreadableInput

# Ibis 12 calls what DuckDB 2 names differently.
ADVISOR = Path(sys.executable).with_name("advisor")
DAY = date(2026, 11, 22)
PROGRAM = "account-health-amazon-fulfilled"
OPTIONS = ["--program", PROGRAM, "--as-of", "2026-11-22", "--marketplace", "US"]
SALES = """\
seller_id,marketplace,order_defect_rate_count,order_defect_rate_of,selling_plan,category,price,units,note
A1,US,3,1200,professional,jewelry,300.00,10,"one, two"
A2,JP,30,1200,individual,electronics,4800,2,"said ""so\"""
A3,UK,,,,books,12.99,60,
A4,DE,0,0,professional,,,,ü
A5,IN,1,,professional,,,,half a pair
A6,MX,12,1200,,anything,5.50,,=1+1
"""


def run(catalog: Catalog, source: Path, target: Path, **how: Any) -> Result:
    kinds = {".csv": "csv", ".ndjson": "ndjson", ".parquet": "parquet"}
    rejects, program = how.pop("rejects", None), how.pop("program", PROGRAM)
    job = Job(source, kinds[source.suffix], target, kinds[target.suffix], rejects)
    return run_file(job, Accounts(catalog, program, Terms(DAY, **how)))


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The results in any format as texts, empty ones left out."""
    if path.suffix == ".ndjson":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    elif path.suffix == ".parquet":
        rows = pyarrow.parquet.read_table(path).to_pylist()
    else:
        with duckdb.connect() as engine:
            found = engine.execute("SELECT * FROM read_csv(?, all_varchar = true, header = true)", [str(path)])
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return [{name: _text(value) for name, value in row.items() if value not in (None, "")} for row in rows]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).removeprefix("'")
    return text.rstrip("0").rstrip(".") if "." in text else text


def rejects_of(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split(",")[:3] for line in lines[1:]]


# Formats


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file in every format, side by side."""
    folder = tmp_path_factory.mktemp("formats")
    (folder / "in.csv").write_text(SALES, encoding="utf-8")
    texts = pa.csv.ConvertOptions(column_types=dict.fromkeys(SALES.splitlines()[0].split(","), pa.string()))
    table = pa.csv.read_csv(folder / "in.csv", convert_options=texts)
    pyarrow.parquet.write_table(table, folder / "in.parquet")
    flat = "\n".join(json.dumps({name: value or None for name, value in row.items()}) for row in table.to_pylist())
    (folder / "in.ndjson").write_text(flat, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def answer(sales: Path, catalog: Catalog) -> list[dict[str, Any]]:
    """The results of the CSV file as CSV."""
    run(catalog, sales / "in.csv", sales / "answer.csv")
    return rows_of(sales / "answer.csv")


def test_answers_stand_beside_the_input(answer: list[dict[str, Any]]) -> None:
    assert [row["seller_id"] for row in answer] == ["A1", "A2", "A3", "A4", "A6"]
    assert [row["verdict"] for row in answer] == [
        "eligible",
        "not_eligible",
        "undetermined",
        "undetermined",
        "not_eligible",
    ]
    assert [row.get("referral_fee") for row in answer] == ["525", "806", "117", None, None]
    assert [row.get("fee_warnings") for row in answer][3:] == [None, "not_covered"]
    assert answer[1]["note"] == 'said "so"'


@pytest.mark.parametrize("source", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("target", ["csv", "ndjson", "parquet"])
def test_every_format_in_and_out_gives_the_same_answers(
    sales: Path, answer: list[dict[str, Any]], catalog: Catalog, tmp_path: Path, source: str, target: str
) -> None:
    out = tmp_path / f"out.{target}"
    result = run(catalog, sales / f"in.{source}", out)
    assert (result.rows, result.scored, result.rejected) == (6, 5, 1)
    assert rows_of(out) == answer
    assert rejects_of(tmp_path / f"out.{target}.rejects.csv") == [["5", "order_defect_rate_count", "half_a_pair"]]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("source", ["csv", "ndjson"])
@pytest.mark.parametrize("target", ["csv", "ndjson", "parquet"])
def test_many_parts_give_what_one_part_gives(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str
) -> None:
    """Byte for byte in texts: order, numbers of rejected rows, one header."""
    rows = [
        {
            "seller_id": f"A{number}",
            "marketplace": "US",
            "order_defect_rate_count": "x" if number % 7 == 3 else str(number % 20),
            "order_defect_rate_of": "1000",
            "note": 'a "quoted", text' if number % 3 else "",
        }
        for number in range(400)
    ]
    path = tmp_path / f"in.{source}"
    if source == "csv":
        pa.csv.write_csv(pa.Table.from_pylist(rows), path)
        with path.open("ab") as out:
            out.write(b'A400,US,1,1000,"left open\nA401,US,1\nA402,US,2,1000,\n')
    else:
        path.write_text("\n".join(["{", *map(json.dumps, rows), "[]"]), encoding="utf-8")
    whole = run(catalog, path, tmp_path / f"whole.{target}")
    monkeypatch.setattr("advisor.batch.reading.BLOCK", 1000)
    monkeypatch.setattr("advisor.batch.reading.PART_SIZE", 3000)
    monkeypatch.setattr("advisor.batch.reading.PART_ROWS", 37)
    parts = run(catalog, path, tmp_path / f"parts.{target}")
    assert (parts.rows, parts.scored, parts.rejected) == (whole.rows, whole.scored, whole.rejected)
    assert parts.rejected >= 57
    assert rows_of(tmp_path / f"parts.{target}") == rows_of(tmp_path / f"whole.{target}")
    rejects = [(tmp_path / f"{name}.{target}.rejects.csv").read_bytes() for name in ("parts", "whole")]
    assert rejects[0] == rejects[1]
    if target != "parquet":
        assert (tmp_path / f"parts.{target}").read_bytes() == (tmp_path / f"whole.{target}").read_bytes()


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(["a", '"', '""', ",", "\n", ";", "ü", '"b"', '"c,d"', '"e\nf"', "g,h\n"]), min_size=1))
def test_what_is_copied_as_lines_is_what_a_csv_reader_reads(pieces: list[str]) -> None:
    """Lines that are called well-formed are one row each, with as many cells as asked, and quoted only as a whole."""
    text = "".join(pieces) + "\n"
    for delimiter in ",;":
        for columns in (2, 3):
            if not _well_formed(text.encode(), delimiter, columns):
                continue
            read = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
            assert len(read) == text.count("\n")
            assert {len(cells) for cells in read} == {columns}
            for line, cells in zip(text.split("\n"), read, strict=False):
                quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
                spelled = itertools.product(*zip(cells, quoted, strict=True))
                assert line in [delimiter.join(cells) for cells in spelled]


@given(st.lists(st.lists(st.text('ab ,;"ü', max_size=6), min_size=2, max_size=2), min_size=1, max_size=6))
def test_what_a_csv_writer_writes_is_copied_as_lines(rows: list[list[str]]) -> None:
    for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL):
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\n", quoting=quoting).writerows(rows)
        assert _well_formed(out.getvalue().encode(), ",", 2)


def test_parquet_results_have_types(sales: Path, catalog: Catalog, tmp_path: Path) -> None:
    run(catalog, sales / "in.csv", tmp_path / "out.parquet")
    types = {field.name: str(field.type) for field in pyarrow.parquet.read_schema(tmp_path / "out.parquet")}
    assert types["score"] == types["order_defect_headroom"] == "int64"
    assert types["order_defect_observed"].startswith("decimal128")
    assert types["referral_fee"] == types["contribution"] == "decimal128(20, 2)"
    assert (types["verdict"], types["fees_complete"]) == ("string", "bool")


def test_a_column_that_cannot_be_written_again_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    query = "SELECT 'A1' AS seller_id, 'US' AS marketplace, INTERVAL 1 DAY AS age, {'a': INTERVAL 1 DAY} AS nested"
    duckdb.sql(f"COPY (SELECT * EXCLUDE (nested) FROM ({query})) TO '{tmp_path}/plain.parquet'")
    run(catalog, tmp_path / "plain.parquet", tmp_path / "out.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet")["age"].to_pylist() == ["1 day"]
    duckdb.sql(f"COPY ({query}) TO '{tmp_path}/nested.parquet'")
    with pytest.raises(UnreadableInput, match="cannot be written to Parquet") as refused:
        run(catalog, tmp_path / "nested.parquet", tmp_path / "none.parquet")
    assert refused.value.code == "unsupported_type"
    assert not (tmp_path / "none.parquet").exists()


def test_parquet_columns_of_every_type(catalog: Catalog, tmp_path: Path) -> None:
    table = pa.table(
        {
            "seller_id": pa.array([1, 2, 3, 4, 5, 6, None], pa.int64()),
            "marketplace": pa.array(["US"] * 7).dictionary_encode(),
            "order_defect_rate": pa.array([0.001, 0.1 + 0.2, 1 / 3, None, 0.25, float("nan"), 0.1], pa.float64()),
            "late_shipment_rate_30d": pa.array([0.5, *[None] * 5, 1e300], pa.float64()),
            "order_defect_rate_60d_count": pa.array([None, None, None, 3, None, None, None], pa.int32()),
            "order_defect_rate_60d_of": pa.array([None, None, None, 1200, None, None, None], pa.uint64()),
            "tracking_on_every_package": pa.array([True, False, None, True, None, None, None]),
            "category": pa.array(["jewelry"] * 7),
            "price": pa.array([Decimal("300.000"), Decimal("0.500"), None, Decimal("1.010"), *[Decimal(1)] * 3]),
            "tax_rate": pa.array([0.5, None, None, None, None, None, None], pa.float32()),
            "joined_on": pa.array([date(2020, 1, 2)] * 7),
            "tags": pa.array([["a", "b"], [], None, ["c"], [], [], []]),
            "address": pa.array([{"city": "Köln"}] * 7),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    result = run(catalog, tmp_path / "in.parquet", tmp_path / "out.parquet", program="enterprise-mall")
    rejects = rejects_of(tmp_path / "out.parquet.rejects.csv")
    assert rejects == [
        ["2", "order_defect_rate", "not_a_decimal"],
        ["3", "category", "depends_on_column"],
        ["3", "order_defect_rate", "not_a_decimal"],
        ["6", "order_defect_rate", "not_a_decimal"],
        ["7", "late_shipment_rate_30d", "not_a_decimal"],
        ["7", "seller_id", "missing"],
    ]
    assert (result.scored, result.rejected) == (3, 4)
    out = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert out.select(table.column_names).to_pylist() == [
        row for number, row in enumerate(table.to_pylist()) if number in (0, 3, 4)
    ]
    rows = out.to_pylist()
    assert [row["order_defect_observed"] for row in rows] == [Decimal("0.001"), Decimal("0.0025"), Decimal("0.25")]
    assert [row["tracking_on_every_package_outcome"] for row in rows] == ["met", "met", "unknown"]
    assert [row["total_sales_price"] for row in rows] == [Decimal("300.00"), Decimal("1.01"), Decimal("1.00")]


def test_a_decimal_type_without_a_digit_before_the_mark_is_taken(catalog: Catalog, tmp_path: Path) -> None:
    rates = pa.array([Decimal("0.0010"), Decimal("0.2500")], pa.decimal128(4, 4))
    pyarrow.parquet.write_table(
        pa.table({"seller_id": ["A1", "A2"], "order_defect_rate": rates}), tmp_path / "in.parquet"
    )
    assert run(catalog, tmp_path / "in.parquet", tmp_path / "out.ndjson", marketplace="US").rejected == 0
    assert [row["order_defect_observed"] for row in rows_of(tmp_path / "out.ndjson")] == ["0.001", "0.25"]


def test_a_nested_column_has_no_single_value(catalog: Catalog, tmp_path: Path) -> None:
    table = pa.table({"seller_id": ["A1", "A2"], "marketplace": ["US", "US"], "order_defect_rate": [[0.1], None]})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    run(catalog, tmp_path / "in.parquet", tmp_path / "out.ndjson")
    assert rejects_of(tmp_path / "out.ndjson.rejects.csv") == [["1", "order_defect_rate", "not_a_decimal"]]


def test_ndjson_bodies_of_the_api_and_broken_lines(catalog: Catalog, tmp_path: Path) -> None:
    rate = {"order_defect_rate": {"rate": "0.001"}}
    lines = [
        json.dumps({"marketplace": "us", "seller": {"id": "A1", "name": "Tools"}, "metrics": rate}),
        "{broken",
        "",
        json.dumps(["a list"]),
        json.dumps({"marketplace": "GB", "seller": {"id": "A4"}, "facts": {"fulfillment": "amazon"}, "metrics": {
            "order_defect_rate": [{"count": 3, "of": 200, "window_days": 60, "segment": "amazon_fulfilled"}]}}),
        json.dumps({"marketplace": "US", "seller": {"id": "A5"},
            "metrics": {"order_defect_rate": {"count": 5, "of": 3}}}),
        json.dumps({"marketplace": "US", "seller": {"id": "A6"}, "facts": {"colour": "red"}}),
        json.dumps({"marketplace": "US", "metrics": rate}),
        '{"marketplace": "US", "metrics": {}, "metrics": {}}',
        '{"marketplace": "US", "metrics": {"order_defect_rate": {"rate": NaN}}}',
        json.dumps({"marketplace": "US", "seller": {"id": "B1"}, "facts": {}, "as_of": "2020-01-01"}),
        json.dumps({"marketplace": "US", "seller": {"id": "B2"}, "facts": {}, "programs": ["enterprise-mall"]}),
        json.dumps({"marketplace": "US", "seller": {"id": "B3", "name": "a\rb\nc"}, "facts": {}, "lines": [
            {"category": "jewelry", "price": "300.00", "units": 2}]}),
        json.dumps({"seller_id": "B4", "marketplace": "US", "order_defect_rate": "0.02", "note": None, "ok": True}),
        '{"seller_id": "B5", "marketplace": "US", "order_defect_rate": 0.0025}',
        '{"seller_id": "B6", "marketplace": "US", "order_defect_rate": {"rate": 1}}',
        "\ufeff{}",
    ]  # fmt: skip
    (tmp_path / "in.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = run(catalog, tmp_path / "in.ndjson", tmp_path / "out.ndjson")
    assert (result.rows, result.blank) == (len(lines) - 1, 1)
    rows = rows_of(tmp_path / "out.ndjson")
    assert [(row["seller_id"], row["verdict"]) for row in rows] == [
        ("A1", "eligible"), ("A4", "not_eligible"), ("B3", "undetermined"), ("B4", "not_eligible"), ("B5", "eligible"),
    ]  # fmt: skip
    assert rows[1]["order_defect_headroom"] == "-2"
    assert (rows[2]["seller_name"], rows[2]["referral_fee"], rows[3]["ok"]) == ("a\rb\nc", "105", "true")
    assert rejects_of(tmp_path / "out.ndjson.rejects.csv") == [
        ["2", "", "not_json"],
        ["3", "", "not_an_object"],
        ["5", "/metrics/order_defect_rate", "count_above_of"],
        ["6", "/facts/colour", "unknown_field"],
        ["7", "seller_id", "missing"],
        ["8", "", "duplicate_key"],
        ["9", "", "not_json"],
        ["10", "/as_of", "not_allowed"],
        ["11", "/programs", "not_allowed"],
        ["15", "", "not_text"],
        ["16", "", "not_json"],
    ]


def test_an_ndjson_line_has_all_its_problems_where_they_are(catalog: Catalog, tmp_path: Path) -> None:
    line = {"category": "jewelry", "price": "300.00"}
    bodies: list[Any] = [
        {"lines": [{**line, "price": 300.5, "units": 0}]},
        {"lines": [7]},
        {"lines": False},
        {"lines": {}},
        {"lines": [line, line]},
        {"facts": {"colour": "red"}, "as_of": "2020-01-01", "lines": [{**line, "shipping": "x"}]},
        {"marketplace": "XX", "lines": [{"price": "1"}]},
        {"lines": []},
        {"lines": None},
        {"lines": [line]},
    ]
    rows = [{"marketplace": "US", "seller": {"id": "A"}, "facts": {}, **body} for body in bodies]
    (tmp_path / "in.ndjson").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = run(catalog, tmp_path / "in.ndjson", tmp_path / "out.ndjson")
    assert (result.rows, result.scored) == (10, 3)
    assert rejects_of(tmp_path / "out.ndjson.rejects.csv") == [
        ["1", "/lines/0/price", "json_float"],
        ["1", "/lines/0/units", "out_of_range"],
        ["2", "/lines/0", "not_an_object"],
        ["3", "/lines", "wrong_value"],
        ["4", "/lines", "wrong_value"],
        ["5", "/lines", "wrong_length"],
        ["6", "/as_of", "not_allowed"],
        ["6", "/facts/colour", "unknown_field"],
        ["6", "/lines/0/shipping", "not_a_decimal"],
        ["7", "/lines/0/category", "missing"],
        ["7", "/marketplace", "unknown_marketplace"],
    ]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("seller_id\tmarketplace", "separated by tabs. Commas or semicolons are taken."),
        ("seller_id|marketplace", "separated by bars. Commas or semicolons are taken."),
        ("Seller ID,marketplace", "Is it 'Seller ID'? Name it seller_id."),
        ("sellerId,marketplace", "Is it 'sellerId'? Name it seller_id."),
        ("merchant,place", "The file begins with merchant, place."),
    ],
)
def test_a_file_whose_accounts_have_no_name(tmp_path: Path, header: str, said: str) -> None:
    (tmp_path / "in.csv").write_text(f"{header}\nA1,US\n")
    result = CliRunner().invoke(main, ["score", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), *OPTIONS])
    assert result.exit_code == ExitCode.UNUSABLE
    assert "seller_id: There is no column seller_id" in result.stderr and said in result.stderr


def test_the_closing_sentence_names_what_was_not_read(tmp_path: Path) -> None:
    names = "seller_id,order_defect_rate,Late Shipment Rate,Selling-Plan,order_defect_rat,note,refund_rate,tax_rate"
    (tmp_path / "in.csv").write_text(f"{names}\nA1,0.001,0.1,professional,,x,0,0\n")
    options = ["--set", "order_defect_rate_7d=1%", *OPTIONS]
    result = CliRunner().invoke(main, ["score", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), *options])
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert result.stderr.endswith(
        " Passed through without a meaning here: Late Shipment Rate (did you mean late_shipment_rate?), Selling-Plan "
        "(did you mean selling_plan?), order_defect_rat, note. "
        f"Not read by {PROGRAM}: refund_rate, tax_rate, order_defect_rate_7d.\n"
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("0,5%", "A decimal comma is taken only in CSV files with semicolons. Write a decimal point."),
        ("0,5", "A decimal comma is taken only in CSV files with semicolons. Write a decimal point."),
        (".5%", "A digit has to stand before the decimal mark: .5% is written 0.5%."),
        (".5", "A digit has to stand before the decimal mark: .5 is written 0.5."),
        ("-0.5%", "A rate has digits, up to 9 decimals and no sign: 0.5 % is written 0.5% or 0.005."),
        ("2", "This is too large; at most 1 is possible. 1 is 100 %."),
    ],
)
def test_a_rate_that_is_not_taken_tells_how_it_is_written(
    catalog: Catalog, tmp_path: Path, cell: str, said: str
) -> None:
    (tmp_path / "in.csv").write_text(f'seller_id,order_defect_rate\nA1,0.001\nA2,"{cell}"\n')
    run(catalog, tmp_path / "in.csv", tmp_path / "out.csv", marketplace="US")
    with (tmp_path / "out.csv.rejects.csv").open(newline="") as read:
        assert [row[-1] for row in csv.reader(read)] == ["reason", said]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("9,5", "A decimal comma is taken only in CSV files with semicolons. Write a decimal point."),
        ("1,000", "An amount has digits, at most one decimal mark, and no sign or separator, such as 52.50."),
        (".5", "A digit has to stand before the decimal mark: .5 is written 0.5."),
    ],
)
def test_an_amount_that_is_not_taken_tells_how_it_is_written(
    catalog: Catalog, tmp_path: Path, cell: str, said: str
) -> None:
    (tmp_path / "in.csv").write_text(f'seller_id,category,price\nA1,jewelry,1\nA2,jewelry,"{cell}"\n')
    run(catalog, tmp_path / "in.csv", tmp_path / "out.csv", marketplace="US")
    with (tmp_path / "out.csv.rejects.csv").open(newline="") as read:
        assert [row[-1] for row in csv.reader(read)] == ["reason", said]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.ndjson", b"", "This file has no rows."),
        ("in.ndjson", b"\n \n", "This file has no rows."),
        ("in.ndjson", b"not json\n", "No line of this file can be read. Row 1"),
        ("in.ndjson", b'{"a": 1}\n', "seller_id: There is no column seller_id"),
        ("in.parquet", b"", "This is no Parquet file"),
        ("in.parquet", b"PAR1 and no more", "This is no Parquet file"),
        ("in.txt", b"seller_id\nA1\n", "The format of"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    result = CliRunner().invoke(main, ["score", str(source), "-o", str(tmp_path / "out.csv"), *OPTIONS])
    assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, "")
    assert said in result.stderr and "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("damage", ["a text beyond the file", "bytes cut out"])
def test_a_damaged_parquet_file_is_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    source, names = tmp_path / "in.parquet", [f"A{number}" for number in range(5000)]
    pyarrow.parquet.write_table(pa.table({"seller_id": names}), source, compression="none")
    whole = source.read_bytes()
    place = whole.index(b"A4000")
    end = whole[place:] if damage.startswith("a text") else whole[place + 40 :]
    source.write_bytes(whole[: place - 4] + b"\xff\xff\xff\x7f" + end)
    result = CliRunner().invoke(main, ["score", str(source), "-o", str(tmp_path / "out.csv"), *OPTIONS])
    assert result.exit_code == ExitCode.UNUSABLE, result.stderr
    assert "Traceback" not in result.stderr and str(source) in result.stderr.splitlines()[0]
    assert list(tmp_path.iterdir()) == [source]


def test_a_parquet_file_without_rows(tmp_path: Path, catalog: Catalog) -> None:
    pyarrow.parquet.write_table(pa.table({"seller_id": pa.array([], pa.string())}), tmp_path / "in.parquet")
    with pytest.raises(AdvisorError, match="no rows"):
        run(catalog, tmp_path / "in.parquet", tmp_path / "out.csv", marketplace="US")


# Names that could get in each other's way

ODD_NAMES = ["row", "is_wrong", "c0", "text_0", "place", "file_row_number", "select", 'say "so"', "a.b", "it's", "'=a"]


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_columns_may_have_any_name(catalog: Catalog, tmp_path: Path, source: str) -> None:
    names = ["seller_id", *(ODD_NAMES if source == "csv" else [name for name in ODD_NAMES if name[:4] != "file"]), "=a"]
    table = pa.table({name: ["A1"] if name == "seller_id" else [f"v{i}"] for i, name in enumerate(names)})
    if source == "csv":
        pyarrow.csv.write_csv(table, tmp_path / "in.csv")
    else:
        pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    run(catalog, tmp_path / f"in.{source}", tmp_path / "out.ndjson", marketplace="US")
    (row,) = rows_of(tmp_path / "out.ndjson")
    assert list(row)[: len(names)] == names
    assert [row[name] for name in names[1:]] == [f"v{i}" for i in range(1, len(names))]
    run(catalog, tmp_path / f"in.{source}", tmp_path / "out.csv", marketplace="US")
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert ",'=a,''=a,verdict," in header


# Rows


@pytest.mark.parametrize("target", ["csv", "parquet"])
def test_the_order_of_rows_is_kept(catalog: Catalog, tmp_path: Path, target: str) -> None:
    count = 300_000
    with (tmp_path / "in.csv").open("w", encoding="utf-8") as out:
        out.write("seller_id,order_defect_rate,note\n")
        for number in range(count):
            note = '"two\nlines"' if number % 9973 == 0 else ""
            out.write(f"S{number},{'wrong' if number % 50_000 == 7 else '0.001'},{note}\n")
    out_path = tmp_path / f"out.{target}"
    result = run(catalog, tmp_path / "in.csv", out_path, marketplace="US")
    assert (result.rows, result.scored, result.rejected) == (count, count - 6, 6)
    if target == "csv":
        read = pa.csv.read_csv(out_path, parse_options=pa.csv.ParseOptions(newlines_in_values=True))
    else:
        read = pyarrow.parquet.read_table(out_path)
    expected = [f"S{number}" for number in range(count) if number % 50_000 != 7]
    assert read.column("seller_id").to_pylist() == expected
    rejects = rejects_of(tmp_path / f"out.{target}.rejects.csv")
    assert rejects == [[str(n * 50_000 + 8), "order_defect_rate", "not_a_decimal"] for n in range(6)]


# Standard input and output


def advisor(args: Sequence[str], data: bytes = b"", **given: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([ADVISOR, "score", *args], input=data, capture_output=True, timeout=120, check=False, **given)


def test_standard_input_and_output(tmp_path: Path) -> None:
    data = b"seller_id,order_defect_rate\nA1,0.001\nA2,x\n"
    piped = advisor(["-", "--format", "csv", *OPTIONS], data, cwd=tmp_path)
    assert piped.returncode == ExitCode.FOUND
    assert piped.stdout.decode().splitlines()[1] == "A1,0.001,eligible,95,met,0.001,"
    assert b"\n2,order_defect_rate,not_a_decimal," in piped.stderr
    assert b"1 of 2 accounts scored" in piped.stderr
    table = pa.table({"seller_id": ["A1"], "order_defect_rate": ["0.001"]})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    packed = (tmp_path / "in.parquet").read_bytes()
    piped = advisor(["-", "--format", "parquet", "--output-format", "ndjson", *OPTIONS], packed, cwd=tmp_path)
    assert (piped.returncode, json.loads(piped.stdout)["score"]) == (ExitCode.DONE, 95)
    piped = advisor(["-", "--format", "csv", "-o", "out.parquet", *OPTIONS], data, cwd=tmp_path)
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").num_rows == 1
    unsaid = advisor(["-", *OPTIONS], data, cwd=tmp_path)
    assert (unsaid.returncode, unsaid.stdout) == (ExitCode.UNUSABLE, b"")
    assert b"Give --format" in unsaid.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"in.parquet", "out.parquet", "out.parquet.rejects.csv"}


# What is written, and what is not


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("seller_id,order_defect_rate\nA1,0.001\nA2,0.002\n")
    return path


def test_the_rejects_of_an_earlier_run_are_removed(accounts: Path, catalog: Catalog) -> None:
    target, rejects = accounts.with_name("out.csv"), accounts.with_name("out.csv.rejects.csv")
    good = accounts.read_text()
    accounts.write_text(good + "A3,x\n")
    assert run(catalog, accounts, target, marketplace="US").rejects == rejects
    assert rejects.exists()
    accounts.write_text(good)
    assert run(catalog, accounts, target, marketplace="US").rejects is None
    assert not rejects.exists()


def test_rejects_go_where_they_are_wanted(accounts: Path, catalog: Catalog) -> None:
    accounts.write_text("seller_id,order_defect_rate\nA1,x\n")
    elsewhere = accounts.with_name("elsewhere.csv")
    run(catalog, accounts, accounts.with_name("out.csv"), marketplace="US", rejects=elsewhere)
    assert rejects_of(elsewhere) == [["1", "order_defect_rate", "not_a_decimal"]]
    assert not accounts.with_name("out.csv.rejects.csv").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["in.csv", "-o", "in.csv"], "have to be different files"),
        (["in.csv", "-o", "./link.csv"], "have to be different files"),
        (["in.csv", "-o", "out.csv", "--rejects", "out.csv"], "have to be different files"),
        (["in.csv", "-o", "out.csv", "--rejects", "in.csv"], "have to be different files"),
        (["old.csv.rejects.csv", "-o", "old.csv"], "have to be different files"),
        (["in.csv", "-o", "no/such/out.csv"], "does not exist"),
        (["in.csv", "-o", "out.csv", "--rejects", "no/such/rejects.csv"], "does not exist"),
        (["in.csv", "-o", "out.csv", "--rejects", "folder"], "is a directory"),
        (["in.csv", "-o", "folder", "--output-format", "csv"], "is a directory"),
        (["folder", "--format", "csv", "-o", "out.csv"], "is a directory"),
        (["missing.csv", "-o", "out.csv"], "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_paths_that_cannot_be_used(accounts: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str) -> None:
    folder = accounts.parent
    monkeypatch.chdir(folder)
    (folder / "folder").mkdir()
    (folder / "link.csv").symlink_to(accounts)
    (folder / "old.csv.rejects.csv").write_bytes(accounts.read_bytes())
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    result = CliRunner().invoke(main, ["score", *args, *OPTIONS])
    assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, "")
    assert said in result.stderr
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_a_failing_run_leaves_the_old_results(
    accounts: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = accounts.with_name("out.csv")
    target.write_text("old")
    monkeypatch.setattr("advisor.batch.running._Results._add", lambda *_: 1)  # a row is lost on the way
    with pytest.raises(AssertionError, match="2 rows in, 1 scored"):
        run(catalog, accounts, target, marketplace="US")
    assert target.read_text() == "old"
    assert sorted(accounts.parent.iterdir()) == [accounts, target]


@pytest.mark.parametrize(
    ("number", "sign"),
    [(signal.SIGTERM, ".advisor-*/rows-0.csv"), (signal.SIGINT, ".advisor-*/scored")],
    ids=["while reading", "while scoring"],
)
def test_an_interrupted_run_leaves_the_old_results(tmp_path: Path, number: int, sign: str) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("seller_id,order_defect_rate\n" + "A1,0.001\n" * 1_500_000)
    target.write_text("old")
    process = subprocess.Popen(
        [ADVISOR, "score", str(source), "-o", str(target), *OPTIONS], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        until = time.monotonic() + 30
        while not list(tmp_path.glob(sign)) and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert b"Traceback" not in said
    assert target.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_a_lost_interrupt_ends_the_run_before_the_next_step(accounts: Path, catalog: Catalog) -> None:
    target = accounts.with_name("out.csv")
    target.write_text("old")
    stop = _Stop()
    with pytest.raises(KeyboardInterrupt):
        stop.take(signal.SIGINT, None)  # whoever was called just then swallows it
    job = Job(accounts, "csv", target, "csv")
    with pytest.raises(KeyboardInterrupt):
        run_file(job, Accounts(catalog, "enterprise-mall", Terms(DAY, "US")), _Quiet(stop))
    assert target.read_text() == "old"


# The engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    work = tmp_path_factory.mktemp("engine") / "work"
    work.mkdir()
    (work.parent / "secret.csv").write_text("a\n1\n")
    (work / "own.csv").write_text("a\n1\n")
    (work / "link.csv").symlink_to(work.parent / "secret.csv")
    pyarrow.parquet.write_table(pa.table({"a": [1]}), work.parent / "given.parquet")
    with locked_engine(work, work.parent / "given.parquet", None) as locked:
        locked.con.execute(f"SET VARIABLE work = '{work}'")
        yield locked.con, work


def test_the_engine_reads_and_writes_its_directory_and_the_given_file(engine: tuple[Any, Path]) -> None:
    connection, work = engine
    assert connection.execute(f"SELECT * FROM '{work}/own.csv'").fetchall() == [(1,)]
    assert connection.execute(f"SELECT * FROM '{work.parent}/given.parquet'").fetchall() == [(1,)]
    connection.execute(f"COPY (SELECT 1 AS a) TO '{work}/out.csv'")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{work}/../secret.csv')",
        "SELECT * FROM read_csv('{outside}/secret.csv')",
        "SELECT * FROM '{outside}/secret.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_csv('{outside}/*.csv')",
        "SELECT * FROM read_csv('{work}/link.csv')",
        "SELECT * FROM read_csv('http://127.0.0.1:9/a.csv')",
        "SELECT * FROM read_parquet('s3://bucket/a.parquet')",
        "COPY (SELECT 1) TO '{outside}/out.csv'",
        "COPY (SELECT 1) TO '{outside}/given.parquet.out'",
        "EXPORT DATABASE '{outside}/export'",
        "ATTACH '{outside}/other.db'",
        "ATTACH '{outside}/other.db' AS other (READ_ONLY)",
        "INSTALL httpfs",
        "LOAD httpfs",
        "INSTALL httpfs FROM 'http://127.0.0.1:9'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET lock_configuration = false",
        "SET memory_limit = '100GB'",
        "SET temp_directory = '/tmp'",
        "RESET enable_external_access",
        "PRAGMA enable_external_access",
        "PRAGMA memory_limit = '100GB'",
    ],
)
def test_the_engine_is_locked(engine: tuple[Any, Path], query: str) -> None:
    connection, work = engine
    with pytest.raises(duckdb.Error):
        connection.execute(query.format(work=work, outside=work.parent)).fetchall()
    assert {path.name for path in work.parent.iterdir()} == {"work", "secret.csv", "given.parquet"}


def test_columns_beyond_memory_are_refused_in_a_sentence(accounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.batch.engine.MEMORY", "1MB")
    result = CliRunner().invoke(main, ["score", str(accounts), "-o", str(accounts.with_name("out.csv")), *OPTIONS])
    assert result.exit_code == ExitCode.UNUSABLE
    assert "This file has 2 columns, and needs more than 1MB of memory." in result.stderr
    assert list(accounts.parent.iterdir()) == [accounts]


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A file that is large in every way: rows, sales, quotes and rejects."""
    header = SALES.splitlines()[0]
    lines = SALES.splitlines()[1:]
    with (tmp_path / "in.csv").open("w", encoding="utf-8") as out:
        out.write(header + "\n")
        for number in range(200_000):
            out.write(lines[number % len(lines)] + "\n")
    measure = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    command = [str(ADVISOR), "score", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.parquet")]
    args = [sys.executable, "-c", measure, *command, "--as-of", "2026-11-22"]
    said = subprocess.run(args, capture_output=True, check=True, timeout=120, env={**os.environ}).stdout.split()
    assert int(said[0]) == ExitCode.FOUND
    assert int(said[1]) < 2**20  # kibibytes
    table = pyarrow.parquet.read_metadata(tmp_path / "out.parquet")
    rejects = rejects_of(tmp_path / "out.parquet.rejects.csv")
    assert table.num_rows + len(rejects) == 200_000


# Constants


@pytest.mark.parametrize("constant", ["selling_plan=gold", "price=a lot", "order_defect_rate_7d=2"])
def test_a_constant_that_spoils_every_row_refuses_the_command(sales: Path, tmp_path: Path, constant: str) -> None:
    """The rows are not to blame: nothing is written, and the message names the option."""
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("seller_id,marketplace,category\nA1,US,jewelry\nA2,UK,jewelry\n")
    options = ["score", str(source), "-o", str(out), "--as-of", "2026-11-22", "--set", "price=5", "--set", constant]
    if constant.startswith("price"):
        del options[-4:-2]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == ExitCode.UNUSABLE, result.output
    assert f"--set {constant.partition('=')[0]}" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_constant_that_spoils_some_rows_rejects_those(catalog: Catalog, tmp_path: Path) -> None:
    """Yen have no decimals; dollars do."""
    source = tmp_path / "in.csv"
    source.write_text("seller_id,marketplace,category\nA1,US,jewelry\nA2,JP,pet\n")
    result = run(catalog, source, tmp_path / "out.csv", constants={"price": "9.50"})
    assert (result.scored, result.rejected) == (1, 1)
    assert rejects_of(tmp_path / "out.csv.rejects.csv")[0][:2] == ["2", "price"]
