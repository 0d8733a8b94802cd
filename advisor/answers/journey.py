"""Answer what is said of a seller's whole journey: the programs in reach, the stages."""

from datetime import date

from advisor.answers.assessments import assessment, consequence
from advisor.answers.parts import Answer, sources
from advisor.catalog.programs import Process, Stage
from advisor.domain.program import Fact, Program, Vocabulary
from advisor.domain.reach import Reach, Reached
from advisor.domain.readiness import Check
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
        "not_applicable": [
            _apart(one.program, "not_applicable", marketplace, as_of, messages) for one in found.not_applicable
        ],
        "not_covered": [_apart(one, "not_covered", marketplace, as_of, messages) for one in found.not_covered],
    }


def _apart(program: Program, why: str, marketplace: str, as_of: date, messages: Messages) -> Answer:
    return {
        "program": program.id,
        "title": messages.text(program.title),
        "message": _message(why, marketplace, as_of, messages),
    }


def _message(sentence: str, marketplace: str, as_of: date, messages: Messages) -> str:
    return messages.text(VERDICTS[sentence], {"marketplace": marketplace, "as_of": messages.day(as_of)})


def _reached(place: int, one: Reached, marketplace: str, as_of: date, process: Process, messages: Messages) -> Answer:
    result = one.assessment
    whole = assessment(result, process, messages)
    findings = {each["criterion"]: each for each in whole["findings"]}
    missed = [findings[each.rule.criterion.id] for each in one.missed]
    return {
        "program": whole["program"],
        "title": messages.text(result.program.title),
        "verdict": whole["verdict"],
        "message": _message(whole["verdict"], marketplace, as_of, messages),
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


def stages(process: Process, vocabulary: Vocabulary, messages: Messages) -> Answer:
    """Answer what the stages of the business process are, what they drive, and what has to be in place."""
    return {
        "stages": [_stage(one, process, vocabulary, messages) for one in process.stages],
        "if_nothing_is_done": [
            {**consequence(one, messages), "programs": list(one.programs)} for one in process.follows
        ],
    }


def _stage(stage: Stage, process: Process, vocabulary: Vocabulary, messages: Messages) -> Answer:
    metrics = [one for one in vocabulary.metrics.values() if one.stage == stage.id]
    facts = [one for one in vocabulary.facts.values() if one.stage == stage.id]
    subjects = [*(one.key for one in metrics), *(one.key for one in facts)]
    served = {remedy: [key for key in subjects if remedy in process.remedies.get(key, ())] for remedy in process.order}
    return {
        "stage": stage.id,
        "label": messages.text(stage.label),
        "summary": messages.text(stage.summary),
        "metrics": [
            {"metric": one.key, "label": messages.text(one.label), "unit": messages.text(one.unit)} for one in metrics
        ],
        "facts": [{"fact": one.key, "label": messages.text(one.label)} for one in facts],
        "checklist": [_check(one, messages) for one in process.checklist if one.stage == stage.id],
        "remedies": [
            {
                "text": messages.text(remedy.text),
                "why": messages.text(remedy.why),
                "metrics": [key for key in keys if key in vocabulary.metrics],
                "facts": [key for key in keys if key in vocabulary.facts],
                "sources": sources(remedy.sources),
            }
            for remedy, keys in served.items()
            if keys
        ],
    }


def _check(one: Check, messages: Messages) -> Answer:
    subjects = [teller.subject for teller in one.answered_by]
    return {
        "id": one.id,
        "text": messages.text(one.text),
        "why": messages.text(one.why),
        "metrics": [each.key for each in subjects if not isinstance(each, Fact)],
        "facts": [each.key for each in subjects if isinstance(each, Fact)],
        "sources": sources(one.sources),
    }
