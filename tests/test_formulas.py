"""Each formula against its definition, computed with fractions."""

from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.domain import formulas
from advisor.domain.fees import Tier, pieces_of
from advisor.domain.formulas import INTEGERS, Allowance
from advisor.domain.numbers import (
    HIGHEST_AMOUNT,
    HIGHEST_COUNT,
    HIGHEST_UNITS,
    PPM,
    format_decimal,
    format_rate,
    half_up,
    parse_decimal,
)

many = settings(max_examples=300, deadline=None)
LOW = ("below", "at_most", "equals")
HIGH = ("above", "at_least")


def nearest(value: Fraction) -> int:
    """Round to the nearest whole number, halves upwards: for numbers that are not negative."""
    return floor(value + Fraction(1, 2))


def good(comparison: str, threshold: Fraction, rate: Fraction) -> bool:
    """Say what each comparison means."""
    return {
        "below": rate < threshold,
        "at_most": rate <= threshold,
        "equals": rate <= threshold,
        "above": rate > threshold,
        "at_least": rate >= threshold,
    }[comparison]


@st.composite
def counted(draw: st.DrawFn, most: int = HIGHEST_COUNT) -> tuple[Allowance, int, int]:
    """Draw an allowance, a number of defects and of how many: often close to where the answer turns."""
    allowed = Allowance(
        draw(st.integers(0, PPM) | st.sampled_from([5_000, 10_000, 25_000, 50_000])), draw(st.booleans())
    )
    of = draw(st.integers(1, most))
    turn = allowed.ppm * of // PPM
    near = st.integers(max(0, turn - 2), min(of, turn + 2))
    return allowed, draw(near | st.integers(0, of)), of


def within(allowed: Allowance, bad: int, of: int) -> bool:
    """Say what an allowance means: the share of defects is less than (or at most) so many parts per million."""
    share, bar = Fraction(bad, of), Fraction(allowed.ppm, PPM)
    return share < bar if allowed.strict else share <= bar


# Judging


@many
@given(st.sampled_from([*LOW, *HIGH]), st.integers(0, PPM), st.data())
def test_a_rate_meets_a_bar_exactly_when_the_fractions_do(comparison: str, threshold: int, data: Any) -> None:
    """Cross-multiplied integers answer like exact fractions, from either side of the bar."""
    of = data.draw(st.integers(1, HIGHEST_COUNT))
    turn = threshold * of // PPM
    count = data.draw(st.integers(0, of) | st.integers(max(0, turn - 1), min(of, turn + 1)))
    bad, allowed = formulas.defects(comparison, count, of), formulas.allowance(comparison, threshold)
    assert 0 <= bad <= of
    assert formulas.meets(allowed, bad, of) == good(comparison, Fraction(threshold, PPM), Fraction(count, of))


def test_an_unknown_comparison_is_refused() -> None:
    """A comparison that no case knows is a mistake of the program, not a pass."""
    with pytest.raises(ValueError, match="roughly"):
        formulas.allowance("roughly", 5000)


@many
@given(counted())
def test_headroom_is_the_most_further_defects_that_still_meet_the_bar(drawn: tuple[Allowance, int, int]) -> None:
    """With as many more the bar is met, with one more it is missed; negative says how many too many there are."""
    allowed, bad, of = drawn
    room = formulas.headroom(INTEGERS, allowed, bad, of)
    assert (room >= 0) == within(allowed, bad, of)
    # Below zero defects nothing is within a strict allowance of nothing: then no number of defects is.
    assert bad + room == -1 or within(allowed, bad + room, of)
    assert not within(allowed, bad + room + 1, of)


@many
@given(counted(most=10**6))
def test_recovery_is_the_fewest_clean_orders_that_meet_the_bar(drawn: tuple[Allowance, int, int]) -> None:
    """With as many clean orders more the bar is met, with one fewer it is not; none are needed when it is met."""
    allowed, bad, of = drawn
    clean = formulas.recovery(allowed, bad, of)
    if clean is None:
        assert allowed.ppm == 0
        assert not any(within(allowed, bad, of + 10**power) for power in range(20))
        return
    assert clean >= 0
    assert within(allowed, bad, of + clean)
    assert clean == 0 or not within(allowed, bad, of + clean - 1)


