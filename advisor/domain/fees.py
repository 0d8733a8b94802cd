"""Price sales: referral fee and its companions per unit, net proceeds, contribution, and the profitable price ranges.

A percentage has one of four shapes: flat; graduated (each slice of the price at its own rate); volume (the whole price
at the rate of its band); mixed (volume bands, then slices). All are kept as *pieces*, on each of which the exact fee is
rate * price + constant: one formula prices them all, and profit can be solved piece by piece instead of searched.

Every fee is rounded once, half-up, per unit. A later fee is taken on the earlier one as charged.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from advisor.domain import formulas
from advisor.domain.formulas import INTEGERS
from advisor.domain.numbers import PPM
from advisor.domain.sources import Source, Validity, in_force

CHANNELS = ("seller", "seller_prime", "amazon", "easy_ship", "self_ship", "seller_flex")
COMMON_CHANNELS = CHANNELS[:3]


@dataclass(frozen=True, slots=True)
class Tier:
    """A band or slice as published: up to and with `up_to` minor units (None: no upper edge), at `rate_ppm`."""

    up_to: int | None
    rate_ppm: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of prices, up to and with `up_to`, where the fee is rate_ppm * price + constant (1e-6 minor units)."""

    up_to: int | None
    rate_ppm: int
    constant: int


def pieces_of(bands: Sequence[Tier], slices: Sequence[Tier]) -> tuple[Piece, ...]:
    """Bring bands (whole price) and the slices above them (each at its own rate) into pieces."""
    pieces = [Piece(band.up_to, band.rate_ppm, 0) for band in bands]
    above = bands[-1].up_to if bands else 0
    constant = 0
    for lower, upper in pairwise((Tier(0, slices[0].rate_ppm), *slices) if slices else ()):
        constant += (lower.rate_ppm - upper.rate_ppm) * (lower.up_to or 0)
        if upper.up_to is None or above is None or upper.up_to > above:
            pieces.append(Piece(upper.up_to, upper.rate_ppm, constant))
    return tuple(pieces)


@dataclass(frozen=True, slots=True, eq=False)
class FeeRule:
    """One dated version of a category's fees.

    minimum in minor units (0: none). closing_fee: an amount, None when one exists that nobody publishes, or "table"
    when the schedule's closing fee table has it by channel and price.
    """

    validity: Validity
    verified_on: date
    channels: frozenset[str]
    basis: str
    shape: str
    bands: tuple[Tier, ...]
    slices: tuple[Tier, ...]
    pieces: tuple[Piece, ...]
    minimum: int
    closing_fee: int | str | None
    confidence: str
    sources: tuple[Source, ...]
    note: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A fee category of one schedule. `closing_groups`: its group in each banded row of the closing fee table."""

    key: str
    label: str
    also_known_as: tuple[str, ...]
    closing_groups: tuple[str | None, ...]
    versions: tuple[FeeRule, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What a selling plan costs: a month, and per item sold. None: nobody publishes it."""

    selling_plan: str
    validity: Validity
    monthly: int | None
    per_item: int | None
    confidence: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RefundAdministration:
    """The part of the referral fee that is kept on a refund: a share, at most a cap (None: unpublished)."""

    validity: Validity
    share_ppm: int
    cap: int | None
    confidence: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DigitalServices:
    """A surcharge on referral and closing fee by the country a seller is established in; rates None: unpublished."""

    validity: Validity
    others_ppm: int | None
    home_ppm: Mapping[str, int]
    on_fulfillment: bool
    note: str | None
    confidence: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class BusinessOrders:
    """Whether a business order pays the standard schedule, or something nobody publishes."""

    validity: Validity
    rule: str
    text: str
    confidence: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class ClosingBand:
    """A band of the closing fee table, up to and with `up_to`: one fee, or a fee by the category's group."""

    up_to: int | None
    fee: int | None
    groups: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class ClosingFeeTable:
    """Closing fees by channel and by bands of the item price including shipping."""

    validity: Validity
    channels: Mapping[str, tuple[ClosingBand, ...]]
    confidence: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Remark:
    """A published fact about fees that is shown, not computed."""

    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FeeSchedule:
    """All fees of one marketplace, by date. `decimals`: places of its currency's minor unit."""

    marketplace: str
    currency: str
    decimals: int
    covered: bool
    prices_include_tax: bool
    note: str
    categories: Mapping[str, Category]
    plans: tuple[Plan, ...]
    refund_administration: tuple[RefundAdministration, ...]
    digital_services: tuple[DigitalServices, ...]
    business_orders: tuple[BusinessOrders, ...]
    closing_fee_tables: tuple[ClosingFeeTable, ...]
    tax_on_fees_ppm: int
    remarks: tuple[Remark, ...]
    sources: tuple[Source, ...]

    def category(self, key: str) -> Category | None:
        """Find a category by its key or another key that people use for it."""
        found = self.categories.get(key)
        if found is None:
            found = next((one for one in self.categories.values() if key in one.also_known_as), None)
        return found

    @property
    def channels(self) -> tuple[str, ...]:
        """The fulfillment channels that can be priced here."""
        extra = {channel for table in self.closing_fee_tables for channel in table.channels}
        return tuple(channel for channel in CHANNELS if channel in COMMON_CHANNELS or channel in extra)


