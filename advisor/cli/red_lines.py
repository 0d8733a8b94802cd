"""Show what the red lines say: what was found and what to do instead, then what could not be checked."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from advisor.cli.account import sign
from advisor.cli.terminal import bullet, citations, cite, heading, item, scope, text
from advisor.messages import POLICY_KINDS, Messages

Answer = Mapping[str, Any]

VERDICT_STYLES = {
    "prohibited": "bold red",
    "doubtful": "bold yellow",
    "nothing_found": "bold green",
    "not_covered": "bold",
    "not_read": "bold yellow",
}
# By severity: the outcome whose sign it has.
OUTCOMES = {"prohibited": "missed", "doubtful": "unknown"}


def show(to: Console, answer: Answer, messages: Messages) -> None:
    """Print the answer to a policy check."""
    sources: list[Answer] = []
    to.print(text(scope(answer, messages), "bold"))
    to.print(text(answer["message"], VERDICT_STYLES[answer["verdict"]]))
    for permission in answer["permitted"]:
        number = permission["text_index"]
        kind = messages.text(POLICY_KINDS[permission["kind"]])
        heading(to, f"Text {number + 1}: {kind}. {permission['message']}")
        for one in answer["findings"]:
            if one["text_index"] == number:
                _show_finding(to, one, sources)
        _show_left_out(to, answer, number)
    of_facts = [one for one in answer["findings"] if one["fact"] is not None]
    if of_facts:
        heading(to, "Declared facts")
        for one in of_facts:
            _show_finding(to, one, sources)
        _show_left_out(to, answer, None)
    if answer["unchecked"]:
        heading(to, "Not checked")
        for one in answer["unchecked"]:
            place = "" if one["text_index"] is None else f"Text {one['text_index'] + 1}: "
            bullet(to, place + one["message"])
    citations(to, sources)


def _show_left_out(to: Console, answer: Answer, text_index: int | None) -> None:
    for one in answer["left_out"]:
        if one["text_index"] == text_index:
            bullet(to, one["message"])


def _show_finding(to: Console, one: Answer, sources: list[Answer]) -> None:
    place = f"{one['start']}-{one['end']}: " if one["start"] is not None else ""
    if one["fact"] is not None:
        place = f"{one['label']} ({one['fact']}): "
    parts = [f"{place}{one['message']} {one['advice']} {cite(one['sources'], sources)}", one["note"]]
    item(to, sign(to, OUTCOMES[one["severity"]]), " ".join(part for part in parts if part))
