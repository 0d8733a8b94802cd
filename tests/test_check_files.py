"""Files of listings, texts and planned pre-sales: each row is answered as the request that it would be."""

import csv
import json
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from marshmallow import Schema

from advisor.batch.bodies import Bodies, Reading
from advisor.batch.checking import Check, Checks
from advisor.batch.reading import MOST_COLUMNS
from advisor.batch.running import Job, Result, Terms, run_file
from advisor.catalog import Catalog
from advisor.cli import ExitCode, main
from advisor.cli.files import _Quiet, _Stop
from advisor.domain.red_lines import KINDS
from advisor.errors import InvalidInput
from advisor.inputs.bodies import Inner, Several, Strict
from advisor.inputs.values import Count, Flag, LongText, Rate, Text
from advisor.messages import messages_in
from advisor.services.files import CHECKS

DAY = date(2026, 11, 22)
COMMANDS = {"listings": "listing", "texts": "policy", "plans": "pre-sale"}
FORMATS = ("csv", "ndjson", "parquet")
Body = dict[str, Any]


@pytest.fixture(scope="module")
def checks(catalog: Catalog) -> dict[str, Check]:
    return {name: make(catalog, messages_in("en")) for name, make in CHECKS.items()}


def take(catalog: Catalog, check: Check, source: Path, target: Path, **terms: Any) -> Result:
    """Check a file as the command does."""
    kinds = {f".{one}": one for one in FORMATS}
    job = Job(source, kinds[source.suffix], target, kinds[target.suffix])
    return run_file(job, Checks(check, Terms(DAY, **terms), catalog.vocabulary))


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read results in any format; empty cells are None."""
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as read:
        return [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(read)]


def rejects_of(target: Path) -> list[tuple[int, str, str]]:
    path = target.with_name(f"{target.name}.rejects.csv")
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as read:
        rows = list(csv.reader(read))
    assert rows[0] == ["row", "column", "code", "reason"]
    assert all(reason.endswith((".", '".')) for *_, reason in rows[1:])
    return [(int(row), column, code) for row, column, code, _ in rows[1:]]


# A file equals single requests


def some(draw: Random, *values: Any) -> Any:
    return draw.choice(values)


COMPLETE: Body = {
    "title": "Hammer",
    "item_highlights": "Steel and ash",
    "bullet_points": ["Head of forged steel", "Handle of ash wood", "Weighs 450 g in all"],
    "description": "A hammer.",
    "search_terms": "nail puller",
    "images": 3,
    "main_image": {"longest_side": 1600, "filled_percent": 90, "format": "jpeg", "white_background": True},
    "attributes": {"brand": "Ex"},
    "required_attributes": ["brand"],
    "gtin": "4006381333931",
    "ref": None,
}


def a_listing(draw: Random) -> Body:
    """A listing of which anything may be wrong or, each fifth time, one thing only."""
    names = ["brand", "head material", "Größe"]
    drawn = {
        "title": some(draw, None, "", "Hammer", "x" * 199, "x" * 200, "x" * 201, "Hammer, “steel”\n450 g", "锤子" * 90),
        "bullet_points": some(
            draw, None, [], ["Forged"], ["Forged", ""], ["", "Ash"], ["a", "b", "c"], [" "], ["=1+1", "-"]
        ),
        "description": some(draw, None, "", " ", "A hammer.", "y" * 2000, "y" * 2001, "#" * 10_001),
        "images": some(draw, None, 0, 1, 7, 1000, 1001),
        "attributes": some(draw, None, {}, {"brand": "Ex"}, {"brand": "", "Größe": "5"}, dict.fromkeys(names, "v")),
        "required_attributes": some(draw, None, ["brand"], names),
        "item_highlights": some(draw, None, "", "Steel", "z" * 126),
        "search_terms": some(draw, None, "", "puller", "锤" * 84),
        "main_image": some(draw, None, {"longest_side": 499}, {"format": "gif", "filled_percent": 84}),
        "gtin": some(draw, None, "", "4006381333931", "4006381333932", "12"),
        "gtin_exempt": some(draw, None, True, False),
        "media": some(draw, None, True, False),
        "ref": some(draw, None, "sku-1"),
    }
    one = draw.choice(list(drawn))
    return drawn if draw.random() < 0.8 else {**COMPLETE, one: drawn[one]}


def a_text(draw: Random) -> Body:
    kind = draw.choice((*KINDS, "message", "message", "letter"))
    return {
        "kind": kind,
        "text": some(
            draw,
            "",
            "Your order is on its way and will arrive tomorrow.",
            "Please write to anna (at) example [dot] com, or call +1 212 555 0100.",
            "请加我的微信 abc12345",
            "Schreiben Sie uns eine gute Bewertung.",
            "ExampleTools.com",
            "Please leave us a positive review and get a free gift card!",
        ),
        "language": some(draw, None, None, "en", "zh", "de", "x-1"),
        "message_type": some(draw, None, "unexpectedProblem", "nonsense"),
        "reply": some(draw, None, None, True, False),
        "order_completed_on": some(draw, None, None, "2026-11-01", "2026-09-01", "2026-02-30"),
        "sent_on": some(draw, None, None, "2026-11-20", "2026-10-15"),
    }


def a_plan(draw: Random) -> Body:
    kind = some(draw, "pre_order", "pre_order", "back_order")
    due = some(draw, "2027-07-04", "2027-07-03", "2027-09-30", "2027-06-01", "soon")
    line = {
        "category": some(draw, "jewelry", "books", "nonsense"),
        "price": some(draw, "300.00", "12.5", "0", "a lot"),
        "unit_cost": some(draw, None, "180.00", "400"),
        "fulfillment_cost": some(draw, None, "9.50"),
        "business_order": some(draw, None, True),
        "refund_rate": some(draw, None, "0.02"),
    }
    late = {"count": draw.randint(0, 40), "of": some(draw, 600, 1200, 30), "window_days": 30}
    return {
        "kind": kind,
        "listed_on": "2027-06-04",
        "release_on": due if kind == "pre_order" else None,
        "restock_on": due if kind == "back_order" and draw.random() < 0.9 else None,
        "promised_ship_on": some(draw, None, "2027-07-06", "2027-07-02", "2027-10-01"),
        "holidays": some(draw, None, ["2027-07-05"], ["2027-07-05", "2027-07-06"]),
        "fulfillment": some(draw, None, "seller", "amazon", "seller_prime"),
        "stock_secured": some(draw, None, 150, 200),
        "expected_units": some(draw, None, 200, 10**6, 10**6 + 1),
        "handling_days": some(draw, None, 1, 3),
        "return_policy_stated": some(draw, None, True, False),
        "release_date_published": some(draw, None, True, False),
        "line": line if draw.random() < 0.6 else None,
        "programs": some(draw, None, ["enterprise-mall"], ["enterprise-mall", "account-health-seller-fulfilled"]),
        "metrics": some(draw, None, {"late_shipment_rate": [late]}, {"unit_on_time_delivery_rate": [{"rate": "0.95"}]}),
        "late_share": some(draw, None, "0.05", "1.5"),
    }


MAKE: dict[str, Callable[[Random], Body]] = {"listings": a_listing, "texts": a_text, "plans": a_plan}
# Where an empty text is an answer of its own.
TEXTS = ("title", "item_highlights", "description", "search_terms", "gtin", "text")
LISTS = {"bullet_points": "bullet_point", "holidays": "holiday", "programs": "program",
         "required_attributes": "required_attribute"}  # fmt: skip


def in_columns(item: Body) -> dict[str, str]:
    """Write an item as cells of CSV, as the document says: only what is there has a column of its own."""
    cells: dict[str, str] = {}
    for name, value in item.items():
        if value is None:
            if name in TEXTS:
                cells[name] = "N/A"
        elif name in LISTS and value[-1:] == [""]:
            cells[name] = json.dumps(value)  # in columns of their own the last entries are those that are filled in
        elif name in LISTS:
            cells |= {f"{LISTS[name]}_{number}": one for number, one in enumerate(value, 1)} or {f"{LISTS[name]}_1": ""}
        elif name == "attributes":
            cells |= {f"attribute_{key}": one for key, one in value.items()} or {name: "{}"}
        elif name == "main_image":
            cells |= {f"main_image_{key}": one for key, one in in_columns(value).items()}
        elif name == "line":
            cells |= in_columns(value)
        elif name == "metrics":
            for metric, (one,) in value.items():
                stem = metric + (f"_{one['window_days']}d" if "window_days" in one else "")
                parts = {"count": f"{stem}_count", "of": f"{stem}_of", "rate": stem}
                cells |= {column: str(one[part]) for part, column in parts.items() if part in one}
        else:
            cells[name] = ("yes" if value else "NO") if isinstance(value, bool) else str(value)
    return cells


def unknown_in(cells: Mapping[str, str], name: str) -> str:
    """What a row has in a column of another row: an empty text would say of a list or an attribute that it is empty."""
    return "N/A" if name.startswith(("bullet_point_", "attribute_")) else ""


def columns(check: Check, body: Body) -> list[Any]:
    """What a single request answers, in the columns of a file."""
    found = check.values(check.ask(body))
    return [found.get(name) for name in check.outputs]


def expected(check: Check, item: Body, marketplace: str, day: str | None) -> tuple[list[Any] | None, list[str]]:
    """What a single request answers, or the codes with which it is refused."""
    body = {"marketplace": marketplace, "as_of": day or DAY.isoformat()}
    body |= {check.items: [item]} if check.items else item
    try:
        return columns(check, body), []
    except InvalidInput as error:
        return None, sorted(problem.code for problem in error.problems)


@pytest.mark.parametrize("name", CHECKS)
def test_a_file_equals_single_requests(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path, name: str
) -> None:
    check, draw = checks[name], Random(name)
    places = [draw.choice(("US", "UK", "JP", "IN", "AU")) for _ in range(300)]
    items = [MAKE[name](draw) for _ in places]
    days = [draw.choice((None, "2020-01-01", "2026-11-25", "2027-06-01")) for _ in places]
    singles = [expected(check, *one) for one in zip(items, places, days, strict=True)]

    rows = [in_columns(item) for item in items]
    header = list(dict.fromkeys(column for row in rows for column in row))
    draw.shuffle(header)
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([draw.choice((str.upper, str))(one) if "ttribute_" not in one else one for one in header])
        writer.writerows([row.get(column, unknown_in(row, column)) for column in header] for row in rows)
    with (tmp_path / "in.csv").open(encoding="utf-8", newline="") as read:
        lines = list(csv.reader(read))
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as out:
        beside = zip(["marketplace", *places], ["As_Of", *days], lines, strict=True)
        csv.writer(out).writerows([place, day, *line] for place, day, line in beside)

    flat = [{"marketplace": place, "as_of": day, **item} for item, place, day in zip(items, places, days, strict=True)]
    (tmp_path / "in.ndjson").write_text("\n".join(map(json.dumps, flat)), encoding="utf-8")

    names = list(check.outputs)
    seen: Counter[str] = Counter()
    for source in ("in.csv", "in.ndjson"):
        target = tmp_path / f"{source}.ndjson"
        result = take(catalog, check, tmp_path / source, target)
        answered = iter(rows_of(target))
        refused = Counter((row, code) for row, _, code in rejects_of(target))
        for number, (values, codes) in enumerate(singles, 1):
            if values is None:
                assert sorted(code for row, code in refused.elements() if row == number) == codes, items[number - 1]
                seen["rejected"] += 1
            else:
                row = next(answered)
                told = [one.isoformat() if isinstance(one, date) else one for one in values]
                assert [row[one] for one in names] == told, items[number - 1]
                seen[row["verdict"]] += 1
        assert next(answered, None) is None
        assert result.scored + result.rejected == result.rows == len(items)
    assert len(seen) >= 4 and min(seen.values()) >= 4, seen


# Formats

LISTINGS = """\
sku,Marketplace,Title,bullet_point_1,bullet_point_2,description,images,attribute_brand,attribute_Größe,required_attribute_1
a,US,"Hammer, ""steel\""",Forged,,N/A,3,Ex,5,brand
b,gb,=1+1,,,,0,,,"=cmd|x"
c,US,Hammer,Forged,Ash,A hammer.,7,Ex,,
d,XX,Hammer,,,,,,,
"""
BODIES = [
    {"sku": "a", "Marketplace": "US", "title": 'Hammer, "steel"', "bullet_points": ["Forged"], "images": 3,
     "attributes": {"brand": "Ex", "Größe": "5"}, "required_attributes": ["brand"]},
    {"sku": "b", "Marketplace": "gb", "title": "=1+1", "bullet_points": [], "description": "", "images": 0,
     "attributes": {"brand": "", "Größe": ""}, "required_attributes": ["=cmd|x"]},
    {"sku": "c", "Marketplace": "US", "title": "Hammer", "bullet_points": ["Forged", "Ash"],
     "description": "A hammer.", "images": 7, "attributes": {"brand": "Ex", "Größe": ""}, "required_attributes": None},
    {"sku": "d", "Marketplace": "XX", "title": "Hammer", "bullet_points": [], "description": "", "images": None,
     "attributes": None, "required_attributes": None},
]  # fmt: skip


def answers(rows: Sequence[Mapping[str, Any]], check: Check) -> list[list[str]]:
    """The columns that were added, as texts."""
    names = list(check.outputs)
    return [["" if row[name] is None else str(row[name]).removeprefix("'") for name in names] for row in rows]


def as_request(body: Body) -> Body:
    """What the API is sent for it."""
    item = {name: value for name, value in body.items() if name not in ("sku", "Marketplace")}
    return {"marketplace": body["Marketplace"], "as_of": DAY.isoformat(), "listings": [item]}


@pytest.fixture(scope="module")
def same_listings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same listings as CSV, as lines of JSON (flat, and as bodies) and as Parquet with lists and objects."""
    folder = tmp_path_factory.mktemp("listings")
    (folder / "in.csv").write_text(LISTINGS, encoding="utf-8")
    (folder / "in.ndjson").write_text("\n".join(map(json.dumps, BODIES)), encoding="utf-8")
    (folder / "bodies.ndjson").write_text(json.dumps(as_request(BODIES[0])), encoding="utf-8")
    types = {
        "images": pa.int16(),
        "bullet_points": pa.list_(pa.string()),
        "required_attributes": pa.list_(pa.string()),
        "attributes": pa.map_(pa.string(), pa.string()),
    }
    names = list(dict.fromkeys(name for body in BODIES for name in body))
    table = {
        name: pa.array(
            [list(v.items()) if isinstance(v := body.get(name), dict) else v for body in BODIES],
            types.get(name, pa.string()),
        )
        for name in names
    }
    pq.write_table(pa.table(table), folder / "in.parquet")
    return folder


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_format_in_and_out_gives_the_same_answers(
    catalog: Catalog, checks: Mapping[str, Check], same_listings: Path, tmp_path: Path, source: str, target: str
) -> None:
    check, out = checks["listings"], tmp_path / f"out.{target}"
    result = take(catalog, check, same_listings / f"in.{source}", out)
    assert (result.rows, result.scored, result.rejected) == (4, 3, 1)
    assert (result.passed_through, result.near) == (["sku"], {})
    assert rejects_of(out) == [(4, "Marketplace", "unknown_marketplace")]
    rows = rows_of(out)
    expected_rows = [columns(check, as_request(body)) for body in BODIES[:3]]
    assert answers(rows, check) == [["" if one is None else str(one) for one in values] for values in expected_rows]
    assert [row["sku"] for row in rows] == ["a", "b", "c"]
    assert [row["verdict"] for row in rows] == ["undetermined", "incomplete", "undetermined"]
    assert rows[1]["missed"] == "bullet_points description images attributes"
    assert rows[0]["unknown"] == "description main_image gtin"
    assert rows[1]["missing_attributes"] == ("'=cmd|x" if target == "csv" else "=cmd|x")
    assert rows[1]["Title" if source == "csv" else "title"] == ("'=1+1" if target == "csv" else "=1+1")
    if source == target == "ndjson":
        kept = [{name: row.get(name) for name in body} for row, body in zip(rows, BODIES, strict=False)]
        assert kept == [{**body, "images": str(body["images"])} for body in BODIES[:3]]


