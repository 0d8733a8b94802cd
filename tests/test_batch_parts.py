"""Files scored part by part: whatever the parts, and in whatever order they come, the joined results are the same."""

import csv
import random
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advisor.batch import FORMATS, REJECTS, scored_name
from advisor.batch.parts import join, score_part
from advisor.batch.running import Job, Silent, Terms, opened, run_file
from advisor.batch.scoring import Accounts
from advisor.catalog import Catalog

DAY = date(2026, 11, 22)


def kind(catalog: Catalog) -> Accounts:
    return Accounts(catalog, "enterprise-mall", Terms(DAY, constants={"selling_plan": "professional"}))


COLUMNS = ["order_defect_rate_count", "order_defect_rate_of", "late_shipment_rate_30d"]
SALE = ["category", "price", "units", "note"]
HEADER = ",".join(["seller_id", "marketplace", *COLUMNS, *SALE])


def accounts(number: int) -> str:
    """Write a file with blank lines, broken rows, quoted line breaks, and cells that cannot be used."""
    draw = random.Random(7)
    lines = [HEADER]
    for index in range(number):
        place, category = draw.choice((("US", "jewelry"), ("UK", "jewellery"), ("JP", "books"), ("US", "nonsense")))
        orders = draw.randint(1, 3000)
        rate = draw.choice(("0.01", "0.02", "", "2%", "abc"))
        note = draw.choice(("", '"two\nlines"', "=1+1", "plain", "“x”"))
        row = f"S{index},{place},{draw.randint(0, orders)},{orders},{rate},{category},{draw.randint(1, 500)},3,{note}"
        lines.append(draw.choice((row, row, row, row, row, row, "", row + ",more", 'S,"broken" quote,1')))
    return "\n".join(lines) + "\n"


def new(directory: Path) -> Path:
    """Make an empty directory."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def score_parts(
    source: Path, form: str, catalog: Catalog, place: Path, part_rows: int, only: Sequence[int] | None = None
) -> list[Path]:
    """Score parts of a file in random order, each into a directory; gives all directories."""
    with opened(source, form, kind(catalog), new(place / "work"), FORMATS, part_rows=part_rows) as run:
        numbers = list(range(len(run.parts))) if only is None else list(only)
        random.Random(part_rows).shuffle(numbers)
        for number in numbers:
            score_part(run, number, place / f"part-{number}")
        return [place / f"part-{number}" for number in range(len(run.parts))]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "accounts.csv"
    path.write_text(accounts(48), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(source: Path, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command makes of the file, in every format."""
    place = tmp_path_factory.mktemp("whole")
    for one in FORMATS:
        result = run_file(Job(source, "csv", place / scored_name(one), one), kind(catalog))
        assert 0 < result.rejected < result.rows
    (place / f"{scored_name('csv')}.rejects.csv").rename(place / REJECTS)
    return place


def same(joined: Path, whole: Path) -> None:
    """Check that joined results are those of the command, to the byte, in Parquet to the cell and type."""
    for name in (scored_name("csv"), scored_name("ndjson"), REJECTS):
        assert (joined / name).read_bytes() == (whole / name).read_bytes(), name
    assert cells(joined / scored_name("parquet")).equals(cells(whole / scored_name("parquet")))


def cells(parquet: Path) -> pa.Table:
    """Read the cells with their types; whether a column happens to have no nulls is left out."""
    table = pq.read_table(parquet)
    return table.cast(pa.schema([column.with_nullable(True) for column in table.schema]))


@pytest.mark.parametrize("part_rows", [1, 7, 20, 1000])
def test_parts_of_any_size_in_any_order_make_what_the_command_makes(
    source: Path, whole: Path, catalog: Catalog, tmp_path: Path, part_rows: int
) -> None:
    parts = score_parts(source, "csv", catalog, tmp_path, part_rows)
    assert (len(parts) > 1) == (part_rows < 1000)
    join(parts, tmp_path, tmp_path / "work")
    same(tmp_path, whole)


def test_a_run_that_was_cut_off_goes_on_with_the_parts_that_are_missing(
    source: Path, whole: Path, catalog: Catalog, tmp_path: Path
) -> None:
    score_parts(source, "csv", catalog, tmp_path, 10, only=(0, 2))
    with opened(source, "csv", kind(catalog), new(tmp_path / "work"), FORMATS, part_rows=10) as run:
        numbers = range(len(run.parts))
    parts = score_parts(source, "csv", catalog, tmp_path, 10, only=[one for one in numbers if one not in (0, 2)])
    join(parts, tmp_path, tmp_path / "work")
    same(tmp_path, whole)


def test_ndjson_and_parquet_come_in_parts_too(source: Path, catalog: Catalog, tmp_path: Path) -> None:
    rows = [row for row in csv.DictReader(accounts(30).replace('"broken" quote', "").splitlines()) if row["units"]]
    ndjson = tmp_path / "in.ndjson"
    ndjson.write_bytes(b"".join(orjson.dumps({k: v for k, v in row.items() if k}) + b"\n" for row in rows))
    parquet = tmp_path / "in.parquet"
    with duckdb.connect() as engine:
        columns = ", ".join(f"{name}: VARCHAR" for name in HEADER.split(","))
        query = f"SELECT * FROM read_json('{ndjson}', columns = {{{columns}}})"
        engine.execute(f"COPY ({query}) TO '{parquet}' (FORMAT parquet)")
    for path, form in ((ndjson, "ndjson"), (parquet, "parquet")):
        place = tmp_path / form
        parts = score_parts(path, form, catalog, place, 9)
        assert len(parts) > 1
        join(parts, place, place / "work")
        target = place / f"command.{form}"
        run_file(Job(path, form, target, form), kind(catalog))
        if form == "parquet":
            assert cells(target).equals(cells(place / scored_name(form)))
        else:
            assert target.read_bytes() == (place / scored_name(form)).read_bytes()
        assert Path(f"{target}.rejects.csv").read_bytes() == (place / REJECTS).read_bytes()


def test_a_file_of_rejects_alone_has_results_without_rows(catalog: Catalog, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEADER}\n" + "S,XX,1,2,,books,1,1,\n" * 5)
    parts = score_parts(source, "csv", catalog, tmp_path, 2)
    join(parts, tmp_path, tmp_path / "work")
    assert (tmp_path / scored_name("csv")).read_text().count("\n") == 1
    assert (tmp_path / scored_name("ndjson")).read_bytes() == b""
    assert pq.read_table(tmp_path / scored_name("parquet")).num_rows == 0


class EndsAt(Silent):
    """Ends the work at one of the steps."""

    def __init__(self, step: int) -> None:
        self.left = step

    def check(self) -> None:
        self.left -= 1
        if not self.left:
            raise KeyError("the end")


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_a_part_that_is_ended_on_the_way_is_not_there_and_can_be_scored_again(
    source: Path, whole: Path, catalog: Catalog, tmp_path: Path, step: int
) -> None:
    how = {"progress": EndsAt(step), "part_rows": 10**6}
    with opened(source, "csv", kind(catalog), new(tmp_path / "work"), FORMATS, **how) as run:  # type: ignore[arg-type]
        with pytest.raises(KeyError):
            score_part(run, 0, tmp_path / "part-0")
        assert not (tmp_path / "part-0").exists()
        score_part(run, 0, tmp_path / "part-0")
    join([tmp_path / "part-0"], tmp_path, tmp_path / "work")
    same(tmp_path, whole)
