"""Each formula once, for integers and for columns alike.

The functions use `+ - * < <= == &` and the four operators they are given, so `assess` and `estimate` call them with
Python integers and `advisor.batch` calls them with Ibis columns. All integers stay inside 64 bits: counts up to 10**9,
amounts up to 10**11 minor units, rates in parts per million.

A criterion is judged in *defects*: of a metric whose high values are good (valid tracking) the defects are the rest,
and the allowance is what the threshold leaves. One set of formulas then serves both sides.
"""

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from advisor.domain.numbers import PPM

# A Python integer or boolean, or a column of them.
Number = Any


class Operators(NamedTuple):
    """What differs between integers and columns.

    where(condition, then, otherwise); least(*numbers); greatest(*numbers); divide(a, b) = a over b without the
    remainder, for a >= 0 and b > 0.
    """

    where: Callable[[Any, Any, Any], Any]
    least: Callable[..., Any]
    greatest: Callable[..., Any]
    divide: Callable[[Any, Any], Any]


INTEGERS = Operators(
    where=lambda condition, then, otherwise: then if condition else otherwise,
    least=min,
    greatest=max,
    divide=operator.floordiv,
)


class Allowance(NamedTuple):
    """The share of defects a criterion allows: in ppm, and whether the share itself is already too much."""

    ppm: int
    strict: bool


@lru_cache(maxsize=4096)
def allowance(comparison: str, threshold_ppm: int) -> Allowance:
    """Turn a comparison and its threshold into the share of defects allowed."""
    match comparison:
        case "below":
            return Allowance(threshold_ppm, strict=True)
        case "at_most" | "equals":
            return Allowance(threshold_ppm, strict=False)
        case "above":
            return Allowance(PPM - threshold_ppm, strict=True)
        case "at_least":
            return Allowance(PPM - threshold_ppm, strict=False)
    raise ValueError(comparison)


def defects(comparison: str, count: Number, of: Number) -> Number:
    """Count the defects among `of`: the count itself, or the rest where high values are good."""
    return of - count if comparison in ("above", "at_least") else count


def meets(allowed: Allowance, bad: Number, of: Number) -> Number:
    """Say whether `bad` of `of` is within the allowance. Exact: both sides are multiplied out."""
    if allowed.strict:
        return bad * PPM < allowed.ppm * of
    return bad * PPM <= allowed.ppm * of


def headroom(ops: Operators, allowed: Allowance, bad: Number, of: Number) -> Number:
    """Count the further defects, among the same orders, that still meet the bar; negative when missed."""
    if allowed.strict:
        return ops.divide(allowed.ppm * of + (PPM - 1), PPM) - 1 - bad
    return ops.divide(allowed.ppm * of, PPM) - bad


def recovery(allowed: Allowance, bad: int, of: int) -> int | None:
    """Count the fewest clean further orders after which the bar is met; None when no number is enough."""
    if meets(allowed, bad, of):
        return 0
    if allowed.ppm == 0:
        return None
    if allowed.strict:
        return bad * PPM // allowed.ppm + 1 - of
    return -(-bad * PPM // allowed.ppm) - of


def score(ops: Operators, allowed: Allowance, bad: Number, of: Number) -> Number:
    """Score one criterion: 100 at no use of the allowance, 50 at the threshold, 0 at twice it; half-up.

    Never below 50 when met nor above 49 when missed. An allowance of zero scores 100 or 0. Needs of > 0.
    """
    met = meets(allowed, bad, of)
    if allowed.ppm == 0:
        return ops.where(met, 100, 0)
    limit = allowed.ppm * of
    left = 100 * limit - 50 * ops.least(bad * PPM, 2 * limit)
    points = ops.divide(2 * left + limit, 2 * limit)
    return ops.where(met, ops.greatest(points, 50), ops.least(points, 49))


def rate_ppm(ops: Operators, count: Number, of: Number) -> Number:
    """Round count over of to parts per million, half-up. Needs of > 0."""
    return ops.divide(2 * count * PPM + of, 2 * of)


def percentage_exact(ops: Operators, pieces: Sequence[tuple[Number, Number, Number]], price: Number) -> Number:
    """Take a tiered percentage of a price, unrounded, in millionths of a minor unit.

    `pieces` are (up_to, rate_ppm, constant): up to and with `up_to` the fee is rate * price + constant; the last piece
    has no upper edge. Flat, graduated, volume and mixed tiers all come as such pieces (see `advisor.domain.fees`).
    """
    _, rate, constant = pieces[-1]
    exact = rate * price + constant
    for up_to, rate, constant in reversed(pieces[:-1]):
        exact = ops.where(price <= up_to, rate * price + constant, exact)
    return exact


def round_fee(ops: Operators, exact: Number, minimum: Number) -> Number:
    """Apply the minimum (minor units) to an exact fee in millionths, and round once, half-up."""
    return ops.divide(ops.greatest(exact, minimum * PPM) + PPM // 2, PPM)


def share_of(ops: Operators, amount: Number, ppm: Number) -> Number:
    """Take a share of an amount, rounded half-up."""
    return ops.divide(amount * ppm + PPM // 2, PPM)


def tax_within(ops: Operators, total: Number, tax_ppm: Number) -> Number:
    """Take the tax out of a price that includes it, rounded half-up."""
    return ops.divide(2 * total * tax_ppm + PPM + tax_ppm, 2 * (PPM + tax_ppm))


def refund_cost(ops: Operators, referral_fee: Number, refund_ppm: Number, share_ppm: int, cap: int) -> Number:
    """Expect the refund administration fee per unit sold: refund rate * min(cap, share * fee), rounded once."""
    kept = ops.least(share_ppm * referral_fee, cap * PPM)
    return ops.divide(kept * refund_ppm + PPM * PPM // 2, PPM * PPM)
