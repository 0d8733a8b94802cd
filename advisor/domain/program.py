"""What a program asks: metrics, facts, criteria and their dated thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from advisor.domain.sources import Source, Validity, in_force

MARKETPLACES = ("US", "CA", "MX", "UK", "DE", "FR", "IT", "ES", "JP", "IN", "AU")
DEFAULT_PROGRAM = "enterprise-mall"  # the one that is meant where none is named

FactValue = bool | int | date | str


class Level(StrEnum):
    """Whether a criterion decides the verdict or only advises."""

    REQUIRED = "required"
    ADVISORY = "advisory"


class Outcome(StrEnum):
    """What one criterion answers."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Verdict(StrEnum):
    """What a program answers."""

    ELIGIBLE = "eligible"
    NOT_ELIGIBLE = "not_eligible"
    UNDETERMINED = "undetermined"
    NOT_COVERED = "not_covered"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A measured quantity: `count` events of `of` things (kind rate), or a plain count (kind counter)."""

    key: str
    label: str
    kind: str
    counts: str
    of: str | None
    unit: str
    good: str
    scope: str
    components: tuple[str, ...]
    stage: str
    note: str | None
    sources: tuple[Source, ...]

    @property
    def seller_fulfilled_only(self) -> bool:
        """Whether it is defined on seller-fulfilled orders, so that no segment is needed."""
        return self.scope == "seller_fulfilled"


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """Something that is declared, not measured: a boolean, an integer, a date or one of listed words."""

    key: str
    label: str
    kind: str
    choices: tuple[str, ...]
    lowest: int | None
    highest: int | None
    stage: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """A published figure: its comparison and value, in ppm (rates), as a count (counters) or as a fact's value.

    Both are None when the sources name the criterion without a number.
    """

    comparison: str | None
    value: FactValue | None
    sources: tuple[Source, ...]
    note: str | None

    @property
    def number(self) -> int:
        """The figure that a metric is held against; only for bars of metrics that have one."""
        if not isinstance(self.value, int):
            raise TypeError("this bar has no figure for a metric")
        return self.value


@dataclass(frozen=True, slots=True, eq=False)
class Threshold:
    """One dated block of a criterion: the bar that judges, and what other sources print beside it."""

    marketplaces: frozenset[str]
    validity: Validity
    level: Level
    basis: str
    bar: Bar
    minimum_volume: int | None
    consequence: str | None
    also_published: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """Metric (or fact), window and segment, with a threshold for each marketplace and date."""

    id: str
    label: str
    subject: Metric | Fact
    window_days: int | None
    segment: str | None
    thresholds: tuple[Threshold, ...]

    @property
    def metric(self) -> Metric | None:
        """The metric it reads, if it reads one."""
        return self.subject if isinstance(self.subject, Metric) else None

    @property
    def channel(self) -> str | None:
        """The fulfillment channel whose orders it is about: seller, amazon, or None for the whole account."""
        if isinstance(self.subject, Metric) and self.subject.seller_fulfilled_only:
            return "seller"
        return {"seller_fulfilled": "seller", "amazon_fulfilled": "amazon"}.get(self.segment or "")


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """A published fact that is shown and never judged."""

    marketplaces: frozenset[str]
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class OtherEnds:
    """A band as another source prints it."""

    lowest: int
    highest: int
    note: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A stretch of a fact's values, both ends included, that is published under a name, and what follows in it."""

    key: str
    label: str
    color: str
    lowest: int
    highest: int
    consequence: str
    basis: str
    note: str | None
    also_published: tuple[OtherEnds, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """The bands of a fact, from the worst to the best: they follow each other and leave out none of its values."""

    fact: Fact
    marketplaces: frozenset[str]
    validity: Validity
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A criterion with the threshold that holds at one marketplace on one day, and the scale of the fact it reads."""

    criterion: Criterion
    threshold: Threshold
    scale: Scale | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A standing that a seller can earn or lose. `channel`: only who uses this fulfillment channel can have it."""

    id: str
    title: str
    summary: str
    channel: str | None
    criteria: tuple[Criterion, ...]
    notes: tuple[Note, ...]
    scales: tuple[Scale, ...] = ()

    @property
    def marketplaces(self) -> tuple[str, ...]:
        """The marketplaces that any of its thresholds covers, on whatever day."""
        covered = {
            place for criterion in self.criteria for block in criterion.thresholds for place in block.marketplaces
        }
        return tuple(place for place in MARKETPLACES if place in covered)


@lru_cache(maxsize=4096)
def rules_in_force(program: Program, marketplace: str, day: date) -> tuple[Rule, ...]:
    """List the program's criteria at a marketplace on a day, in program order; empty where it is not covered.

    A day on which no required criterion holds is not covered either: advisory ones alone decide nothing.
    """
    rules = []
    for criterion in program.criteria:
        blocks = [block for block in criterion.thresholds if marketplace in block.marketplaces]
        threshold = in_force(blocks, day)
        if threshold is not None:
            rules.append(Rule(criterion, threshold, _scale(program, criterion, marketplace, day)))
    if not any(rule.threshold.level is Level.REQUIRED for rule in rules):
        return ()
    return tuple(rules)


def _scale(program: Program, criterion: Criterion, marketplace: str, day: date) -> Scale | None:
    scales = [one for one in program.scales if one.fact is criterion.subject and marketplace in one.marketplaces]
    return in_force(scales, day)


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Every metric and fact the programs can read, by key."""

    metrics: Mapping[str, Metric]
    facts: Mapping[str, Fact]
