"""Turn what the domain says about a seller's whole journey into JSON-ready answers, as `advisor.answers` does."""

from datetime import date

from advisor import answers
from advisor.answers import Answer
from advisor.catalog.programs import Process
from advisor.domain.reach import Reach, Reached
from advisor.messages import VERDICTS, Messages


def reach(marketplace: str, as_of: date, found: Reach, process: Process, messages: Messages) -> Answer:
    """Answer which programs are in reach."""
    return {
        "marketplace": marketplace,
        "as_of": as_of.isoformat(),
        "programs": [
            _reached(place, one, marketplace, as_of, process, messages)
            for place, one in enumerate(found.programs, start=1)
        ],
        "not_covered": [
            {
                "program": one.id,
                "title": messages.text(one.title),
                "message": _verdict("not_covered", marketplace, as_of, messages),
            }
            for one in found.not_covered
        ],
    }


def _verdict(verdict: str, marketplace: str, as_of: date, messages: Messages) -> str:
    return messages.text(VERDICTS[verdict], {"marketplace": marketplace, "as_of": as_of.isoformat()})


def _reached(place: int, one: Reached, marketplace: str, as_of: date, process: Process, messages: Messages) -> Answer:
    result = one.assessment
    whole = answers.assessment(result, process, messages)
    findings = {each["criterion"]: each for each in whole["findings"]}
    missed = [findings[each.rule.criterion.id] for each in one.missed]
    return {
        "program": whole["program"],
        "title": messages.text(result.program.title),
        "verdict": whole["verdict"],
        "message": _verdict(whole["verdict"], marketplace, as_of, messages),
        "score": whole["score"],
        "distance": {"position": place, "missed": len(missed), "missing": len(result.missing)},
        "missing": whole["missing"],
        "missed": missed,
        "recoveries": [
            {"criterion": each["criterion"], "recovery": each["recovery"], "headroom": each["headroom"]}
            for each in missed
        ],
        "next_steps": whole["next_steps"],
    }
