"""Say what each column of a file of accounts means, by its name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from advisor.batch.header import Cell, near, no_column, plain, read_header
from advisor.domain.assessment import Slot
from advisor.domain.program import Vocabulary
from advisor.errors import InvalidInput, Problem, say
from advisor.inputs.accounts import slot_of

FEE_FIELDS = (
    "category",
    "price",
    "shipping",
    "gift_wrap",
    "units",
    "business_order",
    "unit_cost",
    "fulfillment_cost",
    "refund_rate",
    "tax_rate",
)

SINGLES = ("seller_id", "marketplace", "established_in")

TWICE = say("Another column has this metric, segment and window.")


@dataclass(slots=True)
class Counts:
    """The cells of an observation given by counts; a counter has no total."""

    count: Cell | None = None
    of: Cell | None = None


@dataclass(slots=True)
class Layout:
    """The meaning of a file's columns."""

    header: list[str]
    singles: dict[str, Cell] = field(default_factory=dict)
    facts: dict[str, Cell] = field(default_factory=dict)
    rates: dict[Slot, Cell] = field(default_factory=dict)
    counts: dict[Slot, Counts] = field(default_factory=dict)
    fees: dict[str, Cell] = field(default_factory=dict)
    other: list[str] = field(default_factory=list)
    near: dict[str, str] = field(default_factory=dict)

    @property
    def priced(self) -> bool:
        """Whether the file has fee columns."""
        return "category" in self.fees or "price" in self.fees

    @property
    def meaningful(self) -> set[int]:
        """The file's columns that mean something."""
        cells: list[Cell | None] = [
            *self.singles.values(),
            *self.facts.values(),
            *self.rates.values(),
            *self.fees.values(),
        ]
        for counts in self.counts.values():
            cells += [counts.count, counts.of]
        return {cell.column for cell in cells if cell is not None and cell.column is not None}


def read_layout(
    header: Sequence[str], constants: Mapping[str, str], vocabulary: Vocabulary, outputs: Sequence[str]
) -> Layout:
    """Read the header, and the constants that fill missing columns. Raises InvalidInput with the columns to mend.

    `outputs` are the names that the results will have: an input column may not have one of them.
    """
    layout = Layout(list(header))
    reader = _NameReader(layout, vocabulary)
    seen, problems = read_header(header, constants, outputs, reader.take)
    for counts in layout.counts.values():
        if counts.count is None and counts.of is not None:
            detail = say("The number of defects among them is missing: this column needs one that ends in _count.")
            problems.append(Problem(counts.of.name, "half_a_pair", detail))
    for slot, counts in layout.counts.items():
        if counts.count is not None and counts.of is None and vocabulary.metrics[slot.metric].kind == "rate":
            detail = say("The total is missing: this column needs one that ends in _of.")
            problems.append(Problem(counts.count.name, "half_a_pair", detail))
    if "seller_id" not in layout.singles:
        problems.append(Problem("seller_id", "missing", no_column("seller_id", header)))
    if not layout.priced and "refund_rate" in layout.fees:
        # One name for two things: a sale's refund rate in a file with sales, the account's in any other.
        reader.take_metric(layout.fees.pop("refund_rate"), problems)
    if layout.priced and not {"category", "price"} <= set(layout.fees):
        missing = next(name for name in ("category", "price") if name not in layout.fees)
        detail = say("Fees need both a column category and a column price.")
        problems.append(Problem(missing, "missing", detail))
    if problems:
        raise InvalidInput(problems)
    layout.near = {name: meant for name in layout.other if (meant := reader.near(name)) and meant not in seen}
    return layout


def observation_names(vocabulary: Vocabulary) -> re.Pattern[str]:
    """Make the pattern of columns that hold observations: metric, segment, window in days, and count or of."""
    names = "|".join(sorted(vocabulary.metrics, key=len, reverse=True))
    segments = "seller_fulfilled|amazon_fulfilled|business"
    return re.compile(rf"({names})(?:_({segments}))?(?:_([1-9][0-9]?[0-9]?)d)?(?:_(count|of))?", re.ASCII)


class _NameReader:
    """Files a cell under what its name means; two names for one observation are refused."""

    def __init__(self, layout: Layout, vocabulary: Vocabulary) -> None:
        self.layout = layout
        self.vocabulary = vocabulary
        self.pattern = observation_names(vocabulary)

    def take(self, cell: Cell, problems: list[Problem]) -> bool:
        """File one cell; say whether its name means something."""
        layout, key = self.layout, cell.name.lower()
        match = self.pattern.fullmatch(key)
        if key in SINGLES:
            layout.singles[key] = cell
        elif key in FEE_FIELDS:
            layout.fees[key] = cell
        elif key in self.vocabulary.facts:
            layout.facts[key] = cell
        elif match:
            self._take_observation(cell, match, problems)
        else:
            layout.other.append(cell.name)
            return False
        return True

    def near(self, name: str) -> str | None:
        """Say which name is meant by one that means nothing, where one is close to it."""
        written = plain(name)
        if self.pattern.fullmatch(written):
            return written
        return near(name, (*SINGLES, *FEE_FIELDS, *self.vocabulary.facts, *self.vocabulary.metrics))

    def take_metric(self, cell: Cell, problems: list[Problem]) -> None:
        """File a cell whose name is known to be that of a metric."""
        match = self.pattern.fullmatch(cell.name.lower())
        if match:
            self._take_observation(cell, match, problems)

    def _take_observation(self, cell: Cell, match: re.Match[str], problems: list[Problem]) -> None:
        metric = self.vocabulary.metrics[match[1]]
        slot = slot_of(metric, int(match[3]) if match[3] else None, match[2])
        part = match[4]
        counter = metric.kind == "counter"
        if counter and part == "of":
            detail = say("{metric} is a plain count: it has no total.", metric=metric.key)
            problems.append(Problem(cell.name, "not_a_count", detail))
        elif part is None and not counter:
            if slot in self.layout.rates:
                problems.append(Problem(cell.name, "duplicate_observation", TWICE))
            self.layout.rates[slot] = cell
        else:
            counts = self.layout.counts.setdefault(slot, Counts())
            name = "of" if part == "of" else "count"
            if getattr(counts, name) is not None:
                problems.append(Problem(cell.name, "duplicate_observation", TWICE))
            setattr(counts, name, cell)