def test_the_columns_of_a_listing_tell_what_decides_what_is_advice_and_what_was_found(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path
) -> None:
    listing = {
        **COMPLETE,
        "title": "Hammer hammer HAMMER ~",
        "bullet_points": ["Head of forged steel", "🔥 and ash"],
        "main_image": {"longest_side": 400},
        "required_attributes": ["brand", "item weight", "size"],
        "gtin": "4006381333932",
    }
    (tmp_path / "in.ndjson").write_text(json.dumps({"as_of": "2026-11-25", **listing}))
    take(catalog, checks["listings"], tmp_path / "in.ndjson", tmp_path / "out.ndjson", marketplace="US")
    (row,) = rows_of(tmp_path / "out.ndjson")
    expected = {
        "verdict": "incomplete",
        "missed": "attributes title_repeated_words bullet_point_2_emoji gtin_check_digit",
        "unknown": "main_image_filled_percent main_image_format main_image_background",
        "missed_advice": "bullet_points_count images_count main_image_longest_side",
        "missing_attributes": "item weight; size",
        "found": "title_repeated_words: hammer; bullet_point_2_emoji: 🔥",
        "title_outcome": "missed",
        "title_level": "required",
        "title_reason": "repeated_words_found",
        "title_characters": 22,
        "main_image_outcome": "missed",
        "main_image_level": "advisory",
        "bullet_points_reason": "below_limit emoji_found",
        "bullet_points_characters": 20,
        "bullet_points_bytes": 20,
        "description_outcome": "met",
    }
    assert {name: row[name] for name in expected} == expected


