"""The result as people look at it: findings with their bars, what to do by stage, and the money.

All of it comes from the answer that the API gives, so that a kept answer is shown as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from advisor.answers.assessments import verdict_sentence
from advisor.catalog import Catalog
from advisor.domain.numbers import format_decimal, parse_decimal
from advisor.domain.program import Fact, Metric
from advisor.messages import (
    ACTIONS,
    CHOICES,
    OUTCOME_NAMES,
    PARTS,
    PLACES,
    RANGES,
    READINESS,
    READINESS_BY,
    TEXTS,
    VERDICT_NAMES,
    VERDICTS,
    Messages,
)
from advisor.web.pages import charts

Answer = Mapping[str, Any]

ORDER = tuple(OUTCOME_NAMES)
FEES = ("referral_fee", "closing_fee", "per_item_fee", "digital_services_fee", "refund_administration_fee")
COSTS = ("unit_cost", "fulfillment_cost")

# What the templates of a result choose their words from.
WORDS: dict[str, Any] = {
    "verdicts": VERDICTS,
    "verdict_names": VERDICT_NAMES,
    "outcome_names": OUTCOME_NAMES,
    "part_names": PARTS,
    "actions": ACTIONS,
    "place_names": PLACES,
    "readiness": READINESS,
}


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding with everything that is shown of it in words."""

    finding: Answer
    label: str
    bar: str | None
    observed: str | None
    room: str | None
    recovery: str | None
    chart: charts.Headroom | None
    bands: charts.Bands | None
    also: tuple[tuple[str, str, str | None, Sequence[Answer]], ...]


