"""Planned pre-sales: the cases under tests/cases, and what holds of every one; over HTTP listings too."""

import json
import re
import tomllib
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from advisor.catalog import Catalog
from advisor.cli import main
from advisor.domain.assessment import Observation
from advisor.domain.fees import CHANNELS
from advisor.domain.formulas import allowance, defects, meets
from advisor.domain.listing import IMAGE_FORMATS
from advisor.domain.media import MEDIA, NOT_MEDIA
from advisor.domain.numbers import PPM
from advisor.domain.pre_sale import CHECKS, KINDS, days_before, most_events, shipping_day, with_orders
from advisor.domain.program import MARKETPLACES, Bar
from advisor.errors import InvalidInput
from advisor.messages import (
    CHANNEL_NAMES,
    PRE_SALE_CALENDAR,
    PRE_SALE_DOUBTS,
    PRE_SALE_EFFECTS,
    PRE_SALE_EVENTS,
    PRE_SALE_MARGINS,
    PRE_SALE_NEEDS,
    PRE_SALE_REASONS,
    Messages,
)
from advisor.services.offers import Offers

ROOT = Path(__file__).parent.parent
PLANS = tomllib.loads((Path(__file__).parent / "cases" / "pre-sale.toml").read_text(encoding="utf-8"))
CATALOG = Catalog()
OFFERS = Offers(CATALOG)
BOUNDED = settings(derandomize=True, database=None, deadline=None, max_examples=200)


def numbered(entries: list[dict[str, Any]]) -> list[Any]:
    """Name entries by their numbers."""
    return [pytest.param(one, id=f"{number}-{one['says'][:40]}") for number, one in enumerate(entries, start=1)]


def known(answer: Any) -> Any:
    """Write an answer's null the way the cases do."""
    return "unknown" if answer is None else answer


# Pre-sales


def plan_of(case: dict[str, Any]) -> dict[str, Any]:
    """Build a request: the plan that keeps every rule, less what the case leaves out, with what it gives."""
    body: dict[str, Any] = deepcopy(PLANS["plan"][case["plan"]])
    for name in case.get("without", ()):
        del body[name]
    return {**body, **case.get("given", {})}


@pytest.mark.parametrize("case", numbered(PLANS["case"]))
def test_a_plan_is_answered_as_its_case_says(case: dict[str, Any]) -> None:
    answer = OFFERS.pre_sale_checks(plan_of(case), Messages())
    findings = {one["rule"]: one for one in answer["findings"]}
    for key in case.keys() & {"verdict", "missing"}:
        assert answer[key] == case[key]
    if "findings" in case:
        assert bool(findings) == bool(case["findings"])
    for rule, expected in case.get("findings", {}).items():
        assert f"{findings[rule]['outcome']} {findings[rule]['reason']}" == expected, rule
    for rule, expected in case.get("observed", {}).items():
        assert {key: findings[rule]["observed"][key] for key in expected} == expected
    dates = {one["event"]: one for one in answer["calendar"]}
    if "dates" in case:
        assert {name: one["date"] for name, one in dates.items() if name in case["dates"]} == case["dates"]
        assert ("ships" in dates) == ("ships" in case["dates"])
    if "doubts" in case:
        assert {name: one["doubt"] for name, one in dates.items() if one["doubt"]} == case["doubts"]
    for one in dates.values():
        assert bool(one["note"]) == bool(one["doubt"])
    if "skipped" in case:
        assert [f"{one['date']} {one['because']}" for one in dates["ships"]["skipped"]] == case["skipped"]
    if "margin" in case:
        assert f"{answer['margin']['outcome']} {answer['margin']['reason']}" == case["margin"]
    effects = {f"{one['program']}-{one['criterion']}": one for one in answer["effects"]}
    for name, expected in case.get("effects", {}).items():
        found = effects[name]
        after = found["after"] and {key: found["after"][key] for key in ("events", "count", "of", "outcome")}
        also = [one["most"] for one in found["also_published"]]
        seen = {"reason": found["reason"], "most": known(found["most"]), "after": known(after), "also": also}
        assert {key: seen[key] for key in expected} == expected, name