@dataclass(frozen=True, slots=True)
class FeeLine:
    """One sale to price: money in minor units, rates in ppm, units a month. None is unknown.

    refund_rate_ppm is 0 for "without refunds".
    """

    category: str
    price: int
    shipping: int = 0
    gift_wrap: int = 0
    units: int = 1
    fulfillment: str = "seller"
    business_order: bool | None = None
    unit_cost: int | None = None
    fulfillment_cost: int | None = None
    refund_rate_ppm: int = 0
    tax_rate_ppm: int | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a sale in minor units; None where nobody publishes the figure or the seller did not give a cost.

    total_fees is the sum of the known fees; tax_on_fees stands outside it.
    """

    total_sales_price: int
    sales_tax: int | None
    referral_fee: int | None
    closing_fee: int | None
    per_item_fee: int | None
    digital_services_fee: int | None
    refund_administration_fee: int | None
    total_fees: int
    tax_on_fees: int
    net_proceeds: int
    contribution: int | None

    @property
    def complete(self) -> bool:
        """Whether every fee is known."""
        return all(getattr(self, fee) is not None for fee in FEES)

    @property
    def decidable(self) -> bool:
        """Whether every fee and the tax are known, so that what is left of a price is not overstated."""
        return self.complete and self.sales_tax is not None

    def times(self, units: int) -> "Parts":
        """Multiply every part by a number of units."""
        return Parts(*(None if part is None else part * units for part in self._values()))  # type: ignore[arg-type]

    def plus(self, other: "Parts") -> "Parts":
        """Add part by part: what is unknown in one is unknown in the sum, but for the sums of what is known."""
        pairs = zip(self._values(), other._values(), strict=True)
        return Parts(*(None if a is None or b is None else a + b for a, b in pairs))  # type: ignore[arg-type]

    def _values(self) -> list[int | None]:
        return [getattr(self, one.name) for one in fields(self)]


PART_NAMES = tuple(part.name for part in fields(Parts))
FEES = ("referral_fee", "closing_fee", "per_item_fee", "digital_services_fee", "refund_administration_fee")


@dataclass(frozen=True, slots=True)
class TierShare:
    """The part of a price that fell into one tier, and its exact fee in 1e-6 minor units."""

    start: int
    end: int | None
    rate_ppm: int
    base: int
    fee_exact: int


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Prices, both ends included, at which the contribution is not negative; end None: however high."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class LineEstimate:
    """One line priced. `per_unit` is None when no fee rule covers it; `warnings` are codes in a fixed order."""

    line: FeeLine
    rule: FeeRule | None
    per_unit: Parts | None
    complete: bool
    tiers: tuple[TierShare, ...]
    minimum_applied: bool
    profitable_ranges: tuple[PriceRange, ...] | None
    warnings: tuple[str, ...]

    @property
    def total(self) -> Parts | None:
        """The parts for all units of the line."""
        return None if self.per_unit is None else self.per_unit.times(self.line.units)


@dataclass(frozen=True, slots=True)
class Estimate:
    """All lines priced, their sum, and one month's subscription (None: unpublished or the plan is unknown)."""

    schedule: FeeSchedule
    lines: tuple[LineEstimate, ...]
    total: Parts | None
    subscription: int | None
    complete: bool


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Everything that prices a category's sales on one day, for one channel, plan and seller's country.

    None in an amount or rate means that nobody publishes it, or that the seller did not say what it depends on.
    """

    rule: FeeRule
    closing_bands: tuple[ClosingBand, ...] | None
    closing_groups: tuple[str | None, ...]
    per_item: int | None
    digital_ppm: int | None
    refund: RefundAdministration | None
    tax_on_fees_ppm: int
    warnings: tuple[str, ...]


def rule_in_force(category: Category, channel: str, day: date) -> FeeRule | None:
    """Pick the category's version for a channel and day."""
    return in_force((one for one in category.versions if channel in one.channels), day)