class Result:
    """A result on its way to a page. A document has its `view`, the `body` asked, the `answer`, and what is `left`."""

    def __init__(self, document: Answer, catalog: Catalog, messages: Messages) -> None:
        self.body: Answer = document["body"]
        self.answer: Answer = document["answer"]
        self.left: Sequence[Any] = document["left"]
        self.view: str = document["view"]
        self.reach: Answer = document.get("reach", {"programs": []})
        self.messages = messages
        self.catalog = catalog
        judged = self.answer.get("assessment", self.answer)
        self.assessment: Answer = judged["assessments"][0]
        self.program = catalog.program(self.assessment["program"])
        self.labels = {one.id: messages.text(one.label) for one in self.program.criteria}
        self.subjects = {one.id: one.subject for one in self.program.criteria}
        self.schedule = catalog.schedule(self.answer["marketplace"])

    @property
    def verdict(self) -> str:
        """The verdict's code."""
        return str(self.assessment["verdict"])

    @property
    def verdict_sentence(self) -> str:
        """Which sentence of VERDICTS says the verdict."""
        return verdict_sentence(self.assessment)

    @cached_property
    def findings(self) -> list[FindingView]:
        """The findings, failing ones first; inside an outcome the required ones."""
        order = sorted(
            self.assessment["findings"], key=lambda one: (ORDER.index(one["outcome"]), one["level"] != "required")
        )
        first = {
            one["fact"]: one["criterion"] for one in reversed(order)
        }  # it tells the band, for all that read the fact
        return [self._finding(one, first[one["fact"]] == one["criterion"]) for one in order]

    def by_outcome(self, *outcomes: str) -> list[FindingView]:
        """Pick findings of some outcomes."""
        return [one for one in self.findings if one.finding["outcome"] in outcomes]

    def _finding(self, one: Answer, tells_band: bool) -> FindingView:
        subject = self.subjects.get(one["criterion"])
        if subject is None:  # a shared result whose criterion the rules do not have any more: its sentence stands
            return FindingView(one, one["criterion"], None, None, None, None, None, None, ())
        return FindingView(
            finding=one,
            label=self.labels[one["criterion"]],
            bar=self._bar(subject, one["comparison"], one["threshold"]),
            observed=self._observed(subject, one["observed"]),
            room=self._room(subject, one["headroom"]),
            recovery=self._count(one["recovery"]["clean"], subject) if one["recovery"] else None,
            chart=self._chart(subject, one),
            bands=_bands(one) if tells_band else None,
            also=tuple(
                (
                    self._bar(subject, other["comparison"], other["threshold"]) or "",
                    self.messages.text(OUTCOME_NAMES[other["outcome"]]),
                    other["note"],
                    other["sources"],
                )
                for other in one["also_published"]
            ),
        )

    def _bar(self, subject: Metric | Fact, comparison: str | None, threshold: Any) -> str | None:
        if comparison is None:
            return None
        return self.messages.bar(comparison, self._value(subject, threshold))

    def _value(self, subject: Metric | Fact, value: Any) -> str:
        if isinstance(subject, Metric):
            return self.messages.fraction(value) if subject.kind == "rate" else self.messages.number(value)
        word = str(value).lower() if isinstance(value, bool) else str(value)
        return self.messages.text(CHOICES.get(word, word))

    def _observed(self, subject: Metric | Fact, observed: Answer | None) -> str | None:
        if observed is None:
            return None
        if isinstance(subject, Fact):
            return self._value(subject, observed["value"])
        if between := observed.get("between"):
            lowest, highest = self.messages.fraction(between["lowest"]), self.messages.fraction(between["highest"])
            return self.messages.text(TEXTS["between"], {"lowest": lowest, "highest": highest})
        rate, count, of = observed["rate"], observed["count"], observed["of"]
        if rate is None:
            return None if count is None else self.messages.number(count)
        if count is None:
            return self.messages.fraction(rate)
        words = {
            "rate": self.messages.fraction(rate),
            "count": self.messages.number(count),
            "of": self.messages.number(of),
            "unit": self.messages.text(subject.unit),
        }
        return self.messages.text(TEXTS["counted"], words)

    def _room(self, subject: Metric | Fact, headroom: Answer | None) -> str | None:
        if headroom is None:
            return None
        if headroom["count"] is not None:
            return self._count(headroom["count"], subject)
        if headroom["rate"] is None:
            return None
        sign, rate = ("−", headroom["rate"][1:]) if headroom["rate"].startswith("-") else ("", headroom["rate"])
        return sign + self.messages.fraction(rate)

    def _count(self, number: int, subject: Metric | Fact) -> str:
        unit = self.messages.text(subject.unit) if isinstance(subject, Metric) else ""
        words = {"number": self.messages.number(number).replace("-", "−"), "unit": unit}
        return self.messages.text(TEXTS["number_of"], words)

    def _chart(self, subject: Metric | Fact, one: Answer) -> charts.Headroom | None:
        seen = one["observed"]
        if not isinstance(subject, Metric) or subject.kind != "rate" or one["threshold"] is None:
            return None
        if seen is None or seen.get("rate") is None:
            return None
        return charts.headroom(_ppm(seen["rate"]), _ppm(one["threshold"]), subject.good)

    @cached_property
    def steps(self) -> list[tuple[str, Answer, bool]]:
        """What to do, in the order of the answer: the stage, the remedy, and whether what it helps with decides."""
        required = {one["criterion"] for one in self.assessment["findings"] if one["level"] == "required"}
        remedies = {
            (stage["stage"], one["text"]): (stage["label"], one, not required.isdisjoint(one["criteria"]))
            for stage in self.assessment["stages"]
            for one in stage["remedies"]
        }
        return [remedies[step["stage"], step["text"]] for step in self.assessment["next_steps"]]

    @cached_property
    def ready(self) -> list[tuple[str, list[tuple[Answer, str]]]]:
        """What has to be in place, by stage: each item with what told it. A kept answer may be older than the list."""
        return [
            (stage["label"], [(one, self._told(one)) for one in stage["checklist"]])
            for stage in self.assessment["stages"]
            if stage.get("checklist")
        ]

    def _told(self, item: Answer) -> str:
        said = []
        for (outcome, told), sentence in READINESS_BY.items():
            names = [self._teller(one) for one in item["reads"] if one["outcome"] == told]
            known = list(dict.fromkeys(name for name in names if name))
            if item["outcome"] == outcome and known:
                said.append(self.messages.text(sentence, {"names": self.messages.listed(known)}))
        return " ".join(said)

    def _teller(self, one: Answer) -> str | None:
        """Name a fact or a criterion; a metric that this program does not read tells nothing here."""
        fact = self.catalog.vocabulary.facts.get(one["fact"])
        return self.labels.get(one["criterion"]) if fact is None else self.messages.text(fact.label)

    def names(self, criteria: Sequence[str]) -> str:
        """Name criteria as a list."""
        return self.messages.listed([self.labels.get(one, one) for one in criteria])

    @cached_property
    def missing(self) -> list[str]:
        """The labels of what is unknown and required."""
        required = [one for one in self.by_outcome("unknown") if one.finding["level"] == "required"]
        return [one.label for one in required]

    @property
    def others(self) -> list[Answer]:
        """The other programs by the same numbers, the nearest first."""
        return [one for one in self.reach["programs"] if one["program"] != self.program.id]

    @property
    def not_for_it(self) -> list[Answer]:
        """The other programs that are about orders of a kind that the account has not."""
        return [one for one in self.reach.get("not_applicable", ()) if one["program"] != self.program.id]

    # Money

    @property
    def lines(self) -> Sequence[Answer]:
        """The products, as the answer has them; none where none was given."""
        lines: Sequence[Answer] = self.answer.get("lines", ())
        return lines

    def money(self, amount: str | None) -> str | None:
        """Write an amount in the marketplace's currency."""
        if amount is None:
            return None
        text = self.messages.money(amount.removeprefix("-"), self.schedule.currency)
        return f"−{text}" if amount.startswith("-") else text

    def minor(self, amount: int) -> str:
        """Write an amount of minor units."""
        text = format_decimal(abs(amount), self.schedule.decimals)
        return self.money(f"-{text}" if amount < 0 else text) or ""

    def short(self, amount: int) -> str:
        """Write an amount of minor units for an axis: without currency, and without decimals where it has none."""
        whole, part = divmod(abs(amount), 10**self.schedule.decimals)
        text = format_decimal(abs(amount), self.schedule.decimals) if part else str(whole)
        return f"−{text}" if amount < 0 else text

    def ranges_sentence(self, index: int) -> str:
        """Say at which prices a sale leaves something."""
        ranges = self.lines[index]["profitable_ranges"]
        if ranges is None:
            return self.messages.text(RANGES["unknown"])
        if not ranges:
            return self.messages.text(RANGES["none"])
        said = []
        for one in ranges:
            words = {"low": self.money(one["from"]), "high": self.money(one["to"])}
            said.append(self.messages.text(RANGES["from" if one["to"] is None else "between"], words))
        return self.messages.text(RANGES["listed"], {"ranges": self.messages.listed(said)})

    @cached_property
    def unchecked(self) -> list[FindingView]:
        """What was not judged: what does not apply, and advisory criteria that are unknown."""
        return [
            one
            for one in self.by_outcome("unknown", "not_applicable")
            if one.finding["outcome"] == "not_applicable" or one.finding["level"] != "required"
        ]

    def category(self, key: str) -> str:
        """Name a fee category."""
        known = self.schedule.category(key)
        return self.messages.text(known.label) if known else key

    def asked(self, index: int) -> Answer:
        """Give the product as it was asked about."""
        asked: Answer = self.body["lines"][index]
        return asked

    def parts(self, index: int) -> list[tuple[str, str, str | None, bool]]:
        """List the parts of one sale: code, label, amount (None is unknown), and whether it is a sum."""
        line, asked = self.lines[index], self.asked(index)
        per_unit = line["per_unit"]
        if per_unit is None:
            return []
        names = ["total_sales_price", "sales_tax", *FEES, "net_proceeds"]
        rows = [(name, per_unit[name], name in ("total_sales_price", "net_proceeds")) for name in names]
        if per_unit["contribution"] is not None:
            rows += [(name, asked[name] or "0", False) for name in COSTS]
            rows.append(("contribution", per_unit["contribution"], True))
        zero = self.minor_of("0")
        return [
            (name, self.messages.text(PARTS[name]), amount, is_sum)
            for name, amount, is_sum in rows
            if is_sum or amount is None or self.minor_of(amount) != zero
        ]

    def waterfall(self, index: int) -> charts.Waterfall | None:
        """Draw the parts of one sale; None where a part is unknown that would have to be drawn."""
        rows = self.parts(index)
        known = [(label, self.minor_of(amount), is_sum) for _, label, amount, is_sum in rows if amount is not None]
        return charts.waterfall(known) if known else None

    def curve(self, index: int) -> charts.PriceCurve | None:
        """Draw what is left over prices."""
        price = self.minor_of(self.asked(index)["price"])
        return charts.price_curve(self.left[index], price) if index < len(self.left) else None

    def minor_of(self, amount: str) -> int:
        """Read an amount as minor units."""
        number = parse_decimal(amount.removeprefix("-"), self.schedule.decimals) or 0
        return -number if amount.startswith("-") else number


