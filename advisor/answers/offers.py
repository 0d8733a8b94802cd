"""Answer planned pre-sales and product listings."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from advisor.answers.fees import line_estimate
from advisor.answers.parts import Answer, bar_value, counted, dated, plain, rate_of, said, sources, text_of
from advisor.domain.fees import FeeSchedule, LineEstimate
from advisor.domain.listing import Held, Kept, ListingCheck, ListingRules, Measured, Presence, Published
from advisor.domain.numbers import format_decimal
from advisor.domain.pre_sale import (
    WEEKDAYS,
    Asks,
    Block,
    Effect,
    Entry,
    Plan,
    PlanCheck,
    PlanFinding,
    PreSaleRules,
    margin,
)
from advisor.domain.program import Metric, Outcome
from advisor.messages import (
    CHANNEL_NAMES,
    IMAGE_FORMAT_NAMES,
    LISTING_ALSO,
    LISTING_MEASURES,
    LISTING_PARTS,
    LISTING_REASONS,
    LISTING_VERDICTS,
    PRE_SALE_ASSUMPTIONS,
    PRE_SALE_CALENDAR,
    PRE_SALE_DOUBTS,
    PRE_SALE_EFFECTS,
    PRE_SALE_EVENTS,
    PRE_SALE_MARGINS,
    PRE_SALE_NEEDS,
    PRE_SALE_REASONS,
    PRE_SALE_SKIPPED,
    PRE_SALE_VERDICTS,
    SPANS,
    Messages,
)


def _span(least: int | None, most: int | None, messages: Messages) -> str:
    key = "at_most" if least is None else "at_least" if most is None else "between"
    return messages.text(SPANS[key], {"least": said(least, messages), "most": said(most, messages)})


# Pre-sales


def pre_sale(
    rules: PreSaleRules,
    plan: Plan,
    as_of: date,
    check: PlanCheck,
    estimate: LineEstimate | None,
    schedule: FeeSchedule,
    effects: Sequence[Effect],
    messages: Messages,
) -> Answer:
    """Answer a planned pre-sale."""
    verdict = PRE_SALE_VERDICTS[check.verdict]
    return {
        "marketplace": plan.marketplace,
        "as_of": as_of.isoformat(),
        "kind": plan.kind,
        "verdict": check.verdict,
        "message": messages.text(verdict, {"marketplace": plan.marketplace, "as_of": messages.day(as_of)}),
        "findings": [_plan_finding(one, plan, messages) for one in check.findings],
        "missing": [_asked_name(name, plan) for name in check.missing],
        "calendar": [_entry(one, messages) for one in check.calendar],
        "margin": _margin(estimate, schedule, messages),
        "effects": [_effect(one, plan.expected_units, messages) for one in effects],
        "assumptions": [{"code": code, "text": messages.text(text)} for code, text in PRE_SALE_ASSUMPTIONS.items()],
        "not_published": [
            {
                "id": one.id,
                "label": messages.text(one.label),
                "text": messages.text(one.text),
                "sources": sources(one.sources),
            }
            for one in rules.not_published
        ],
    }


def _asked_name(name: str, plan: Plan) -> str:
    """Name a value of the plan as requests do."""
    if name == "due_on":
        return "release_on" if plan.kind == "pre_order" else "restock_on"
    return name


def _plan_finding(one: PlanFinding, plan: Plan, messages: Messages) -> Answer:
    rule, block = one.rule, one.block
    observed = {_asked_name(name, plan): plain(value) for name, value in one.observed.items()}
    words = {name: said(value, messages) for name, value in one.observed.items()}
    if plan.fulfillment is not None:
        words["fulfillment"] = messages.text(CHANNEL_NAMES[plan.fulfillment])
    return {
        "rule": rule.id,
        "label": messages.text(rule.label),
        "level": None if block is None else block.level,
        "basis": None if block is None else block.basis,
        "outcome": one.outcome,
        "reason": one.reason,
        "asks": None if block is None else _asks(rule.id, block.asks),
        "observed": observed,
        "needs": [_asked_name(name, plan) for name in one.needs],
        "message": messages.text(
            PRE_SALE_REASONS[one.reason],
            {
                **words,
                "label": messages.text(rule.label),
                "allowed": _allowed(block, messages),
                "needs": messages.listed([messages.text(PRE_SALE_NEEDS[name]) for name in one.needs]),
            },
        ),
        "advice": messages.text(rule.text) if one.outcome in (Outcome.MISSED, Outcome.UNKNOWN) else None,
        "consequence": None if block is None else text_of(block.consequence, messages),
        "note": text_of(rule.note if block is None else block.note, messages),
        **dated(None if block is None else block.validity),
        "sources": sources(rule.sources if block is None else block.sources),
    }


def _allowed(block: Block | None, messages: Messages) -> str:
    """Write what a rule allows, as it stands in its sentence."""
    asks = None if block is None else block.asks
    if asks is None:
        return ""
    if asks.least_days is not None or asks.most_days is not None:
        return _span(asks.least_days, asks.most_days, messages)
    if asks.prime is not None:
        return str(said(asks.prime, messages))
    return messages.listed([messages.text(CHANNEL_NAMES[channel]) for channel in asks.channels])


def _asks(rule: str, asks: Asks) -> Answer:
    """Write what a rule asks, in the words of its file; null where a table exists that is not in the data."""
    match rule:
        case "horizon":
            return {"least_days": asks.least_days, "most_days": asks.most_days, "to_ship": asks.to_ship}
        case "channel":
            return {"channels": list(asks.channels)}
        case "prime":
            return {"prime": asks.prime}
        case "category":
            return {"refused": list(asks.refused) or None}
        case "promised-ship-date":
            return {"closed": [WEEKDAYS[day] for day in sorted(asks.closed)]}
    return {}


def _entry(entry: Entry, messages: Messages) -> Answer:
    return {
        "event": entry.event,
        "date": entry.day.isoformat(),
        "weekday": WEEKDAYS[entry.day.weekday()],
        "text": messages.text(PRE_SALE_CALENDAR[entry.event]),
        "skipped": [
            {"date": one.day.isoformat(), "because": one.because, "text": messages.text(PRE_SALE_SKIPPED[one.because])}
            for one in entry.skipped
        ],
        "doubt": entry.doubt,
        "note": None
        if entry.doubt is None
        else messages.text(PRE_SALE_DOUBTS[entry.doubt], {"days": messages.number(entry.days)}),
    }


def _margin(estimate: LineEstimate | None, schedule: FeeSchedule, messages: Messages) -> Answer:
    outcome, reason = margin(estimate)
    left = None
    if estimate is not None and estimate.per_unit is not None and estimate.per_unit.contribution is not None:
        amount = format_decimal(estimate.per_unit.contribution, schedule.decimals)
        left = messages.money(amount, schedule.currency)
    return {
        "outcome": outcome,
        "reason": reason,
        "message": messages.text(PRE_SALE_MARGINS[reason], {"contribution": left}),
        "estimate": None if estimate is None else line_estimate(estimate, schedule, messages),
    }


def _effect(one: Effect, orders: int | None, messages: Messages) -> Answer:
    criterion, threshold = one.rule.criterion, one.rule.threshold
    subject, bar = criterion.subject, threshold.bar
    value = bar_value(subject, bar)
    shown = "" if bar.comparison is None else messages.bar(bar.comparison, messages.percent(bar.number))
    of = (one.seen.of or 0) + (orders or 0) if one.seen else orders
    after = one.after
    return {
        "program": one.program.id,
        "criterion": criterion.id,
        "metric": subject.key,
        "window_days": criterion.window_days,
        "event": one.touched.event,
        "level": threshold.level,
        "basis": threshold.basis,
        "comparison": bar.comparison,
        "threshold": value,
        "reason": one.reason,
        "before": None if one.seen is None else counted(one.seen, rate_of(one.seen)),
        "most": one.most,
        "after": None
        if after is None
        else {"events": after.events, **counted(after.seen, rate_of(after.seen)), "outcome": after.outcome},
        "message": messages.text(
            PRE_SALE_EFFECTS[one.reason],
            {
                "label": messages.text(criterion.label),
                "bar": shown,
                "orders": said(orders, messages),
                "most": said(one.most, messages),
                "event": messages.text(PRE_SALE_EVENTS[one.touched.event]),
                "minimum": said(threshold.minimum_volume, messages),
                "unit": messages.text(subject.unit) if isinstance(subject, Metric) else "",
                "of": said(of, messages),
            },
        ),
        "text": messages.text(one.touched.text),
        "also_published": [
            {
                "comparison": other.comparison,
                "threshold": bar_value(subject, other),
                "most": most,
                "note": text_of(other.note, messages),
                "sources": sources(other.sources),
            }
            for other, most in one.also_published
        ],
        "sources": sources([*bar.sources, *(each for each in one.touched.sources if each not in bar.sources)]),
    }


# Listings


def listings(
    rules: ListingRules, marketplace: str, as_of: date, checks: Sequence[ListingCheck], messages: Messages
) -> Answer:
    """Answer listings."""
    return {
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "listings": [_listing(one, messages) for one in checks],
        "doubts": [
            {"id": one.id, "text": messages.text(one.text), "sources": sources(one.sources)} for one in rules.doubts
        ],
    }


def _listing(check: ListingCheck, messages: Messages) -> Answer:
    return {
        "ref": check.listing.ref,
        "verdict": check.verdict,
        "message": messages.text(LISTING_VERDICTS[check.verdict]),
        "missing": list(check.missing),
        "findings": [
            *(_presence(one, messages) for one in check.presence),
            *(_measured(one, messages) for one in check.measured),
            *(_kept(one, messages) for one in check.kept),
        ],
    }


def _presence(one: Presence, messages: Messages) -> Answer:
    element = one.element
    return {
        **_finding(one, None, {"names": messages.listed(one.names)}, messages),
        "names": list(one.names),
        "advice": messages.text(element.text) if one.outcome in (Outcome.MISSED, Outcome.UNKNOWN) else None,
        "why": messages.text(element.why),
        "basis": "guideline",
        "sources": sources(element.sources),
    }


def _measured(one: Measured, messages: Messages) -> Answer:
    limit = one.limit
    words = {
        "value": said(one.value, messages),
        "measure": messages.text(LISTING_MEASURES[one.measure]),
        "allowed": "" if limit is None else _span(limit.least, limit.most, messages),
    }
    return {
        **_finding(one, limit, words, messages),
        "measure": one.measure,
        "observed": one.value,
        "least": None if limit is None else limit.least,
        "most": None if limit is None else limit.most,
        "also_published": [_also(each, messages) for each in one.also],
    }


def _also(one: Held, messages: Messages) -> Answer:
    other = one.other
    words = {
        "value": said(one.value, messages),
        "measure": messages.text(LISTING_MEASURES[other.measure]),
        "allowed": _span(other.least, other.most, messages),
    }
    return {
        "measure": other.measure,
        "observed": one.value,
        "least": other.least,
        "most": other.most,
        "outcome": one.outcome,
        "message": messages.text(LISTING_ALSO[one.outcome], words),
        "note": text_of(other.note, messages),
        "sources": sources(other.sources),
    }


def _kept(one: Kept, messages: Messages) -> Answer:
    asked = one.requirement
    names, listed = one.names, asked.listed
    if asked.kind == "format":
        names, listed = (
            tuple(messages.text(IMAGE_FORMAT_NAMES[name]) for name in several) for several in (names, listed)
        )
    words = {
        "names": messages.listed(names),
        "listed": " ".join(listed) if asked.kind == "characters" else messages.listed(listed),
        "most": messages.number(asked.numbers[0]) if asked.numbers else "",
    }
    return {
        **_finding(one, asked, words, messages),
        "requirement": asked.kind,
        "names": list(one.names),
    }


def _finding(
    one: Presence | Measured | Kept, published: Published | None, words: Mapping[str, Any], messages: Messages
) -> Answer:
    """Write what every finding of a listing has; what it does not say is null."""
    label = messages.text(one.element.label)
    bullet = None if isinstance(one, Presence) else one.bullet
    if bullet is not None:
        label = messages.text(LISTING_PARTS["bullet_point"], {"number": messages.number(bullet + 1)})
    return {
        "element": one.element.key,
        "bullet": bullet,
        "measure": None,
        "requirement": None,
        "level": one.level,
        "outcome": one.outcome,
        "reason": one.reason,
        "observed": None,
        "least": None,
        "most": None,
        "names": [],
        "message": messages.text(LISTING_REASONS[one.reason], {"label": label, **words}),
        "advice": text_of(published.text, messages) if published and one.outcome is Outcome.MISSED else None,
        "why": None,
        "basis": None if published is None else published.basis,
        "consequence": None if published is None else text_of(published.consequence, messages),
        "note": None if published is None else text_of(published.note, messages),
        **dated(None if published is None else published.validity),
        "also_published": [],
        "sources": [] if published is None else sources(published.sources),
    }
