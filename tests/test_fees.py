"""Fees and profitable prices against brute force over every price of a span."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.catalog import Catalog
from advisor.domain.fees import (
    CHANNELS,
    Category,
    ClosingBand,
    FeeLine,
    FeeRule,
    FeeSchedule,
    LineEstimate,
    PriceRange,
    RefundAdministration,
    Terms,
    Tier,
    estimate,
    estimate_line,
    exact_contribution,
    pieces_of,
    price_unit,
    profitable_ranges,
    terms_in_force,
)
from advisor.domain.numbers import HIGHEST_AMOUNT, HIGHEST_UNITS, PPM
from advisor.domain.program import MARKETPLACES
from advisor.domain.sources import Validity

DAY = date(2026, 11, 22)
ALWAYS = Validity(date(2000, 1, 1), "documented")
SPAN = 2500

many = settings(max_examples=80, deadline=None)


# An independent account of one sale: only definitions, only fractions.


def contribution_by_hand(terms: Terms, line: FeeLine, price: int, with_tax: bool) -> Fraction:
    """What is left of one unit with no fee rounded, added up from the published terms."""
    total = price + line.shipping + line.gift_wrap
    base = price if terms.rule.basis == "item_price" else total
    referral = max(percentage_by_hand(terms.rule, base), Fraction(terms.rule.minimum))
    closing = closing_by_hand(terms, price + line.shipping)
    fees = referral + closing + (terms.per_item or 0)
    fees += (referral + closing) * Fraction(terms.digital_ppm or 0, PPM)
    if terms.refund is not None and terms.refund.cap is not None:
        kept = min(Fraction(terms.refund.cap), referral * Fraction(terms.refund.share_ppm, PPM))
        fees += kept * Fraction(line.refund_rate_ppm, PPM)
    net = Fraction(total)
    if with_tax and line.tax_rate_ppm is not None:
        net = total / (1 + Fraction(line.tax_rate_ppm, PPM))
    return net - fees - (line.unit_cost or 0) - (line.fulfillment_cost or 0)


def percentage_by_hand(rule: FeeRule, base: int) -> Fraction:
    for band in rule.bands:
        if band.up_to is None or base <= band.up_to:
            return Fraction(band.rate_ppm, PPM) * base
    taken, start = Fraction(0), 0
    for part in rule.slices:
        end = base if part.up_to is None else min(base, part.up_to)
        taken += Fraction(part.rate_ppm, PPM) * max(0, end - start)
        start = end
    return taken


def closing_by_hand(terms: Terms, price_and_shipping: int) -> int:
    if isinstance(terms.rule.closing_fee, int):
        return terms.rule.closing_fee
    grouped = 0
    for band in terms.closing_bands or ():
        if band.up_to is None or price_and_shipping <= band.up_to:
            group = terms.closing_groups[grouped] if band.groups else None
            return band.groups[group] if group is not None else band.fee or 0
        grouped += bool(band.groups)
    raise AssertionError("no band")


def ranges_by_trial(worth: Callable[[int], Fraction], prices: Iterable[int]) -> list[tuple[int, int]]:
    """Try every price, and join neighbours that are not below zero."""
    found: list[tuple[int, int]] = []
    for price in prices:
        if worth(price) >= 0:
            if found and found[-1][1] == price - 1:
                found[-1] = found[-1][0], price
            else:
                found.append((price, price))
    return found


def clipped(ranges: tuple[PriceRange, ...], first: int, last: int) -> list[tuple[int, int]]:
    """Cut solved ranges to a span of prices."""
    cut = [(max(one.start, first), last if one.end is None else min(one.end, last)) for one in ranges]
    return [(start, end) for start, end in cut if start <= end]


# Synthetic terms, small enough to try every price


@st.composite
def small_rules(draw: st.DrawFn) -> FeeRule:
    """A version of any shape with edges, minimum and closing fee inside the span."""
    rates = st.sampled_from([0, 10_000, 50_000, 83_333, 150_000, 255_000, 450_000, 990_000, PPM]) | st.integers(0, PPM)
    shape = draw(st.sampled_from(["flat", "volume", "graduated", "mixed"]))
    edges = sorted(draw(st.sets(st.integers(1, SPAN - 300), min_size=1, max_size=3)))
    limited = tuple(Tier(edge, draw(rates)) for edge in edges)
    last = Tier(None, draw(rates))
    bands: tuple[Tier, ...] = ()
    slices: tuple[Tier, ...] = ()
    match shape:
        case "flat":
            bands = (last,)
        case "volume":
            bands = (*limited, last)
        case "graduated":
            slices = (*limited, last)
        case _:
            bands = limited
            inner = sorted(draw(st.sets(st.integers(1, SPAN), max_size=2)))
            slices = (*(Tier(edge, draw(rates)) for edge in inner), last)
    return FeeRule(
        validity=ALWAYS,
        verified_on=DAY,
        channels=frozenset(CHANNELS),
        basis=draw(st.sampled_from(["total_sales_price", "item_price"])),
        shape=shape,
        bands=bands,
        slices=slices,
        pieces=pieces_of(bands, slices),
        minimum=draw(st.sampled_from([0, 0, 25, 30, 300])),
        closing_fee=draw(st.sampled_from([0, 0, 180]) | st.just("table")),
        confidence="low",
        sources=(),
        note=None,
    )


@st.composite
def small_terms(draw: st.DrawFn) -> Terms:
    """Everything that prices a sale, with all the edges that a profit can turn at."""
    amounts = st.integers(0, 200)
    edges = sorted(draw(st.sets(st.integers(1, SPAN), min_size=1, max_size=3)))
    grouped = draw(st.booleans())
    bands = [
        ClosingBand(edge, None if grouped else draw(amounts), {"a": draw(amounts)} if grouped else {}) for edge in edges
    ]
    refund = RefundAdministration(ALWAYS, draw(st.integers(0, PPM)), draw(st.integers(0, 500)), "low", ())
    return Terms(
        rule=draw(small_rules()),
        closing_bands=(*bands, ClosingBand(None, draw(amounts), {})),
        closing_groups=("a",) * (len(edges) if grouped else 0),
        per_item=draw(st.sampled_from([0, 99])),
        digital_ppm=draw(st.sampled_from([0, 20_000, 30_000])),
        refund=draw(st.sampled_from([None, refund])),
        tax_on_fees_ppm=0,
        warnings=(),
    )


def small_lines() -> st.SearchStrategy[FeeLine]:
    """Sales with costs of the size of the span."""
    return st.builds(
        FeeLine,
        category=st.just("any"),
        price=st.integers(1, SPAN),
        shipping=st.sampled_from([0, 0, 7, 499]),
        gift_wrap=st.sampled_from([0, 0, 150]),
        units=st.integers(1, 5),
        unit_cost=st.integers(0, SPAN),
        fulfillment_cost=st.sampled_from([None, 0, 35]),
        refund_rate_ppm=st.sampled_from([0, 0, 20_000, PPM]) | st.integers(0, PPM),
        tax_rate_ppm=st.sampled_from([None, 0, 200_000, 210_000, PPM]),
    )


@many
@given(small_terms(), small_lines(), st.booleans())
def test_profitable_ranges_are_what_trying_every_price_gives(terms: Terms, line: FeeLine, with_tax: bool) -> None:
    found = profitable_ranges(terms, line, with_tax)
    assert found is not None
    # Far beyond every edge the contribution is a straight line, so a few prices tell where it goes.
    prices = range(1, SPAN + 1)
    assert clipped(found, 1, SPAN) == ranges_by_trial(
        lambda price: contribution_by_hand(terms, line, price, with_tax), prices
    )
    for price in (10**6, 10**9, 10**13):
        inside = any(one.start <= price and (one.end is None or price <= one.end) for one in found)
        assert inside == (contribution_by_hand(terms, line, price, with_tax) >= 0)
    assert all(later.start > (earlier.end or 0) + 1 for earlier, later in pairwise(found))


@many
@given(small_terms(), small_lines(), st.booleans())
def test_the_exact_contribution_is_the_sum_of_its_definition(terms: Terms, line: FeeLine, with_tax: bool) -> None:
    for price in (1, line.price, SPAN):
        assert exact_contribution(terms, line, with_tax, price) == contribution_by_hand(terms, line, price, with_tax)


@many
@given(small_terms(), small_lines(), st.booleans())
def test_every_fee_is_rounded_once_from_the_one_before(terms: Terms, line: FeeLine, with_tax: bool) -> None:
    """Each part to the nearest minor unit, halves upwards; the sums are sums of what is charged."""
    parts = price_unit(terms, line, with_tax)
    total = line.price + line.shipping + line.gift_wrap
    base = line.price if terms.rule.basis == "item_price" else total
    referral = nearest(max(percentage_by_hand(terms.rule, base), Fraction(terms.rule.minimum)))
    closing = closing_by_hand(terms, line.price + line.shipping)
    digital = nearest((referral + closing) * Fraction(terms.digital_ppm or 0, PPM))
    assert parts.total_sales_price == total
    assert (parts.referral_fee, parts.closing_fee, parts.digital_services_fee) == (referral, closing, digital)
    refund: int | None = 0
    if line.refund_rate_ppm:
        refund = None
        if terms.refund is not None and terms.refund.cap is not None:
            kept = min(Fraction(terms.refund.cap), referral * Fraction(terms.refund.share_ppm, PPM))
            refund = nearest(kept * Fraction(line.refund_rate_ppm, PPM))
    assert parts.refund_administration_fee == refund
    tax: int | None = 0
    if with_tax:
        tax = None
        if line.tax_rate_ppm is not None:
            tax = nearest(total - total / (1 + Fraction(line.tax_rate_ppm, PPM)))
    assert parts.sales_tax == tax
    assert parts.total_fees == referral + closing + (terms.per_item or 0) + digital + (refund or 0)
    assert parts.net_proceeds == total - (tax or 0) - parts.total_fees
    assert parts.contribution == parts.net_proceeds - (line.unit_cost or 0) - (line.fulfillment_cost or 0)


def nearest(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


@many
@given(small_terms(), small_lines(), st.booleans())
def test_no_fee_is_negative_and_the_percentage_never_exceeds_the_total(
    terms: Terms, line: FeeLine, with_tax: bool
) -> None:
    parts = price_unit(terms, line, with_tax)
    fees = [parts.referral_fee, parts.closing_fee, parts.per_item_fee, parts.digital_services_fee]
    assert all(fee is not None and fee >= 0 for fee in fees)
    assert parts.referral_fee is not None and parts.referral_fee <= max(parts.total_sales_price, terms.rule.minimum)
    assert parts.refund_administration_fee is None or 0 <= parts.refund_administration_fee <= parts.referral_fee
    assert parts.total_fees >= 0 and parts.tax_on_fees >= 0


def test_without_a_unit_cost_no_price_can_be_called_profitable(catalog: Catalog) -> None:
    schedule = catalog.schedule("US")
    terms = terms_of(schedule, "jewelry", "seller")
    assert profitable_ranges(terms, FeeLine("jewelry", 30_000), False) is None


def flat_terms(rate_ppm: int, basis: str = "total_sales_price", digital_ppm: int = 0) -> Terms:
    tiers = (Tier(None, rate_ppm),)
    rule = FeeRule(
        validity=ALWAYS,
        verified_on=DAY,
        channels=frozenset(CHANNELS),
        basis=basis,
        shape="flat",
        bands=tiers,
        slices=(),
        pieces=pieces_of(tiers, ()),
        minimum=0,
        closing_fee=0,
        confidence="low",
        sources=(),
        note=None,
    )
    return Terms(rule, None, (), 0, digital_ppm, None, 0, ())


def test_no_price_is_profitable_where_everything_goes_in_fees() -> None:
    assert profitable_ranges(flat_terms(PPM), FeeLine("any", 100, unit_cost=1), False) == ()
    assert profitable_ranges(flat_terms(PPM), FeeLine("any", 100, unit_cost=0), False) == (PriceRange(1, None),)


def test_a_single_price_can_part_two_ranges() -> None:
    """10 % up to 1,000 and 11 % above, costs of 891: 1,001 leaves 890.89 and 1,002 leaves 891.78."""
    bands = (Tier(1000, 100_000), Tier(None, 110_000))
    plain = flat_terms(0)
    terms = replace(plain, rule=replace(plain.rule, shape="volume", bands=bands, pieces=pieces_of(bands, ())))
    found = profitable_ranges(terms, FeeLine("any", 100, unit_cost=891), False)
    assert found == (PriceRange(990, 1000), PriceRange(1002, None))


@pytest.mark.parametrize(("unit_cost", "end"), [(400, 3300), (399, 3333), (499, None), (498, 33)])
def test_where_a_higher_price_brings_less_the_profit_ends(unit_cost: int, end: int | None) -> None:
    """Every unit of price costs 3 % more than itself, and only the shipping of 4.99 pays for it."""
    found = profitable_ranges(
        flat_terms(PPM, "item_price", digital_ppm=30_000), FeeLine("any", 100, shipping=499, unit_cost=unit_cost), False
    )
    assert found == (() if end is None else (PriceRange(1, end),))


# The real schedules


def terms_of(schedule: FeeSchedule, key: str, channel: str, day: date = DAY) -> Terms:
    category = schedule.category(key)
    assert category is not None
    terms = terms_in_force(schedule, category, channel, day, "professional", "US")
    assert terms is not None
    return terms


def structures(schedule: FeeSchedule) -> Iterable[tuple[Category, FeeRule, str]]:
    """One version and channel for every distinct set of tiers, minimum and closing fees that are known."""
    seen = set()
    for category in schedule.categories.values():
        for rule in category.versions:
            tables = {"easy_ship", "amazon"} if rule.closing_fee == "table" else rule.channels
            for channel in sorted(tables & rule.channels):
                groups = category.closing_groups if channel == "amazon" else ()
                kind = (rule.bands, rule.slices, rule.minimum, rule.closing_fee, groups)
                if kind not in seen and rule.closing_fee is not None and None not in groups:
                    seen.add(kind)
                    yield category, rule, channel


def edges_of(terms: Terms) -> set[int]:
    edges = {tier.up_to for tier in (*terms.rule.bands, *terms.rule.slices)}
    edges |= {band.up_to for band in terms.closing_bands or ()}
    return {edge for edge in edges if edge is not None}


@pytest.mark.parametrize("marketplace", [place for place in MARKETPLACES if place != "MX"])
def test_real_categories_are_profitable_where_trying_the_prices_around_their_edges_says(
    catalog: Catalog, marketplace: str
) -> None:
    """Around each edge, with costs that make the profit turn just there."""
    schedule = catalog.schedule(marketplace)
    for category, rule, channel in structures(schedule):
        terms = terms_in_force(schedule, category, channel, rule.validity.start, "professional", "US")
        assert terms is not None
        for edge in sorted(edges_of(terms) | {100 * 10**schedule.decimals}):
            plain = FeeLine(category.key, edge, unit_cost=0, tax_rate_ppm=100_000, refund_rate_ppm=20_000)
            left = contribution_by_hand(terms, plain, edge, schedule.prices_include_tax)
            line = replace(plain, unit_cost=max(0, floor(left)))
            found = profitable_ranges(terms, line, schedule.prices_include_tax)
            assert found is not None
            first, last = max(1, edge - 25), edge + 25
            tried = ranges_by_trial(
                lambda price, terms=terms, line=line: contribution_by_hand(  # type: ignore[misc]
                    terms, line, price, schedule.prices_include_tax
                ),
                range(first, last + 1),
            )
            assert clipped(found, first, last) == tried, f"{category.key} around {edge}"


def real_lines(schedule: FeeSchedule) -> st.SearchStrategy[FeeLine]:
    money = st.integers(0, 30_000) | st.integers(0, HIGHEST_AMOUNT)
    return st.builds(
        FeeLine,
        category=st.sampled_from(sorted(schedule.categories)),
        price=st.integers(1, 60_000) | st.integers(1, HIGHEST_AMOUNT),
        shipping=money,
        gift_wrap=money,
        units=st.integers(1, HIGHEST_UNITS),
        fulfillment=st.sampled_from(schedule.channels),
        business_order=st.none() | st.booleans(),
        unit_cost=st.none() | money,
        fulfillment_cost=st.none() | money,
        refund_rate_ppm=st.sampled_from([0, 20_000, PPM]),
        tax_rate_ppm=st.none() | st.integers(0, PPM),
    )


def requests(catalog: Catalog) -> st.SearchStrategy[tuple[FeeSchedule, list[FeeLine], str | None, str | None, date]]:
    """Requests on every marketplace and on many days, most of them today."""
    days = st.just(DAY) | st.dates(date(2018, 1, 1), date(2027, 1, 1))
    return st.sampled_from(MARKETPLACES).flatmap(
        lambda place: st.tuples(
            st.just(catalog.schedule(place)),
            st.lists(
                real_lines(catalog.schedule(place)) if place != "MX" else st.just(FeeLine("any", 100)),
                min_size=1,
                max_size=4,
            ),
            st.sampled_from([None, "professional", "individual"]),
            st.sampled_from([None, "US", "UK", "FR", "CN"]),
            days,
        )
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_request_is_priced_by_the_same_arithmetic(catalog: Catalog, data: Any) -> None:
    """Whatever is asked: no fee below zero, sums that add up, nothing unknown counted as known."""
    schedule, lines, plan, country, day = data.draw(requests(catalog))
    result = estimate(schedule, day, lines, plan, country)
    for one in result.lines:
        parts = one.per_unit
        if parts is None:
            assert one.warnings == ("not_covered",)
            assert not one.complete
            continue
        fees = [
            parts.referral_fee, parts.closing_fee, parts.per_item_fee, parts.digital_services_fee,
            parts.refund_administration_fee,
        ]  # fmt: skip
        assert all(fee is None or fee >= 0 for fee in fees)
        assert parts.total_fees == sum(fee for fee in fees if fee is not None)
        assert one.complete == all(fee is not None for fee in fees)
        assert one.complete or any("unknown" in code or "depends" in code for code in one.warnings)
        assert (parts.contribution is None) == (one.line.unit_cost is None)
        unknown = one.line.unit_cost is None or parts.sales_tax is None or not one.complete
        assert (one.profitable_ranges is None) == unknown
        assert one.rule is not None and parts.referral_fee is not None
        assert parts.referral_fee <= max(parts.total_sales_price, one.rule.minimum)
        shares = sum(tier.base for tier in one.tiers)
        base = one.line.price if one.rule.basis == "item_price" else parts.total_sales_price
        assert shares == base
        exact = Fraction(sum(tier.fee_exact for tier in one.tiers), PPM)
        assert parts.referral_fee == nearest(max(exact, Fraction(one.rule.minimum)))
        assert one.minimum_applied == (exact < one.rule.minimum)
        assert_inside(one)
    assert result.complete == all(one.complete for one in result.lines)


def assert_inside(one: LineEstimate) -> None:
    """A price lies in a profitable range exactly when its own exact contribution is not below zero."""
    if one.profitable_ranges is None or one.per_unit is None or one.per_unit.contribution is None:
        return
    inside = any(
        r.start <= one.line.price and (r.end is None or one.line.price <= r.end) for r in one.profitable_ranges
    )
    # Rounding moves the charged contribution by at most half a minor unit for each of its five rounded parts.
    if one.per_unit.contribution > 5:
        assert inside
    if one.per_unit.contribution < -5:
        assert not inside


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_order_of_lines_and_the_splitting_of_units_change_no_sum(catalog: Catalog, data: Any) -> None:
    schedule, lines, plan, country, day = data.draw(requests(catalog))
    whole = estimate(schedule, day, lines, plan, country)
    shuffled = estimate(schedule, day, data.draw(st.permutations(lines)), plan, country)
    assert shuffled.total == whole.total
    assert shuffled.subscription == whole.subscription
    split = [
        piece
        for line in lines
        for piece in ([replace(line, units=1), replace(line, units=line.units - 1)] if line.units > 1 else [line])
    ]
    assert estimate(schedule, day, split, plan, country).total == whole.total


def test_a_category_is_found_by_every_key_people_use(catalog: Catalog) -> None:
    schedule = catalog.schedule("AU")
    assert schedule.category("home_2026") is schedule.category("home")
    assert schedule.category("no_such_category") is None


def test_an_unknown_category_is_not_covered(catalog: Catalog) -> None:
    one = estimate_line(catalog.schedule("US"), DAY, FeeLine("no_such_category", 100), "professional", "US")
    assert one.per_unit is None
    assert one.warnings == ("not_covered",)
