"""Show an account's assessments as tables with bars: the answer first, what fails first, then what to do."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from advisor.answers.assessments import verdict_sentence
from advisor.catalog import Catalog
from advisor.cli.terminal import (
    bar,
    bullet,
    citations,
    cite,
    heading,
    item,
    limit,
    plain,
    print_table,
    scope,
    table,
    text,
)
from advisor.domain.numbers import format_decimal, parse_decimal
from advisor.domain.program import Criterion, Metric, Program, Vocabulary
from advisor.messages import TEXTS, VERDICTS, Messages

Answer = Mapping[str, Any]

VERDICT_STYLES = {
    "eligible": "bold green",
    "not_eligible": "bold red",
    "undetermined": "bold yellow",
    "not_covered": "bold",
}

# By outcome, in the order shown: its heading, its sign, the sign in ASCII, its style.
OUTCOMES = {
    "missed": ("Missed", "✗", "x", "bold red"),
    "unknown": ("Unknown", "?", "?", "bold yellow"),
    "met": ("Met", "✓", "+", "bold green"),
    "not_applicable": ("Not applicable", "–", "-", "bold"),
}

# Findings with other reasons are explained by their sentence: the numbers alone do not tell.
PLAIN_REASONS = ("meets_threshold", "misses_threshold", "not_provided")

# From this width on there is room for a table; below it each finding takes lines of its own.
TABLE_WIDTH = 96


def sign(to: Console, outcome: str) -> str:
    """Give the sign of an outcome, as it can be drawn."""
    _, drawn, in_ascii, _ = OUTCOMES[outcome]
    return in_ascii if plain(to) else drawn


def show(to: Console, answer: Answer, catalog: Catalog, messages: Messages) -> None:
    """Print the answer to an assessment request."""
    for number, assessment in enumerate(answer["assessments"]):
        if number:
            to.print()
            to.rule(characters="-" if plain(to) else "─")
        _Account(to, answer, assessment, catalog, messages).show()


class _Account:
    """One account against one program, on its way to the terminal."""

    def __init__(self, to: Console, answer: Answer, assessment: Answer, catalog: Catalog, messages: Messages) -> None:
        self.to = to
        self.answer = answer
        self.assessment = assessment
        self.program: Program = catalog.program(assessment["program"])
        self.catalog = catalog
        self.messages = messages
        self.criteria = {one.id: one for one in self.program.criteria}
        order = list(OUTCOMES)
        self.findings = sorted(
            assessment["findings"], key=lambda one: (order.index(one["outcome"]), one["level"] != "required")
        )
        self.sources: list[Answer] = []

    def show(self) -> None:
        """Print all of it."""
        self._show_verdict()
        if self.findings:
            self.to.print()
            if self.to.width >= TABLE_WIDTH:
                self._show_table()
            else:
                self._show_lines()
            self.to.print()
            mark = limit(self.to)
            self.to.print(
                text(f"{mark} is the bar: left of it is room, and what is beyond it is beyond the bar.", "dim")
            )
        self._show_reasons()
        self._show_other_figures()
        self._show_missing()
        self._show_next_steps()
        show_consequences(self.to, self.assessment["if_nothing_is_done"] or [], self.sources)
        self._show_readiness()
        self._show_unused()
        if self.sources:
            citations(self.to, self.sources)

    def _show_verdict(self) -> None:
        verdict, score = self.assessment["verdict"], self.assessment["score"]
        title = f"{self.messages.text(self.program.title)}, {scope(self.answer, self.messages)}"
        self.to.print(text(title))
        values = {"marketplace": self.answer["marketplace"], "as_of": self.answer["as_of"]}
        said = VERDICTS[verdict_sentence(self.assessment)]
        sentence = text(self.messages.text(said, values), VERDICT_STYLES[verdict])
        if score is not None:
            sentence.append(f" Score: {score} of 100.")
        self.to.print(sentence)
        missed = [one for one in self.findings if one["outcome"] == "missed" and one["level"] == "required"]
        for consequence in dict.fromkeys(one["consequence"] for one in missed if one["consequence"]):
            self.to.print(text(consequence))

    def _show_table(self) -> None:
        columns = table("Criterion", "Your value", "The bar", "Allowance used", "Room left", "Level")
        for outcome, group in groupby(self.findings, key=lambda one: one["outcome"]):
            if columns.rows:
                columns.add_row()
            columns.add_row(self._outcome(outcome))
            for one in group:
                values = [text(self._observed(one)), text(self._bar(one)), self._used(one), text(self._room(one))]
                columns.add_row(self._label(one), *values, self._level(one))
                if band := self._band(one):
                    columns.add_row(text("  band"), text(band))
        print_table(self.to, columns)

    def _show_lines(self) -> None:
        for number, (outcome, group) in enumerate(groupby(self.findings, key=lambda one: one["outcome"])):
            if number:
                self.to.print()
            self.to.print(self._outcome(outcome))
            for one in group:
                self.to.print(self._label(one))
                self.to.print(text(f"  {self._observed(one)}; the bar: {self._bar(one)}; ") + self._level(one))
                used, room = self._used(one), self._room(one)
                if used.plain or room:
                    line = Text("  ") + used + text(f"  {room}" if used.plain else room)
                    line.rstrip()
                    self.to.print(line)
                if band := self._band(one):
                    self.to.print(text(f"  band: {band}"))

    def _outcome(self, outcome: str) -> Text:
        title, *_, style = OUTCOMES[outcome]
        return Text(f"{sign(self.to, outcome)} {title}", style)

    def _name(self, finding: Answer) -> str:
        return self.messages.text(self.criteria[finding["criterion"]].label)

    def _label(self, finding: Answer) -> Text:
        return text(f"{self._name(finding)} ").append(cite(finding["sources"], self.sources), "dim")

    @staticmethod
    def _level(finding: Answer) -> Text:
        return Text(finding["level"], "bold" if finding["level"] == "required" else "")

    def _observed(self, finding: Answer) -> str:
        seen = finding["observed"]
        if seen is None:
            return "not given"
        if "value" in seen:
            return self._fact(seen["value"])
        if seen.get("between"):
            return f"{self._percent(seen['between']['lowest'])} to {self._percent(seen['between']['highest'])}"
        if seen["rate"] is None:
            return str(seen["count"]) if seen["of"] is None else f"{seen['count']} of {seen['of']}"
        counts = "" if seen["count"] is None else f" ({seen['count']} of {seen['of']})"
        return self._percent(seen["rate"]) + counts

    def _bar(self, finding: Answer) -> str:
        return self._bar_text(self.criteria[finding["criterion"]], finding)

    def _bar_text(self, criterion: Criterion, bar: Answer) -> str:
        comparison, threshold = bar["comparison"], bar["threshold"]
        if comparison is None:
            return "none published"
        rate = isinstance(criterion.subject, Metric) and criterion.subject.kind == "rate"
        return self.messages.bar(comparison, self._percent(threshold) if rate else self._fact(threshold))

    def _fact(self, value: Any) -> str:
        return self.messages.text(TEXTS["yes" if value else "no"]) if isinstance(value, bool) else str(value)

    def _percent(self, rate: str) -> str:
        return self.messages.percent(parse_decimal(rate, 6) or 0)

    def _used(self, finding: Answer) -> Text:
        used = allowance_used(finding)
        if used is None or finding["outcome"] == "not_applicable":
            return Text("")
        return bar(self.to, *used, met=finding["outcome"] == "met")

    def _room(self, finding: Answer) -> str:
        """Say how far a value may still move, or how far it is beyond the bar."""
        room = finding["headroom"]
        if room is None:
            return ""
        if room["count"] is None:
            points = format_decimal(parse_decimal(room["rate"].lstrip("-"), 6) or 0, 4).rstrip("0").rstrip(".")
            unit = "point" if points == "1" else "points"
            return f"{points} {unit} {'short' if room['rate'].startswith('-') else 'left'}"
        count = room["count"]
        if finding["fact"]:
            return f"{abs(count)} {'short' if count < 0 else 'to spare'}"
        return f"{-count} too many" if count < 0 else f"{count} more"

    def _band(self, finding: Answer) -> str | None:
        """Name the band that a fact lies in, at the first of the criteria that read it."""
        first = next(one for one in self.findings if one["fact"] == finding["fact"])
        band = finding["band"]
        return f"{band['label']}, {band['from']} to {band['to']}" if band and finding is first else None

    def _show_reasons(self) -> None:
        told = [one for one in self.findings if one["reason"] not in PLAIN_REASONS]
        if told:
            heading(self.to, "Why")
        for one in told:
            bullet(self.to, one["message"])

    def _show_other_figures(self) -> None:
        """Print the figures of other sources by which the answer would be another one."""
        different = [
            (one, other)
            for one in self.findings
            for other in one["also_published"]
            if other["outcome"] != one["outcome"] and one["outcome"] in ("met", "missed")
        ]
        if different:
            heading(self.to, "Other published figures")
        for one, other in different:
            criterion = self.criteria[one["criterion"]]
            outcome = OUTCOMES[other["outcome"]][0].lower()
            bar_text = self._bar_text(criterion, other)
            numbers = cite(other["sources"], self.sources)
            bullet(self.to, f"{self._name(one)}: {bar_text} is printed too; by that it is {outcome}. {numbers}")

    def _show_missing(self) -> None:
        missing = self.assessment["missing"]
        if missing:
            heading(self.to, "What is missing")
        for one in missing:
            bullet(self.to, slot_name(one, self.catalog.vocabulary, self.messages))

    def _show_next_steps(self) -> None:
        steps: Sequence[Answer] = self.assessment["next_steps"]
        recoveries = [
            (one, one["recovery"])
            for one in self.findings
            if one["outcome"] == "missed" and one["recovery"] is not None
        ]
        if not steps and not recoveries:
            return
        heading(self.to, "What to do")
        stages = {stage.id: self.messages.text(stage.label) for stage in self.catalog.process.stages}
        for number, step in enumerate(steps, start=1):
            item(self.to, f"{number}.", f"{stages[step['stage']]}: {step['text']}")
        for one, recovery in recoveries:
            unit = self.messages.text(recovery["unit"])
            needed = recovery["clean"]
            bullet(self.to, f"{self._name(one)}: further {unit} without a defect until it is met again: {needed}.")

    def _show_readiness(self) -> None:
        """Print the checklist of each stage, without what does not apply."""
        for number, stage in enumerate(self.assessment["stages"]):
            if number == 0:
                heading(self.to, "Is it ready? What the numbers cannot tell (?) you have to ask yourself")
            self.to.print(text(stage["label"]))
            for one in stage["checklist"]:
                if one["outcome"] != "not_applicable":
                    item(self.to, sign(self.to, one["outcome"]), one["text"])

    def _show_unused(self) -> None:
        if self.assessment["unused"]:
            heading(self.to, "Given, but read by no criterion")
        for one in self.assessment["unused"]:
            bullet(self.to, slot_name(one, self.catalog.vocabulary, self.messages))


def show_consequences(to: Console, consequences: Sequence[Answer], sources: list[Answer]) -> None:
    """Print what follows if nothing is done; what nobody publishes is marked, and doubts stand beside it."""
    if consequences:
        heading(to, "If nothing is done")
    for one in consequences:
        basis = "" if one["published"] else "(not published) "
        doubts = f" {one['doubts']}" if one["doubts"] else ""
        bullet(to, f"{basis}{one['label']}: {one['text']}{doubts} {cite(one['sources'], sources)}")


def slot_name(slot: Answer, vocabulary: Vocabulary, messages: Messages) -> str:
    """Name a metric or fact as a person and as a request names it."""
    if slot.get("fact"):
        return f"{messages.text(vocabulary.facts[slot['fact']].label)} (facts.{slot['fact']})"
    days = f", {slot['window_days']} days" if slot["window_days"] else ""
    segment = f", {slot['segment']}" if slot["segment"] else ""
    return f"{messages.text(vocabulary.metrics[slot['metric']].label)}{days}{segment} (metrics.{slot['metric']})"


def allowance_used(finding: Answer) -> tuple[Fraction, Fraction] | None:
    """Work out which share of a criterion's allowance is used, from lowest to highest; None without a bar or a value.

    Of a metric whose high values are good, the allowance is what the bar leaves: of a bar of 95 %, 5 % of defects.
    """
    seen, threshold = finding["observed"], finding["threshold"]
    if seen is None or threshold is None or finding["metric"] is None:
        return None
    if seen.get("between"):
        values = [Fraction(seen["between"]["lowest"]), Fraction(seen["between"]["highest"])]
    elif seen["count"] is not None and seen["of"] is None:
        values = [Fraction(seen["count"])] * 2
    elif seen["rate"] is None:
        return None
    else:
        values = [Fraction(seen["rate"]) if seen["count"] is None else Fraction(seen["count"], seen["of"])] * 2
    allowed = Fraction(threshold)
    if finding["comparison"] in ("at_least", "above"):
        values, allowed = [1 - value for value in reversed(values)], 1 - allowed
    low, high = (value / allowed if allowed > 0 else Fraction(2 if value > 0 else 0) for value in values)
    return low, high
