"""One Ibis expression for a program and one for the fee schedules: columns of text in, columns of answers out.

`Columns` reads the cells into typed columns and names every way a cell can be wrong; `judge` and `price` then follow
`advisor.domain` step by step with the same formulas, so that a row of a file and a request to the API answer alike.
A property test holds them together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import and_, or_
from typing import Any

import ibis
import ibis.expr.types as ir

from advisor.batch.header import BLANK, Cell
from advisor.batch.layout import Layout
from advisor.catalog import Catalog
from advisor.domain import formulas
from advisor.domain.assessment import Slot
from advisor.domain.fees import (
    CHANNELS,
    FEES,
    PART_NAMES,
    Category,
    ClosingFeeTable,
    FeeRule,
    FeeSchedule,
    digital_services_ppm,
    plan_in_force,
    rule_in_force,
)
from advisor.domain.numbers import HIGHEST_AMOUNT, HIGHEST_COUNT, HIGHEST_UNITS, PPB, PPM
from advisor.domain.program import (
    MARKETPLACES,
    Bar,
    Criterion,
    Fact,
    Level,
    Metric,
    Program,
    Threshold,
    Vocabulary,
    rules_in_force,
)
from advisor.domain.sources import in_force
from advisor.errors import Sentence, say
from advisor.inputs.fees import PRICE_OF_NOTHING
from advisor.inputs.rows import CHANNEL_OF_ACCOUNT
from advisor.inputs.values import ALLOWED_MARKETPLACES, NOT_A_WHOLE_NUMBER, allowed, out_of_range, too_large

Column = Any  # an Ibis column: its operators are untyped

WHOLE = r"^[0-9]{1,18}$"
FEE_OUTPUTS = ("currency", *PART_NAMES, "fees_complete", "fee_warnings")


@ibis.udf.scalar.builtin(name="divide", signature=(("int64", "int64"), "int64"))
def _divide(a, b):  # type: ignore[no-untyped-def]
    """Divide whole numbers without the remainder; Ibis would write // as a division of floats."""


@ibis.udf.scalar.builtin(name="rtrim", signature=(("string", "string"), "string"))
def without_end(text, characters):  # type: ignore[no-untyped-def]
    """Take these characters off the end of a text."""


@ibis.udf.scalar.builtin(name="trim", signature=(("string",), "string"))
def _trim(text):  # type: ignore[no-untyped-def]
    """Take the spaces off both ends of a text."""


COLUMNS = formulas.Operators(where=ibis.ifelse, least=ibis.least, greatest=ibis.greatest, divide=_divide)


