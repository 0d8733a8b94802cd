"""What is said about the whole of a seller's journey: the programs in reach."""

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema

from advisor.domain.program import MARKETPLACES
from advisor.inputs import Word
from advisor.journey_inputs import ReachRequest
from advisor.services.journey import Journey
from advisor.settings import Settings
from advisor.web.api import json_answer, json_body, poster
from advisor.web.language import reader
from advisor.web.schemas import (
    ASSESSMENT_EXAMPLE,
    VERDICT,
    Day,
    Finding,
    Headroom,
    Missing,
    NextStep,
    Recovery,
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


class ProgramNotCovered(Schema):
    """A program without rules for the marketplace and day."""

    program = string()
    title = string()
    message = string()


class ReachAnswer(Schema):
    """Every program, the nearest first; those that are not covered stand apart."""

    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    programs = many(ProgramInReach)
    not_covered = many(ProgramNotCovered)


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
