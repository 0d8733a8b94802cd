"""Show the checks of offers: a planned pre-sale with its dates and what it may cost, and listings."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from advisor.catalog import Catalog
from advisor.cli.account import OUTCOMES, sign
from advisor.cli.terminal import bullet, citations, cite, heading, item, print_table, scope, table, text
from advisor.messages import PRE_SALE_KINDS, Messages

Answer = Mapping[str, Any]

VERDICT_STYLES = {
    "allowed": "bold green",
    "complete": "bold green",
    "not_allowed": "bold red",
    "incomplete": "bold red",
    "undetermined": "bold yellow",
    "not_covered": "bold",
}


def show_pre_sale(to: Console, answer: Answer, catalog: Catalog, messages: Messages) -> None:
    """Print the answer to a pre-sale check."""
    sources: list[Answer] = []
    to.print(text(f"{messages.text(PRE_SALE_KINDS[answer['kind']])}, {scope(answer, messages)}", "bold"))
    to.print(text(answer["message"], VERDICT_STYLES[answer["verdict"]]))
    _show_findings(to, answer["findings"], sources)
    heading(to, "Dates")
    dates = table("", "", "")
    for one in answer["calendar"]:
        dates.add_row(one["date"], one["weekday"], text(one["text"]))
    print_table(to, dates)
    for one in answer["calendar"]:
        for day in one["skipped"]:
            bullet(to, f"{day['date']}: {day['text']}")
        if one["note"]:
            bullet(to, f"{one['date']}: {one['note']}")
    heading(to, "Price")
    item(to, sign(to, answer["margin"]["outcome"]), answer["margin"]["message"])
    if answer["effects"]:
        heading(to, "What late and cancelled orders would do")
        for one in answer["effects"]:
            title = messages.text(catalog.program(one["program"]).title)
            bullet(to, f"{title}: {_effect(one, messages)} {cite(one['sources'], sources)}")
        heading(to, "That rests on")
        for one in answer["assumptions"]:
            bullet(to, one["text"])
    heading(to, "Said elsewhere, and published nowhere")
    for one in answer["not_published"]:
        bullet(to, f"{one['label']}: {one['text']} {cite(one['sources'], sources)}")
    citations(to, sources)


def show_listings(to: Console, answer: Answer, messages: Messages) -> None:
    """Print the answer to a listing check."""
    sources: list[Answer] = []
    for number, one in enumerate(answer["listings"], start=1):
        if number > 1:
            to.print()
        to.print(text(f"{one['ref'] or f'Listing {number}'}, {scope(answer, messages)}", "bold"))
        to.print(text(one["message"], VERDICT_STYLES[one["verdict"]]))
        _show_findings(to, one["findings"], sources)
    heading(to, "Why it matters")
    for one in answer["doubts"]:
        bullet(to, f"{one['text']} {cite(one['sources'], sources)}")
    citations(to, sources)


def _show_findings(to: Console, findings: Sequence[Answer], sources: list[Answer]) -> None:
    """Print findings by outcome, what fails first."""
    for outcome, (title, *_, style) in OUTCOMES.items():
        several = [one for one in findings if one["outcome"] == outcome]
        several.sort(key=lambda one: one["level"] == "advisory")
        if not several:
            continue
        to.print()
        to.print(text(title, style))
        for one in several:
            numbers = f" {cite(one['sources'], sources)}" if one["sources"] else ""
            parts = [one["message"] + numbers]
            if outcome == "missed":
                parts += [one["consequence"], one["advice"]]
            if outcome in ("missed", "unknown") and one["level"] == "advisory":
                parts.append("This is advice, and does not decide.")
            item(to, sign(to, outcome), " ".join(part for part in (*parts, one["note"]) if part))
            for other in one.get("also_published", ()):
                if other["outcome"] != outcome:
                    bullet(to, f"{other['message']} {cite(other['sources'], sources)}")


def _effect(one: Answer, messages: Messages) -> str:
    """Say what the expected orders do to a criterion, and what the given share of them would."""
    said = str(one["message"])
    after = one["after"]
    if after is not None:
        said += f" With {after['events']} it would be {after['count']} of {after['of']}: {after['outcome']}."
    for other in one["also_published"]:
        most = "none" if other["most"] is None else other["most"]
        bar = messages.bar(other["comparison"], messages.fraction(other["threshold"]))
        said += f" Another source prints {bar}; within that, up to {most}."
    return said
