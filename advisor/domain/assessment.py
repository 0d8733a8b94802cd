"""Hold one account against one program on one day.

Absent numbers are unknown: never zero, never a pass. The verdict is a conjunction over the required criteria.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from advisor.domain import formulas
from advisor.domain.formulas import INTEGERS, Allowance
from advisor.domain.numbers import PPB, PPM, half_up
from advisor.domain.program import (
    Band,
    Bar,
    Criterion,
    Fact,
    FactValue,
    Level,
    Outcome,
    Program,
    Rule,
    Scale,
    Threshold,
    Verdict,
    rules_in_force,
)


@dataclass(frozen=True, slots=True)
class Observation:
    """A measured value: `count` of `of`, or a plain count (of is None).

    A bare rate is its parts per billion of 10**9 (`bare`): the same comparisons serve, but it gives no counts.
    """

    count: int
    of: int | None = None
    bare: bool = False

    @classmethod
    def of_rate(cls, ppb: int) -> "Observation":
        """Make an observation of a bare rate in parts per billion."""
        return cls(ppb, PPB, bare=True)


class Slot(NamedTuple):
    """What an observation is of: its metric, window (None stands for every window) and segment."""

    metric: str
    window_days: int | None
    segment: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """One seller's presence on one marketplace: declared facts and measured observations. What is absent is unknown."""

    facts: Mapping[str, FactValue] = field(default_factory=dict)
    observations: Mapping[Slot, Observation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Headroom:
    """Further defects still allowed, and the same as a rate in ppm; negative when missed, None where unknowable."""

    count: int | None
    ppm: int | None


class InBand(NamedTuple):
    """The band that a value lies in, the next ones, and how many points lead into each; None at an end."""

    scale: Scale
    band: Band
    better: Band | None
    to_better: int | None
    worse: Band | None
    to_worse: int | None


class Finding(NamedTuple):
    """One criterion's result. A dozen are made for every account: a tuple takes a third of a dataclass's time.

    `observed` is what was read (None when unknown or derived); `between` are the bounds, as (count, of), of a defect
    rate known only by its components; `recovery` counts clean further orders; `band` is there for a fact with a scale.
    """

    rule: Rule
    outcome: Outcome
    reason: str
    observed: Observation | FactValue | None = None
    between: tuple[tuple[int, int], tuple[int, int]] | None = None
    headroom: Headroom | None = None
    recovery: int | None = None
    score: int | None = None
    also_published: tuple[tuple[Bar, Outcome], ...] = ()
    band: InBand | None = None

    @property
    def required(self) -> bool:
        """Whether it takes part in the verdict."""
        return self.rule.threshold.level is Level.REQUIRED


@dataclass(frozen=True, slots=True)
class Assessment:
    """One account against one program, at one marketplace on one day."""

    program: Program
    marketplace: str
    account: Account
    verdict: Verdict
    score: int | None
    findings: tuple[Finding, ...]
    missing: tuple[Criterion, ...]
    unused: tuple[Slot, ...]

    @property
    def applies(self) -> bool:
        """Whether anything that the program requires is about this account. If not, nothing is missing either."""
        return self.verdict is not Verdict.UNDETERMINED or bool(self.missing)


def assess(program: Program, marketplace: str, as_of: date, account: Account) -> Assessment:
    """Judge the account by the rules of that marketplace and day. Never guesses: without rules it is not covered."""
    readings = _readings(program, marketplace, as_of, account.facts.get("fulfillment"))
    read: set[Slot] = set()
    findings = tuple([_judge(reading, account, read) for reading in readings])
    required = [finding for finding in findings if finding.required]
    verdict = _verdict(required)
    scores = [finding.score for finding in required if finding.score is not None]
    decided = verdict in (Verdict.ELIGIBLE, Verdict.NOT_ELIGIBLE)
    return Assessment(
        program=program,
        marketplace=marketplace,
        account=account,
        verdict=verdict,
        score=min(scores) if decided else None,
        findings=findings,
        missing=tuple([finding.rule.criterion for finding in required if finding.outcome is Outcome.UNKNOWN]),
        unused=tuple([slot for slot in account.observations if slot not in read]),
    )


def _verdict(required: Sequence[Finding]) -> Verdict:
    if not required:
        return Verdict.NOT_COVERED
    outcomes = {finding.outcome for finding in required}
    if Outcome.MISSED in outcomes:
        return Verdict.NOT_ELIGIBLE
    if Outcome.UNKNOWN in outcomes or Outcome.MET not in outcomes:
        return Verdict.UNDETERMINED
    return Verdict.ELIGIBLE


class _Reading(NamedTuple):
    """What a rule reads of an account, worked out once: slots to look in, in turn, for the metric and each component.

    `applies` is False when the criterion is about orders of a channel that the account does not use.
    """

    rule: Rule
    slots: tuple[Slot, ...] = ()
    components: tuple[tuple[Slot, ...], ...] = ()
    applies: bool = True


@lru_cache(maxsize=4096)
def _readings(program: Program, marketplace: str, as_of: date, used: FactValue | None) -> tuple[_Reading, ...]:
    """Work out what the rules of that marketplace and day read of an account that uses these fulfillment channels."""
    rules = rules_in_force(program, marketplace, as_of)
    return tuple(
        _reading(rule.criterion, rule.threshold, rule.scale, rule.criterion.channel or program.channel, used)
        for rule in rules
    )


@lru_cache(maxsize=4096)
def _reading(
    criterion: Criterion, threshold: Threshold, scale: Scale | None, channel: str | None, used: FactValue | None
) -> _Reading:
    """Work out what one rule reads, once for all the days it is in force: what is known of a rule is kept by the rule.

    Its own window comes before one for every window, and its own segment before the whole account, which stands for a
    fulfillment segment unless the account uses both channels, and never for business.
    """
    rule, subject = Rule(criterion, threshold, scale), criterion.subject
    applies = channel is None or used not in ("seller", "amazon") or used == channel
    if isinstance(subject, Fact):
        return _Reading(rule, applies=applies)
    segments = [criterion.segment]
    if criterion.segment in ("seller_fulfilled", "amazon_fulfilled") and used != "both":
        segments.append(None)

    def slots(metric: str) -> tuple[Slot, ...]:
        windows = dict.fromkeys((criterion.window_days, None))
        return tuple(Slot(metric, window, segment) for segment in segments for window in windows)

    return _Reading(rule, slots(subject.key), tuple(slots(key) for key in subject.components), applies)


def _judge(reading: _Reading, account: Account, read: set[Slot]) -> Finding:
    rule, slots, components, applies = reading
    subject = rule.criterion.subject
    if isinstance(subject, Fact):
        value = account.facts.get(subject.key)
        if not applies:
            return Finding(rule, Outcome.NOT_APPLICABLE, "other_fulfillment_channel", value)
        return _judge_fact(rule, subject, value)
    seen = _find(slots, account, read)
    if not applies:
        return Finding(rule, Outcome.NOT_APPLICABLE, "other_fulfillment_channel", seen)
    if rule.threshold.bar.value is None:
        return Finding(rule, Outcome.NOT_APPLICABLE, "no_published_threshold", seen)
    if components:
        return _judge_defects(rule, seen, [_find(each, account, read) for each in components])
    return _not_provided(rule) if seen is None else _judge_observation(rule, seen)


def _find(slots: Sequence[Slot], account: Account, read: set[Slot]) -> Observation | None:
    """Take the first observation there is, and note that its slot is read."""
    for slot in slots:
        seen = account.observations.get(slot)
        if seen is not None:
            read.add(slot)
            return seen
    return None


@lru_cache(maxsize=4096)
def _not_provided(rule: Rule) -> Finding:
    return Finding(rule, Outcome.UNKNOWN, "not_provided")


@lru_cache(maxsize=4096, typed=True)
def _judge_fact(rule: Rule, fact: Fact, value: FactValue | None) -> Finding:
    bar = rule.threshold.bar
    if value is None:
        return _not_provided(rule)
    also = tuple((other, _met(_fact_meets(other, value))) for other in rule.threshold.also_published)
    met = _fact_meets(bar, value)
    room = None
    if fact.kind == "integer" and isinstance(value, int) and isinstance(bar.value, int):
        spare = value - bar.value if bar.comparison in ("at_least", "above") else bar.value - value
        room = Headroom(spare - (bar.comparison in ("above", "below")), None)
    return Finding(
        rule,
        _met(met),
        "meets_threshold" if met else "misses_threshold",
        observed=value,
        headroom=room,
        score=100 if met else 0,
        also_published=also,
        band=None if rule.scale is None or not isinstance(value, int) else in_band(rule.scale, value),
    )


def in_band(scale: Scale, value: int) -> InBand:
    """Find the band that a value lies in, and how far the next ones are."""
    bands = scale.bands
    place = next(index for index, band in enumerate(bands) if value <= band.highest)
    band = bands[place]
    worse = bands[place - 1] if place > 0 else None
    better = bands[place + 1] if place + 1 < len(bands) else None
    return InBand(
        scale,
        band,
        better,
        None if better is None else better.lowest - value,
        worse,
        None if worse is None else value - worse.highest,
    )


def _fact_meets(bar: Bar, value: FactValue) -> bool:
    if bar.comparison == "equals":
        return value == bar.value
    if not isinstance(value, int) or not isinstance(bar.value, int):
        raise TypeError(f"a fact compared with {bar.comparison} is an integer")
    return {
        "below": value < bar.value,
        "at_most": value <= bar.value,
        "at_least": value >= bar.value,
        "above": value > bar.value,
    }[bar.comparison or ""]


def _judge_observation(rule: Rule, seen: Observation) -> Finding:
    """Judge a count of a total. A counter is judged as a count of one thing."""
    bar, of = rule.threshold.bar, 1 if seen.of is None else seen.of
    if of == 0:
        return Finding(rule, Outcome.UNKNOWN, "no_activity", seen)
    minimum = rule.threshold.minimum_volume
    if minimum is not None and not seen.bare and of < minimum:
        return Finding(rule, Outcome.NOT_APPLICABLE, "below_minimum_volume", seen)
    counter = seen.of is None
    bad, allowed = formulas.defects(bar.comparison or "", seen.count, of), _allowance(bar, counter)
    met = formulas.meets(allowed, bad, of)
    countable = not seen.bare
    room = formulas.headroom(INTEGERS, allowed, bad, of)
    return Finding(
        rule,
        _met(met),
        "meets_threshold" if met else "misses_threshold",
        observed=seen,
        headroom=Headroom(
            count=room if countable else None,
            ppm=None if seen.of is None else half_up(allowed.ppm * of - bad * PPM, of),
        ),
        recovery=formulas.recovery(allowed, bad, of) if countable and seen.of is not None else None,
        score=formulas.score(INTEGERS, allowed, bad, of),
        also_published=tuple(
            (other, _met(_bar_meets(other, seen.count, of, counter))) for other in rule.threshold.also_published
        ),
    )


@lru_cache(maxsize=4096)
def _allowance(bar: Bar, counter: bool) -> Allowance:
    """Turn a bar into an allowance of defects; a counter's threshold is that many of one thing."""
    return formulas.allowance(bar.comparison or "", bar.number * PPM if counter else bar.number)


def _bar_meets(bar: Bar, count: int, of: int, counter: bool = False) -> bool:
    return bool(formulas.meets(_allowance(bar, counter), formulas.defects(bar.comparison or "", count, of), of))


def _judge_defects(rule: Rule, stated: Observation | None, parts: Sequence[Observation | None]) -> Finding:
    """Judge a defect rate by its own number, or by its components.

    An order with several defects counts once, so the true number lies between the largest component and their sum:
    the sum within the bar is met, the largest beyond it is missed, anything between stays unknown.
    """
    known = [part for part in parts if part is not None]
    complete = len(known) == len(parts)
    comparable = len({(part.of, part.bare) for part in known}) == 1
    low = max((part.count for part in known), default=0)
    high = sum(part.count for part in known)
    if stated is not None:
        alike = comparable and (stated.of, stated.bare) == (known[0].of, known[0].bare)
        if alike and stated.of and (stated.count < low or (complete and stated.count > high)):
            return Finding(rule, Outcome.UNKNOWN, "contradictory", stated)
        return _judge_observation(rule, stated)
    if not known:
        return _not_provided(rule)
    if not comparable:
        return Finding(rule, Outcome.UNKNOWN, "components_not_comparable")
    of, bare = known[0].of or 0, known[0].bare
    if of == 0:
        return Finding(rule, Outcome.UNKNOWN, "no_activity")
    bar = rule.threshold.bar
    bounds = ((low, of), (min(high, of), of))
    if complete and _bar_meets(bar, min(high, of), of):
        judged, reason = min(high, of), "components_meet_threshold"
    elif not _bar_meets(bar, low, of):
        judged, reason = low, "components_miss_threshold"
    else:
        reason = "components_inconclusive" if complete else "component_missing"
        return Finding(rule, Outcome.UNKNOWN, reason, between=bounds if complete else None)
    finding = _judge_observation(rule, Observation(judged, of, bare))
    return finding._replace(
        reason=reason,
        observed=None,
        between=bounds if complete else None,
        also_published=tuple(
            (other, _bounded(other, low, min(high, of) if complete else None, of))
            for other in rule.threshold.also_published
        ),
    )


def _bounded(bar: Bar, low: int, high: int | None, of: int) -> Outcome:
    """Answer a bar for a value known only by its bounds."""
    if high is not None and _bar_meets(bar, high, of):
        return Outcome.MET
    return Outcome.UNKNOWN if _bar_meets(bar, low, of) else Outcome.MISSED


def _met(met: bool) -> Outcome:
    return Outcome.MET if met else Outcome.MISSED
