"""Show what is said about the whole of a seller's journey: the programs in reach, and the stages."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from advisor.cli.account import VERDICT_STYLES, show_consequences, sign, slot_name
from advisor.cli.terminal import bullet, citations, cite, heading, item, scope, text
from advisor.domain.program import Vocabulary
from advisor.messages import Messages

Answer = Mapping[str, Any]


def show_reach(to: Console, answer: Answer, vocabulary: Vocabulary, messages: Messages) -> None:
    """Print the programs, the nearest first, with what each would take."""
    sources: list[Answer] = []
    to.print(text(scope(answer, messages), "bold"))
    for one in answer["programs"]:
        score = "" if one["score"] is None else f" Score: {one['score']} of 100."
        heading(to, f"{one['distance']['position']}. {one['title']} ({one['program']})")
        to.print(text(f"{one['message']}{score}", VERDICT_STYLES[one["verdict"]]))
        for each in one["missed"]:
            item(to, sign(to, "missed"), f"{each['message']} {_recovery(each)} {cite(each['sources'], sources)}")
        for each in one["missing"]:
            item(to, sign(to, "unknown"), slot_name(each, vocabulary, messages))
        for step in one["next_steps"]:
            bullet(to, step["text"])
    for title, apart in (("Not applicable", "not_applicable"), ("Not covered", "not_covered")):
        if answer[apart]:
            heading(to, title)
        for one in answer[apart]:
            bullet(to, f"{one['title']} ({one['program']})")
    if sources:
        citations(to, sources)


def show_stages(to: Console, answer: Answer) -> None:
    """Print each stage with its checklist and remedies, then what follows if nothing is done."""
    sources: list[Answer] = []
    for number, stage in enumerate(answer["stages"], start=1):
        heading(to, f"{number}. {stage['label']}: {stage['summary']}")
        drives = [*(one["label"] for one in stage["metrics"]), *(one["label"] for one in stage["facts"])]
        to.print(text(f"Drives: {'; '.join(drives)}", "dim"))
        to.print(text("In place:"))
        for one in stage["checklist"]:
            bullet(to, f"{one['text']} {one['why']} {cite(one['sources'], sources)}")
        to.print(text("What can be done:"))
        for one in stage["remedies"]:
            bullet(to, f"{one['text']} {one['why']} {cite(one['sources'], sources)}")
    show_consequences(to, answer["if_nothing_is_done"], sources)
    citations(to, sources)


def _recovery(finding: Answer) -> str:
    recovery = finding["recovery"]
    return "" if recovery is None else f"Clean {recovery['unit']} until it is met: {recovery['clean']}."
