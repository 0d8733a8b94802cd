"""What is said about the whole of a seller's journey: the programs in reach, and the stages."""

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from advisor.domain.program import MARKETPLACES
from advisor.inputs.journey import ReachRequest
from advisor.inputs.values import Word
from advisor.services.journey import Journey
from advisor.settings import Settings
from advisor.web.api import (
    IF_NONE_MATCH,
    LANGUAGE,
    NOT_MODIFIED,
    cacheable,
    json_answer,
    json_body,
    poster,
    read_query,
)
from advisor.web.language import reader
from advisor.web.schemas import (
    ASSESSMENT_EXAMPLE,
    VERDICT,
    Consequence,
    Day,
    Finding,
    Headroom,
    Missing,
    NextStep,
    Recovery,
    Source,
    many,
    number,
    number_or_null,
    one,
    one_or_null,
    string,
)

REACH_EXAMPLE = {name: value for name, value in ASSESSMENT_EXAMPLE.items() if name != "programs"}


class Distance(Schema):
    """How far a program is: its place among all, and the required criteria that are missed and unknown."""

    position = number()
    missed = number()
    missing = number()


class RecoveryOf(Schema):
    """How many clean events bring one missed criterion back; null where no number is enough or it cannot be known."""

    criterion = string()
    recovery = one_or_null(Recovery)
    headroom = one_or_null(Headroom)


class ProgramInReach(Schema):
    """A program, how far the account is from it, and what it would take.

    Eligible comes before undetermined, undetermined before not eligible. Within a verdict: fewer required criteria
    missed, then the higher score, then fewer required criteria unknown, then the order of the programs' list.
    """

    program = string()
    title = string()
    verdict = Word(VERDICT, required=True)
    message = string()
    score = number_or_null()
    distance = one(Distance)
    missing = many(Missing)
    missed = many(Finding)
    recoveries = many(RecoveryOf)
    next_steps = many(NextStep)


class ProgramApart(Schema):
    """A program that nothing is said about, and why."""

    program = string()
    title = string()
    message = string()


class ReachAnswer(Schema):
    """Every program, the nearest first.

    Apart stand those about orders of a channel that the account does not use, and those without rules there.
    """

    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    programs = many(ProgramInReach)
    not_applicable = many(ProgramApart)
    not_covered = many(ProgramApart)


class StageMetric(Schema):
    """A measure that a stage drives."""

    metric = string()
    label = string()
    unit = string()


class StageFact(Schema):
    """A fact that belongs to a stage."""

    fact = string()
    label = string()


class ChecklistItem(Schema):
    """What has to be in place, and the metrics and facts that tell; none of either where one has to ask oneself."""

    id = string()
    text = string()
    why = string()
    metrics = fields.List(fields.String(), required=True)
    facts = fields.List(fields.String(), required=True)
    sources = many(Source)


class RemedyOfStage(Schema):
    """What can be done about the metrics and facts of a stage."""

    text = string()
    why = string()
    metrics = fields.List(fields.String(), required=True)
    facts = fields.List(fields.String(), required=True)
    sources = many(Source)


class StageOfProcess(Schema):
    """One stage of the business process."""

    stage = string()
    label = string()
    summary = string()
    metrics = many(StageMetric)
    facts = many(StageFact)
    checklist = many(ChecklistItem)
    remedies = many(RemedyOfStage)


class ConsequenceForPrograms(Consequence):
    """What follows for whoever misses a required criterion of these programs and does nothing."""

    programs = fields.List(fields.String(), required=True)


class StageList(Schema):
    """The stages in order, and what follows if nothing is done, in the order in which it comes."""

    stages = many(StageOfProcess)
    if_nothing_is_done = many(ConsequenceForPrograms)


def add(blueprint: Blueprint, journey: Journey, settings: Settings) -> None:
    """Add the routes."""
    post = poster(blueprint)

    @post("/reach", ReachRequest, ReachAnswer, REACH_EXAMPLE)
    def reach() -> Response:
        """Find the programs in reach.

        Holds one account against every program that covers the marketplace and day, and lists them by distance with
        what each would take. Nothing is stored.
        """
        return json_answer(journey.reach(json_body(settings.max_body), reader()))

    @blueprint.get("/stages")
    @blueprint.doc(parameters=[LANGUAGE, IF_NONE_MATCH])
    @blueprint.response(200, StageList)
    @blueprint.alt_response(304, description=NOT_MODIFIED)
    def stages() -> Response:
        """List the stages of the business process.

        From registration to after-sales: what each drives, what has to be in place, and what can be done.
        """
        read_query()
        return cacheable(journey.stages(reader()))