def test_a_body_with_one_entry_is_the_same_row(
    catalog: Catalog, checks: Mapping[str, Check], same_listings: Path, tmp_path: Path
) -> None:
    check = checks["listings"]
    take(catalog, check, same_listings / "in.ndjson", tmp_path / "flat.ndjson")
    take(catalog, check, same_listings / "bodies.ndjson", tmp_path / "bodies.ndjson")
    flat, bodies = (rows_of(tmp_path / f"{name}.ndjson") for name in ("flat", "bodies"))
    assert answers(bodies, check) == answers(flat[:1], check)


def test_parquet_has_typed_columns(catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path) -> None:
    plan = {
        "kind": "pre_order", "listed_on": date(2027, 6, 4), "release_on": date(2027, 7, 4),
        "holidays": [date(2027, 7, 5)],
        "promised_ship_on": date(2027, 7, 6), "fulfillment": "seller", "stock_secured": 150.0, "expected_units": 200,
        "handling_days": 1, "return_policy_stated": True, "late_share": Decimal("0.0500"), "note": [1, 2],
        "line": {"category": "jewelry", "price": "300.00", "unit_cost": "180.00", "fulfillment_cost": "9.50"},
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([plan]), tmp_path / "in.parquet")
    check = checks["plans"]
    take(catalog, check, tmp_path / "in.parquet", tmp_path / "out.parquet", marketplace="US")
    (row,) = rows_of(tmp_path / "out.parquet")
    assert {name: row[name] for name in plan} == plan
    assert (row["ships_on"], row["stock_needed_on"]) == (date(2027, 7, 6), date(2027, 7, 2))
    assert (row["contribution"], row["currency"], row["missed_advice"]) == (Decimal("58.00"), "USD", "stock")
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "out.parquet")}
    assert (types["ships_on"], types["contribution"]) == ("date32[day]", "decimal128(20, 2)")