def digital_services_ppm(schedule: FeeSchedule, day: date, established_in: str | None) -> tuple[int | None, str | None]:
    """Find the digital services rate for a seller's country; with None, the warning code that says why."""
    block = in_force(schedule.digital_services, day)
    if block is None:
        return 0, None
    if block.others_ppm is None:
        return None, "digital_services_fee_unknown"
    if established_in is not None:
        return block.home_ppm.get(established_in, block.others_ppm), None
    if all(rate == block.others_ppm for rate in block.home_ppm.values()):
        return block.others_ppm, None
    return None, "established_in_unknown"


def plan_in_force(schedule: FeeSchedule, day: date, selling_plan: str | None) -> Plan | None:
    """Pick the plan's prices of that day."""
    return in_force((plan for plan in schedule.plans if plan.selling_plan == selling_plan), day)


@lru_cache(maxsize=4096)
def terms_in_force(
    schedule: FeeSchedule, category: Category, channel: str, day: date, plan: str | None, established_in: str | None
) -> Terms | None:
    """Gather the terms of a sale; None when no fee rule covers the category, channel and day."""
    rule = rule_in_force(category, channel, day)
    if rule is None:
        return None
    warnings = []
    bands: tuple[ClosingBand, ...] | None = None
    if rule.closing_fee == "table":
        table = in_force(schedule.closing_fee_tables, day)
        bands = table.channels.get(channel) if table else None
        if bands is None:
            warnings.append("closing_fee_depends_on_channel" if table else "closing_fee_unknown")
    elif rule.closing_fee is None:
        warnings.append("closing_fee_unknown")
    prices = plan_in_force(schedule, day, plan)
    per_item = 0 if plan == "professional" else prices.per_item if prices else None
    if per_item is None:
        warnings.append("selling_plan_unknown" if plan is None else "per_item_fee_unknown")
    digital, why = digital_services_ppm(schedule, day, established_in)
    if why:
        warnings.append(why)
    block = in_force(schedule.digital_services, day)
    if block is not None and block.on_fulfillment and channel == "amazon" and digital:
        warnings.append("digital_services_fee_on_fulfillment_not_included")
    return Terms(
        rule=rule,
        closing_bands=bands,
        closing_groups=category.closing_groups,
        per_item=per_item,
        digital_ppm=digital,
        refund=in_force(schedule.refund_administration, day),
        tax_on_fees_ppm=schedule.tax_on_fees_ppm,
        warnings=tuple(warnings),
    )


def closing_fee(terms: Terms, price_and_shipping: int) -> int | None:
    """Find the closing fee of one unit; None when unpublished."""
    if terms.rule.closing_fee != "table":
        return terms.rule.closing_fee if isinstance(terms.rule.closing_fee, int) else None
    if terms.closing_bands is None:
        return None
    groups = iter(terms.closing_groups)
    for band in terms.closing_bands:
        group = next(groups) if band.groups else None
        if band.up_to is None or price_and_shipping <= band.up_to:
            return band.fee if not band.groups else None if group is None else band.groups[group]
    raise AssertionError("the last band has no upper edge")


def estimate(
    schedule: FeeSchedule,
    as_of: date,
    lines: Sequence[FeeLine],
    selling_plan: str | None = None,
    established_in: str | None = None,
) -> Estimate:
    """Price every line by the schedule of that day, and sum them up."""
    priced = tuple(estimate_line(schedule, as_of, line, selling_plan, established_in) for line in lines)
    total: Parts | None = None
    for one in priced:
        if one.total is not None:
            total = one.total if total is None else total.plus(one.total)
    plan = plan_in_force(schedule, as_of, selling_plan)
    return Estimate(
        schedule=schedule,
        lines=priced,
        total=total,
        subscription=plan.monthly if plan else None,
        complete=bool(priced) and all(one.complete for one in priced),
    )


