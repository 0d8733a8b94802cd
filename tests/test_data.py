"""The rule data itself: complete, cited, and in agreement with what it is about."""

import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from babel.numbers import get_currency_precision

from advisor.catalog import Catalog, default_data_dir
from advisor.domain.fees import FeeLine, estimate_line
from advisor.domain.formulas import INTEGERS, percentage_exact
from advisor.domain.numbers import HIGHEST_AMOUNT, PPM
from advisor.domain.program import MARKETPLACES, Level, Metric
from advisor.domain.program import rules_in_force as rules
from advisor.domain.sources import BASES, Source, has_address, in_force

DAY = date(2026, 11, 22)
COVERED = [place for place in MARKETPLACES if place != "MX"]
MALL_OFFICIAL, MALL_GUIDELINE = ("US", "CA"), ("UK", "DE", "FR", "IT", "ES", "JP", "IN", "MX")
REQUIRED = ("selling-plan", "order-defect", "pre-fulfillment-cancellation-7d", "late-shipment-30d")
FILES = sorted(
    str(path.relative_to(default_data_dir()))
    for path in default_data_dir().rglob("*.toml")
    if "samples" not in path.parts
)


def raw(name: str) -> dict[str, Any]:
    return tomllib.loads((default_data_dir() / name).read_text(encoding="utf-8"))


