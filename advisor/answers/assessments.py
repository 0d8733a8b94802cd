"""Answer an assessment: verdict, findings, next steps, and how each stage stands."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from advisor.answers.parts import Answer, Ready, band, bar_value, counted, dated, ends, plain, rate_of, sources, text_of
from advisor.catalog.programs import Consequence, Process, Remedy, Stage
from advisor.domain.assessment import Assessment, Finding, InBand, Observation, Slot
from advisor.domain.formulas import INTEGERS, rate_ppm
from advisor.domain.numbers import format_rate
from advisor.domain.program import Bar, Criterion, Fact, FactValue, Level, Metric, Outcome, Rule
from advisor.domain.readiness import Answered, Told, answer_check
from advisor.messages import FACT_REASONS, FACT_VALUES, REASONS, STAGE_SHOWS, TEXTS, Messages


def assessments(
    marketplace: str, as_of: date, results: Sequence[Assessment], process: Process, messages: Messages
) -> Answer:
    """Answer a request to assess."""
    return {
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "assessments": [assessment(one, process, messages) for one in results],
    }


def verdict_sentence(answer: Mapping[str, Any]) -> str:
    """Name the sentence of VERDICTS that says the verdict of an assessment's answer."""
    nothing_applies = answer["verdict"] == "undetermined" and not answer["missing"]
    return "not_applicable" if nothing_applies else str(answer["verdict"])


def assessment(one: Assessment, process: Process, messages: Messages) -> Answer:
    """Answer one program."""
    judged = tuple([each[:2] for each in one.findings])  # rule and outcome
    declared = tuple([one.account.facts.get(key) for key in process.declared])
    steps, stages, follows = _journey(judged, declared, one.marketplace, one.program.id, process, messages)
    return {
        "program": one.program.id,
        "verdict": one.verdict,
        "score": one.score,
        "findings": [finding(each, process, messages) for each in one.findings],
        "missing": [_missing(criterion) for criterion in one.missing],
        "next_steps": steps,
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


Judged = tuple[tuple[Rule, Outcome], ...]


def _next_steps(judged: Judged, process: Process, messages: Messages) -> list[Ready]:
    """Say what to do: about required misses first, then by stage of the business process, then by effect."""
    found: list[tuple[bool, Remedy, Rule]] = []
    for stage in process.stages:
        for remedy, rules in _by_effect([one for one in judged if one[0].criterion.subject.stage == stage.id], process):
            first = min(rules, key=_is_advisory)
            found.append((_is_advisory(first), remedy, first))
    steps: dict[Remedy, Ready] = {}
    for _, remedy, rule in sorted(found, key=lambda each: each[0]):
        criterion, text = rule.criterion, messages.text(remedy.text)
        if remedy not in steps:
            steps[remedy] = Ready({"criterion": criterion.id, "stage": criterion.subject.stage, "text": text})
    return list(steps.values())


def _is_advisory(rule: Rule) -> bool:
    return rule.threshold.level is not Level.REQUIRED


def _by_effect(judged: Sequence[tuple[Rule, Outcome]], process: Process) -> list[tuple[Remedy, list[Rule]]]:
    """List the remedies of what is missed with the rules that each helps with, in order of effect.

    A remedy that helps with more required misses comes first, then with more misses at all, then as the data has them,
    where the most effective come first.
    """
    served: dict[Remedy, list[Rule]] = {}
    for rule, outcome in judged:
        if outcome is Outcome.MISSED:
            for remedy in process.remedies.get(rule.criterion.subject.key, ()):
                served.setdefault(remedy, []).append(rule)

    def effect(one: tuple[Remedy, list[Rule]]) -> tuple[int, int, int]:
        remedy, rules = one
        return sum(map(_is_advisory, rules)) - len(rules), -len(rules), process.order.index(remedy)

    return sorted(served.items(), key=effect)


@lru_cache(maxsize=4096)
def _journey(
    judged: Judged,
    declared: tuple[FactValue | None, ...],
    marketplace: str,
    program_id: str,
    process: Process,
    messages: Messages,
) -> tuple[list[Ready], list[Ready], list[Ready] | None]:
    """Answer what to do, how each stage stands, and what follows where something required is missed.

    It depends on the outcomes and on the few facts that answer the checklist alone, and accounts that came out the same
    way share it; a stage of its own is shared by more of them.
    """
    facts = dict(zip(process.declared, declared, strict=True))
    checklist = [answer_check(check, judged, facts, marketplace) for check in process.checklist]
    stages = []
    for stage in process.stages:
        mine = tuple([one for one in judged if one[0].criterion.subject.stage == stage.id])
        ready = tuple([one for one in checklist if one.check.stage == stage.id])
        stages.append(_stage_of(stage, mine, ready, process, messages))
    missed = any(o is Outcome.MISSED and rule.threshold.level is Level.REQUIRED for rule, o in judged)
    follows = [consequence(one, messages) for one in process.follows if program_id in one.programs] if missed else None
    return _next_steps(judged, process, messages), stages, follows


@lru_cache(maxsize=4096)
def _stage_of(
    stage: Stage, judged: Judged, checklist: tuple[Answered, ...], process: Process, messages: Messages
) -> Ready:
    """Answer how one stage stands, what is in place, and what to do about its misses in order of effect."""
    outcomes = [outcome for _, outcome in judged]
    missed = [rule for rule, outcome in judged if outcome is Outcome.MISSED]
    return Ready(
        {
            "stage": stage.id,
            "label": messages.text(stage.label),
            **{outcome.value: outcomes.count(outcome) for outcome in Outcome},
            "remedies": [_stage_remedy(remedy, rules, messages) for remedy, rules in _by_effect(judged, process)],
            "consequences": [
                {
                    "criterion": rule.criterion.id,
                    "level": rule.threshold.level,
                    "text": messages.text(rule.threshold.consequence),
                    "doubts": text_of(rule.threshold.bar.note, messages),
                    "sources": sources(rule.threshold.bar.sources),
                }
                for rule in missed
                if rule.threshold.consequence is not None
            ],
            "checklist": [_answered(one, messages) for one in checklist],
        }
    )


@lru_cache(maxsize=4096)
def _answered(one: Answered, messages: Messages) -> Ready:
    """Answer an item of the checklist, and name what told it."""
    return Ready(
        {
            "id": one.check.id,
            "text": messages.text(one.check.text),
            "outcome": one.outcome,
            "reads": [_told(each) for each in one.told],
        }
    )


def _told(one: Told) -> Answer:
    fact = isinstance(one.subject, Fact)
    return {
        "metric": None if fact else one.subject.key,
        "fact": one.subject.key if fact else None,
        "criterion": None if one.rule is None else one.rule.criterion.id,
        "outcome": one.outcome,
    }


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
        "sources": sources(remedy.sources),
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
            "doubts": text_of(one.note, messages),
            "sources": sources(one.sources),
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
        **dated(threshold.validity),
        "observed": None,
        "outcome": outcome,
        "reason": reason,
        "headroom": None,
        "recovery": None,
        "band": None,
        "also_published": [_also_published(bar, subject, other, messages) for bar, other in also],
        "message": None,
        "consequence": text_of(threshold.consequence, messages),
        "note": text_of(threshold.bar.note, messages),
        "stage": subject.stage,
        "remedies": [_remedy(remedy, messages) for remedy in remedies],
        "sources": sources(threshold.bar.sources),
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
            "note": text_of(bar.note, messages),
            "sources": sources(bar.sources),
        }
    )