@many
@given(counted())
def test_the_score_is_the_unused_part_of_the_allowance(drawn: tuple[Allowance, int, int]) -> None:
    """100 at no use, 50 at the bar, 0 at twice it, half-up; at least 50 when met, at most 49 when missed."""
    allowed, bad, of = drawn
    met = within(allowed, bad, of)
    score = formulas.score(INTEGERS, allowed, bad, of)
    if allowed.ppm == 0:
        assert score == (100 if met else 0)
        return
    used = Fraction(bad, of) / Fraction(allowed.ppm, PPM)
    points = nearest(100 - 50 * min(used, Fraction(2)))
    assert score == (max(points, 50) if met else min(points, 49))
    assert 0 <= score <= 100


@many
@given(counted(), st.integers(0, 10**6))
def test_more_defects_never_raise_the_score(drawn: tuple[Allowance, int, int], more: int) -> None:
    """The score only falls with the defects among the same orders."""
    allowed, bad, of = drawn
    worse = min(of, bad + more)
    assert formulas.score(INTEGERS, allowed, worse, of) <= formulas.score(INTEGERS, allowed, bad, of)


@pytest.mark.parametrize(
    ("bad", "strict", "score"),
    [
        (0, True, 100),
        (25, True, 75),
        (49, True, 51),
        (50, True, 49),
        (50, False, 50),
        (51, False, 49),
        (75, True, 25),
        (100, True, 0),
        (101, True, 0),
        (10_000, True, 0),
    ],
)
def test_known_scores(bad: int, strict: bool, score: int) -> None:
    """Of 10,000 orders, against 0.5 %."""
    assert formulas.score(INTEGERS, Allowance(5000, strict), bad, 10_000) == score


@many
@given(counted())
def test_a_rate_is_rounded_half_up(drawn: tuple[Allowance, int, int]) -> None:
    """Parts per million of the exact fraction."""
    _, count, of = drawn
    assert formulas.rate_ppm(INTEGERS, count, of) == nearest(Fraction(count, of) * PPM)


@pytest.mark.parametrize(
    ("count", "of", "ppm"),
    [(1, 2_000_000, 1), (1, 2_000_001, 0), (3, 2_000_000, 2), (1, 3, 333_333), (2, 3, 666_667), (1, 1, PPM)],
)
def test_known_rates(count: int, of: int, ppm: int) -> None:
    """Half a millionth goes up, less than half does not."""
    assert formulas.rate_ppm(INTEGERS, count, of) == ppm


# Fees


def slices_by_hand(slices: list[Tier], price: int) -> Fraction:
    """Add up every slice of a price at its own rate, in minor units."""
    total, start = Fraction(0), 0
    for one in slices:
        end = price if one.up_to is None else min(price, one.up_to)
        total += Fraction(one.rate_ppm, PPM) * max(0, end - start)
        start = end
    return total


def percentage_by_hand(bands: list[Tier], slices: list[Tier], price: int) -> Fraction:
    """Take the rate of the price's band, or add up its slices where it lies above all bands."""
    for band in bands:
        if band.up_to is None or price <= band.up_to:
            return Fraction(band.rate_ppm, PPM) * price
    return slices_by_hand(slices, price)


@st.composite
def tiers(draw: st.DrawFn, highest: int = 10**11) -> tuple[list[Tier], list[Tier]]:
    """Draw tiers of one of the four shapes: as (bands, slices)."""
    rates = st.integers(0, PPM)
    edges = sorted(draw(st.sets(st.integers(1, highest), min_size=1, max_size=4)))
    shape = draw(st.sampled_from(["flat", "volume", "graduated", "mixed"]))
    limited = [Tier(edge, draw(rates)) for edge in edges]
    if shape == "flat":
        return [Tier(None, draw(rates))], []
    if shape == "volume":
        return [*limited, Tier(None, draw(rates))], []
    if shape == "graduated":
        return [], [*limited, Tier(None, draw(rates))]
    inner = sorted(draw(st.sets(st.integers(1, highest), max_size=3)))
    return limited, [*(Tier(edge, draw(rates)) for edge in inner), Tier(None, draw(rates))]