@pytest.mark.parametrize("case", numbered(PLANS["refused"]))
def test_a_plan_that_cannot_be_used_is_refused_with_pointer_and_code(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        OFFERS.pre_sale_checks(plan_of(case), Messages())
    assert [(one.pointer, one.code) for one in caught.value.problems] == [(case["pointer"], case["code"])]


def test_every_rule_has_a_case_on_each_side() -> None:
    """Of every rule with a block; where the data has no table there is only unknown."""
    seen = {
        (rule, expected.split()[0], PLANS["plan"][case["plan"]]["marketplace"])
        for case in PLANS["case"]
        for rule, expected in case.get("findings", {}).items()
        if "marketplace" not in case.get("given", {})
    }
    for rule in CATALOG.pre_sale.rules:
        for block in rule.blocks:
            for place in block.marketplaces:
                if rule.id == "category" and not block.asks.refused:
                    assert (rule.id, "unknown", place) in seen
                else:
                    assert {(rule.id, "met", place), (rule.id, "missed", place)} <= seen


def test_every_sentence_of_a_case_can_be_written() -> None:
    """And every reason is met in some case, but for those of a rule that has no block."""
    reasons, margins, effects, events, doubts = set(), set(), set(), set(), set()
    for case in PLANS["case"]:
        answer = OFFERS.pre_sale_checks(plan_of(case), Messages())
        reasons |= {one["reason"] for one in answer["findings"]}
        margins.add(answer["margin"]["reason"])
        effects |= {one["reason"] for one in answer["effects"]}
        events |= {one["event"] for one in answer["calendar"]}
        doubts |= {one["doubt"] for one in answer["calendar"]} - {None}
        assert all("{" not in text for text in sentences(answer))
    assert PRE_SALE_REASONS.keys() - reasons == {"return_policy_stated", "return_policy_not_stated"}
    assert margins == PRE_SALE_MARGINS.keys()
    # Nobody names a metric that pre-orders touch without a number yet.
    assert PRE_SALE_EFFECTS.keys() - effects == {"no_published_threshold"}
    assert events == PRE_SALE_CALENDAR.keys() and doubts == PRE_SALE_DOUBTS.keys()
    assert {one.event for one in CATALOG.pre_sale.touched} == PRE_SALE_EVENTS.keys()


def sentences(value: Any) -> list[str]:
    """Collect every text of an answer that people read."""
    if isinstance(value, dict):
        here = [text for key, text in value.items() if key in ("message", "text", "advice", "note") and text]
        return here + [text for inner in value.values() for text in sentences(inner)]
    return [text for inner in value for text in sentences(inner)] if isinstance(value, list) else []


# A word of the JSON, a date as the JSON has it, or an amount with its currency's code.
CODE = re.compile(r"`|\b[a-z]+_[a-z_]+|\b\d{4}-\d{2}-\d{2}\b|\d [A-Z]{3}\b")


def test_no_sentence_has_a_code_in_it() -> None:
    """Of answers to plans, and of what is wrong with them."""
    needed = set()
    for case in PLANS["case"]:
        answer = OFFERS.pre_sale_checks(plan_of(case), Messages())
        told = [answer["message"], answer["margin"]["message"]]
        told += [one["message"] for one in [*answer["findings"], *answer["effects"]]]
        told += [one["note"] for one in answer["calendar"] if one["note"]]
        assert [sentence for sentence in told if CODE.search(sentence)] == [], case["says"]
        needed |= {name for one in answer["findings"] for name in one["needs"]}
    assert needed <= PRE_SALE_NEEDS.keys()
    assert tuple(CHANNEL_NAMES) == CHANNELS


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_with_the_date_of_a_plan_is_said_in_words(kind: str) -> None:
    key, other = ("release_on", "restock_on") if kind == "pre_order" else ("restock_on", "release_on")
    plan = {"marketplace": "US", "kind": kind, "listed_on": "2027-06-04"}
    for dates, pointers in (
        ({}, [key]),
        ({other: "2027-07-04"}, [other, key]),
        ({key: "2027-07-04", "promised_ship_on": "2027-06-03"}, ["promised_ship_on"]),
        ({key: "2027-07-04", "fulfillment": "seller_prime", "prime": False}, ["prime"]),
    ):
        with pytest.raises(InvalidInput) as caught:
            OFFERS.pre_sale_checks({**plan, **dates}, Messages())
        assert [one.pointer for one in caught.value.problems] == [f"/{name}" for name in pointers]
        assert [one.detail for one in caught.value.problems if CODE.search(one.detail)] == []


def test_sentences_have_names_days_amounts_and_numbers_as_the_language_writes_them() -> None:
    body = {**PLANS["plan"][PLANS["case"][0]["plan"]], "stock_secured": 1000, "expected_units": 2500}
    body |= {"as_of": "2026-11-22", "listed_on": "2027-06-04", "release_on": "2027-07-04", "holidays": []}
    body |= {"promised_ship_on": "2027-07-04", "fulfillment": "seller", "prime": None, "selling_plan": "professional"}
    body["line"] = {"category": "jewelry", "price": "300", "unit_cost": "180", "fulfillment_cost": "9.5"}
    answer = OFFERS.pre_sale_checks(body, Messages())
    said = {one["rule"]: one["message"] for one in answer["findings"]}
    assert "the seller. Allowed: the seller and the seller with Prime." in said["channel"]
    assert "1,000 secured, 2,500 expected, 1,500 lacking." in said["stock"]
    assert "July 4, 2027, but the published date is July 5, 2027." in said["promised-ship-date"]
    assert "$" in answer["margin"]["message"] and "USD" not in answer["margin"]["message"]
    found = {one["rule"]: one["observed"] for one in answer["findings"]}
    assert found["channel"] == {"fulfillment": "seller"}
    assert found["promised-ship-date"]["ships_on"] == "2027-07-05"
    for name in ("stock_secured", "expected_units"):
        del body[name]
    (stock,) = [one for one in OFFERS.pre_sale_checks(body, Messages())["findings"] if one["rule"] == "stock"]
    assert stock["needs"] == ["stock_secured", "expected_units"]
    assert "the units that are secured and the units that are expected" in stock["message"]
    elsewhere = OFFERS.pre_sale_checks({**body, "marketplace": "AU", "line": None}, Messages())
    assert "November 22, 2026" in elsewhere["message"]


def test_only_marketplaces_with_a_published_rule_are_covered() -> None:
    covered = {
        (place, kind)
        for rule in CATALOG.pre_sale.rules
        for block in rule.blocks
        for place in block.marketplaces
        for kind in block.kinds
    }
    assert covered == {("US", "pre_order"), ("US", "back_order"), ("JP", "pre_order")}
    for place in MARKETPLACES:
        for kind, key in zip(KINDS, ("release_on", "restock_on"), strict=True):
            body = {"marketplace": place, "kind": kind, "listed_on": "2027-06-01", key: "2027-06-20"}
            answer = OFFERS.pre_sale_checks({**body, "as_of": "2026-11-22"}, Messages())
            assert (answer["verdict"] == "not_covered") == ((place, kind) not in covered)
            assert bool(answer["findings"]) == ((place, kind) in covered)
            assert [one["id"] for one in answer["not_published"]] == ["deposit", "application", "review"]


DAYS = st.dates(date(1900, 1, 1), date(2999, 12, 31))
CLOSED = st.frozensets(st.integers(0, 6), max_size=6)


@BOUNDED
@given(day=DAYS, closed=CLOSED, offsets=st.frozensets(st.integers(0, 40), max_size=40))
def test_the_shipping_day_is_the_first_open_one(day: date, closed: frozenset[int], offsets: frozenset[int]) -> None:
    holidays = frozenset(day + timedelta(days=offset) for offset in offsets)
    ships, skipped = shipping_day(day, closed, holidays)
    assert ships >= day and ships.weekday() not in closed and ships not in holidays
    passed = [day + timedelta(days=number) for number in range((ships - day).days)]
    assert [one.day for one in skipped] == passed
    for one in skipped:
        assert one.because == ("weekend" if one.day.weekday() in closed else "holiday")
        assert one.because == "weekend" or one.day in holidays


@BOUNDED
@given(day=DAYS, number=st.integers(0, 30), closed=CLOSED, offsets=st.frozensets(st.integers(1, 60), max_size=30))
def test_going_back_counts_open_days_only(
    day: date, number: int, closed: frozenset[int], offsets: frozenset[int]
) -> None:
    holidays = frozenset(day - timedelta(days=offset) for offset in offsets)
    start = days_before(day, number, closed, holidays)
    between = [start + timedelta(days=offset) for offset in range((day - start).days)]
    assert sum(one.weekday() not in closed and one not in holidays for one in between) == number
    assert number == 0 or (start.weekday() not in closed and start not in holidays)


@BOUNDED
@given(
    comparison=st.sampled_from(["below", "at_most", "at_least", "above"]),
    ppm=st.integers(0, PPM) | st.sampled_from([5_000, 10_000, 20_000, 25_000, 40_000, 900_000, 950_000]),
    counts=st.tuples(st.integers(0, 120), st.integers(0, 120)).map(lambda pair: (min(pair), max(pair))),
    orders=st.integers(1, 120),
)
def test_the_most_is_the_largest_number_that_meets_the_bar(
    comparison: str, ppm: int, counts: tuple[int, int], orders: int
) -> None:
    """By trying every number: those that meet the bar are exactly those up to it."""
    bar = Bar(comparison, ppm, (), None)
    seen = Observation(*counts)
    most = most_events(bar, seen, orders)
    good = []
    for events in range(orders + 1):
        after = with_orders(bar, seen, orders, events)
        assert after.of == counts[1] + orders and 0 <= after.count <= after.of
        bad = defects(comparison, after.count, after.of)
        good.append(meets(allowance(comparison, ppm), bad, after.of))
    assert good == [most is not None and events <= most for events in range(orders + 1)]


# The rule files


def test_every_block_says_what_to_do_and_where_it_stands() -> None:
    rules = CATALOG.pre_sale
    assert [rule.id for rule in rules.rules] == list(CHECKS)
    for rule in rules.rules:
        assert rule.text.endswith(".") and (rule.blocks or (rule.note and rule.sources))
        for block in rule.blocks:
            assert block.sources and (block.level != "required" or block.consequence)
    assert {one for several in rules.media.values() for one in several} <= {*MEDIA, NOT_MEDIA}
    for place, category in rules.media:
        assert CATALOG.schedule(place).category(category) is not None
    cited = [one.sources for one in rules.touched] + [one.sources for one in rules.not_published]
    assert all(cited)


def test_the_rules_are_among_the_numbers_that_somebody_confirms() -> None:
    files = {one.file for one in CATALOG.confirmations()}
    assert "policies/pre-sale.toml" in files


# Over HTTP and as commands

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """A plan that is in order."""
    kind = draw(st.sampled_from(KINDS))
    place = draw(st.sampled_from(MARKETPLACES))
    listed = draw(st.dates(date(1900, 1, 1), date(2998, 1, 1)))
    due = listed + timedelta(days=draw(st.integers(-5, 40) | st.integers(0, 700)))

    def maybe(values: st.SearchStrategy[Any]) -> Any:
        return draw(st.none() | values)

    def near() -> Any:
        """A date near the release or restock, at which the offer is open already."""
        return maybe(st.integers(-40, 40).map(lambda days: max(listed, due + timedelta(days=days)).isoformat()))

    days = st.lists(st.integers(0, 20).map(lambda offset: (due + timedelta(days=offset)).isoformat()), max_size=20)
    count = st.tuples(st.integers(0, 50), st.integers(0, 10**6)).map(lambda two: {"count": two[0], "of": sum(two)})
    schedule = CATALOG.schedule(place)
    line = {
        "category": draw(st.sampled_from(sorted(schedule.categories) or ["anything"])),
        "price": str(draw(st.integers(1, 10**6))),
        "unit_cost": maybe(st.integers(0, 10**6).map(str)),
        "fulfillment_cost": maybe(st.integers(0, 10**3).map(str)),
    }
    prime = maybe(st.booleans())
    channels = [one for one in ("seller", "seller_prime", "amazon") if one != "seller_prime" or prime is not False]
    return {
        "marketplace": place,
        "as_of": maybe(st.dates(date(2024, 1, 1), date(2028, 1, 1)).map(date.isoformat)),
        "kind": kind,
        "listed_on": listed.isoformat(),
        ("release_on" if kind == "pre_order" else "restock_on"): due.isoformat(),
        "promised_ship_on": near() if due.year < 2990 and due.year > 1901 else None,
        "earliest_delivery_on": near() if due.year < 2990 and due.year > 1901 else None,
        "holidays": maybe(days),
        "media": maybe(st.sampled_from((*MEDIA, NOT_MEDIA))),
        "fulfillment": maybe(st.sampled_from(channels)),
        "prime": prime,
        "stock_secured": maybe(st.integers(0, 10**6)),
        "expected_units": maybe(st.integers(1, 10**6)),
        "handling_days": maybe(st.integers(0, 366)),
        "release_date_published": maybe(st.booleans()),
        "early_delivery_allowed": maybe(st.booleans()),
        "return_policy_stated": maybe(st.booleans()),
        "selling_plan": maybe(st.sampled_from(["professional", "individual"])),
        "line": maybe(st.just(line)),
        "metrics": maybe(
            st.fixed_dictionaries(
                {},
                optional={
                    "late_shipment_rate": count,
                    "pre_fulfillment_cancellation_rate": count,
                    "unit_on_time_delivery_rate": count,
                },
            )
        ),
        "late_share": maybe(st.sampled_from(["0", "0.013", "1"])),
        "cancelled_share": maybe(st.sampled_from(["0", "0.5", "1"])),
    }


@pytest.fixture(scope="module")
def described(app: Any) -> dict[str, Any]:
    """The document as served."""
    document: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return document


def holds(document: dict[str, Any], path: str, body: Any, answer: Any) -> None:
    """Hold a request and its answer against the document."""
    operation = document["paths"][path]["post"]
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    response = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for schema, value in ((request, body), (response, answer)):
        Draft202012Validator({**schema, "components": document["components"]}).validate(value)


@settings(BOUNDED, max_examples=100)
@given(body=plans())
def test_every_plan_in_order_is_answered_as_documented(app: Any, described: dict[str, Any], body: Any) -> None:
    """Its verdict follows from its findings, and an unknown is never a pass."""
    answer = app.test_client().post("/v1/pre-sale-checks", json=body)
    assert answer.status_code == 200, answer.text
    holds(described, "/v1/pre-sale-checks", body, answer.json)
    required = {one["outcome"] for one in answer.json["findings"] if one["level"] == "required"}
    if answer.json["verdict"] == "allowed":
        assert required <= {"met", "not_applicable"} and required
    assert (answer.json["verdict"] == "not_allowed") == ("missed" in required)
    dates = [one["date"] for one in answer.json["calendar"]]
    assert dates == sorted(dates)
    for one in answer.json["effects"]:
        if one["after"] and one["most"] is not None:
            assert (one["after"]["events"] <= one["most"]) == (one["after"]["outcome"] == "met")


@settings(BOUNDED, max_examples=50)
@given(
    listings=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "ref": st.none() | st.just("sku"),
                "title": st.none() | TEXTS.filter(lambda text: "\0" not in text),
                "item_highlights": st.none() | st.just("steel"),
                "bullet_points": st.none() | st.lists(st.just("a") | st.just(""), max_size=4),
                "description": st.none() | st.just("x" * 5000),
                "search_terms": st.none() | st.just("best new " * 50),
                "images": st.none() | st.integers(1, 1000),
                "main_image": st.none()
                | st.fixed_dictionaries(
                    {},
                    optional={
                        "longest_side": st.none() | st.integers(1, 20_000),
                        "filled_percent": st.none() | st.integers(0, 100),
                        "format": st.none() | st.sampled_from(IMAGE_FORMATS),
                        "white_background": st.none() | st.booleans(),
                    },
                ),
                "gtin": st.none() | st.sampled_from(["", "4006381333931", "12345678", "x"]),
                "gtin_exempt": st.none() | st.booleans(),
                "media": st.none() | st.booleans(),
                "attributes": st.none() | st.dictionaries(st.sampled_from(["a", "b"]), st.none() | st.just("x")),
                "required_attributes": st.none() | st.lists(st.sampled_from(["a", "b", "c"])),
            },
        ),
        min_size=1,
        max_size=3,
    )
)
def test_every_listing_in_order_is_answered_as_documented(app: Any, described: dict[str, Any], listings: Any) -> None:
    body = {"marketplace": "US", "listings": listings}
    answer = app.test_client().post("/v1/listing-checks", json=body)
    assert answer.status_code == 200, answer.text
    holds(described, "/v1/listing-checks", body, answer.json)
    assert len(answer.json["listings"]) == len(listings)


