"""Find the direction in which a criterion's values move, and the day on which the line through them crosses the bar."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from advisor.domain import formulas
from advisor.domain.numbers import PPM

FEWEST_POINTS = 3
MOST_POINTS = 12
SHORTEST_SPAN_DAYS = 14
HORIZON_DAYS = 365


class Direction(StrEnum):
    """Which side of the bar the values move to."""

    IMPROVING = "improving"
    WORSENING = "worsening"
    STEADY = "steady"


class TrendReason(StrEnum):
    """Why there is a crossing, or why there is none."""

    WILL_BE_MISSED = "will_be_missed"
    WILL_BE_MET = "will_be_met"
    BEYOND_HORIZON = "beyond_horizon"
    MOVING_AWAY = "moving_away"
    STEADY = "steady"
    SCATTERED = "scattered"
    TOO_SHORT_A_SPAN = "too_short_a_span"
    NOT_ENOUGH_POINTS = "not_enough_points"


@dataclass(frozen=True, slots=True)
class Point:
    """A value measured on a day: `count` of `of` (1 or more), or a plain count (of is None), as an Observation."""

    day: date
    count: int
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Trend:
    """What was found, and from how many points that are how many days apart, first to last.

    The line is exact, as a rate (1 is 100 %) or a count: its change `per_day` and its value `on_last_day`. Without a
    trend there is neither direction nor line.
    """

    direction: Direction | None
    reason: TrendReason
    points: int
    span_days: int
    per_day: Fraction | None = None
    on_last_day: Fraction | None = None
    crosses_on: date | None = None


def trend(points: Sequence[Point], comparison: str, threshold: int) -> Trend:
    """Draw a line through the most recent points and follow it to the bar: in ppm for rates, a count for counters.

    The line is that of least squares through the last 12 points (more where 12 span less than 14 days; none more than
    365 days before the last), each with the same weight, and it is a trend where it leaves at most half of the variance
    unexplained. It crosses on the first day after the last point, within 365, on which it answers the bar otherwise
    than that point does.

    Both variances are estimates, over the degrees of freedom (adjusted R² of 1/2 or more), so few points have to lie
    closer to the line than many: three evenly spaced ones pass exactly when no step goes back. A test of significance
    would promise too much, since the windows of weekly snapshots overlap.

    Raises:
        ValueError: Two points are of one day, or rates and counters are mixed.
    """
    if len({point.day for point in points}) < len(points):
        raise ValueError("a trend takes one point a day")
    if len({point.of is None for point in points}) > 1:
        raise ValueError("a trend takes either rates or counters")
    used = _most_recent(points)
    span = (used[-1].day - used[0].day).days if used else 0
    if len(used) < FEWEST_POINTS:
        return Trend(None, TrendReason.NOT_ENOUGH_POINTS, len(used), span)
    if span < SHORTEST_SPAN_DAYS:
        return Trend(None, TrendReason.TOO_SHORT_A_SPAN, len(used), span)

    last = used[-1]
    days = [(point.day - last.day).days for point in used]
    values = [_value(point) for point in used]
    # n² times the variances of days and values and their covariance: no division, and n cancels out.
    n, sum_days, sum_values = len(used), sum(days), sum(values)
    days_vary = n * sum(day * day for day in days) - sum_days**2
    values_vary = n * sum(value * value for value in values) - sum_values**2
    together = n * sum(day * value for day, value in zip(days, values, strict=True)) - sum_days * sum_values
    per_day = Fraction(together, days_vary)
    on_last_day = Fraction(sum_values - per_day * sum_days, n)
    if values_vary == 0:
        return Trend(Direction.STEADY, TrendReason.STEADY, n, span, per_day, on_last_day)
    unexplained = values_vary - per_day * together
    if 2 * unexplained * (n - 1) > values_vary * (n - 2):
        return Trend(None, TrendReason.SCATTERED, n, span)

    def meets(value: Fraction) -> bool:
        return _meets(value, comparison, threshold, counter=last.of is None)

    met = meets(values[-1])
    rises, high_is_good = per_day > 0, comparison in ("at_least", "above")
    direction = Direction.IMPROVING if rises == high_is_good else Direction.WORSENING
    if met != (direction is Direction.WORSENING):
        return Trend(direction, TrendReason.MOVING_AWAY, n, span, per_day, on_last_day)
    # A line changes its answer once. One that never does, because no rate lies beyond the bar, ends here as well.
    ahead = 1 + bisect_left(
        range(1, HORIZON_DAYS + 1), True, key=lambda day: meets(on_last_day + per_day * day) is not met
    )
    if ahead > HORIZON_DAYS:
        return Trend(direction, TrendReason.BEYOND_HORIZON, n, span, per_day, on_last_day)
    reason = TrendReason.WILL_BE_MISSED if met else TrendReason.WILL_BE_MET
    return Trend(direction, reason, n, span, per_day, on_last_day, last.day + timedelta(days=ahead))


def _most_recent(points: Sequence[Point]) -> Sequence[Point]:
    """Choose the points that count, oldest first.

    More than the most where that many span too little: whoever sends numbers daily would never see a trend.
    """
    ordered = sorted(points, key=lambda point: point.day)
    ages = [(ordered[-1].day - point.day).days for point in ordered]
    first = max(0, len(ordered) - MOST_POINTS)
    while first > 0 and ages[first] < SHORTEST_SPAN_DAYS:
        first -= 1
    return [point for point, age in zip(ordered[first:], ages[first:], strict=True) if age <= HORIZON_DAYS]


def _value(point: Point) -> Fraction:
    return Fraction(point.count, 1 if point.of is None else point.of)


def _meets(value: Fraction, comparison: str, threshold: int, counter: bool) -> bool:
    """Judge a value of the line as an observation is judged; what would be below 0 is 0, a rate above 1 is 1."""
    possible = max(value, Fraction(0)) if counter else min(max(value, Fraction(0)), Fraction(1))
    count, of = possible.numerator, possible.denominator
    allowed = formulas.allowance(comparison, threshold * PPM if counter else threshold)
    return bool(formulas.meets(allowed, formulas.defects(comparison, count, of), of))