def estimate_line(
    schedule: FeeSchedule, as_of: date, line: FeeLine, selling_plan: str | None, established_in: str | None
) -> LineEstimate:
    """Price one line: per unit, by tier, and over all prices."""
    category = schedule.category(line.category)
    if category is None:
        return LineEstimate(line, None, None, False, (), False, None, ("not_covered",))
    terms = terms_in_force(schedule, category, line.fulfillment, as_of, selling_plan, established_in)
    if terms is None:
        return LineEstimate(line, None, None, False, (), False, None, ("not_covered",))
    parts = price_unit(terms, line, schedule.prices_include_tax)
    warnings = list(terms.warnings)
    if parts.closing_fee is None and not any(code.startswith("closing_fee") for code in warnings):
        warnings.insert(0, "closing_fee_unknown")
    if parts.refund_administration_fee is None:
        warnings.append("refund_administration_fee_unknown")
    if parts.sales_tax is None:
        warnings.append("tax_not_deducted")
    if line.fulfillment == "amazon" and line.fulfillment_cost is None:
        warnings.append("fulfillment_fee_not_included")
    business = in_force(schedule.business_orders, as_of)
    if line.business_order and business is not None and business.rule != "standard":
        warnings.append("business_order_rule_unknown")
    base = fee_base(terms.rule, line)
    exact = formulas.percentage_exact(INTEGERS, _as_tuples(terms.rule.pieces), base)
    return LineEstimate(
        line=line,
        rule=terms.rule,
        per_unit=parts,
        complete=parts.complete,
        tiers=tuple(tier_shares(terms.rule, base)),
        minimum_applied=exact < terms.rule.minimum * PPM,
        profitable_ranges=profitable_ranges(terms, line, schedule.prices_include_tax) if parts.decidable else None,
        warnings=tuple(warnings),
    )


def fee_base(rule: FeeRule, line: FeeLine) -> int:
    """The amount the percentage is taken of, per unit."""
    return line.price if rule.basis == "item_price" else line.price + line.shipping + line.gift_wrap


def _as_tuples(pieces: Sequence[Piece]) -> list[tuple[int | None, int, int]]:
    return [(piece.up_to, piece.rate_ppm, piece.constant) for piece in pieces]


def price_unit(terms: Terms, line: FeeLine, prices_include_tax: bool) -> Parts:
    """Price one unit, every fee rounded once, half-up."""
    total = line.price + line.shipping + line.gift_wrap
    exact = formulas.percentage_exact(INTEGERS, _as_tuples(terms.rule.pieces), fee_base(terms.rule, line))
    referral = formulas.round_fee(INTEGERS, exact, terms.rule.minimum)
    closing = closing_fee(terms, line.price + line.shipping)
    digital: int | None = None
    if terms.digital_ppm == 0:
        digital = 0
    elif terms.digital_ppm is not None and closing is not None:
        digital = formulas.share_of(INTEGERS, referral + closing, terms.digital_ppm)
    refund: int | None = 0
    if line.refund_rate_ppm:
        kept = terms.refund
        refund = None
        if kept is not None and kept.cap is not None:
            refund = formulas.refund_cost(INTEGERS, referral, line.refund_rate_ppm, kept.share_ppm, kept.cap)
    total_fees = referral + (closing or 0) + (terms.per_item or 0) + (digital or 0) + (refund or 0)
    tax: int | None = 0
    if prices_include_tax:
        tax = None if line.tax_rate_ppm is None else formulas.tax_within(INTEGERS, total, line.tax_rate_ppm)
    net = total - (tax or 0) - total_fees
    contribution = None if line.unit_cost is None else net - line.unit_cost - (line.fulfillment_cost or 0)
    return Parts(
        total_sales_price=total,
        sales_tax=tax,
        referral_fee=referral,
        closing_fee=closing,
        per_item_fee=terms.per_item,
        digital_services_fee=digital,
        refund_administration_fee=refund,
        total_fees=total_fees,
        tax_on_fees=formulas.share_of(INTEGERS, total_fees, terms.tax_on_fees_ppm),
        net_proceeds=net,
        contribution=contribution,
    )


def tier_shares(rule: FeeRule, base: int) -> Iterator[TierShare]:
    """Say which tiers a price fell into: one band, or every slice it reaches."""
    start = 0
    for band in rule.bands:
        if band.up_to is None or base <= band.up_to:
            yield TierShare(start, band.up_to, band.rate_ppm, base, base * band.rate_ppm)
            return
        start = band.up_to
    start = 0
    for part in rule.slices:
        taken = (base if part.up_to is None else min(base, part.up_to)) - start
        yield TierShare(start, part.up_to, part.rate_ppm, taken, taken * part.rate_ppm)
        if part.up_to is None or base <= part.up_to:
            return
        start = part.up_to


def exact_contribution(terms: Terms, line: FeeLine, prices_include_tax: bool, price: int) -> Fraction:
    """Compute the contribution of one unit at a price, with no fee rounded. Unknown costs count as 0."""
    total = price + line.shipping + line.gift_wrap
    base = price if terms.rule.basis == "item_price" else total
    percentage = Fraction(formulas.percentage_exact(INTEGERS, _as_tuples(terms.rule.pieces), base), PPM)
    referral = max(percentage, Fraction(terms.rule.minimum))
    closing = closing_fee(terms, price + line.shipping) or 0
    digital = (referral + closing) * Fraction(terms.digital_ppm or 0, PPM)
    refund = Fraction(0)
    if line.refund_rate_ppm and terms.refund and terms.refund.cap is not None:
        kept = min(Fraction(terms.refund.cap), referral * Fraction(terms.refund.share_ppm, PPM))
        refund = kept * Fraction(line.refund_rate_ppm, PPM)
    tax = Fraction(0)
    if prices_include_tax and line.tax_rate_ppm:
        tax = Fraction(total * line.tax_rate_ppm, PPM + line.tax_rate_ppm)
    fees = referral + closing + (terms.per_item or 0) + digital + refund
    return total - tax - fees - (line.unit_cost or 0) - (line.fulfillment_cost or 0)