@dataclass(frozen=True, slots=True)
class Check:
    """One way a cell can be wrong: its column, a code and a reason, and the rows where it is.

    `better` are reasons that tell more, and where they hold among those rows.
    """

    column: str
    code: str
    reason: Sentence
    wrong: Column
    better: Sequence[tuple[Sentence, Column]] = ()

    @property
    def fault(self) -> Column:
        """The place among `reasons` of what is wrong, 0 where nothing is."""
        better = [(_true(where), number) for number, (_, where) in enumerate(self.better, 2)]
        which = ibis.cases(*better, else_=1) if better else ibis.literal(1)
        return ibis.ifelse(_true(self.wrong), which, 0).cast("int8")

    @property
    def reasons(self) -> list[Sentence]:
        """The reasons, by fault; the first stands for none."""
        return [self.reason, self.reason, *(reason for reason, _ in self.better)]


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation as columns: count of `of`; `bare` where it came as a rate. NULL is unknown."""

    count: Column
    of: Column
    bare: Column


def output_names(program: Program, places: Sequence[str], as_of: date, priced: bool) -> list[str]:
    """Name the columns that the results add to a file."""
    names = ["verdict", "score"]
    for criterion in criteria_of(program, places, as_of):
        stem = criterion.id.replace("-", "_")
        names += [f"{stem}_outcome", f"{stem}_observed", f"{stem}_headroom"]
    return [*names, *(FEE_OUTPUTS if priced else ())]


def rate_outputs(program: Program, places: Sequence[str], as_of: date) -> set[str]:
    """Name the result columns that hold a rate, in ppm until they are written."""
    criteria = criteria_of(program, places, as_of)
    rates = [one for one in criteria if isinstance(one.subject, Metric) and one.subject.kind == "rate"]
    return {f"{one.id.replace('-', '_')}_observed" for one in rates}


def criteria_of(program: Program, places: Sequence[str], as_of: date) -> list[Criterion]:
    """List the criteria in force at any of these marketplaces, in program order."""
    standing = {rule.criterion for place in places for rule in rules_in_force(program, place, as_of)}
    return [criterion for criterion in program.criteria if criterion in standing]


def _any(conditions: Sequence[Column]) -> Column:
    return reduce(or_, conditions, ibis.literal(False))


def _all(conditions: Sequence[Column]) -> Column:
    return reduce(and_, conditions, ibis.literal(True))


def _true(condition: Column) -> Column:
    """Take NULL as false."""
    return condition.fill_null(False)


def _null(kind: str) -> Column:
    return ibis.null(kind)


def texts(table: ir.Table, names: Sequence[str], layout: Layout) -> dict[str, Column]:
    """Read the cells that mean something as texts, whatever their type in the file."""
    return {f"text_{index}": _without_blanks(as_text(table[names[index]])) for index in sorted(layout.meaningful)}


def as_text(column: Column) -> Column:
    """Read a column as text, whatever its type; what cannot be read so becomes a text that the checks refuse."""
    kind = column.type()
    if kind.is_string():
        return column
    if kind.is_floating():
        return _exact_text(column)
    if kind.is_decimal():
        text = _trimmed(column.cast("string"))  # which has no digit before the mark where the type has none
        return ibis.ifelse(text.startswith("."), ibis.literal("0") + text, text)
    if kind.is_nested() or kind.is_binary():
        return ibis.ifelse(column.isnull(), _null("string"), "(not a single value)")
    return column.cast("string")


def _exact_text(column: Column) -> Column:
    """Write a float with nine decimals where that is exactly it; otherwise in a way that the checks refuse."""
    fixed = column.try_cast("decimal(28, 9)")
    text = column.cast("string") + " (not exact)"
    return ibis.ifelse(_true(fixed.cast("float64") == column), _trimmed(fixed.cast("string")), text)


def _trimmed(text: Column) -> Column:
    return ibis.ifelse(text.contains("."), without_end(without_end(text, "0"), "."), text)


def _without_blanks(text: Column) -> Column:
    bare = _trim(text)
    return ibis.ifelse(bare.isin(BLANK), _null("string"), bare)


class Columns:
    """The cells of a file as typed columns, and the checks that they have to pass."""

    def __init__(
        self,
        table: ir.Table,
        layout: Layout,
        catalog: Catalog,
        marketplace: str | None,
        decimal_comma: bool,
    ) -> None:
        self.table = table
        self.layout = layout
        self.vocabulary: Vocabulary = catalog.vocabulary
        self.catalog = catalog
        self.decimal_comma = decimal_comma
        self.checks: list[Check] = []
        self.typed: dict[str, Column] = {}
        self.places = (marketplace,) if "marketplace" not in layout.singles and marketplace else MARKETPLACES
        self._read(marketplace)

    def _read(self, marketplace: str | None) -> None:
        layout = self.layout
        seller = self._text(layout.singles["seller_id"])
        empty = say("The seller_id is empty. Name the account.")
        self._check(layout.singles["seller_id"], "missing", empty, seller.isnull())
        self._place(marketplace)
        for name, cell in layout.facts.items():
            self._fact(self.vocabulary.facts[name], cell)
        self._observations()
        if layout.priced:
            self._fees()

    # One cell

    def _text(self, cell: Cell) -> Column:
        """The cell's text, NULL where it is empty or N/A."""
        if cell.column is None:
            return _without_blanks(ibis.literal(cell.constant, type="string"))
        return self.table[f"text_{cell.column}"]

    def _check(
        self,
        cell: Cell,
        code: str,
        reason: Sentence,
        wrong: Column,
        better: Sequence[tuple[Sentence, Column]] = (),
    ) -> None:
        self.checks.append(Check(cell.name, code, reason, wrong, better))

    def _keep(self, name: str, value: Column) -> Column:
        self.typed[name] = value
        return value

    def _decimal(self, cell: Cell, places: int, high: int, percent: bool) -> Column:
        """Read a decimal (or, of a rate, a percentage) as a whole number of 10**-places."""
        text = self._text(cell)
        if self.decimal_comma:
            text = text.replace(",", ".")
        digits = 18 - places
        good = text.re_search(rf"^[0-9]{{1,{digits}}}(\.[0-9]{{1,{places}}})?$")
        value = _scaled(ibis.ifelse(good, text, _null("string")), places)
        reason = say("An amount has digits, at most one decimal mark, and no sign or separator, such as 52.50.")
        if percent:
            reason = say(
                "A rate has digits, up to {places} decimals and no sign: 0.5 % is written 0.5% or 0.005.", places=places
            )
            per_cent = text.endswith("%")
            good_percent = text.re_search(rf"^[0-9]{{1,{digits}}}(\.[0-9]{{1,{places - 2}}})? ?%$")
            good = ibis.ifelse(per_cent, good_percent, good)
            number = ibis.ifelse(good, without_end(text, "% "), _null("string"))
            value = ibis.ifelse(per_cent, _scaled(number, places - 2), _scaled(number, places))
        better = _what_is_missing(text, percent)
        self._check(cell, "not_a_decimal", reason, ~good, better)
        self._check(cell, "out_of_range", too_large(high // 10**places, rate=percent), value > high)
        return value

    def _whole(self, cell: Cell, low: int, high: int) -> Column:
        text = self._text(cell)
        good = text.re_search(WHOLE)
        self._check(cell, "not_a_whole_number", NOT_A_WHOLE_NUMBER, ~good)
        value = ibis.ifelse(good, text, _null("string")).try_cast("int64")
        beyond = value > high if low == 0 else (value < low) | (value > high)
        self._check(cell, "out_of_range", out_of_range(low, high), beyond)
        return value

    def _word(self, cell: Cell, choices: Sequence[str]) -> Column:
        text = self._text(cell).lower()
        self._check(cell, "not_allowed", allowed(choices), ~text.isin(choices))
        return text

    def _flag(self, cell: Cell) -> Column:
        text = self._text(cell).lower()
        yes, no = text.isin(["true", "yes"]), text.isin(["false", "no"])
        self._check(cell, "not_true_or_false", say("This has to be true, false, yes or no."), ~(yes | no))
        return ibis.cases((yes, True), (no, False), else_=_null("boolean"))

    # The account

    def _place(self, marketplace: str | None) -> None:
        cell = self.layout.singles.get("marketplace")
        if cell is None:
            self._keep("place", ibis.literal(marketplace, type="string"))
            return
        text = self._text(cell).upper()
        text = ibis.ifelse(text == "GB", "UK", text)
        if marketplace is None:
            empty = say("The marketplace is empty. Fill it in, or name the marketplace of all rows.")
            self._check(cell, "missing", empty, text.isnull())
        else:
            text = text.fill_null(marketplace)
        self._check(cell, "unknown_marketplace", ALLOWED_MARKETPLACES, ~text.isin(MARKETPLACES))
        self._keep("place", text)

    def _fact(self, fact: Fact, cell: Cell) -> None:
        name = f"fact_{fact.key}"
        if fact.kind == "boolean":
            self._keep(name, self._flag(cell))
        elif fact.kind == "integer":
            self._keep(name, self._whole(cell, fact.lowest or 0, fact.highest or HIGHEST_COUNT))
        elif fact.key == "fulfillment" and self.layout.priced:
            words = [*CHANNELS, "both"]
            text = self._word(cell, words)
            self._keep("channel", ibis.ifelse(text.isin(words), text, "seller"))
            standing = {**CHANNEL_OF_ACCOUNT, "both": "both"}
            kinds = [(text == word, kind) for word, kind in standing.items() if kind is not None]
            self._keep(name, ibis.cases(*kinds, else_=_null("string")))
        elif fact.kind == "choice":
            self._keep(name, self._word(cell, fact.choices))
        else:
            text = self._text(cell)
            day = text.try_cast("date")
            good = text.re_search(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$") & day.notnull()
            reason = say("A date is written YYYY-MM-DD and has to exist.")
            self._check(cell, "not_a_date", reason, text.notnull() & ~_true(good))
            self._keep(name, day)

    def _observations(self) -> None:
        for slot in dict.fromkeys([*self.layout.rates, *self.layout.counts]):
            rate_cell, counts = self.layout.rates.get(slot), self.layout.counts.get(slot)
            rate = self._decimal(rate_cell, 9, PPB, percent=True) if rate_cell else _null("int64")
            count = of = _null("int64")
            if counts and counts.count:
                count = self._whole(counts.count, 0, HIGHEST_COUNT)
            if counts and counts.of:
                of = self._whole(counts.of, 0, HIGHEST_COUNT)
            if counts and counts.count and counts.of:
                half = say("A count and its total belong together: fill in both, or neither.")
                is_half = self._text(counts.count).isnull() != self._text(counts.of).isnull()
                self._check(counts.count, "half_a_pair", half, is_half)
                self._check(counts.count, "count_above_of", say("The count may be at most its total."), count > of)
                if rate_cell:
                    both = say("Give either the rate, or the counts: not both.")
                    self._check(rate_cell, "rate_and_count", both, rate.notnull() & count.notnull())
            name = _slot_name(slot)
            self._keep(f"{name}_count", rate.fill_null(count) if rate_cell else count)
            self._keep(f"{name}_of", ibis.ifelse(rate.notnull(), PPB, of) if rate_cell else of)
            self._keep(f"{name}_bare", rate.notnull() if rate_cell else ibis.literal(False))

    def _fees(self) -> None:
        fees = self.layout.fees
        category = self._keep("category", self._text(fees["category"]))
        self._micros("price")
        half = say("A fee line needs a category and a price: fill in both, or neither.")
        unpriced = self._text(fees["price"]).isnull()
        self._check(fees["category"], "depends_on_column", half, category.isnull() != unpriced)
        for name in ("shipping", "gift_wrap", "unit_cost", "fulfillment_cost"):
            self._micros(name)
        for name in ("refund_rate", "tax_rate"):
            value = self._decimal(fees[name], 6, PPM, percent=True) if name in fees else _null("int64")
            self._keep(name, value)
        units = self._whole(fees["units"], 1, HIGHEST_UNITS) if "units" in fees else _null("int64")
        self._keep("units", units.fill_null(1))
        business = self._flag(fees["business_order"]) if "business_order" in fees else _null("boolean")
        self._keep("business_order", business)
        if "channel" not in self.typed:
            self._keep("channel", ibis.literal("seller"))
        cell = self.layout.singles.get("established_in")
        country = _null("string")
        if cell:
            country = self._text(cell).upper()
            self._check(
                cell,
                "not_a_country",
                say("A country is two letters, such as US, UK or DE."),
                ~country.re_search("^[A-Z]{2}$"),
            )
            country = ibis.ifelse(country == "GB", "UK", country)
        self._keep("established_in", country)
        self._check(fees["price"], "out_of_range", PRICE_OF_NOTHING, self.typed["price"] == 0)
        self._channel_check()

    def _micros(self, name: str) -> Column:
        """Read an amount in minor units of the row's currency."""
        cell = self.layout.fees.get(name)
        if cell is None:
            return self._keep(name, _null("int64"))
        micros = self._decimal(cell, 6, HIGHEST_AMOUNT * PPM, percent=False)
        unit = by_place(
            self.typed["place"],
            {place: 10 ** (6 - self.catalog.schedule(place).decimals) for place in self.places},
        )
        detail = say("This has more decimals than the currency of the marketplace.")
        self._check(cell, "too_many_decimals", detail, micros % unit != 0)
        minor = _divide(micros, unit)
        detail = say("An amount may be at most {highest} minor units.", highest=HIGHEST_AMOUNT)
        self._check(cell, "out_of_range", detail, minor > HIGHEST_AMOUNT)
        return self._keep(name, minor)

    def _channel_check(self) -> None:
        cell = self.layout.facts.get("fulfillment")
        if cell is None:
            return
        place, channel = self.typed["place"], self.typed["channel"]
        by_channels: dict[tuple[str, ...], list[str]] = {}
        for name in self.places:
            if self.catalog.schedule(name).covered:
                by_channels.setdefault(self.catalog.schedule(name).channels, []).append(name)
        refused = [
            place.isin(names) & ~channel.isin([*channels, "both"]) & self.typed["category"].notnull()
            for channels, names in by_channels.items()
        ]
        detail = say("The marketplace has no such fulfillment channel.")
        self._check(cell, "not_allowed", detail, _any(refused))

    def category_check(self, joined: ir.Table) -> Check:
        """Tell the rows whose category no fee schedule has, once they are joined with the fee rules."""
        covered = [name for name in self.places if self.catalog.schedule(name).covered]
        unknown = joined["category"].notnull() & joined["rule_category"].isnull() & joined["place"].isin(covered)
        reason = say("The fee schedule of the marketplace has no such category. Take one that it lists.")
        return Check(self.layout.fees["category"].name, "unknown_category", reason, unknown)

    @property
    def wrong(self) -> Column:
        """The rows that fail any check."""
        return _true(_any([check.wrong for check in self.checks]))


def _what_is_missing(text: Column, percent: bool) -> list[tuple[Sentence, Column]]:
    """Say of decimals that are not taken what they lack, and which these are.

    Three digits after a comma in an amount may be thousands: nothing is said of those.
    """
    end, after = (" ?%?", "+") if percent else ("", "{1,2}")
    found = [
        (say("A digit has to stand before the decimal mark: .5 is written 0.5."), text.re_search(r"^[.,][0-9]+$")),
        (
            say("A decimal comma is taken only in CSV files with semicolons. Write a decimal point."),
            text.re_search(f"^[0-9]+,[0-9]{after}{end}$"),
        ),
    ]
    if percent:
        detail = say("A digit has to stand before the decimal mark: .5% is written 0.5%.")
        found.append((detail, text.re_search("^[.,][0-9]+ ?%$")))
    return found


def _scaled(number: Column, places: int) -> Column:
    """Read plain decimal text as a whole number of 10**-places: all its places written out, the point left out."""
    return number.try_cast(f"decimal(18, {places})").cast("string").replace(".", "").try_cast("int64")


def by_place(place: Column, values: Mapping[str, Any], kind: str = "int64") -> Column:
    """Pick a value by the row's marketplace; NULL where there is none."""
    distinct: dict[Any, list[str]] = {}
    for name, value in values.items():
        distinct.setdefault(value, []).append(name)
    if len(distinct) == 1:
        (value,) = distinct
        return _null(kind) if value is None else ibis.literal(value, type=kind)
    branches = [
        (place.isin(names), ibis.literal(value, type=kind)) for value, names in distinct.items() if value is not None
    ]
    return ibis.cases(*branches, else_=_null(kind))


def _slot_name(slot: Slot) -> str:
    return f"seen_{slot.metric}_{slot.segment or ''}_{slot.window_days or ''}"


# Judging


@dataclass(frozen=True, slots=True)
class Block:
    """A criterion with one of its thresholds in force, and the marketplaces where that is."""

    stem: str
    index: int
    criterion: Criterion
    threshold: Threshold
    places: list[str]

    @property
    def name(self) -> str:
        """The prefix of the columns that only this threshold computes."""
        return f"{self.stem}_{self.index}"


class Judge:
    """Holds typed columns against a program: the same steps as `advisor.domain.assessment`, over columns.

    The steps are to be evaluated one after the other (`steps`), each over the columns of those before it, so that
    nothing is computed twice.
    """

    def __init__(self, layout: Layout, program: Program, places: Sequence[str], as_of: date) -> None:
        self.slots = set(layout.rates) | set(layout.counts)
        self.facts = layout.facts
        self.covered = [place for place in places if rules_in_force(program, place, as_of)]
        self.channel = program.channel
        self.criteria = criteria_of(program, places, as_of)
        self.blocks = [block for criterion in self.criteria for block in _blocks(criterion, program, places, as_of)]

    @property
    def steps(self) -> list[Callable[[ir.Table], dict[str, Column]]]:
        """What to compute, one step over the columns of the last."""
        return [self.observations, self.deciding_values, self.outcomes, self.answers]

    def observations(self, table: ir.Table) -> dict[str, Column]:
        """Find what every criterion reads, and of a defect rate its components and their bounds."""
        found: dict[str, Column] = {}
        for criterion in self.criteria:
            metric, stem = criterion.metric, _stem(criterion)
            if metric is None:
                continue
            found |= _named(stem, self._seen(table, criterion, metric.key))
            for number, key in enumerate(metric.components):
                found |= _named(f"{stem}_part_{number}", self._seen(table, criterion, key))
        return found

    def deciding_values(self, table: ir.Table) -> dict[str, Column]:
        """Bring a defect rate and its components into the value that decides, NULL where none does."""
        found: dict[str, Column] = {}
        for block in self.blocks:
            metric, bar = block.criterion.metric, block.threshold.bar
            if metric is None or bar.value is None:
                continue
            seen = _seen_again(table, block.stem)
            if metric.components:
                allowed = formulas.allowance(bar.comparison or "", bar.number)
                parts = [_seen_again(table, f"{block.stem}_part_{i}") for i in range(len(metric.components))]
                seen = _deciding_defects(seen, parts, allowed)
            of = ibis.literal(1, type="int64") if metric.kind == "counter" else seen.of
            bad = formulas.defects(bar.comparison or "", seen.count, of)
            found |= {f"{block.name}_bad": bad, f"{block.name}_all": of, f"{block.name}_bare": seen.bare}
        return found

    def outcomes(self, table: ir.Table) -> dict[str, Column]:
        """Judge every threshold: outcome, further defects allowed, and points."""
        found: dict[str, Column] = {}
        fulfillment = table["fact_fulfillment"] if "fulfillment" in self.facts else None
        for block in self.blocks:
            subject, bar, name = block.criterion.subject, block.threshold.bar, block.name
            elsewhere = _elsewhere(block.criterion.channel or self.channel, fulfillment)
            if isinstance(subject, Fact):
                outcome, room, points = self._fact_outcome(table, subject, bar, elsewhere)
            elif bar.value is None:
                outcome, room, points = ibis.literal("not_applicable"), _null("int64"), _null("int64")
            else:
                outcome, room, points = _metric_outcome(table, block, subject, elsewhere)
            found |= {f"{name}_outcome": outcome, f"{name}_room": room, f"{name}_points": points}
        return found

    def answers(self, table: ir.Table) -> dict[str, Column]:
        """Compute verdict and score, and each criterion's outcome, observed value and headroom by marketplace."""
        place = table["place"]
        missed, unknown, met, scores = [], [], [], []
        answers: dict[str, Column] = {}
        for block in self.blocks:
            if block.threshold.level is not Level.REQUIRED:
                continue
            outcome, here = table[f"{block.name}_outcome"], place.isin(block.places)
            missed.append(here & (outcome == "missed"))
            unknown.append(here & (outcome == "unknown"))
            met.append(here & (outcome == "met"))
            judged = here & outcome.isin(["met", "missed"])
            scores.append(ibis.ifelse(judged, table[f"{block.name}_points"], 101).fill_null(101))
        verdict = ibis.cases(
            (~place.isin(self.covered) if self.covered else ibis.literal(True), "not_covered"),
            (_any(missed), "not_eligible"),
            (_any(unknown) | ~_any(met), "undetermined"),
            else_="eligible",
        )
        least = ibis.least(*scores) if len(scores) > 1 else scores[0] if scores else _null("int64")
        answers["verdict"] = verdict
        answers["score"] = ibis.ifelse(verdict.isin(["eligible", "not_eligible"]), least, _null("int64")).cast("int64")
        for criterion in self.criteria:
            stem = _stem(criterion)
            blocks = [block for block in self.blocks if block.criterion is criterion]
            here = place.isin([name for block in blocks for name in block.places])
            answers[f"{stem}_outcome"] = _by_block(table, blocks, "outcome", "string")
            observed = self._observed(table, criterion)
            answers[f"{stem}_observed"] = ibis.ifelse(here, observed, _null(str(observed.type())))
            answers[f"{stem}_headroom"] = _by_block(table, blocks, "room", "int64")
        return answers

    def _observed(self, table: ir.Table, criterion: Criterion) -> Column:
        subject = criterion.subject
        if isinstance(subject, Fact):
            return table[f"fact_{subject.key}"] if subject.key in self.facts else _null(FACT_KINDS[subject.kind])
        seen = _seen_again(table, _stem(criterion))
        return seen.count if subject.kind == "counter" else _rate(seen)

    def _fact_outcome(self, table: ir.Table, fact: Fact, bar: Bar, elsewhere: Column) -> tuple[Column, Column, Column]:
        if fact.key not in self.facts:
            return ibis.ifelse(elsewhere, "not_applicable", "unknown"), _null("int64"), _null("int64")
        value = table[f"fact_{fact.key}"]
        compare: dict[str, Callable[[Column], Column]] = {
            "equals": lambda seen: seen == bar.value,
            "below": lambda seen: seen < bar.value,
            "at_most": lambda seen: seen <= bar.value,
            "at_least": lambda seen: seen >= bar.value,
            "above": lambda seen: seen > bar.value,
        }
        met = compare[bar.comparison or "equals"](value)
        outcome = ibis.cases((elsewhere, "not_applicable"), (value.isnull(), "unknown"), (met, "met"), else_="missed")
        room = _null("int64")
        if fact.kind == "integer" and isinstance(bar.value, int):
            room = value - bar.value if bar.comparison in ("at_least", "above") else bar.value - value
            room = room - 1 if bar.comparison in ("above", "below") else room
        return outcome, ibis.ifelse(elsewhere, _null("int64"), room), ibis.ifelse(met, 100, 0)

    def _seen(self, table: ir.Table, criterion: Criterion, metric: str) -> Seen:
        """Find the observation a criterion reads, in the order of `advisor.domain.assessment._reading`."""
        candidates = []
        for slot in _slots_of(criterion, metric):
            if slot not in self.slots:
                continue
            seen = _seen_again(table, _slot_name(slot))
            usable = seen.count.notnull()
            if slot.segment is None and criterion.segment in OF_FULFILLMENT and "fulfillment" in self.facts:
                usable = usable & ~_true(table["fact_fulfillment"] == "both")
            candidates.append((usable, seen))
        if not candidates:
            return Seen(_null("int64"), _null("int64"), ibis.literal(False))
        return Seen(
            ibis.cases(*((usable, seen.count) for usable, seen in candidates), else_=_null("int64")),
            ibis.cases(*((usable, seen.of) for usable, seen in candidates), else_=_null("int64")),
            ibis.cases(*((usable, seen.bare) for usable, seen in candidates), else_=False),
        )

    def unused(self, layout: Layout) -> list[str]:
        """Name the columns of metrics, facts and fees, and the constants, that nothing here reads."""
        slots, facts = set[Slot](), {"selling_plan", "fulfillment"} if layout.priced else set[str]()
        for criterion in self.criteria:
            metric = criterion.metric
            if metric is None:
                facts.add(criterion.subject.key)
                continue
            for key in (metric.key, *metric.components):
                slots.update(_slots_of(criterion, key))
            if criterion.channel is not None or criterion.segment in OF_FULFILLMENT:
                facts.add("fulfillment")
        cells: list[Cell | None] = [cell for name, cell in layout.facts.items() if name not in facts]
        cells += [cell for slot, cell in layout.rates.items() if slot not in slots]
        for slot, counts in layout.counts.items():
            cells += [] if slot in slots else [counts.count, counts.of]
        if not layout.priced:
            cells += [*layout.fees.values(), layout.singles.get("established_in")]
        names = {cell.name for cell in cells if cell is not None}
        return [*(name for name in layout.header if name in names), *sorted(names.difference(layout.header))]


OF_FULFILLMENT = ("seller_fulfilled", "amazon_fulfilled")


def _slots_of(criterion: Criterion, metric: str) -> list[Slot]:
    """List the slots that a criterion reads of a metric, the one that comes first first."""
    segments = [criterion.segment, *([None] if criterion.segment in OF_FULFILLMENT else [])]
    windows = dict.fromkeys((criterion.window_days, None))
    return [Slot(metric, window, segment) for segment in segments for window in windows]


FACT_KINDS = {"boolean": "boolean", "choice": "string", "integer": "int64", "date": "date"}


def _stem(criterion: Criterion) -> str:
    return criterion.id.replace("-", "_")


def _blocks(criterion: Criterion, program: Program, places: Sequence[str], as_of: date) -> list[Block]:
    blocks: dict[Threshold, list[str]] = {}
    for place in places:
        for rule in rules_in_force(program, place, as_of):
            if rule.criterion is criterion:
                blocks.setdefault(rule.threshold, []).append(place)
    stem = _stem(criterion)
    return [Block(stem, index, criterion, block, names) for index, (block, names) in enumerate(blocks.items())]


def _named(name: str, seen: Seen) -> dict[str, Column]:
    return {f"{name}_count": seen.count, f"{name}_of": seen.of, f"{name}_bare": seen.bare}


def _seen_again(table: ir.Table, name: str) -> Seen:
    return Seen(table[f"{name}_count"], table[f"{name}_of"], table[f"{name}_bare"])


def _by_block(table: ir.Table, blocks: Sequence[Block], part: str, kind: str) -> Column:
    branches = [(table["place"].isin(block.places), table[f"{block.name}_{part}"]) for block in blocks]
    return ibis.cases(*branches, else_=_null(kind))


def _elsewhere(channel: str | None, fulfillment: Column | None) -> Column:
    """Tell the rows whose orders all go through another channel than the one that a criterion is about."""
    if channel is None or fulfillment is None:
        return ibis.literal(False)
    return _true(fulfillment.isin(["seller", "amazon"]) & (fulfillment != channel))


def _metric_outcome(table: ir.Table, block: Block, metric: Metric, elsewhere: Column) -> tuple[Column, Column, Column]:
    bar = block.threshold.bar
    threshold = bar.number * PPM if metric.kind == "counter" else bar.number
    allowed = formulas.allowance(bar.comparison or "", threshold)
    bad, of, bare = (table[f"{block.name}_{part}"] for part in ("bad", "all", "bare"))
    few = ibis.literal(False)
    if block.threshold.minimum_volume is not None:
        few = ~_true(bare) & _true(of < block.threshold.minimum_volume)
    known = bad.notnull() & _true(of > 0)
    met = formulas.meets(allowed, bad, of)
    outcome = ibis.cases(
        (elsewhere, "not_applicable"),
        (~known, "unknown"),
        (few, "not_applicable"),
        (met, "met"),
        else_="missed",
    )
    room = formulas.headroom(COLUMNS, allowed, bad, of)
    room = ibis.ifelse(known & ~elsewhere & ~few & ~_true(bare), room, _null("int64"))
    return outcome, room, formulas.score(COLUMNS, allowed, bad, ibis.greatest(of, 1))


def _deciding_defects(stated: Seen, parts: Sequence[Seen], allowed: formulas.Allowance) -> Seen:
    """Follow `advisor.domain.assessment._judge_defects`."""
    given = [part.count.notnull() for part in parts]
    complete, some = _all(given), _any(given)
    of = ibis.coalesce(*(part.of for part in parts))
    bare = _any([here & _true(part.bare) for here, part in zip(given, parts, strict=True)])
    comparable = _all(
        [~here | (_true(part.of == of) & (_true(part.bare) == bare)) for here, part in zip(given, parts, strict=True)]
    )
    counts = [part.count.fill_null(0) for part in parts]
    low = ibis.greatest(*counts)
    total = reduce(lambda one, other: one + other, counts)
    high = ibis.least(total, of)
    alike = some & comparable & _true(stated.of == of) & (_true(stated.bare) == bare) & _true(of > 0)
    contradictory = alike & ((stated.count < low) | (complete & (stated.count > total)))
    sum_meets = complete & _true(formulas.meets(allowed, high, of))
    largest_misses = ~_true(formulas.meets(allowed, low, of))
    usable = some & comparable & _true(of > 0) & (sum_meets | largest_misses)
    is_stated = stated.count.notnull()
    count = ibis.cases(
        (is_stated & _true(contradictory), _null("int64")),
        (is_stated, stated.count),
        (usable, ibis.ifelse(sum_meets, high, low)),
        else_=_null("int64"),
    )
    return Seen(count, ibis.ifelse(is_stated, stated.of, of), ibis.ifelse(is_stated, stated.bare, bare))


def _rate(seen: Seen) -> Column:
    """The observed rate in ppm, NULL without activity."""
    rate = formulas.rate_ppm(COLUMNS, seen.count, ibis.greatest(seen.of, 1))
    return ibis.ifelse(_true(seen.of > 0), rate, _null("int64"))


def as_decimal(value: Column, places: int) -> Column:
    """Turn a whole number of 10**-places into a decimal, exactly: the multiplication is the engine's own."""
    if places == 0:
        return value.cast("decimal(18, 0)")
    width = 18 - places if places == 6 else 18  # rates stay in 64 bits; money may need more

    @ibis.udf.scalar.builtin(
        name="multiply",
        signature=((f"decimal({width}, 0)", f"decimal({places}, {places})"), f"decimal({width + places}, {places})"),
    )
    def multiply(a, b):  # type: ignore[no-untyped-def]
        """Multiply decimals."""

    step = ibis.literal(f"0.{'0' * (places - 1)}1").cast(f"decimal({places}, {places})")
    return multiply(value.cast(f"decimal({width}, 0)"), step)


# Pricing


class FeeRules:
    """Every category and channel as rows of a small table, with what its fee rule of the day computes with, or NULL."""

    def __init__(self, catalog: Catalog, places: Sequence[str], as_of: date) -> None:
        schedules = {place: catalog.schedule(place) for place in places}
        tables = {place: in_force(one.closing_fee_tables, as_of) for place, one in schedules.items()}
        self.bands = max((len(bands) for one in tables.values() if one for bands in one.channels.values()), default=0)
        rules = [
            rule for one in schedules.values() for category in one.categories.values() for rule in category.versions
        ]
        self.pieces = max((len(rule.pieces) for rule in rules), default=1)
        self.rows: list[tuple[Any, ...]] = []
        for place, schedule in schedules.items():
            for category in schedule.categories.values():
                for channel in (*CHANNELS, "both"):
                    rule = rule_in_force(category, channel, as_of) if channel in schedule.channels else None
                    values = self._values(rule, category, channel, tables[place]) if rule else (None,) * len(self.names)
                    self.rows += [(place, key, channel, *values) for key in (category.key, *category.also_known_as)]

    @property
    def names(self) -> list[str]:
        """What a rule consists of."""
        return [
            *(f"{part}_{index}" for index in range(self.pieces - 1) for part in ("up_to", "rate", "constant")),
            *("rate_last", "constant_last", "minimum", "item_price", "by_table", "has_table", "closing"),
            *(f"closing_{part}_{index}" for index in range(self.bands) for part in ("up_to", "fee")),
        ]

    def table(self) -> ir.Table:
        """The rules as a table."""
        keys = ("rule_place", "rule_category", "rule_channel")
        schema = ibis.schema({**dict.fromkeys(keys, "string"), **dict.fromkeys(self.names, "int64")})
        return ibis.memtable([dict(zip(schema.names, row, strict=True)) for row in self.rows], schema=schema)

    def _values(
        self, rule: FeeRule, category: Category, channel: str, table: ClosingFeeTable | None
    ) -> tuple[int | None, ...]:
        """A rule's numbers in the order of `names`; the closing fee of each band has its group looked up."""
        values: list[int | None] = []
        for index in range(self.pieces - 1):
            piece = rule.pieces[index] if index < len(rule.pieces) - 1 else None
            values += [piece.up_to, piece.rate_ppm, piece.constant] if piece else [None, None, None]
        last, by_table = rule.pieces[-1], rule.closing_fee == "table"
        bands = table.channels.get(channel) if table and by_table else None
        values += [last.rate_ppm, last.constant, rule.minimum, int(rule.basis == "item_price")]
        values += [
            int(by_table),
            int(bands is not None),
            rule.closing_fee if isinstance(rule.closing_fee, int) else None,
        ]
        groups = iter(category.closing_groups)
        for index in range(self.bands):
            band = bands[index] if bands and index < len(bands) else None
            group = next(groups) if band and band.groups else None
            fee = None if band is None else band.fee if not band.groups else band.groups[group] if group else None
            values += [band.up_to if band else None, fee]
        return tuple(values)


class Pricer:
    """Adds fees to typed columns: the same steps as `advisor.domain.fees`, over columns.

    As with `Judge`, the steps are evaluated one after the other.
    """

    def __init__(self, layout: Layout, catalog: Catalog, places: Sequence[str], as_of: date) -> None:
        self.rules = FeeRules(catalog, places, as_of)
        self.schedules = {place: catalog.schedule(place) for place in places}
        self.as_of = as_of
        self.plan_given = "selling_plan" in layout.facts

    @property
    def steps(self) -> list[Callable[[ir.Table], dict[str, Column]]]:
        """What to compute, one step over the columns of the last."""
        return [self.bases, self.first_fees, self.later_fees, self.sums, self.answers]

    def join(self, table: ir.Table, rules: ir.Table) -> ir.Table:
        """Give every row the fee rule of its marketplace, category and channel, or NULL."""
        keys = ("place", "category", "channel")
        return table.left_join(rules, [table[key] == rules[f"rule_{key}"] for key in keys])

    def bases(self, table: ir.Table) -> dict[str, Column]:
        """The total sales price, what the percentage is taken of, and the rates that hold for the row."""
        place = table["place"]
        with_shipping = table["price"] + table["shipping"].fill_null(0)
        total = with_shipping + table["gift_wrap"].fill_null(0)
        plan = table["fact_selling_plan"] if self.plan_given else _null("string")
        individual = {name: plan_in_force(one, self.as_of, "individual") for name, one in self.schedules.items()}
        per_item = by_place(place, {name: one.per_item if one else None for name, one in individual.items()})
        return {
            "fee_total_sales_price": total,
            "fee_base": ibis.ifelse(table["item_price"] == 1, table["price"], total),
            "with_shipping": with_shipping,
            "fee_plan": plan,
            "fee_per_item_fee": ibis.cases(
                (plan == ibis.literal("professional"), 0),
                (plan == ibis.literal("individual"), per_item),
                else_=_null("int64"),
            ),
            "digital_ppm": _digital_ppm(place, table["established_in"], self.schedules, self.as_of),
            "covered": table["rate_last"].notnull(),
        }

    def first_fees(self, table: ir.Table) -> dict[str, Column]:
        """The referral fee and the closing fee."""
        inner = range(self.rules.pieces - 1)
        pieces = [(table[f"up_to_{i}"], table[f"rate_{i}"], table[f"constant_{i}"]) for i in inner]
        pieces.append((None, table["rate_last"], table["constant_last"]))
        exact = formulas.percentage_exact(COLUMNS, pieces, table["fee_base"])
        return {
            "fee_referral_fee": formulas.round_fee(COLUMNS, exact, table["minimum"]),
            "fee_closing_fee": _closing(table, self.rules.bands, table["with_shipping"]),
        }

    def later_fees(self, table: ir.Table) -> dict[str, Column]:
        """The fees that are taken on the first ones."""
        place, referral, closing = table["place"], table["fee_referral_fee"], table["fee_closing_fee"]
        digital = formulas.share_of(COLUMNS, referral + closing, table["digital_ppm"])
        refunds = {name: in_force(one.refund_administration, self.as_of) for name, one in self.schedules.items()}
        known = {name: one if one and one.cap is not None else None for name, one in refunds.items()}
        share = by_place(place, {name: one.share_ppm if one else None for name, one in known.items()})
        cap = by_place(place, {name: one.cap if one else None for name, one in known.items()})
        rate = table["refund_rate"].fill_null(0)
        refund = formulas.refund_cost(COLUMNS, referral, rate, share, cap)
        taxed = by_place(place, {name: one.prices_include_tax for name, one in self.schedules.items()}, "boolean")
        tax = formulas.tax_within(COLUMNS, table["fee_total_sales_price"], table["tax_rate"])
        return {
            "fee_digital_services_fee": ibis.ifelse(table["digital_ppm"] == 0, 0, digital),
            "fee_refund_administration_fee": ibis.ifelse(rate == 0, 0, refund),
            "fee_sales_tax": ibis.ifelse(taxed, tax, 0),
        }

    def sums(self, table: ir.Table) -> dict[str, Column]:
        """The sum of the known fees, and whether all are known."""
        fees = [table[f"fee_{name}"] for name in FEES]
        total = reduce(lambda one, other: one + other, (fee.fill_null(0) for fee in fees))
        return {"fee_total_fees": total, "complete": _all([fee.notnull() for fee in fees])}

    def answers(self, table: ir.Table) -> dict[str, Column]:
        """The columns of `FEE_OUTPUTS`, for the row's units."""
        place, total_fees = table["place"], table["fee_total_fees"]
        on_fees = by_place(place, {name: one.tax_on_fees_ppm for name, one in self.schedules.items()})
        currency = by_place(place, {name: one.currency for name, one in self.schedules.items()}, "string")
        net = table["fee_total_sales_price"] - table["fee_sales_tax"].fill_null(0) - total_fees
        parts = {
            name: table[f"fee_{name}"]
            for name in PART_NAMES
            if name not in ("tax_on_fees", "net_proceeds", "contribution")
        }
        parts |= {
            "tax_on_fees": formulas.share_of(COLUMNS, total_fees, on_fees),
            "net_proceeds": net,
            "contribution": net - table["unit_cost"] - table["fulfillment_cost"].fill_null(0),
        }
        asked, covered = table["price"].notnull(), table["covered"]
        warnings = _warnings(table, self.schedules, self.as_of)
        return {
            "currency": ibis.ifelse(asked, currency, _null("string")),
            **{name: ibis.ifelse(covered, parts[name] * table["units"], _null("int64")) for name in PART_NAMES},
            "fees_complete": ibis.ifelse(asked, covered & table["complete"], _null("boolean")),
            "fee_warnings": ibis.ifelse(asked, warnings, _null("string")),
        }


def _closing(table: ir.Table, bands: int, price_and_shipping: Column) -> Column:
    if not bands:
        return table["closing"]
    fee = table[f"closing_fee_{bands - 1}"]
    for index in reversed(range(bands - 1)):
        fee = ibis.ifelse(price_and_shipping <= table[f"closing_up_to_{index}"], table[f"closing_fee_{index}"], fee)
    return ibis.ifelse(table["by_table"] == 1, fee, table["closing"])


def _digital_ppm(place: Column, country: Column, schedules: Mapping[str, FeeSchedule], as_of: date) -> Column:
    branches = []
    for name, schedule in schedules.items():
        block = in_force(schedule.digital_services, as_of)
        unsaid, _ = digital_services_ppm(schedule, as_of, None)
        if block is None or block.others_ppm is None:
            rate = _null("int64") if unsaid is None else ibis.literal(unsaid, type="int64")
        else:
            homes = [
                (country == ibis.literal(home), ibis.literal(ppm, type="int64")) for home, ppm in block.home_ppm.items()
            ]
            nobody = _null("int64") if unsaid is None else ibis.literal(unsaid, type="int64")
            rate = ibis.cases((country.isnull(), nobody), *homes, else_=ibis.literal(block.others_ppm, type="int64"))
        branches.append((place == name, rate))
    return ibis.cases(*branches, else_=_null("int64"))


def _warnings(table: ir.Table, schedules: Mapping[str, FeeSchedule], as_of: date) -> Column:
    """Join the codes of what an estimate warns of, in the order of `advisor.domain.fees.estimate_line`."""
    place, channel = table["place"], table["channel"]
    plan, digital_ppm = table["fee_plan"], table["digital_ppm"]
    tables = {name: in_force(one.closing_fee_tables, as_of) for name, one in schedules.items()}
    blocks = {name: in_force(one.digital_services, as_of) for name, one in schedules.items()}
    business = {name: in_force(one.business_orders, as_of) for name, one in schedules.items()}
    table_here = by_place(place, {name: one is not None for name, one in tables.items()}, "boolean")
    no_channel = (table["by_table"] == 1) & (table["has_table"] == 0) & table_here
    rates_unknown = [name for name, one in blocks.items() if one and one.others_ppm is None]
    on_fulfillment = [name for name, one in blocks.items() if one and one.on_fulfillment]
    unclear = [name for name, one in business.items() if one and one.rule != "standard"]
    on_amazon = place.isin(on_fulfillment) & (channel == "amazon") & (digital_ppm > 0)
    said = [
        (table["fee_closing_fee"].isnull() & ~no_channel, "closing_fee_unknown"),
        (no_channel, "closing_fee_depends_on_channel"),
        (plan.isnull(), "selling_plan_unknown"),
        (plan.notnull() & table["fee_per_item_fee"].isnull(), "per_item_fee_unknown"),
        (digital_ppm.isnull() & ~place.isin(rates_unknown), "established_in_unknown"),
        (place.isin(rates_unknown), "digital_services_fee_unknown"),
        (on_amazon, "digital_services_fee_on_fulfillment_not_included"),
        (table["fee_refund_administration_fee"].isnull(), "refund_administration_fee_unknown"),
        (table["fee_sales_tax"].isnull(), "tax_not_deducted"),
        ((channel == "amazon") & table["fulfillment_cost"].isnull(), "fulfillment_fee_not_included"),
        (table["business_order"] & place.isin(unclear), "business_order_rule_unknown"),
    ]
    words = reduce(lambda one, other: one + other, (ibis.ifelse(_true(cond), f"{code} ", "") for cond, code in said))
    return ibis.ifelse(table["covered"], words.strip().nullif(""), "not_covered")