def test_a_column_of_lists_where_one_value_is_read_refuses_the_file(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path
) -> None:
    pq.write_table(pa.table({"title": [["Hammer"]]}), tmp_path / "in.parquet")
    with pytest.raises(InvalidInput) as refused:
        take(catalog, checks["listings"], tmp_path / "in.parquet", tmp_path / "out.csv", marketplace="US")
    assert [(one.pointer, one.code) for one in refused.value.problems] == [("title", "not_text")]


# Columns


class SizeSchema(Strict):
    width = Count(1, 20_000, required=True)
    checked = Flag()


class AnySchema(Strict):
    """Fields of every kind, as a request may have them one day."""

    search_terms = LongText(10)
    keywords = Several(Text(5, required=True), allow_none=True)
    images = Several(Inner(SizeSchema), allow_none=True)
    share = Rate()
    best = Inner(SizeSchema, allow_none=True)


class AnyRequest(Strict):
    things = Several(Inner(AnySchema), required=True)


def made(schema: Schema, cells: Mapping[str, str | None], catalog: Catalog, how: Reading = Reading()) -> Body:  # noqa: B008
    bodies = Bodies(schema, "things", catalog.vocabulary)
    bodies.read(list(cells), {}, [], None)
    assert bodies.other == []
    return bodies.body(dict(enumerate(cells.values())), how)["things"][0]  # type: ignore[no-any-return]