@many
@given(tiers(), st.data())
def test_a_percentage_of_any_shape_is_the_sum_of_its_parts(drawn: tuple[list[Tier], list[Tier]], data: Any) -> None:
    """The pieces give the same exact fee as going through bands and slices one by one."""
    bands, slices = drawn
    edges = [tier.up_to for tier in (*bands, *slices) if tier.up_to is not None]
    near = st.sampled_from([edge + step for edge in edges for step in (-1, 0, 1)] or [1])
    price = max(1, data.draw(near | st.integers(1, 3 * HIGHEST_AMOUNT)))
    pieces = [(piece.up_to, piece.rate_ppm, piece.constant) for piece in pieces_of(bands, slices)]
    exact = formulas.percentage_exact(INTEGERS, pieces, price)
    assert Fraction(exact, PPM) == percentage_by_hand(bands, slices, price)
    assert 0 <= exact <= price * PPM


@many
@given(st.integers(0, 3 * HIGHEST_AMOUNT * PPM) | st.integers(0, 10**9), st.integers(0, 10**6))
def test_a_fee_is_at_least_the_minimum_and_rounded_once(exact: int, minimum: int) -> None:
    """The larger of percentage and minimum, to the nearest minor unit, halves upwards."""
    assert formulas.round_fee(INTEGERS, exact, minimum) == nearest(max(Fraction(exact, PPM), Fraction(minimum)))


@pytest.mark.parametrize(
    ("exact", "fee"), [(0, 0), (499_999, 0), (500_000, 1), (1_499_999, 1), (1_500_000, 2), (239_850_000, 240)]
)
def test_known_fees(exact: int, fee: int) -> None:
    """Half a minor unit goes up."""
    assert formulas.round_fee(INTEGERS, exact, 0) == fee


@many
@given(st.integers(0, 3 * HIGHEST_AMOUNT), st.integers(0, PPM))
def test_a_share_of_an_amount_is_rounded_half_up(amount: int, ppm: int) -> None:
    """For the digital services fee and the tax on fees."""
    assert formulas.share_of(INTEGERS, amount, ppm) == nearest(Fraction(amount * ppm, PPM))


@many
@given(st.integers(0, 3 * HIGHEST_AMOUNT), st.integers(0, PPM))
def test_the_tax_within_a_price_is_what_makes_net_and_tax_the_price(total: int, ppm: int) -> None:
    """Tax is the rate times the net price, and both together are the price."""
    net = Fraction(total) / (1 + Fraction(ppm, PPM))
    assert formulas.tax_within(INTEGERS, total, ppm) == nearest(total - net)


@many
@given(st.integers(0, 3 * HIGHEST_AMOUNT), st.integers(0, PPM), st.integers(0, PPM), st.integers(0, 9_000_000))
def test_what_a_refund_costs_is_expected_per_unit(fee: int, refund: int, share: int, cap: int) -> None:
    """The refund rate times the smaller of the cap and the share of the fee, rounded once."""
    kept = min(Fraction(cap), Fraction(share, PPM) * fee)
    assert formulas.refund_cost(INTEGERS, fee, refund, share, cap) == nearest(kept * Fraction(refund, PPM))


# 64 bits


