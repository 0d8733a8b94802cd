"""Put eligibility and money together: is the commission worth the additional B2B revenue?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from advisor.domain.assessment import Assessment
from advisor.domain.fees import FeeLine, FeeSchedule, LineEstimate, Parts, PriceRange, estimate_line
from advisor.domain.numbers import PPM, half_up
from advisor.domain.program import Verdict
from advisor.domain.sources import Source


@dataclass(frozen=True, slots=True)
class Scenario:
    """How many additional B2B units a month: stated, or an uplift (ppm) of the current monthly units."""

    name: str
    monthly_units: int | None = None
    uplift_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class QuantityDiscount:
    """A price for whoever buys at least so many: a discount (ppm) off the price, or a unit price in minor units."""

    min_quantity: int
    discount_ppm: int | None = None
    unit_price: int | None = None


@dataclass(frozen=True, slots=True)
class AdviceLine:
    """One product: its fee line (units unused), what it sells today, and what may come."""

    line: FeeLine
    current_monthly_units: int | None
    scenarios: tuple[Scenario, ...]
    quantity_discounts: tuple[QuantityDiscount, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CitedShare:
    """The published share of sales that is B2B, low and high, used where a seller names no scenario of their own."""

    low_ppm: int
    high_ppm: int
    derivation: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario of one line, per month. break_even_units covers the fixed monthly cost; None: no number does."""

    name: str
    b2b_units: int
    parts: Parts
    take_rate_ppm: int | None
    break_even_units: int | None


@dataclass(frozen=True, slots=True)
class DiscountResult:
    """One quantity discount, per unit."""

    min_quantity: int
    unit_price: int
    estimate: LineEstimate

    @property
    def worth_it(self) -> bool | None:
        """Whether a unit at that price still contributes; None when a cost, a fee or the tax is unknown."""
        parts = self.estimate.per_unit
        if parts is None or parts.contribution is None or not parts.decidable:
            return None
        return None if _cost_unknown(self.estimate.line) else parts.contribution >= 0


@dataclass(frozen=True, slots=True)
class LineAdvice:
    """One product's scenarios, discounts and profitable prices."""

    line: AdviceLine
    estimate: LineEstimate
    scenarios: tuple[ScenarioResult, ...]
    quantity_discounts: tuple[DiscountResult, ...]
    profitable_ranges: tuple[PriceRange, ...] | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScenarioTotal:
    """One scenario over all lines that have it; the contribution is None when a line's is."""

    name: str
    b2b_units: int
    parts: Parts
    after_fixed_cost: int | None


@dataclass(frozen=True, slots=True)
class Advice:
    """The assessments, the money, and the recommendation: an action with reason codes."""

    assessments: tuple[Assessment, ...]
    verdict: Verdict
    lines: tuple[LineAdvice, ...]
    totals: tuple[ScenarioTotal, ...]
    fixed_monthly_cost: int
    action: str
    reasons: tuple[str, ...]


def advise(
    assessments: Sequence[Assessment],
    schedule: FeeSchedule,
    as_of: date,
    lines: Sequence[AdviceLine],
    share: CitedShare,
    fixed_monthly_cost: int,
    selling_plan: str | None,
    established_in: str | None,
) -> Advice:
    """Weigh what joining would bring against what is missing to join."""
    priced = tuple(
        _advise_line(schedule, as_of, one, share, fixed_monthly_cost, selling_plan, established_in) for one in lines
    )
    totals = _totals(priced, fixed_monthly_cost)
    verdict = overall_verdict([assessment.verdict for assessment in assessments])
    action, reasons = _recommend(verdict, priced, totals)
    return Advice(tuple(assessments), verdict, priced, totals, fixed_monthly_cost, action, reasons)


def overall_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """Join the verdicts of several programs: the worst one counts."""
    for verdict in (Verdict.NOT_ELIGIBLE, Verdict.NOT_COVERED, Verdict.UNDETERMINED):
        if verdict in verdicts:
            return verdict
    return Verdict.ELIGIBLE