def test_what_a_request_takes_one_day_a_file_takes(catalog: Catalog) -> None:
    cells = {
        "Search_Terms": " hammer ",
        "keyword_2": "ash",
        "keyword_1": " steel ",
        "keyword_3": "",
        "image_2_width": "500",
        "image_1_width": "1000",
        "image_1_checked": "Yes",
        "share": "12.50 %",
        "best_width": "7",
    }
    assert made(AnyRequest(), cells, catalog) == {
        "search_terms": " hammer ",
        "keywords": ["steel", "ash"],
        "images": [{"width": 1000, "checked": True}, {"width": 500}],
        "share": "0.125",
        "best": {"width": 7},
    }
    whole = {"images": '[{"width": 5}]', "best": '{"width": 6}', "keywords": "[]", "share": "0,5"}
    semicolons = Reading(decimal_comma=True)
    assert made(AnyRequest(), whole, catalog, semicolons) == {
        "images": [{"width": 5}],
        "best": {"width": 6},
        "keywords": [],
        "share": "0.5",
    }


@pytest.mark.parametrize("cell", ["", "N/A", " n/a ", None])
def test_an_empty_cell_is_unknown_unless_an_empty_text_is_a_value(catalog: Catalog, cell: str | None) -> None:
    found = made(AnyRequest(), {"share": cell, "keyword_1": cell, "best_width": cell, "search_terms": cell}, catalog)
    assert found == ({"search_terms": ""} if cell == "" else {})
    found = made(AnyRequest(), {"search_terms": cell}, catalog, Reading(nulls=True))
    assert found == ({} if cell is None else {"search_terms": cell})


