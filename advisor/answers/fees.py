"""Describe fee schedules; answer fee estimates and advice."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from advisor.answers.assessments import assessments
from advisor.answers.parts import Answer, dated, sources, text_of
from advisor.catalog.programs import Process
from advisor.domain.advice import Advice, LineAdvice, ScenarioTotal
from advisor.domain.fees import (
    PART_NAMES,
    BusinessOrders,
    Category,
    ClosingBand,
    ClosingFeeTable,
    DigitalServices,
    Estimate,
    FeeRule,
    FeeSchedule,
    LineEstimate,
    Parts,
    Plan,
    PriceRange,
    RefundAdministration,
    Tier,
)
from advisor.domain.numbers import PPM, format_decimal, format_rate, half_up
from advisor.domain.sources import Dated, in_force
from advisor.messages import ADVICE_REASONS, WARNINGS, Messages


def schedule_list(schedules: Sequence[FeeSchedule], messages: Messages) -> Answer:
    """List the fee schedules."""
    return {
        "fee_schedules": [
            {
                "marketplace": one.marketplace,
                "currency": one.currency,
                "covered": one.covered,
                "categories": len(one.categories),
                "note": messages.text(one.note),
            }
            for one in schedules
        ]
    }


def schedule(one: FeeSchedule, as_of: date, messages: Messages) -> Answer:
    """Describe a fee schedule as it stands on a day."""
    money = one.decimals

    def standing(blocks: Sequence[Any], describe: Any) -> Any:
        block = in_force(blocks, as_of)
        return None if block is None else describe(block, money, messages)

    plans = [plan for plan in one.plans if plan.validity.covers(as_of)]
    categories = [_category(category, as_of, money, messages) for category in one.categories.values()]
    return {
        "marketplace": one.marketplace,
        "currency": one.currency,
        "as_of": as_of.isoformat(),
        "covered": any(category["rules"] for category in categories),
        "prices_include_tax": one.prices_include_tax,
        "fulfillment": list(one.channels) if one.covered else [],
        "note": messages.text(one.note),
        "selling_plans": [_plan(plan, money) for plan in plans],
        "refund_administration": standing(one.refund_administration, _refund),
        "digital_services": standing(one.digital_services, _digital),
        "business_orders": standing(one.business_orders, _business),
        "closing_fee_table": standing(one.closing_fee_tables, _closing_table),
        "tax_on_fees": format_rate(one.tax_on_fees_ppm) if one.tax_on_fees_ppm else None,
        "categories": categories,
        "facts": [{"text": messages.text(each.text), "sources": sources(each.sources)} for each in one.remarks],
        "sources": sources(one.sources),
    }


def _money(amount: int | None, decimals: int) -> str | None:
    return None if amount is None else format_decimal(amount, decimals)


def _cited(block: Any) -> Answer:
    one: Dated = block
    return {**dated(one.validity), "confidence": block.confidence, "sources": sources(block.sources)}


def _plan(plan: Plan, money: int) -> Answer:
    return {
        "selling_plan": plan.selling_plan,
        "monthly": _money(plan.monthly, money),
        "per_item": _money(plan.per_item, money),
        **_cited(plan),
    }


def _refund(block: RefundAdministration, money: int, messages: Messages) -> Answer:
    return {"share": format_rate(block.share_ppm), "cap": _money(block.cap, money), **_cited(block)}


def _digital(block: DigitalServices, money: int, messages: Messages) -> Answer:
    return {
        "others": None if block.others_ppm is None else format_rate(block.others_ppm),
        "home": {country: format_rate(rate) for country, rate in block.home_ppm.items()},
        "on_fulfillment": block.on_fulfillment,
        "note": text_of(block.note, messages),
        **_cited(block),
    }


def _business(block: BusinessOrders, money: int, messages: Messages) -> Answer:
    return {"rule": block.rule, "text": text_of(block.text, messages), **_cited(block)}


def _closing_table(block: ClosingFeeTable, money: int, messages: Messages) -> Answer:
    def band(one: ClosingBand) -> Answer:
        groups = {name: _money(fee, money) for name, fee in one.groups.items()}
        return {"to": _money(one.up_to, money), "fee": _money(one.fee, money), "groups": groups or None}

    channels = {channel: [band(one) for one in bands] for channel, bands in block.channels.items()}
    return {"channels": channels, **_cited(block)}


def _category(category: Category, as_of: date, money: int, messages: Messages) -> Answer:
    standing = [one for one in category.versions if one.validity.covers(as_of)]
    return {
        "category": category.key,
        "label": messages.text(category.label),
        "also_known_as": list(category.also_known_as),
        "closing_groups": list(category.closing_groups),
        "rules": [_fee_rule(one, money, messages) for one in standing],
    }


def _fee_rule(rule: FeeRule, money: int, messages: Messages) -> Answer:
    def tiers(several: Sequence[Tier]) -> list[Answer]:
        return [{"to": _money(one.up_to, money), "rate": format_rate(one.rate_ppm)} for one in several]

    return {
        "fulfillment": sorted(rule.channels),
        "basis": rule.basis,
        "shape": rule.shape,
        "bands": tiers(rule.bands),
        "slices": tiers(rule.slices),
        "minimum": _money(rule.minimum, money),
        "closing_fee": rule.closing_fee if rule.closing_fee == "table" else _money(rule.closing_fee, money),  # type: ignore[arg-type]
        "note": text_of(rule.note, messages),
        "verified_on": rule.verified_on.isoformat(),
        **_cited(rule),
    }


def estimate(one: Estimate, as_of: date, messages: Messages) -> Answer:
    """Answer a request to estimate fees."""
    schedule, money = one.schedule, one.schedule.decimals
    totals: Answer = {"currency": schedule.currency, "complete": one.complete}
    if one.total is None:
        totals |= dict.fromkeys((*PART_NAMES, "effective_rate"))
    else:
        totals |= _parts(one.total, money)
    totals["subscription"] = _money(one.subscription, money)
    return {
        "marketplace": schedule.marketplace,
        "as_of": as_of.isoformat(),
        "currency": schedule.currency,
        "lines": [line_estimate(each, schedule, messages) for each in one.lines],
        "totals": totals,
    }


def _parts(parts: Parts, money: int) -> Answer:
    answer: Answer = {name: _money(getattr(parts, name), money) for name in PART_NAMES}
    total = parts.total_sales_price
    answer["effective_rate"] = format_rate(half_up(parts.total_fees * PPM, total)) if total else None
    return answer


def _warnings(codes: Sequence[str], messages: Messages) -> list[Answer]:
    return [{"code": code, "detail": messages.text(WARNINGS[code])} for code in codes]


def line_estimate(one: LineEstimate, schedule: FeeSchedule, messages: Messages) -> Answer:
    """Answer one line."""
    money = schedule.decimals
    return {
        "ref": one.line.ref,
        "category": one.line.category,
        "currency": schedule.currency,
        "per_unit": None if one.per_unit is None else _parts(one.per_unit, money),
        "units": one.line.units,
        "total": None if one.total is None else _parts(one.total, money),
        "complete": one.complete,
        "minimum_applied": one.minimum_applied,
        "tiers": [
            {
                "from": _money(tier.start, money),
                "to": _money(tier.end, money),
                "rate": format_rate(tier.rate_ppm),
                "base": _money(tier.base, money),
                "fee": _exact_money(tier.fee_exact, money),
            }
            for tier in one.tiers
        ],
        "rule": None if one.rule is None else _applied_rule(one.rule, schedule, messages),
        "profitable_ranges": _ranges(one.profitable_ranges, money),
        "warnings": _warnings(one.warnings, messages),
    }


def _applied_rule(rule: FeeRule, schedule: FeeSchedule, messages: Messages) -> Answer:
    return {
        "schedule": schedule.marketplace,
        "shape": rule.shape,
        "basis": rule.basis,
        "minimum": _money(rule.minimum, schedule.decimals),
        "verified_on": rule.verified_on.isoformat(),
        "note": text_of(rule.note, messages),
        **_cited(rule),
    }


def _exact_money(exact: int, money: int) -> str:
    """Write an exact fee in 1e-6 minor units: rounded to six decimals, with at least the currency's own."""
    text = format_decimal(half_up(exact, 10**money), 6)
    whole, fraction = text.split(".")
    fraction = fraction.rstrip("0").ljust(money, "0")
    return f"{whole}.{fraction}" if fraction else whole


