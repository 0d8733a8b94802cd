"""Trends: the line against its definition, computed with means and walked day by day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from random import Random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.domain.numbers import HIGHEST_COUNT, PPB, PPM
from advisor.domain.trend import Direction, Point, Trend, TrendReason, trend

DAY = date(2026, 11, 22)
COMPARISONS = ("below", "at_most", "at_least", "above")
MIRRORED = {"below": "above", "above": "below", "at_most": "at_least", "at_least": "at_most"}
many = settings(max_examples=300, deadline=None)


@st.composite
def series(draw: st.DrawFn, kinds: Sequence[str] = ("counted", "bare", "counter")) -> tuple[list[Point], str, int]:
    """Draw points, a comparison and a threshold: straight, wavering or wild, weekly or irregular, around the bar."""
    of = {"counted": draw(st.integers(1, HIGHEST_COUNT)), "bare": PPB, "counter": None}[draw(st.sampled_from(kinds))]
    most = of or 1000
    gaps = draw(
        st.lists(st.sampled_from([1, 6, 7, 7, 7, 8, 30]), min_size=draw(st.sampled_from([0, 2, 4])), max_size=17)
    )
    days = [DAY - timedelta(days=sum(gaps[:index])) for index in range(len(gaps) + 1)]
    level, step = draw(st.integers(0, most)), draw(st.integers(-most // 30, most // 30))
    waver = draw(st.sampled_from([0, 0, abs(step), 3 * abs(step), most]))
    points = [
        Point(day, min(max(level + step * (day - DAY).days // 7 + draw(st.integers(-waver, waver)), 0), most), of)
        for day in days
    ]
    ahead = min(max(level + step * draw(st.integers(1, 60)), 0), most)
    bar = draw(st.integers(0, most) | st.sampled_from([ahead, ahead, 0, most, *[point.count for point in points]]))
    return points, draw(st.sampled_from(COMPARISONS)), bar if of is None else bar * PPM // of


def value(point: Point) -> Fraction:
    return Fraction(point.count, point.of or 1)


def good(comparison: str, threshold: Fraction, seen: Fraction) -> bool:
    return {
        "below": seen < threshold,
        "at_most": seen <= threshold,
        "at_least": seen >= threshold,
        "above": seen > threshold,
    }[comparison]


def weekly(*counts: int, of: int | None = 1000) -> list[Point]:
    """Make one point a week, the last on DAY."""
    return [Point(DAY - timedelta(weeks=age), count, of) for age, count in enumerate(reversed(counts))]


def by_definition(points: list[Point], comparison: str, threshold: int) -> Trend:
    """Choose the points, average, divide, and walk day by day."""
    newest_first = sorted(points, key=lambda point: point.day, reverse=True)
    used: list[Point] = []
    for point in newest_first:
        enough = len(used) >= 12 and (DAY - used[-1].day).days >= 14
        if not enough and DAY - point.day <= timedelta(days=365):
            used.append(point)
    n, span = len(used), (DAY - used[-1].day).days
    if n < 3:
        return Trend(None, TrendReason.NOT_ENOUGH_POINTS, n, span)
    if span < 14:
        return Trend(None, TrendReason.TOO_SHORT_A_SPAN, n, span)
    xs, ys = [Fraction((point.day - DAY).days) for point in used], [value(point) for point in used]
    x_mean, y_mean = mean(xs), mean(ys)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / sum((x - x_mean) ** 2 for x in xs)
    on_last_day = y_mean - slope * x_mean
    if len(set(ys)) == 1:
        return Trend(Direction.STEADY, TrendReason.STEADY, n, span, Fraction(0), ys[0])
    residual = sum((y - on_last_day - slope * x) ** 2 for x, y in zip(xs, ys, strict=True)) / (n - 2)
    variance = sum((y - y_mean) ** 2 for y in ys) / (n - 1)
    if residual / variance > Fraction(1, 2):
        return Trend(None, TrendReason.SCATTERED, n, span)
    counter = points[0].of is None
    bar = Fraction(threshold) if counter else Fraction(threshold, PPM)
    better = slope > 0 if comparison in ("at_least", "above") else slope < 0
    direction = Direction.IMPROVING if better else Direction.WORSENING
    met = good(comparison, bar, ys[0])
    found = Trend(direction, TrendReason.BEYOND_HORIZON, n, span, slope, on_last_day)
    if met == better:
        return replace(found, reason=TrendReason.MOVING_AWAY)
    for ahead in range(1, 366):
        seen = max(Fraction(0), on_last_day + slope * ahead)
        if good(comparison, bar, seen if counter else min(Fraction(1), seen)) != met:
            reason = TrendReason.WILL_BE_MISSED if met else TrendReason.WILL_BE_MET
            return replace(found, reason=reason, crosses_on=DAY + timedelta(days=ahead))
    return found


# Any series


@many
@given(series())
def test_a_trend_is_what_its_definition_says(drawn: tuple[list[Point], str, int]) -> None:
    assert trend(*drawn) == by_definition(*drawn)


@many
@given(series(), st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(drawn: tuple[list[Point], str, int], random: Random) -> None:
    points, comparison, threshold = drawn
    shuffled = list(points)
    random.shuffle(shuffled)
    assert trend(shuffled, comparison, threshold) == trend(points, comparison, threshold)


@many
@given(series(), st.integers(-20_000, 20_000))
def test_the_same_points_on_other_days_cross_as_many_days_later(
    drawn: tuple[list[Point], str, int], shift: int
) -> None:
    points, comparison, threshold = drawn
    by = timedelta(days=shift)
    found = trend(points, comparison, threshold)
    crosses_on = None if found.crosses_on is None else found.crosses_on + by
    moved = [replace(point, day=point.day + by) for point in points]
    assert trend(moved, comparison, threshold) == replace(found, crosses_on=crosses_on)


@many
@given(series(kinds=("counted", "bare")))
def test_what_is_left_of_a_rate_has_the_same_trend_against_what_is_left_of_the_bar(
    drawn: tuple[list[Point], str, int],
) -> None:
    points, comparison, threshold = drawn
    found = trend(points, comparison, threshold)
    rest = [replace(point, count=(point.of or 0) - point.count) for point in points]
    mirrored = trend(rest, MIRRORED[comparison], PPM - threshold)
    if found.per_day is not None and found.on_last_day is not None:
        found = replace(found, per_day=-found.per_day, on_last_day=1 - found.on_last_day)
    assert mirrored == found


@many
@given(st.tuples(*[st.integers(0, 6)] * 3))
def test_three_even_points_are_a_trend_exactly_when_no_step_goes_back(counts: tuple[int, int, int]) -> None:
    monotone = list(counts) in (sorted(counts), sorted(counts, reverse=True))
    assert (trend(weekly(*counts), "below", 20_000).direction is not None) == monotone


# The day of the crossing


@pytest.mark.parametrize(
    ("last", "comparison", "per_day", "ahead", "crosses_on"),
    [
        # On the bar exactly is missed by `below` and `above`, and met by `at_most` and `at_least`.
        (date(2026, 11, 22), "below", 1, 8, date(2026, 11, 30)),
        (date(2026, 11, 22), "at_most", 1, 8, date(2026, 12, 1)),
        (date(2026, 11, 22), "above", -1, 8, date(2026, 11, 30)),
        (date(2026, 11, 22), "at_least", -1, 8, date(2026, 12, 1)),
        (date(2026, 11, 22), "below", -1, 8, date(2026, 12, 1)),
        (date(2026, 11, 22), "at_most", -1, 8, date(2026, 11, 30)),
        (date(2026, 11, 22), "above", 1, 8, date(2026, 12, 1)),
        (date(2026, 11, 22), "at_least", 1, 8, date(2026, 11, 30)),
        # Between two days it is the later one.
        (date(2026, 11, 22), "below", 2, 7, date(2026, 11, 26)),
        (date(2026, 11, 22), "at_least", 3, 10, date(2026, 11, 26)),
        # A leap day, the day after one, and a year without.
        (date(2028, 2, 22), "below", 1, 7, date(2028, 2, 29)),
        (date(2028, 2, 22), "at_most", 1, 7, date(2028, 3, 1)),
        (date(2027, 2, 22), "below", 1, 7, date(2027, 3, 1)),
        (date(2026, 12, 31), "below", 1, 1, date(2027, 1, 1)),
        # 365 days are looked at, not one more.
        (date(2026, 11, 22), "below", 1, 365, date(2027, 11, 22)),
        (date(2026, 11, 22), "at_most", 1, 365, None),
        (date(2028, 2, 29), "below", 1, 365, date(2029, 2, 28)),
    ],
)
def test_a_straight_line_crosses_on_its_day(
    last: date, comparison: str, per_day: int, ahead: int, crosses_on: date | None
) -> None:
    """The value changes by per_day in 1000 a day, and is `ahead` in 1000 from a bar of 50 % on the last day."""
    now = 500 - ahead if per_day > 0 else 500 + ahead
    points = [Point(last - timedelta(days=age), now - per_day * age, 1000) for age in (0, 1, 7, 15)]
    found = trend(points, comparison, 500_000)
    assert found.crosses_on == crosses_on
    assert (found.per_day, found.on_last_day) == (Fraction(per_day, 1000), Fraction(now, 1000))
    assert (found.reason is TrendReason.BEYOND_HORIZON) == (crosses_on is None)


def test_from_met_to_missed_is_worsening_and_from_missed_to_met_is_improving() -> None:
    worse, better = trend(weekly(1, 8, 15), "below", 20_000), trend(weekly(39, 32, 25), "below", 20_000)
    assert (worse.direction, worse.reason) == (Direction.WORSENING, TrendReason.WILL_BE_MISSED)
    assert (better.direction, better.reason) == (Direction.IMPROVING, TrendReason.WILL_BE_MET)


def test_a_line_that_leads_further_into_the_side_of_the_last_point_never_crosses() -> None:
    met, missed = trend(weekly(15, 8, 1), "below", 20_000), trend(weekly(25, 32, 39), "below", 20_000)
    assert (met.direction, met.reason) == (Direction.IMPROVING, TrendReason.MOVING_AWAY)
    assert (missed.direction, missed.reason) == (Direction.WORSENING, TrendReason.MOVING_AWAY)
    assert met.crosses_on is missed.crosses_on is None


def test_a_line_already_beyond_the_bar_that_the_last_point_still_meets_crosses_on_the_next_day() -> None:
    found = trend(weekly(5, 10, 15, 20, 25, 19), "below", 20_000)
    assert found.on_last_day is not None and found.on_last_day > Fraction(20, 1000)
    assert (found.reason, found.crosses_on) == (TrendReason.WILL_BE_MISSED, DAY + timedelta(days=1))


@pytest.mark.parametrize(
    ("counts", "comparison", "threshold", "reason"),
    [
        ((30, 20, 10), "below", 0, TrendReason.BEYOND_HORIZON),  # no rate is below 0
        ((30, 20, 10), "at_most", 0, TrendReason.WILL_BE_MET),  # 0 itself is a rate
        ((970, 980, 990), "above", PPM, TrendReason.BEYOND_HORIZON),
        ((970, 980, 990), "at_least", PPM, TrendReason.WILL_BE_MET),
        ((970, 980, 990), "at_most", PPM, TrendReason.BEYOND_HORIZON),
        ((30, 20, 10), "at_least", 0, TrendReason.BEYOND_HORIZON),
    ],
)
def test_no_line_crosses_where_no_rate_can_be(
    counts: tuple[int, ...], comparison: str, threshold: int, reason: TrendReason
) -> None:
    assert trend(weekly(*counts), comparison, threshold).reason is reason


def test_a_counter_may_rise_beyond_one_and_is_held_against_a_count() -> None:
    """An account health rating that loses one point a day, from 208 on, against at least 200."""
    found = trend(weekly(222, 215, 208, of=None), "at_least", 200)
    assert (found.direction, found.crosses_on) == (Direction.WORSENING, DAY + timedelta(days=9))


def test_a_counter_that_has_to_be_zero_is_met_when_the_line_arrives_there() -> None:
    found = trend(weekly(5, 3, 1, of=None), "equals", 0)
    assert (found.reason, found.crosses_on) == (TrendReason.WILL_BE_MET, DAY + timedelta(days=4))


# No trend


def test_it_takes_three_points_over_fourteen_days() -> None:
    assert trend([], "below", 20_000) == Trend(None, TrendReason.NOT_ENOUGH_POINTS, 0, 0)
    assert trend(weekly(1, 2), "below", 20_000) == Trend(None, TrendReason.NOT_ENOUGH_POINTS, 2, 7)
    close = [Point(DAY - timedelta(days=age), 20 - age, 1000) for age in (0, 7, 13)]
    assert trend(close, "below", 20_000) == Trend(None, TrendReason.TOO_SHORT_A_SPAN, 3, 13)
    assert trend(weekly(1, 2, 3), "below", 20_000).direction is Direction.WORSENING


def test_values_that_are_all_the_same_are_steady() -> None:
    """6 of 1000 and 3 of 500 are the same value."""
    points = [*weekly(6, 6, 6), Point(DAY - timedelta(weeks=3), 3, 500)]
    found = trend(points, "below", 20_000)
    assert (found.direction, found.reason, found.per_day) == (Direction.STEADY, TrendReason.STEADY, 0)


def test_a_line_that_leaves_more_than_half_of_the_variance_unexplained_is_no_trend() -> None:
    assert trend(weekly(1, 9, 2, 8, 3, 7), "below", 20_000) == Trend(None, TrendReason.SCATTERED, 6, 35)
    # The variances of 0, 0, 1 are 1/3, and 1/6 about the line: exactly half. A step back is too much for three points.
    assert trend(weekly(0, 0, 1000), "below", 20_000).direction is Direction.WORSENING
    assert trend(weekly(1, 0, 1000), "below", 20_000).reason is TrendReason.SCATTERED


# Which points


def test_the_last_twelve_points_count() -> None:
    recent = weekly(*range(12))
    before = Point(DAY - timedelta(weeks=12), 1000, 1000)
    assert trend([before, *recent], "below", 20_000) == trend(recent, "below", 20_000)
    assert trend(recent, "below", 20_000).points == 12


def test_daily_points_count_as_far_back_as_a_trend_needs() -> None:
    daily = [Point(DAY - timedelta(days=age), 100 - age, 1000) for age in range(40)]
    found = trend(daily, "below", 200_000)
    assert (found.points, found.span_days, found.per_day) == (15, 14, Fraction(1, 1000))


def test_what_is_older_than_a_year_is_no_part_of_the_present_trend() -> None:
    recent = weekly(1, 2, 3)
    a_year, more = (Point(DAY - timedelta(days=age), 0, 1000) for age in (365, 366))
    assert trend([a_year, *recent], "below", 20_000).span_days == 365
    assert trend([more, *recent], "below", 20_000) == trend(recent, "below", 20_000)


def test_two_points_of_one_day_are_refused() -> None:
    with pytest.raises(ValueError, match="one point a day"):
        trend([*weekly(1, 2, 3), Point(DAY, 3, 1000)], "below", 20_000)


def test_rates_and_counters_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="either rates or counters"):
        trend([*weekly(1, 2, 3), Point(DAY - timedelta(weeks=3), 3)], "below", 20_000)