def cited_in(value: Any) -> set[str]:
    """Collect every source that a file names, wherever it stands."""
    if isinstance(value, dict):
        here = set(value["sources"]) if "sources" in value else set()
        return here.union(*(cited_in(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(cited_in(inner) for inner in value))
    return set()


# Files and sources


def test_every_file_is_known_and_loads(catalog: Catalog) -> None:
    catalog.load_all()
    expected = {"metrics.toml", "stages.toml", "b2b_share.toml"}
    expected |= {"policies/pre-sale.toml", "policies/listing.toml", "policies/red-lines.toml"}
    expected |= {f"programs/{name}.toml" for name in catalog.program_ids}
    expected |= {f"fees/{place.lower()}.toml" for place in MARKETPLACES}
    assert {name for name in FILES if not name.startswith("sources/")} == expected


def test_the_programs_are_those_that_are_promised(catalog: Catalog) -> None:
    assert catalog.program_ids == [
        "enterprise-mall",
        "account-health-amazon-fulfilled",
        "account-health-seller-fulfilled",
        "business-seller-badge",
        "premium-shipping",
        "seller-fulfilled-prime",
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_at_its_top_what_it_is_about(name: str) -> None:
    first = (default_data_dir() / name).read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ") and len(first) > 40


def test_every_source_is_cited_and_every_citation_has_its_source(catalog: Catalog) -> None:
    cited = set().union(*(cited_in(raw(name)) for name in FILES if not name.startswith("sources/")))
    assert cited == catalog.sources.keys()


@pytest.mark.parametrize("key", sorted(Catalog().sources))
def test_a_source_can_be_looked_up_or_says_so(catalog: Catalog, key: str) -> None:
    one = catalog.sources[key]
    assert one.url is None or one.url.startswith(("https://", "http://"))
    assert one.url is None or " " not in one.url
    assert one.title and one.publisher
    assert one.published_on is None or one.published_on <= one.read_on


def based_in(value: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give every basis of a file with its sources, wherever it stands."""
    if isinstance(value, dict):
        if value.get("basis") in BASES:
            yield value["basis"], tuple(value["sources"])
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from based_in(inner)


def test_what_is_official_stands_on_a_page_of_amazon_or_in_a_copy_of_one(catalog: Catalog) -> None:
    based = {file: list(based_in(raw(file))) for file in FILES}
    assert {file.partition("/")[0] for file, several in based.items() if several} == {"policies", "programs"}
    assert sum(1 for file in based if file.startswith("policies/") and based[file]) == 3
    for file, several in based.items():
        for basis, keys in several:
            cited = [catalog.sources[key] for key in keys]
            of_amazon = any(one.url and one.trust in ("official", "staff") for one in cited)
            assert basis == "guideline" or of_amazon, (file, keys)


# Programs


def test_every_number_of_every_program_has_a_source_of_its_own(catalog: Catalog) -> None:
    for program in map(catalog.program, catalog.program_ids):
        for criterion in program.criteria:
            for block in criterion.thresholds:
                bars = [block.bar, *block.also_published]
                assert all(bar.sources for bar in bars), criterion.id
                assert block.level is not Level.REQUIRED or block.consequence, criterion.id
        assert all(note.sources for note in program.notes)


def test_everything_that_is_judged_has_a_remedy_and_a_stage(catalog: Catalog) -> None:
    stages = [stage.id for stage in catalog.process.stages]
    for program in map(catalog.program, catalog.program_ids):
        for criterion in program.criteria:
            judged = any(block.bar.value is not None for block in criterion.thresholds)
            assert not judged or catalog.process.remedies.get(criterion.subject.key), criterion.subject.key
            assert criterion.subject.stage in stages


def test_every_remedy_is_about_something_that_a_program_reads(catalog: Catalog) -> None:
    read = {one.subject.key for name in catalog.program_ids for one in catalog.program(name).criteria}
    parts = {part for metric in catalog.vocabulary.metrics.values() for part in metric.components}
    assert catalog.process.remedies.keys() <= read | parts
    for several in catalog.process.remedies.values():
        assert all(one.text.endswith(".") and one.why.endswith(".") and one.sources for one in several)


def test_a_criterion_id_ends_in_its_days_where_the_metric_has_several_windows(catalog: Catalog) -> None:
    for program in map(catalog.program, catalog.program_ids):
        windows: dict[str, set[int | None]] = {}
        for criterion in program.criteria:
            windows.setdefault(criterion.subject.key, set()).add(criterion.window_days)
        for criterion in program.criteria:
            if isinstance(criterion.subject, Metric) and len(windows[criterion.subject.key]) > 1:
                days = criterion.window_days
                assert days is None or criterion.id.endswith(f"-{days}d")


def test_a_program_asks_each_thing_once(catalog: Catalog) -> None:
    for program in map(catalog.program, catalog.program_ids):
        metrics = [(one.subject.key, one.window_days, one.segment) for one in program.criteria if one.metric]
        assert len(set(metrics)) == len(metrics)


def test_the_enterprise_mall_is_official_in_the_united_states_and_canada_only(catalog: Catalog) -> None:
    program = catalog.program("enterprise-mall")
    assert program.marketplaces == ("US", "CA", "MX", "UK", "DE", "FR", "IT", "ES", "JP", "IN")
    for place in MARKETPLACES:
        required = [rule for rule in rules(program, place, DAY) if rule.threshold.level is Level.REQUIRED]
        if place == "AU":
            assert required == []
            continue
        assert tuple(rule.criterion.id for rule in required) == REQUIRED
        basis = "official" if place in MALL_OFFICIAL else "guideline"
        assert {rule.threshold.basis for rule in required} == {basis}, place
    assert {*MALL_OFFICIAL, *MALL_GUIDELINE, "AU"} == set(MARKETPLACES)


def test_the_enterprise_mall_has_the_published_bars(catalog: Catalog) -> None:
    """0.5 %, 1 % and 2 %, and the professional plan; at every marketplace the same."""
    program = catalog.program("enterprise-mall")
    for place in (*MALL_OFFICIAL, *MALL_GUIDELINE):
        bars = {rule.criterion.id: rule.threshold.bar for rule in rules(program, place, DAY)}
        assert [(bars[name].comparison, bars[name].value) for name in REQUIRED] == [
            ("equals", "professional"),
            ("below", 5_000),
            ("below", 10_000),
            ("below", 20_000),
        ]
        assert (bars["valid-tracking-30d"].comparison, bars["valid-tracking-30d"].value) == ("above", 950_000)
        assert bars["return"].value is None


def test_the_parts_of_the_defect_rate_are_those_of_the_metric_pages(catalog: Catalog) -> None:
    """Returns are none of them."""
    assert catalog.vocabulary.metrics["order_defect_rate"].components == (
        "negative_feedback_rate",
        "a_to_z_claim_rate",
        "chargeback_rate",
    )


def test_every_policy_counter_is_judged_over_180_days_everywhere(catalog: Catalog) -> None:
    criteria = {one.subject.key: one for one in catalog.program("account-health-seller-fulfilled").criteria}
    for metric in catalog.vocabulary.metrics.values():
        if metric.kind == "counter":
            one = criteria[metric.key]
            assert one.window_days == 180
            assert frozenset().union(*(block.marketplaces for block in one.thresholds)) == set(MARKETPLACES)


@pytest.mark.parametrize("place", MARKETPLACES)
def test_account_health_is_covered_everywhere(catalog: Catalog, place: str) -> None:
    for name in ("account-health-seller-fulfilled", "account-health-amazon-fulfilled"):
        found = rules(catalog.program(name), place, DAY)
        assert found[0].criterion.id == "order-defect"
        assert (found[0].threshold.bar.comparison, found[0].threshold.bar.value) == ("below", 10_000)
    assert [rule.criterion.id for rule in rules(catalog.program("account-health-amazon-fulfilled"), place, DAY)] == [
        "order-defect"
    ]


# Fees


@pytest.mark.parametrize("place", MARKETPLACES)
def test_a_currency_has_the_places_that_the_world_gives_it(catalog: Catalog, place: str) -> None:
    schedule = catalog.schedule(place)
    assert schedule.decimals == get_currency_precision(schedule.currency)
    assert schedule.covered == (place != "MX")
    assert schedule.note


@pytest.mark.parametrize("place", COVERED)
def test_every_category_prices_something_on_the_day_it_was_last_verified(catalog: Catalog, place: str) -> None:
    schedule = catalog.schedule(place)
    for category in schedule.categories.values():
        for rule in category.versions:
            channel = min(rule.channels)
            line = FeeLine(category.key, 100 * 10**schedule.decimals, fulfillment=channel)
            # A row that a later source still found old starts the day it was taken over.
            day = max(rule.verified_on, rule.validity.start)
            found = estimate_line(schedule, day, line, "professional", "US")
            assert found.rule is rule, f"{category.key} on {day}"
            assert found.per_unit is not None and found.per_unit.referral_fee is not None
            assert found.per_unit.referral_fee > 0 or place == "IN"


@pytest.mark.parametrize("place", COVERED)
def test_every_fee_rule_is_dated_and_cited(catalog: Catalog, place: str) -> None:
    schedule = catalog.schedule(place)
    for category in schedule.categories.values():
        for rule in category.versions:
            where = f"{category.key} from {rule.validity.start}"
            assert rule.sources, where
            assert rule.confidence == "low" or has_address(rule.sources), where
            assert rule.verified_on <= DAY, where
            assert rule.validity.start <= DAY, where
            # The source went stale on the last day it was verified.
            if rule.validity.end_kind == "last_verified":
                assert rule.validity.end == rule.verified_on, where
            if rule.validity.start_kind == "unknown" and rule.validity.end is None:
                assert rule.validity.start >= rule.verified_on, where


@pytest.mark.parametrize("place", COVERED)
def test_every_other_number_of_a_schedule_is_cited(catalog: Catalog, place: str) -> None:
    schedule = catalog.schedule(place)
    blocks: list[tuple[Source, ...]] = [
        *(one.sources for one in schedule.plans),
        *(one.sources for one in schedule.refund_administration),
        *(one.sources for one in schedule.digital_services),
        *(one.sources for one in schedule.business_orders),
        *(one.sources for one in schedule.closing_fee_tables),
        *(one.sources for one in schedule.remarks),
    ]
    assert all(blocks)
    assert {plan.selling_plan for plan in schedule.plans} == {"professional", "individual"}
    assert in_force(schedule.business_orders, DAY) is not None


@pytest.mark.parametrize("place", COVERED)
def test_no_percentage_can_exceed_the_price(catalog: Catalog, place: str) -> None:
    """At every edge and far beyond: the exact fee stays between nothing and the price."""
    for category in catalog.schedule(place).categories.values():
        for rule in category.versions:
            pieces = [(one.up_to, one.rate_ppm, one.constant) for one in rule.pieces]
            edges = [piece.up_to for piece in rule.pieces if piece.up_to is not None]
            for price in (1, *edges, *(edge + 1 for edge in edges), 3 * HIGHEST_AMOUNT):
                assert 0 <= percentage_exact(INTEGERS, pieces, price) <= price * PPM


def test_the_categories_are_as_many_as_were_published(catalog: Catalog) -> None:
    """Later versions of a category count once."""
    found = {place: len(catalog.schedule(place).categories) for place in COVERED}
    assert found == {
        "US": 42,
        "CA": 23,
        "UK": 52,
        "DE": 52,
        "FR": 52,
        "IT": 52,
        "ES": 52,
        "JP": 24,
        "IN": 234,
        "AU": 35,
    }


def test_a_net_price_is_what_is_asked_for_only_in_north_america(catalog: Catalog) -> None:
    assert [place for place in COVERED if not catalog.schedule(place).prices_include_tax] == ["US", "CA"]


def test_the_b2b_share_is_the_cited_range(catalog: Catalog) -> None:
    """(0.5 x 35) / 480 is 3.6 %, and 35 / 700 is 5 %."""
    share = catalog.cited_share
    assert (share.low_ppm, share.high_ppm) == (36_000, 50_000)
    assert round(500_000 * 35 / 480, -3) == share.low_ppm and share.high_ppm == 35 * PPM // 700
    assert share.sources