def _ranges(ranges: Sequence[PriceRange] | None, money: int) -> list[Answer] | None:
    if ranges is None:
        return None
    return [{"from": _money(one.start, money), "to": _money(one.end, money)} for one in ranges]


def advice(
    one: Advice, schedule: FeeSchedule, marketplace: str, as_of: date, process: Process, messages: Messages
) -> Answer:
    """Answer a request for advice."""
    money = schedule.decimals
    return {
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "currency": schedule.currency,
        "assessment": {"verdict": one.verdict, **assessments(marketplace, as_of, one.assessments, process, messages)},
        "fixed_monthly_cost": _money(one.fixed_monthly_cost, money),
        "lines": [_line_advice(line, schedule, messages) for line in one.lines],
        "totals": [_scenario_total(total, money) for total in one.totals],
        "recommendation": {
            "action": one.action,
            "reasons": [{"code": code, "text": messages.text(ADVICE_REASONS[code])} for code in one.reasons],
        },
    }


def _scenario_parts(parts: Parts, money: int) -> Answer:
    answer = _parts(parts, money)
    revenue, take_rate = answer.pop("total_sales_price"), answer.pop("effective_rate")
    return {"b2b_revenue": revenue, **answer, "take_rate": take_rate}


def _scenario_total(one: ScenarioTotal, money: int) -> Answer:
    return {
        "name": one.name,
        "b2b_units": one.b2b_units,
        **_scenario_parts(one.parts, money),
        "contribution_after_fixed_cost": _money(one.after_fixed_cost, money),
    }


def _line_advice(one: LineAdvice, schedule: FeeSchedule, messages: Messages) -> Answer:
    money = schedule.decimals
    discounts = []
    for offer in one.quantity_discounts:
        parts = offer.estimate.per_unit
        discounts.append(
            {
                "min_quantity": offer.min_quantity,
                "unit_price": _money(offer.unit_price, money),
                "referral_fee": parts and _money(parts.referral_fee, money),
                "net_proceeds": parts and _money(parts.net_proceeds, money),
                "contribution": parts and _money(parts.contribution, money),
                "worth_it": offer.worth_it,
            }
        )
    return {
        "ref": one.line.line.ref,
        "category": one.line.line.category,
        "per_unit": None if one.estimate.per_unit is None else _parts(one.estimate.per_unit, money),
        "complete": one.estimate.complete,
        "scenarios": [
            {
                "name": result.name,
                "b2b_units": result.b2b_units,
                **_scenario_parts(result.parts, money),
                "break_even_units": result.break_even_units,
            }
            for result in one.scenarios
        ],
        "quantity_discounts": discounts,
        "profitable_ranges": _ranges(one.profitable_ranges, money),
        "warnings": _warnings(one.warnings, messages),
    }