@pytest.mark.parametrize(
    ("command", "sample", "named"),
    [
        (
            "pre-sale",
            "pre-sale.json",
            [
                "Pre-order: before the release, United States (US), 2026-11-22\n",
                "• Amazon Business seller program (Enterprise Mall): Late shipment rate, 30 days: ",
                "of the expected orders (200) up to 11 may be late, and the bar, below 2%, is still met.",
            ],
        ),
        ("listing", "listing.json", ["sku-1, United States (US), 2026-11-25\n"]),
    ],
)
def test_a_command_answers_as_the_api_does(client: FlaskClient, command: str, sample: str, named: list[str]) -> None:
    file = ROOT / "data" / "samples" / sample
    done = CliRunner().invoke(main, [command, str(file), "--json"])
    assert done.exit_code == 0, done.output
    address = f"/v1/{command}-checks"
    expected = client.post(address, data=file.read_bytes(), content_type="application/json").json
    assert json.loads(done.stdout) == expected
    shown = CliRunner().invoke(main, [command, str(file)])
    assert shown.exit_code == 0 and expected["marketplace"] in shown.stdout
    assert "Sources" in shown.stdout
    assert all(" ".join(one.split()) in " ".join(shown.stdout.split()) for one in named)
    again = CliRunner().invoke(main, [command, "-", "--json"], input=file.read_text(encoding="utf-8"))
    assert json.loads(again.stdout) == expected


@pytest.mark.parametrize("command", ["pre-sale", "listing"])
def test_a_command_refuses_what_the_api_refuses(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--marketplace", "XX"], input="{}")
    assert done.exit_code == 2
    assert "--marketplace: Allowed are US" in done.stderr
    assert "standard input cannot be used." in done.stderr
