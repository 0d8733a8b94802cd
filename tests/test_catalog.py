"""A bad data file is refused by file, key, what was found and what is allowed."""

import shutil
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from advisor.catalog import Catalog, default_data_dir
from advisor.domain.fees import FeeLine, estimate_line
from advisor.errors import AdvisorError, DataError, DataProblem, UnknownName

MALL, US, UK, IN, MX = "programs/enterprise-mall.toml", "fees/us.toml", "fees/uk.toml", "fees/in.toml", "fees/mx.toml"
POLICIES = [f"policies/{name}.toml" for name in ("listing", "pre-sale", "red-lines")]
MISTAKES = tomllib.loads((Path(__file__).parent / "cases" / "mistakes.toml").read_text(encoding="utf-8"))["mistake"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_data_dir(), tmp_path / "data"))


def edit(data: Path, file: str, old: str, new: str) -> None:
    """Replace the first occurrence of a text in a data file."""
    text = (data / file).read_text(encoding="utf-8")
    assert old in text
    (data / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def problems_of(data: Path, file: str = "") -> list[DataProblem]:
    """Load what a file says, or everything, and return what is wrong."""
    catalog, path = Catalog(data), Path(file)
    loads: dict[str, Callable[[], object]] = {
        "fees": lambda: catalog.schedule(path.stem.upper()),
        "programs": lambda: catalog.program(path.stem),
        "sources": lambda: catalog.sources,
        "metrics": lambda: catalog.vocabulary,
        "stages": lambda: catalog.process,
        "b2b_share": lambda: catalog.cited_share,
        "listing": lambda: catalog.listing,
        "pre-sale": lambda: catalog.pre_sale,
        "red-lines": lambda: catalog.red_lines,
    }
    with pytest.raises(DataError) as caught:
        (loads.get(path.parent.name) or loads.get(path.stem, catalog.load_all))()
    return caught.value.problems


def test_the_data_as_shipped_is_accepted(data: Path) -> None:
    Catalog(data).load_all()


@pytest.mark.parametrize("mistake", [pytest.param(one, id=f"{one['file']}-{one['new']}") for one in MISTAKES])
def test_a_mistake_is_refused_by_file_key_found_and_allowed(data: Path, mistake: dict[str, str]) -> None:
    edit(data, mistake["file"], mistake["old"], mistake["new"])
    found = problems_of(data, mistake["file"])
    assert {problem.file for problem in found} == {mistake["file"]}
    assert any(one.key == mistake["key"] and mistake["told"] in one.detail for one in found), found


def test_a_key_of_another_source_file_is_refused(data: Path) -> None:
    edit(data, "sources/fees.toml", "[us-pricing-page]", "[marketplace-pulse-2023-gmv]")
    assert DataProblem(
        "sources/fees.toml", "marketplace-pulse-2023-gmv", "another file of data/sources has this key already"
    ) in problems_of(data)  # fmt: skip


@pytest.mark.parametrize("file", [US, "metrics.toml", "stages.toml", "b2b_share.toml", MALL, "sources/b2b.toml"])
@pytest.mark.parametrize(
    "content", [b'note = "caf\xe9"', "\ufeffnote = 1".encode(), b"note = ", b"\x00", b"a = 1\na = 2"]
)
def test_a_file_that_is_not_toml_in_utf_8_is_refused(data: Path, file: str, content: bytes) -> None:
    (data / file).write_bytes(content)
    found = problems_of(data, file)
    assert [(problem.file, problem.key) for problem in found] == [(file, "file")]
    assert found[0].detail.startswith("this is not TOML in UTF-8: ")


@pytest.mark.parametrize("file", [US, MX, "metrics.toml", "stages.toml", "b2b_share.toml"])
def test_a_missing_file_is_named(data: Path, file: str) -> None:
    (data / file).unlink()
    assert problems_of(data, file) == [DataProblem(file, "file", "this file is missing")]


@pytest.mark.parametrize("file", ["sources/fees.toml", "sources/programs.toml"])
def test_without_a_file_of_sources_nothing_that_cites_it_is_accepted(data: Path, file: str) -> None:
    (data / file).unlink()
    assert all(problem.key.endswith(("sources", "confidence", "basis")) for problem in problems_of(data))


def test_every_mistake_of_a_file_is_reported_at_once(data: Path) -> None:
    edit(data, US, "decimals = 2", "decimals = 9")
    edit(data, US, 'rate = "45 %"', 'rate = "45"')
    edit(data, US, "to = 2024-01-14", "to = 2024-01-10")
    edit(data, US, "closing_fee = 1.80", "closing_fees = 1.80")
    assert {problem.key for problem in problems_of(data)} == {
        "decimals",
        "category[amazon_device_accessories].version[1].rate",
        "category[clothing_accessories]",
        "category[media].version[1].closing_fees",
    }


def test_the_mistakes_of_all_files_are_reported_at_once(data: Path) -> None:
    edit(data, US, "decimals = 2", "decimals = 9")
    edit(data, IN, 'currency = "INR"', "currency = 356")
    edit(data, MALL, 'title = "Amazon', 'heading = "Amazon')
    for file in POLICIES:
        edit(data, file, "[[", 'heading = "?"\n[[')
    edit(data, "stages.toml", 'label = "Listing"', 'name = "Listing"')
    edit(data, "b2b_share.toml", "low = ", "lowest = ")
    found = {problem.file for problem in problems_of(data)}
    assert found == {US, IN, MALL, *POLICIES, "stages.toml", "b2b_share.toml"}


def test_media_of_a_category_that_no_fee_schedule_has_is_refused(data: Path) -> None:
    edit(data, "policies/pre-sale.toml", 'categories = ["media"]', 'categories = ["medai"]')
    file, found = "policies/pre-sale.toml", "found 'medai', which is no fee category in US"
    assert problems_of(data) == [DataProblem(file, "media", found)]


def test_a_program_is_refused_where_nothing_is_measured(data: Path) -> None:
    (data / "metrics.toml").write_text("[metric]\n[fact]\n", encoding="utf-8")
    found = problems_of(data, MALL)
    assert {problem.file for problem in found} == {MALL}
    assert "allowed are none here" in found[-1].detail


@pytest.mark.parametrize("file", ["metrics.toml", "sources/fees.toml"])
def test_a_mistake_in_what_other_files_use_is_reported_too(data: Path, file: str) -> None:
    edit(data, file, "[", "heading = 1\n[")
    assert {problem.file for problem in problems_of(data)} == {file}


def test_the_text_of_a_problem_names_file_and_key(data: Path) -> None:
    edit(data, US, "decimals = 2", "decimals = 9")
    with pytest.raises(AdvisorError, match=r"fees/us\.toml: decimals: found 9; it is a whole number from 0 to 3"):
        Catalog(data).schedule("US")


def test_a_bad_file_does_not_stand_in_the_way_of_the_others(data: Path) -> None:
    edit(data, US, "decimals = 2", "decimals = 9")
    catalog = Catalog(data)
    assert catalog.schedule("UK").currency == "GBP"
    with pytest.raises(DataError):
        catalog.schedule("US")


def test_names_that_do_not_exist_are_told_from_those_that_do(catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match="There are: enterprise-mall, account-health"):
        catalog.program("enterprise")
    with pytest.raises(UnknownName, match="There are: US, CA, MX"):
        catalog.schedule("us")


def test_a_new_closing_fee_table_is_read_with_the_same_groups(data: Path) -> None:
    """The categories name their groups once, whatever the number of dated tables."""
    table = (data / IN).read_text(encoding="utf-8").split("[[closing_fee_table]]")[1].split("[[fact]]")[0]
    later = table.replace("2026-03-16", "2027-01-01", 1).replace('"#" = 26', '"#" = 27')
    ended = table.replace("from = 2026-03-16", 'from = 2026-03-16\nto = 2026-12-31\nto_kind = "documented"', 1)
    edit(data, IN, table, f"{ended}[[closing_fee_table]]{later}")
    schedule = Catalog(data).schedule("IN")
    line = FeeLine("mattresses", 30_000, fulfillment="amazon")
    for day, fee in ((date(2026, 12, 31), 2600), (date(2027, 1, 1), 2700)):
        parts = estimate_line(schedule, day, line, "professional", None).per_unit
        assert parts is not None and parts.closing_fee == fee


def test_what_nobody_confirmed_lately_can_be_found(catalog: Catalog) -> None:
    """Every number in force says when it was last confirmed; ended ones do not."""
    confirmations = list(catalog.confirmations())
    days = {(one.file, one.place): one.day for one in confirmations}
    assert days["fees/ca.toml", "category jewellery"] == date(2019, 2, 19)
    assert days["fees/us.toml", "category jewelry"] == date(2026, 9, 8)
    assert ("fees/us.toml", "category collectible_coins") not in days
    assert any(file == MALL and "late-shipment-30d" in place for file, place in days)
    assert all(one.day <= date(2026, 11, 25) for one in confirmations)
