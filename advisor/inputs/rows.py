"""The body of an assessment request as a row of a file: the same values, checked the same way, by columns."""

from datetime import date
from typing import Any

from advisor.catalog import Catalog
from advisor.domain.assessment import Slot
from advisor.domain.numbers import format_decimal
from advisor.errors import InvalidInput, Problem, say
from advisor.inputs.accounts import read_facts, read_observations
from advisor.inputs.assessments import ASSESSMENT
from advisor.inputs.bodies import NO_BODY_OBJECT, NO_LIST, noted, refuse_if_any
from advisor.inputs.fees import FEE_LINE

# The account's fulfillment that a sale's channel belongs to; Seller Flex is neither.
CHANNEL_OF_ACCOUNT = {
    "seller": "seller",
    "seller_prime": "seller",
    "easy_ship": "seller",
    "self_ship": "seller",
    "amazon": "amazon",
    "seller_flex": None,
}


def flatten_assessment(catalog: Catalog, body: Any, program: str, as_of: date) -> dict[str, str]:
    """Flatten the body of an assessment request to the columns of a file: one row, checked as the API checks it.

    One fee line may stand in `lines`, and `established_in` beside it. A file has one program and one date, so the body
    may not name others. Raises InvalidInput.
    """
    if not isinstance(body, dict):
        raise InvalidInput([Problem("", "not_an_object", NO_BODY_OBJECT)])
    account = {name: value for name, value in body.items() if name not in ("lines", "established_in")}
    problems: list[Problem] = []
    data = noted(ASSESSMENT, account, "", problems)
    if data.get("programs") not in (None, [program]):
        detail = say("This file is scored for {program} alone.", program=program)
        problems.append(Problem("/programs", "not_allowed", detail))
    if data.get("as_of") not in (None, as_of):
        detail = say("This file is scored by the rules of {as_of} alone.", as_of=as_of)
        problems.append(Problem("/as_of", "not_allowed", detail))
    vocabulary = catalog.vocabulary
    facts = read_facts(vocabulary, data.get("facts") or {}, problems)
    observations = read_observations(vocabulary, data.get("metrics") or {}, problems)
    lines = body.get("lines")
    seller = data.get("seller") or {}
    cells = {"seller_id": seller.get("id") or "", "marketplace": data.get("marketplace") or ""}
    if seller.get("name"):
        cells["seller_name"] = seller["name"]
    if lines is not None and not isinstance(lines, list):
        problems.append(Problem("/lines", "wrong_value", NO_LIST))
    elif lines and len(lines) > 1:
        problems.append(Problem("/lines", "wrong_length", say("A row has at most one fee line.")))
    elif lines:
        loaded = noted(FEE_LINE, lines[0], "/lines/0", problems)
        channel = loaded.get("fulfillment")
        if channel is not None and CHANNEL_OF_ACCOUNT[channel] != facts.pop("fulfillment", None):
            detail = say(
                "A row has one fulfillment, for the account and its sale: give `facts.fulfillment` to match this."
            )
            problems.append(Problem("/lines/0/fulfillment", "not_allowed", detail))
        cells |= {name: _cell(lines[0][name]) for name, value in loaded.items() if value is not None}
    if body.get("established_in") is not None:
        cells["established_in"] = str(body["established_in"])
    refuse_if_any(problems)
    for name, fact in facts.items():
        cells[name] = _cell(fact)
    for slot, seen in observations.items():
        column = column_of(slot)
        if seen.bare:
            cells[column] = format_decimal(seen.count, 9)
        else:
            cells[f"{column}_count"] = str(seen.count)
            if seen.of is not None:
                cells[f"{column}_of"] = str(seen.of)
    return cells


def column_of(slot: Slot) -> str:
    """Name the column of an observation: the metric, then its segment, then its window."""
    window = None if slot.window_days is None else f"{slot.window_days}d"
    return "_".join(part for part in (slot.metric, slot.segment, window) if part)


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
