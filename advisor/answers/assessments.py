"""Turn domain results into JSON-ready answers, with their sentences: what the API sends and the command line prints.

Money and rates become decimal texts, dates ISO texts. What depends on the rules alone is built once per rule.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from advisor.catalog.programs import Consequence, Process, Remedy, Stage
from advisor.domain.advice import Advice, LineAdvice, ScenarioTotal
from advisor.domain.assessment import Assessment, Finding, Observation, Slot
from advisor.domain.fees import (
    FEES,
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
from advisor.domain.formulas import INTEGERS, rate_ppm
from advisor.domain.numbers import PPM, format_decimal, format_rate, half_up
from advisor.domain.program import (
    MARKETPLACES,
    Bar,
    Criterion,
    Fact,
    FactValue,
    Level,
    Metric,
    Outcome,
    Program,
    Rule,
    Threshold,
    rules_in_force,
)
from advisor.domain.sources import Dated, Source, Validity, in_force
from advisor.messages import (
    ADVICE_REASONS,
    FACT_REASONS,
    FACT_VALUES,
    REASONS,
    STAGE_SHOWS,
    TEXTS,
    WARNINGS,
    Messages,
)

Answer = dict[str, Any]


class Ready(dict[str, Any]):
    """A part that many answers share and none changes: a dict that has its JSON ready for `dumps` to copy."""

    __slots__ = ("json",)

    def __init__(self, part: Answer) -> None:
        super().__init__(part)
        self.json = orjson.Fragment(dumps(part))


def dumps(answer: Answer) -> bytes:
    """Write an answer as JSON. Most of it are parts that are ready."""
    return orjson.dumps(answer, default=_json, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def _json(part: Any) -> orjson.Fragment:
    if isinstance(part, Ready):
        return part.json
    raise TypeError(f"{type(part).__name__} is not part of an answer")


# Sources and dates


@lru_cache(maxsize=4096)
def source(one: Source) -> Ready:
    """Describe a source."""
    return Ready(
        {
            "url": one.url,
            "title": one.title,
            "publisher": one.publisher,
            "trust": one.trust,
            "published_on": _day(one.published_on),
            "read_on": one.read_on.isoformat(),
        }
    )


def _sources(several: Sequence[Source]) -> list[Answer]:
    return [source(one) for one in several]


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _validity(validity: Validity) -> Answer:
    return {
        "effective_from": validity.start.isoformat(),
        "effective_from_kind": validity.start_kind,
        "effective_to": _day(validity.end),
        "effective_to_kind": validity.end_kind,
    }


def _text(message: str | None, messages: Messages) -> str | None:
    """Translate a text of the data that may be absent."""
    return None if message is None else messages.text(message)


# Assessments


def assessments(
    marketplace: str, as_of: date, results: Sequence[Assessment], process: Process, messages: Messages
) -> Answer:
    """Answer a request to assess."""
    return {
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "assessments": [assessment(one, process, messages) for one in results],
    }


def assessment(one: Assessment, process: Process, messages: Messages) -> Answer:
    """Answer one program."""
    judged = tuple([each[:2] for each in one.findings])  # rule and outcome
    stages, follows = _journey(judged, one.program.id, process, messages)
    return {
        "program": one.program.id,
        "verdict": one.verdict,
        "score": one.score,
        "findings": [finding(each, process, messages) for each in one.findings],
        "missing": [_missing(criterion) for criterion in one.missing],
        "next_steps": _next_steps(one, process, messages),
        "unused": [_slot(slot) for slot in one.unused],
        "stages": stages,
        "if_nothing_is_done": follows,
    }


def compact_assessments(marketplace: str, as_of: date, results: Sequence[Assessment]) -> Answer:
    """Answer a request to assess in short: what a portfolio shows."""
    return {
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "assessments": [_compact(one) for one in results],
    }


def _compact(one: Assessment) -> Answer:
    return {
        "program": one.program.id,
        "verdict": one.verdict,
        "score": one.score,
        "missed": [each.rule.criterion.id for each in one.findings if each.outcome is Outcome.MISSED and each.required],
        "missing": [_missing(criterion) for criterion in one.missing],
    }


def _missing(criterion: Criterion) -> Answer:
    if isinstance(criterion.subject, Fact):
        return {"fact": criterion.subject.key}
    return {"metric": criterion.subject.key, "window_days": criterion.window_days, "segment": criterion.segment}


def _slot(slot: Slot) -> Answer:
    return {"metric": slot.metric, "window_days": slot.window_days, "segment": slot.segment}


def _next_steps(one: Assessment, process: Process, messages: Messages) -> list[Answer]:
    """Say what to do about every missed criterion, required ones first, by stage of the business process."""
    missed = [each for each in one.findings if each.outcome is Outcome.MISSED]
    if not missed:
        return []
    order = [stage.id for stage in process.stages]
    missed.sort(key=lambda each: (not each.required, order.index(each.rule.criterion.subject.stage)))
    steps, said = [], set()
    for each in missed:
        criterion = each.rule.criterion
        for remedy in process.remedies.get(criterion.subject.key, ()):
            if remedy not in said:
                said.add(remedy)
                text = messages.text(remedy.text)
                steps.append({"criterion": criterion.id, "stage": criterion.subject.stage, "text": text})
    return steps


# The stages of one assessment


Judged = tuple[tuple[Rule, Outcome], ...]


@lru_cache(maxsize=4096)
def _journey(
    judged: Judged, program_id: str, process: Process, messages: Messages
) -> tuple[list[Ready], list[Ready] | None]:
    """Answer how each stage stands, and what follows where something required is missed.

    It depends on the outcomes alone, and accounts that came out the same way share it; a stage of its own is shared by
    more of them.
    """
    stages = []
    for stage in process.stages:
        mine = tuple([one for one in judged if one[0].criterion.subject.stage == stage.id])
        stages.append(_stage_of(stage, mine, process, messages))
    missed = any(o is Outcome.MISSED and rule.threshold.level is Level.REQUIRED for rule, o in judged)
    follows = [consequence(one, messages) for one in process.follows if program_id in one.programs] if missed else None
    return stages, follows


@lru_cache(maxsize=4096)
def _stage_of(stage: Stage, judged: Judged, process: Process, messages: Messages) -> Ready:
    """Answer how one stage stands, and what to do about its misses in order of effect.

    A remedy that helps with more required misses comes first, then with more misses at all, then as the data has them,
    where the most effective come first.
    """
    outcomes = [outcome for _, outcome in judged]
    missed = [rule for rule, outcome in judged if outcome is Outcome.MISSED]
    served: dict[Remedy, list[Rule]] = {}
    for rule in missed:
        for remedy in process.remedies.get(rule.criterion.subject.key, ()):
            served.setdefault(remedy, []).append(rule)

    def effect(remedy: Remedy) -> tuple[int, int, int]:
        required = sum(rule.threshold.level is Level.REQUIRED for rule in served[remedy])
        return -required, -len(served[remedy]), process.order.index(remedy)

    return Ready(
        {
            "stage": stage.id,
            "label": messages.text(stage.label),
            **{outcome.value: outcomes.count(outcome) for outcome in Outcome},
            "remedies": [_stage_remedy(remedy, served[remedy], messages) for remedy in sorted(served, key=effect)],
            "consequences": [
                {
                    "criterion": rule.criterion.id,
                    "level": rule.threshold.level,
                    "text": messages.text(rule.threshold.consequence),
                    "doubts": _text(rule.threshold.bar.note, messages),
                    "sources": _sources(rule.threshold.bar.sources),
                }
                for rule in missed
                if rule.threshold.consequence is not None
            ],
        }
    )


def _stage_remedy(remedy: Remedy, rules: Sequence[Rule], messages: Messages) -> Answer:
    days = [rule.criterion.window_days for rule in rules]
    known = [each for each in days if each is not None]
    longest = max(known) if len(known) == len(days) else None
    subjects = [rule.criterion.subject for rule in rules]
    declared = all(isinstance(one, Fact) and one.kind != "integer" for one in subjects)
    shows = "declared" if declared else "no_window" if longest is None else "within_window"
    return {
        "text": messages.text(remedy.text),
        "why": messages.text(remedy.why),
        "criteria": [rule.criterion.id for rule in rules],
        "shows": shows,
        "shows_after_days": None if declared else longest,
        "shows_text": messages.text(STAGE_SHOWS[shows], {"days": longest}),
        "sources": _sources(remedy.sources),
    }


@lru_cache(maxsize=4096)
def consequence(one: Consequence, messages: Messages) -> Ready:
    """Describe what follows if nothing is done, with its doubts."""
    return Ready(
        {
            "id": one.id,
            "label": messages.text(one.label),
            "text": messages.text(one.text),
            "published": one.published,
            "doubts": _text(one.note, messages),
            "sources": _sources(one.sources),
        }
    )


# Stand in a sentence for what each account fills in; no text that comes in or stands in the data holds them.
OBSERVED, COUNT, OF = "\0", "\1", "\2"


class _Said(NamedTuple):
    """What findings of one rule say that came out the same way, in one language, but for the numbers of the account.

    `answer` has None where they come. `sentence` has OBSERVED and OF there; `counted`, the same sentence about a rate
    with its counts, has COUNT besides.
    """

    answer: Answer
    sentence: str
    counted: str


@lru_cache(maxsize=4096)
def _said(
    rule: Rule,
    outcome: Outcome,
    reason: str,
    also: tuple[tuple[Bar, Outcome], ...],
    process: Process,
    messages: Messages,
) -> _Said:
    criterion, threshold, subject = rule.criterion, rule.threshold, rule.criterion.subject
    fact = isinstance(subject, Fact)
    remedies = process.remedies.get(subject.key, ()) if outcome is Outcome.MISSED else ()
    answer = {
        "criterion": criterion.id,
        "metric": None if fact else subject.key,
        "fact": subject.key if fact else None,
        "window_days": criterion.window_days,
        "segment": criterion.segment,
        "level": threshold.level,
        "basis": threshold.basis,
        "comparison": threshold.bar.comparison,
        "threshold": bar_value(subject, threshold.bar),
        **_validity(threshold.validity),
        "observed": None,
        "outcome": outcome,
        "reason": reason,
        "headroom": None,
        "recovery": None,
        "also_published": [_also_published(bar, subject, other, messages) for bar, other in also],
        "message": None,
        "consequence": _text(threshold.consequence, messages),
        "note": _text(threshold.bar.note, messages),
        "stage": subject.stage,
        "remedies": [_remedy(remedy, messages) for remedy in remedies],
        "sources": _sources(threshold.bar.sources),
    }
    unit = messages.text(subject.unit) if isinstance(subject, Metric) else ""
    sentence = _sentence(rule, reason, unit, messages)
    counts = {"rate": OBSERVED, "count": COUNT, "of": OF, "unit": unit}
    return _Said(answer, sentence, sentence.replace(OBSERVED, messages.text(TEXTS["counted"], counts)))


def _sentence(rule: Rule, reason: str, unit: str, messages: Messages) -> str:
    """Write what a reason says about a rule, with OBSERVED and OF where the value comes."""
    subject, threshold = rule.criterion.subject, rule.threshold
    bar = threshold.bar
    sentences = FACT_REASONS if isinstance(subject, Fact) else REASONS
    words = {
        "label": messages.text(rule.criterion.label),
        "bar": "" if bar.comparison is None else messages.bar(bar.comparison, _bar_text(subject, bar, messages)),
        "minimum": threshold.minimum_volume,
        "unit": unit,
    }
    return messages.text(sentences[reason], {**words, "observed": OBSERVED, "of": OF})


def _also_published(bar: Bar, subject: Metric | Fact, outcome: Outcome, messages: Messages) -> Ready:
    return Ready(
        {
            "threshold": bar_value(subject, bar),
            "comparison": bar.comparison,
            "outcome": outcome,
            "note": _text(bar.note, messages),
            "sources": _sources(bar.sources),
        }
    )


def _remedy(remedy: Remedy, messages: Messages) -> Ready:
    return Ready(
        {"text": messages.text(remedy.text), "why": messages.text(remedy.why), "sources": _sources(remedy.sources)}
    )


def bar_value(subject: Metric | Fact, bar: Bar) -> Any:
    """Write a threshold: a decimal text for rates, else the value itself; None where nobody publishes one."""
    if isinstance(subject, Metric) and subject.kind == "rate" and isinstance(bar.value, int):
        return format_rate(bar.value)
    return _fact_value(bar.value)


def _fact_value(value: FactValue | None) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def finding(one: Finding, process: Process, messages: Messages) -> Answer:
    """Answer one criterion."""
    if isinstance(one.observed, Observation) or one.between is not None:
        return _finding(one, process, messages)
    return _still_finding(one, process, messages)


def _finding(one: Finding, process: Process, messages: Messages) -> Answer:
    said = _said(one.rule, one.outcome, one.reason, one.also_published, process, messages)
    seen = one.observed
    rate = rate_ppm(INTEGERS, seen.count, seen.of) if isinstance(seen, Observation) and seen.of else None
    return {
        **said.answer,
        "observed": _observed(one, rate),
        "headroom": _headroom(one),
        "recovery": _recovery(one),
        "message": _message(said, seen, rate, messages),
    }


@lru_cache(maxsize=4096)
def _still_finding(one: Finding, process: Process, messages: Messages) -> Ready:
    """Answer a criterion of a fact, or of what is not given: few are different, and each comes again and again."""
    return Ready(_finding(one, process, messages))


def _unit(subject: Metric | Fact) -> str:
    return subject.unit if isinstance(subject, Metric) else ""


def _observed(one: Finding, rate: int | None) -> Answer | None:
    seen = one.observed
    if isinstance(seen, Observation):
        text = None if rate is None else format_rate(rate)
        return {"count": None if seen.bare else seen.count, "of": None if seen.bare else seen.of, "rate": text}
    if one.between is not None:
        lowest, highest = (format_rate(rate_ppm(INTEGERS, count, of)) for count, of in one.between)
        return {"count": None, "of": None, "rate": None, "between": {"lowest": lowest, "highest": highest}}
    return None if seen is None else {"value": _fact_value(seen)}


def _headroom(one: Finding) -> Answer | None:
    if one.headroom is None:
        return None
    ppm = one.headroom.ppm
    rate = None if ppm is None else format_rate(ppm) if ppm >= 0 else "-" + format_rate(-ppm)
    return {"count": one.headroom.count, "rate": rate}


def _recovery(one: Finding) -> Answer | None:
    return None if one.recovery is None else {"clean": one.recovery, "unit": _unit(one.rule.criterion.subject)}


def _message(said: _Said, seen: Observation | FactValue | None, rate: int | None, messages: Messages) -> str:
    """Say what one finding found, in a sentence or two."""
    if not isinstance(seen, Observation):
        return said.sentence.replace(OBSERVED, _fact_text(seen, messages))
    if seen.of is None:
        return said.sentence.replace(OBSERVED, str(seen.count))
    if rate is None or seen.bare:
        return said.sentence.replace(OBSERVED, messages.percent(rate or 0)).replace(OF, str(seen.of))
    counted = said.counted.replace(OBSERVED, messages.percent(rate))
    return counted.replace(COUNT, str(seen.count)).replace(OF, str(seen.of))


def _fact_text(value: FactValue | None, messages: Messages) -> str:
    if isinstance(value, bool):
        return messages.text(TEXTS["yes" if value else "no"])
    text = str(_fact_value(value))
    return messages.text(FACT_VALUES[text]) if text in FACT_VALUES else text


def _bar_text(subject: Metric | Fact, bar: Bar, messages: Messages) -> str:
    if isinstance(subject, Metric) and subject.kind == "rate" and isinstance(bar.value, int):
        return messages.percent(bar.value)
    return _fact_text(bar.value, messages)


# Programs


def program_list(programs: Sequence[Program], messages: Messages) -> Answer:
    """List the programs."""
    return {
        "programs": [
            {
                "program": one.id,
                "title": messages.text(one.title),
                "summary": messages.text(one.summary),
                "marketplaces": list(one.marketplaces),
                "criteria": [criterion.id for criterion in one.criteria],
            }
            for one in programs
        ]
    }


def program(one: Program, marketplace: str | None, as_of: date, messages: Messages) -> Answer:
    """Describe a program's criteria as they stand at a marketplace on a day, or everywhere on that day."""
    places = list(MARKETPLACES) if marketplace is None else [marketplace]
    standing = {place: rules_in_force(one, place, as_of) for place in places}
    criteria = []
    for criterion in one.criteria:
        blocks = {rule.threshold for rules in standing.values() for rule in rules if rule.criterion is criterion}
        ordered = [block for block in criterion.thresholds if block in blocks]
        if ordered:
            criteria.append(_criterion(criterion, ordered, places, messages))
    return {
        "program": one.id,
        "title": messages.text(one.title),
        "summary": messages.text(one.summary),
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "covered": [place for place, rules in standing.items() if rules],
        "criteria": criteria,
        "notes": [
            {
                "marketplaces": sorted(note.marketplaces),
                "text": messages.text(note.text),
                "sources": _sources(note.sources),
            }
            for note in one.notes
            if note.marketplaces & set(places)
        ],
    }