def test_the_fields_of_an_object_of_which_the_file_has_nothing_that_it_needs_mean_something_else(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path
) -> None:
    """Without category and price there is no sale: refund_rate is then the account's."""
    header = "kind,listed_on,release_on,ref,refund_rate"
    row = "pre_order,2027-06-04,2027-07-04,p1,2%"
    (tmp_path / "in.csv").write_text(f"{header}\n{row}\n")
    result = take(catalog, checks["plans"], tmp_path / "in.csv", tmp_path / "out.csv", marketplace="US")
    assert (result.scored, result.passed_through) == (1, ["ref"])
    (tmp_path / "in.csv").write_text(f"{header},category,price\n{row},jewelry,300\n")
    result = take(catalog, checks["plans"], tmp_path / "in.csv", tmp_path / "out.csv", marketplace="US")
    assert (result.scored, result.passed_through) == (1, [])


@pytest.mark.parametrize("name", CHECKS)
def test_no_result_has_the_name_of_a_column_that_is_read(
    catalog: Catalog, checks: Mapping[str, Check], name: str
) -> None:
    check = checks[name]
    outputs = list(check.outputs)
    assert len(outputs) < MOST_COLUMNS
    bodies = Bodies(check.schema, check.items, catalog.vocabulary, check.without, check.bare)
    assert len(set(bodies.names)) == len(bodies.names)
    assert set(bodies.names).isdisjoint(outputs)


def test_the_closing_sentence_names_what_was_not_read(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("sku,Titel,bullet point 1,Descripton,images\na,Hammer,Forged,,3\n")
    args = ["listing", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--marketplace", "US"]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == ExitCode.DONE
    assert result.stderr.startswith("1 of 1 listings checked in ")
    assert result.stderr.endswith(
        " Passed through without a meaning here: sku, Titel (did you mean title?), "
        "bullet point 1 (did you mean bullet_point_1?), "
        "Descripton (did you mean description?).\n"
    )


# The command


@pytest.mark.parametrize("command", ["listing", "policy", "pre-sale"])
def test_rows_in_a_file_whose_name_does_not_tell(tmp_path: Path, command: str) -> None:
    """It is read as one body of JSON; that it may be rows is said along with what is wrong with that."""
    source = tmp_path / "in.txt"
    source.write_text("title,text,kind\nHammer,Hammer,message\n")
    result = CliRunner().invoke(main, [command, str(source), "--marketplace", "US"])
    assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, "")
    assert result.stderr == (
        f"advisor: {source} cannot be used: This is not JSON at line 1, column 1: Expecting value. "
        "Of a file with many rows the name ends in .csv, .ndjson or .parquet, or --format says what it is.\n"
    )


@pytest.mark.parametrize("name", CHECKS)
def test_a_body_of_json_stays_one_request(name: str, tmp_path: Path) -> None:
    sample = Path("data/samples") / {"listings": "listing", "texts": "policy", "plans": "pre-sale"}[name]
    done = CliRunner().invoke(main, [COMMANDS[name], f"{sample}.json", "--json"])
    assert done.exit_code == ExitCode.DONE and json.loads(done.stdout)["marketplace"] == "US"
    piped = CliRunner().invoke(main, [COMMANDS[name], "-", "--json"], input=Path(f"{sample}.json").read_text())
    assert piped.stdout == done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["listing.json", "-o", "out.csv"], "-o: for files of many rows. Say what FILE is: --format csv"),
        (["-", "--set", "a=b", "--rejects", "r.csv"], "--set, --rejects: for files of many rows."),
        (["in.csv", "--json"], "--json is for one body of JSON."),
        (["in.xlsx"], "in.xlsx is a workbook. Save the sheet as “CSV UTF-8”"),
        (["in.csv", "-o", "out.txt"], "The format of out.txt cannot be told by its name. Give --output-format"),
        (["in.csv", "-o", "in.csv"], "The file of listings, the results and the rejects have to be different files."),
        (["no.csv"], "no.csv does not exist. Name a file of listings, or - for standard input."),
        (["in.csv", "--as-of", "today"], "--as-of: A date is written YYYY-MM-DD"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("title\nHammer\n")
    result = CliRunner().invoke(main, ["listing", *args], input="{}")
    assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, "")
    assert said in " ".join(result.stderr.split())
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_standard_input_and_output() -> None:
    data = "kind;text\nbusiness_name;ExampleTools.com\nletter;Hello\n"
    args = ["policy", "--format", "csv", "--marketplace", "US", "--as-of", "2026-11-22"]
    result = CliRunner().invoke(main, args, input=data)
    assert result.exit_code == ExitCode.FOUND
    row = dict(zip(*csv.reader(result.stdout.splitlines()), strict=True))
    assert (row["verdict"], row["permitted"], row["spans"]) == ("prohibited", "false", "email-style-name:0-16")
    assert result.stderr.splitlines()[:2] == [
        "row,column,code,reason",
        '2,kind,not_allowed,"Allowed are message, listing_title, listing_bullet, listing_description, business_name."',
    ]
    assert result.stderr.splitlines()[2].startswith("1 of 2 texts checked in ")