class Wide(int):
    """A number that refuses to leave 64 bits, in every step of a formula."""

    def __new__(cls, value: int) -> "Wide":
        assert -(2**63) <= int(value) < 2**63, f"{int(value)} leaves 64 bits"
        return super().__new__(cls, value)

    def __add__(self, other: int) -> "Wide":
        return Wide(int(self) + int(other))

    def __sub__(self, other: int) -> "Wide":
        return Wide(int(self) - int(other))

    def __rsub__(self, other: int) -> "Wide":
        return Wide(int(other) - int(self))

    def __mul__(self, other: int) -> "Wide":
        return Wide(int(self) * int(other))

    def __floordiv__(self, other: int) -> "Wide":
        return Wide(int(self) // int(other))

    __radd__, __rmul__ = __add__, __mul__


@pytest.mark.parametrize("ppm", [0, 1, 5000, PPM - 1, PPM])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("bad", [0, 1, 5 * 10**6, HIGHEST_COUNT - 1, HIGHEST_COUNT])
def test_judging_stays_inside_64_bits(ppm: int, strict: bool, bad: int) -> None:
    """Every step, at the largest counts and at both ends of the thresholds."""
    allowed, count, of = Allowance(Wide(ppm), strict), Wide(bad), Wide(HIGHEST_COUNT)
    formulas.meets(allowed, count, of)
    formulas.headroom(INTEGERS, allowed, count, of)
    formulas.recovery(allowed, count, of)
    formulas.score(INTEGERS, allowed, count, of)
    formulas.rate_ppm(INTEGERS, count, of)


@pytest.mark.parametrize("threshold", [0, 1, 1000])
@pytest.mark.parametrize("count", [0, 1, HIGHEST_COUNT])
def test_counters_stay_inside_64_bits(threshold: int, count: int) -> None:
    """A counter is judged as so many of one thing, its threshold as so many times a million."""
    allowed = Allowance(Wide(threshold * PPM), strict=False)
    assert formulas.meets(allowed, Wide(count), Wide(1)) == (count <= threshold)
    assert formulas.headroom(INTEGERS, allowed, Wide(count), Wide(1)) == threshold - count
    formulas.score(INTEGERS, allowed, Wide(count), Wide(1))


@pytest.mark.parametrize("rate", [0, 1, PPM])
def test_fees_stay_inside_64_bits(rate: int) -> None:
    """Every step, at three times the largest amount (price, shipping and gift wrap) and the largest number of units."""
    total = Wide(3 * HIGHEST_AMOUNT)
    bands = [Tier(HIGHEST_AMOUNT, rate)]
    slices = [Tier(HIGHEST_AMOUNT, PPM), Tier(2 * HIGHEST_AMOUNT, 0), Tier(None, rate)]
    pieces = [(one.up_to, Wide(one.rate_ppm), Wide(one.constant)) for one in pieces_of(bands, slices)]
    exact = formulas.percentage_exact(INTEGERS, pieces, total)
    fee = formulas.round_fee(INTEGERS, exact, Wide(HIGHEST_AMOUNT))
    formulas.share_of(INTEGERS, Wide(fee), Wide(PPM))
    formulas.tax_within(INTEGERS, total, Wide(rate))
    formulas.refund_cost(INTEGERS, Wide(fee), Wide(PPM), PPM, 9_000_000)
    # All fees together are less than twice the price; they are multiplied by the units.
    _ = total * (2 * HIGHEST_UNITS)


# Text and numbers


@many
@given(st.integers(0, 10**15), st.integers(0, 9))
def test_what_is_written_is_read_again(value: int, places: int) -> None:
    """Decimal text holds an amount without loss."""
    assert parse_decimal(format_decimal(value, places), places) == value


@many
@given(st.integers(0, 2 * PPM))
def test_a_rate_is_written_without_needless_zeros(ppm: int) -> None:
    """The shortest text of the same number."""
    text = format_rate(ppm)
    assert Fraction(text) == Fraction(ppm, PPM)
    assert "." not in text or not text.endswith(("0", "."))


@many
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**9))
def test_halves_go_away_from_zero(numerator: int, denominator: int) -> None:
    """Rounding is the same on both sides of zero."""
    exact = Fraction(abs(numerator), denominator)
    assert half_up(numerator, denominator) == (-nearest(exact) if numerator < 0 else nearest(exact))


@pytest.mark.parametrize(
    ("text", "places", "value"),
    [("0", 2, 0), ("12", 2, 1200), ("12.3", 2, 1230), ("12.30", 2, 1230), ("12.300", 2, 1230), ("0.005", 9, 5_000_000)],
)
def test_decimals_that_are_read(text: str, places: int, value: int) -> None:
    """Zeros behind the last place are no loss."""
    assert parse_decimal(text, places) == value


@pytest.mark.parametrize(
    "text", ["", " ", "1,5", "+1", "-1", "1.", ".5", "1e3", "1_0", "٣", "1.234", " 1", "1\n", "0x1", "NaN", "9" * 20]
)
def test_decimals_that_are_refused(text: str) -> None:
    """No sign, blank, separator, exponent, foreign digit, nor more places than there are."""
    assert parse_decimal(text, 2) is None


def test_money_is_written_with_all_its_places() -> None:
    """Also below zero, and without any places for yen."""
    assert [format_decimal(value, 2) for value in (5250, 5, -29, -100, 0)] == [
        "52.50",
        "0.05",
        "-0.29",
        "-1.00",
        "0.00",
    ]
    assert format_decimal(571, 0) == "571"
    assert [format_rate(ppm) for ppm in (0, 20_000, 1, PPM, 30 * PPM)] == ["0", "0.02", "0.000001", "1", "30"]