def _bands(one: Answer) -> charts.Bands | None:
    """Draw the bands of a finding's fact. A kept answer may be older than them."""
    scale = (one.get("band") or {}).get("scale")
    if scale is None:
        return None
    return charts.bands([(each["color"], each["from"], each["to"]) for each in scale], one["observed"]["value"])


def _ppm(rate: str) -> int:
    return parse_decimal(rate, 6) or 0


@dataclass(frozen=True, slots=True)
class Change:
    """What moved between two results: its name, before and after."""

    label: str
    before: str
    after: str


def compare(before: Result, after: Result, verdicts: Mapping[str, str], words: Mapping[str, str]) -> list[Change]:
    """List what moved from one result to another, of the same program and marketplace."""
    messages = after.messages
    unknown = words["unknown"]
    rows = [(words["verdict"], verdicts[before.verdict], verdicts[after.verdict])]
    scores = [unknown if one.assessment["score"] is None else str(one.assessment["score"]) for one in (before, after)]
    rows.append((words["score"], scores[0], scores[1]))
    old = {one.finding["criterion"]: one for one in before.findings}
    for one in after.findings:
        was = old.get(one.finding["criterion"])
        if was is not None:
            says = [
                f"{view.observed or unknown} – {messages.text(OUTCOME_NAMES[view.finding['outcome']])}"
                for view in (was, one)
            ]
            rows.append((one.label, says[0], says[1]))
    for index in range(min(len(before.lines), len(after.lines))):
        for part in ("total_fees", "net_proceeds", "contribution"):
            amounts = []
            for result in (before, after):
                per_unit = result.lines[index]["per_unit"]
                amounts.append((per_unit and result.money(per_unit[part])) or unknown)
            label = messages.text(PARTS[part])
            rows.append((f"{index + 1}: {label}" if len(after.lines) > 1 else label, amounts[0], amounts[1]))
    return [Change(label, first, second) for label, first, second in rows if first != second]