def test_a_lost_interrupt_ends_the_run_before_the_next_row(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("title\nHammer\nHammer\n")
    target.write_text("old")
    stop = _Stop()
    asked = 0

    def ask(body: Any) -> Any:
        nonlocal asked
        asked += 1
        with suppress(KeyboardInterrupt):
            stop.take(signal.SIGINT, None)  # whoever was called just then swallows it
        return checks["listings"].ask(body)

    check = replace(checks["listings"], ask=ask)
    with pytest.raises(KeyboardInterrupt):
        run_file(Job(source, "csv", target, "csv"), Checks(check, Terms(DAY, "US"), catalog.vocabulary), _Quiet(stop))
    assert (asked, target.read_text(), sorted(tmp_path.iterdir())) == (1, "old", [source, target])


def test_a_constant_fills_a_missing_column(catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nExampleTools.com\n")
    terms = {"marketplace": "US", "constants": {"KIND": "business_name"}}
    take(catalog, checks["texts"], tmp_path / "in.csv", tmp_path / "out.csv", **terms)
    assert rows_of(tmp_path / "out.csv")[0]["rules"] == "email-style-name"
    (tmp_path / "in.csv").write_text("title\nHammer\n")
    terms = {"marketplace": "US", "constants": {"attribute_Brand": "Ex", "required_attribute_1": "Brand"}}
    take(catalog, checks["listings"], tmp_path / "in.csv", tmp_path / "out.csv", **terms)
    assert rows_of(tmp_path / "out.csv")[0]["attributes_outcome"] == "met"


@pytest.mark.parametrize("source", FORMATS)
def test_a_blank_text_is_rejected_and_blanks_around_one_count(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path, source: str
) -> None:
    path, target = tmp_path / f"in.{source}", tmp_path / "out.csv"
    rows = [{"kind": "business_name", "text": text} for text in ("", "  ", "\u200b", " Ex.com")]
    if source == "csv":
        path.write_text("".join(f"{row['kind']},{row['text']}\n" for row in [{"kind": "kind", "text": "text"}, *rows]))
    elif source == "ndjson":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    take(catalog, checks["texts"], path, target, marketplace="US")
    assert {(column, code) for _, column, code in rejects_of(target)} == {("text", "missing")}
    assert len(rejects_of(target)) == 3
    assert [row["spans"] for row in rows_of(target)] == ["email-style-name:1-7"]


def test_of_many_findings_a_row_lists_some_and_counts_the_others(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path
) -> None:
    texts = ("t.me/a " * 107, "Which color shall the ring have?")
    (tmp_path / "in.csv").write_text("".join(f"{one}\n" for one in ("text", *texts)))
    terms = {"marketplace": "US", "constants": {"kind": "message"}}
    take(catalog, checks["texts"], tmp_path / "in.csv", tmp_path / "out.csv", **terms)
    many, none = rows_of(tmp_path / "out.csv")
    assert (len(many["spans"].split()), many["findings_left_out"]) == (100, "7")
    assert (many["verdict"], many["permitted"]) == ("prohibited", "false")
    assert (none["spans"], none["findings_left_out"]) == (None, "0")


# Large files


@pytest.mark.parametrize("source", FORMATS)
def test_many_parts_give_what_one_part_gives(
    catalog: Catalog, checks: Mapping[str, Check], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Rows and rejects, whole parts of them too, byte for byte in their order."""
    path = tmp_path / f"in.{source}"
    rows = [{"ref": f"r{n}", "title": "Hammer" * (n % 7), "images": "x" if n % 5 == 2 else n % 9} for n in range(300)]
    if source == "csv":
        lines = ["ref,title,images", *(",".join(map(str, row.values())) for row in rows)]
        lines[100:160] = ["broken"] * 60
    else:
        lines = [*map(json.dumps, rows)]
        lines[100:160] = ["{"] * 60
    path.write_text("\n".join(lines), encoding="utf-8")
    if source == "parquet":
        pq.write_table(pa.Table.from_pylist([{name: str(cell) for name, cell in row.items()} for row in rows]), path)
    check = checks["listings"]
    whole = take(catalog, check, path, tmp_path / "whole.csv", marketplace="US")
    assert whole.scored + whole.rejected == 300 and whole.rejected >= 60
    monkeypatch.setattr(Checks, "part_rows", 16)
    monkeypatch.setattr("advisor.batch.checking.CHUNK", 5)
    parts = take(catalog, check, path, tmp_path / "parts.csv", marketplace="US")
    assert (parts.scored, parts.rejected) == (whole.scored, whole.rejected)
    for end in ("", ".rejects.csv"):
        assert (tmp_path / f"parts.csv{end}").read_bytes() == (tmp_path / f"whole.csv{end}").read_bytes()


def test_memory_does_not_grow_with_the_number_of_rows_and_rejects(tmp_path: Path) -> None:
    """Many parts, nearly all of them rejects, take no more than one."""
    measure = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
    )
    used = []
    for number in (20_000, 300_000):
        source = tmp_path / "in.ndjson"
        with source.open("w") as lines:
            for row in range(number):
                good = row % (number // 100) == 0
                lines.write(json.dumps({"title": "Hammer", "description": "x" * 300}) if good else '{"title": "Ham')
                lines.write("\n")
        advisor, out = Path(sys.executable).with_name("advisor"), tmp_path / "out.csv"
        args = [sys.executable, "-c", measure, advisor, "listing", source, "-o", out, "--marketplace", "US"]
        said = subprocess.run(args, capture_output=True, check=True, timeout=120).stdout.split()
        assert int(said[0]) == ExitCode.FOUND
        assert len(rows_of(tmp_path / "out.csv")) == 100
        assert len(rejects_of(tmp_path / "out.csv")) == number - 100
        used.append(int(said[1]))
    assert used[1] < used[0] + 32, used  # MiB


# Bad files


CORPUS = tomllib.loads((Path(__file__).parent / "corpus" / "bad_check_files.toml").read_text(encoding="utf-8"))["file"]


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["name"])
def test_bad_file(case: Mapping[str, Any], tmp_path: Path) -> None:
    kind = "csv" if "csv" in case else "ndjson"
    source, target = tmp_path / f"in.{kind}", tmp_path / "out.ndjson"
    source.write_text(case[kind], encoding="utf-8")
    options = case.get("options", ["--marketplace", "US"])
    args = [case["command"], str(source), "-o", str(target), "--as-of", "2026-11-22", *options]
    result = CliRunner().invoke(main, args)
    said = result.stderr
    assert "Traceback" not in result.output
    if "refused" in case:
        assert (result.exit_code, result.stdout) == (ExitCode.UNUSABLE, ""), said
        assert said.startswith("advisor: ") and case["refused"] in said
        assert list(tmp_path.iterdir()) == [source]
        return
    assert [list(one) for one in rejects_of(target)] == case["rejects"], said
    assert [row["verdict"] for row in rows_of(target)] == case["verdicts"]
    assert result.exit_code == ExitCode.FOUND
    rejected = len({row for row, *_ in case["rejects"]})
    assert f"{len(case['verdicts'])} of {len(case['verdicts']) + rejected} " in said