def profitable_ranges(terms: Terms, line: FeeLine, prices_include_tax: bool) -> tuple[PriceRange, ...] | None:
    """Solve for the prices at which the contribution is not negative; None without a unit cost.

    Between two edges (of tiers, the minimum, the refund cap, closing bands) the contribution is a straight line, so
    each stretch of whole minor units is solved exactly. The lowest price is one minor unit.
    """
    if line.unit_cost is None:
        return None

    found: list[PriceRange] = []
    for start, end, first, slope in _stretches(terms, line, prices_include_tax):
        stretch = _not_negative(first, slope, start, end)
        if stretch is None:
            continue
        if found and found[-1].end is not None and found[-1].end + 1 == stretch.start:
            found[-1] = PriceRange(found[-1].start, stretch.end)
        else:
            found.append(stretch)
    return tuple(found)


def _stretches(
    terms: Terms, line: FeeLine, prices_include_tax: bool
) -> Iterator[tuple[int, int | None, Fraction, Fraction]]:
    """Give the straight lines that the contribution follows over all prices: from, to, its value at from, its slope."""

    def worth(price: int) -> Fraction:
        return exact_contribution(terms, line, prices_include_tax, price)

    starts = [1, *(edge + 1 for edge in _edges(terms, line))]
    for start, after in zip(starts, [*starts[1:], None], strict=True):
        end = None if after is None else after - 1
        yield start, end, worth(start), worth(start + 1) - worth(start) if end != start else Fraction(0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A straight piece of what is left over prices: from `start` to `end`, both in minor units and included."""

    start: int
    end: int
    left_at_start: int
    left_at_end: int


def left_over_prices(
    schedule: FeeSchedule,
    as_of: date,
    line: FeeLine,
    selling_plan: str | None,
    established_in: str | None,
    highest: int,
) -> tuple[Stretch, ...]:
    """Follow the contribution (net proceeds, where no cost is given) from one minor unit to the highest price.

    What is unknown counts as 0. The ends are rounded half-up; there is one stretch
    between two edges. Empty where no fee rule covers the line.
    """
    category = schedule.category(line.category)
    terms = category and terms_in_force(schedule, category, line.fulfillment, as_of, selling_plan, established_in)
    if not terms:
        return ()
    found: list[Stretch] = []
    for start, end, first, slope in _stretches(terms, line, schedule.prices_include_tax):
        if start > highest:
            break
        last = highest if end is None else min(end, highest)
        found.append(Stretch(start, last, _half_up(first), _half_up(first + slope * (last - start))))
    return tuple(found)


def _half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def _not_negative(first: Fraction, slope: Fraction, start: int, end: int | None) -> PriceRange | None:
    """Find the whole prices from start to end where first + slope * (price - start) >= 0."""
    if first >= 0:
        if slope >= 0:
            return PriceRange(start, end)
        last = start + int(first // -slope)
        return PriceRange(start, last if end is None else min(last, end))
    if slope <= 0:
        return None
    begin = start + int(-(first // slope))
    return PriceRange(begin, end) if end is None or begin <= end else None


def _edges(terms: Terms, line: FeeLine) -> list[int]:
    """List the prices after which the contribution may follow another straight line, in order, from 1 up."""
    extra = 0 if terms.rule.basis == "item_price" else line.shipping + line.gift_wrap
    edges: set[int] = set()
    levels = [Fraction(terms.rule.minimum * PPM)]
    if line.refund_rate_ppm and terms.refund and terms.refund.cap is not None and terms.refund.share_ppm:
        levels.append(Fraction(terms.refund.cap * PPM * PPM, terms.refund.share_ppm))
    for piece in terms.rule.pieces:
        if piece.up_to is not None:
            edges.add(piece.up_to - extra)
        if piece.rate_ppm:
            edges.update(int((level - piece.constant) // piece.rate_ppm) - extra for level in levels)
    edges.update(band.up_to - line.shipping for band in terms.closing_bands or () if band.up_to is not None)
    return sorted(edge for edge in edges if edge >= 1)