def _advise_line(
    schedule: FeeSchedule,
    as_of: date,
    wanted: AdviceLine,
    share: CitedShare,
    fixed_monthly_cost: int,
    selling_plan: str | None,
    established_in: str | None,
) -> LineAdvice:
    estimate = estimate_line(schedule, as_of, wanted.line, selling_plan, established_in)
    warnings = list(estimate.warnings)
    scenarios = wanted.scenarios
    if not scenarios:
        scenarios = (Scenario("low", uplift_ppm=share.low_ppm), Scenario("high", uplift_ppm=share.high_ppm))
        warnings.append("cited_share_used")
    results = []
    for scenario in scenarios:
        units = _units(scenario, wanted.current_monthly_units)
        if units is None:
            warnings.append("current_monthly_units_unknown")
            break
        if estimate.per_unit is not None:
            results.append(_scenario(scenario.name, units, estimate.per_unit, fixed_monthly_cost))
    discounts = []
    for offer in wanted.quantity_discounts:
        price = offer.unit_price
        if price is None:
            price = max(1, wanted.line.price - half_up(wanted.line.price * (offer.discount_ppm or 0), PPM))
        priced = estimate_line(schedule, as_of, replace(wanted.line, price=price), selling_plan, established_in)
        discounts.append(DiscountResult(offer.min_quantity, price, priced))
    if wanted.line.unit_cost is None:
        warnings.append("unit_cost_unknown")
    return LineAdvice(
        line=wanted,
        estimate=estimate,
        scenarios=tuple(results),
        quantity_discounts=tuple(discounts),
        profitable_ranges=estimate.profitable_ranges,
        warnings=tuple(warnings),
    )


def _units(scenario: Scenario, current: int | None) -> int | None:
    if scenario.monthly_units is not None:
        return scenario.monthly_units
    if current is None or scenario.uplift_ppm is None:
        return None
    return half_up(current * scenario.uplift_ppm, PPM)


def _scenario(name: str, units: int, per_unit: Parts, fixed_monthly_cost: int) -> ScenarioResult:
    parts = per_unit.times(units)
    each = per_unit.contribution if per_unit.decidable else None
    break_even: int | None = None
    if fixed_monthly_cost == 0 and each is not None and each >= 0:
        break_even = 0
    elif each is not None and each > 0:
        break_even = -(-fixed_monthly_cost // each)
    revenue = parts.total_sales_price
    take_rate = half_up(parts.total_fees * PPM, revenue) if revenue else None
    return ScenarioResult(name, units, parts, take_rate, break_even)


def _totals(lines: Sequence[LineAdvice], fixed_monthly_cost: int) -> tuple[ScenarioTotal, ...]:
    by_name: dict[str, list[ScenarioResult]] = {}
    for line in lines:
        for result in line.scenarios:
            by_name.setdefault(result.name, []).append(result)
    totals = []
    for name, results in by_name.items():
        parts = results[0].parts
        for result in results[1:]:
            parts = parts.plus(result.parts)
        after = None if parts.contribution is None else parts.contribution - fixed_monthly_cost
        totals.append(ScenarioTotal(name, sum(result.b2b_units for result in results), parts, after))
    return tuple(totals)


def _recommend(
    verdict: Verdict, lines: Sequence[LineAdvice], totals: Sequence[ScenarioTotal]
) -> tuple[str, tuple[str, ...]]:
    if verdict is Verdict.NOT_ELIGIBLE:
        return "fix_first", ("not_eligible",)
    unknown = []
    if verdict is Verdict.UNDETERMINED:
        unknown.append("verdict_undetermined")
    if verdict is Verdict.NOT_COVERED:
        unknown.append("verdict_not_covered")
    if not lines:
        unknown.append("no_lines")
    if any(line.estimate.per_unit is None for line in lines):
        unknown.append("fee_not_covered")
    elif any(not line.estimate.complete for line in lines):
        unknown.append("fee_unknown")
    if any(_cost_unknown(line.line.line) for line in lines):
        unknown.append("cost_unknown")
    if any("tax_not_deducted" in line.warnings for line in lines):
        unknown.append("tax_unknown")
    if any("current_monthly_units_unknown" in line.warnings for line in lines):
        unknown.append("units_unknown")
    if len({tuple(sorted(result.name for result in line.scenarios)) for line in lines}) > 1:
        unknown.append("scenarios_differ")
    if unknown:
        return "need_more_information", tuple(unknown)
    after = [total.after_fixed_cost for total in totals if total.after_fixed_cost is not None]
    if all(amount >= 0 for amount in after):
        return "join", ("contribution_covers_fixed_cost",)
    if all(amount < 0 for amount in after):
        return "not_worth_it", ("contribution_below_fixed_cost",)
    return "need_more_information", ("depends_on_scenario",)


def _cost_unknown(line: FeeLine) -> bool:
    """Say whether a cost that decides the contribution is unknown; a cost of nothing is given as 0."""
    return line.unit_cost is None or line.fulfillment_cost is None