def _criterion(criterion: Criterion, blocks: Sequence[Threshold], places: Sequence[str], messages: Messages) -> Answer:
    subject = criterion.subject
    answer: Answer = {
        "criterion": criterion.id,
        "label": messages.text(criterion.label),
        "metric": subject.key if isinstance(subject, Metric) else None,
        "fact": subject.key if isinstance(subject, Fact) else None,
        "window_days": criterion.window_days,
        "segment": criterion.segment,
        "stage": subject.stage,
        "reads": _reads(subject, messages),
        "thresholds": [
            {
                "marketplaces": [place for place in places if place in block.marketplaces],
                "level": block.level,
                "basis": block.basis,
                "comparison": block.bar.comparison,
                "threshold": bar_value(subject, block.bar),
                "minimum_volume": block.minimum_volume,
                "consequence": _text(block.consequence, messages),
                "note": _text(block.bar.note, messages),
                **_validity(block.validity),
                "also_published": [
                    {
                        "threshold": bar_value(subject, bar),
                        "comparison": bar.comparison,
                        "note": _text(bar.note, messages),
                        "sources": _sources(bar.sources),
                    }
                    for bar in block.also_published
                ],
                "sources": _sources(block.bar.sources),
            }
            for block in blocks
        ],
    }
    return answer


