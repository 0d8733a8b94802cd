"""Requests about the whole of a seller's journey."""

from datetime import date
from typing import Any

from marshmallow import RAISE

from advisor.catalog import Catalog
from advisor.inputs.assessments import AssessmentInput, AssessmentRequest, read_assessment
from advisor.inputs.bodies import load


class ReachRequest(AssessmentRequest):
    """One account to hold against every program there is."""

    class Meta:
        """Without the programs."""

        unknown = RAISE
        exclude = ("programs",)


_REACH = ReachRequest()


def read_reach(catalog: Catalog, body: Any, today: date) -> AssessmentInput:
    """Read the body of a request for what is in reach: it names no programs, and means all. Raises InvalidInput."""
    load(_REACH, body)
    return read_assessment(catalog, {**body, "programs": catalog.program_ids}, today)
