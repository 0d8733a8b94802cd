"""Describe programs: their criteria with thresholds, dates and sources."""

from collections.abc import Sequence
from datetime import date

from advisor.answers.parts import Answer, band, bar_value, dated, sources, text_of
from advisor.domain.program import MARKETPLACES, Criterion, Fact, Metric, Program, Threshold, rules_in_force
from advisor.messages import Messages


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
        "scales": [
            {
                "fact": scale.fact.key,
                "marketplaces": [place for place in places if place in scale.marketplaces],
                **dated(scale.validity),
                "bands": [band(each, messages) for each in scale.bands],
            }
            for scale in one.scales
            if scale.validity.covers(as_of) and scale.marketplaces & set(places)
        ],
        "notes": [
            {
                "marketplaces": sorted(note.marketplaces),
                "text": messages.text(note.text),
                "sources": sources(note.sources),
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
                "consequence": text_of(block.consequence, messages),
                "note": text_of(block.bar.note, messages),
                **dated(block.validity),
                "also_published": [
                    {
                        "threshold": bar_value(subject, bar),
                        "comparison": bar.comparison,
                        "note": text_of(bar.note, messages),
                        "sources": sources(bar.sources),
                    }
                    for bar in block.also_published
                ],
                "sources": sources(block.bar.sources),
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
        "of": text_of(subject.of, messages),
        "unit": messages.text(subject.unit),
        "good": subject.good,
        "components": list(subject.components),
        "seller_fulfilled_only": subject.seller_fulfilled_only,
        "sources": sources(subject.sources),
    }