def _reads(subject: Metric | Fact, messages: Messages) -> Answer:
    """Describe the metric or fact that a criterion reads."""
    if isinstance(subject, Fact):
        return {"kind": subject.kind, "label": messages.text(subject.label), "choices": list(subject.choices)}
    return {
        "kind": subject.kind,
        "label": messages.text(subject.label),
        "counts": messages.text(subject.counts),
        "of": _text(subject.of, messages),
        "unit": messages.text(subject.unit),
        "good": subject.good,
        "components": list(subject.components),
        "seller_fulfilled_only": subject.seller_fulfilled_only,
        "sources": _sources(subject.sources),
    }


# Fee schedules


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
        "facts": [{"text": messages.text(each.text), "sources": _sources(each.sources)} for each in one.remarks],
        "sources": _sources(one.sources),
    }


def _money(amount: int | None, decimals: int) -> str | None:
    return None if amount is None else format_decimal(amount, decimals)


def _cited(block: Any) -> Answer:
    dated: Dated = block
    return {**_validity(dated.validity), "confidence": block.confidence, "sources": _sources(block.sources)}


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
        "note": _text(block.note, messages),
        **_cited(block),
    }


def _business(block: BusinessOrders, money: int, messages: Messages) -> Answer:
    return {"rule": block.rule, "text": _text(block.text, messages), **_cited(block)}


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
        "note": _text(rule.note, messages),
        "verified_on": rule.verified_on.isoformat(),
        **_cited(rule),
    }


# Fee estimates and advice


def estimate(one: Estimate, as_of: date, messages: Messages) -> Answer:
    """Answer a request to estimate fees."""
    schedule, money = one.schedule, one.schedule.decimals
    totals: Answer = {"currency": schedule.currency, "complete": one.complete}
    if one.total is None:
        totals |= dict.fromkeys(PART_NAMES)
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


PART_NAMES = (
    "total_sales_price",
    "sales_tax",
    *FEES,
    "total_fees",
    "tax_on_fees",
    "net_proceeds",
    "contribution",
    "effective_rate",
)


def _parts(parts: Parts, money: int) -> Answer:
    answer: Answer = {name: _money(getattr(parts, name), money) for name in PART_NAMES[:-1]}
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
        "note": _text(rule.note, messages),
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