def _remedy(remedy: Remedy, messages: Messages) -> Ready:
    return Ready(
        {"text": messages.text(remedy.text), "why": messages.text(remedy.why), "sources": sources(remedy.sources)}
    )


def finding(one: Finding, process: Process, messages: Messages) -> Answer:
    """Answer one criterion."""
    if isinstance(one.observed, Observation) or one.between is not None:
        return _finding(one, process, messages)
    return _still_finding(one, process, messages)


def _finding(one: Finding, process: Process, messages: Messages) -> Answer:
    said = _said(one.rule, one.outcome, one.reason, one.also_published, process, messages)
    seen = one.observed
    rate = rate_of(seen) if isinstance(seen, Observation) else None
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
    answer = _finding(one, process, messages)
    if one.band is not None:
        answer |= {"band": _band(one.band, messages)}
    return Ready(answer)


def _unit(subject: Metric | Fact) -> str:
    return subject.unit if isinstance(subject, Metric) else ""


def _observed(one: Finding, rate: int | None) -> Answer | None:
    seen = one.observed
    if isinstance(seen, Observation):
        return counted(seen, rate)
    if one.between is not None:
        lowest, highest = (format_rate(rate_ppm(INTEGERS, count, of)) for count, of in one.between)
        return {"count": None, "of": None, "rate": None, "between": {"lowest": lowest, "highest": highest}}
    return None if seen is None else {"value": plain(seen)}


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


def _band(one: InBand, messages: Messages) -> Answer:
    """Say in which band of which a value lies, and how many points lead to the next ones."""
    nearby = {"better": (one.better, one.to_better), "worse": (one.worse, one.to_worse)}
    return {
        **band(one.band, messages),
        **{
            where: None if other is None else {"band": other.key, "label": messages.text(other.label), "points": points}
            for where, (other, points) in nearby.items()
        },
        "scale": [ends(each, messages) for each in one.scale.bands],
        "message": _band_text(one, messages),
    }


def _band_text(one: InBand, messages: Messages) -> str:
    """Say the same in sentences, which follow on those of the finding."""
    values = {"label": messages.text(one.band.label), "lowest": one.band.lowest, "highest": one.band.highest}
    sentences = [messages.text(TEXTS["in_band"], values), messages.text(one.band.consequence)]
    for name, other, points in (("to_better", one.better, one.to_better), ("to_worse", one.worse, one.to_worse)):
        if other is not None:
            sentences.append(messages.text(TEXTS[name], {"points": points, "label": messages.text(other.label)}))
    return " ".join(sentences)


def _fact_text(value: FactValue | None, messages: Messages) -> str:
    if isinstance(value, bool):
        return messages.text(TEXTS["yes" if value else "no"])
    text = str(plain(value))
    return messages.text(FACT_VALUES[text]) if text in FACT_VALUES else text


def _bar_text(subject: Metric | Fact, bar: Bar, messages: Messages) -> str:
    if isinstance(subject, Metric) and subject.kind == "rate" and isinstance(bar.value, int):
        return messages.percent(bar.value)
    return _fact_text(bar.value, messages)
