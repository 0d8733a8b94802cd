"""Requests about the whole of a seller's journey."""

from datetime import date
from typing import Any

from advisor.catalog import Catalog
from advisor.inputs.accounts import Facts, Metrics
from advisor.inputs.assessments import AssessmentInput, SellerSchema, read_assessment
from advisor.inputs.bodies import Inner, Strict, load
from advisor.inputs.values import Day, Marketplace


class ReachRequest(Strict):
    """One account to hold against every program there is: an assessment request without `programs`."""

    marketplace = Marketplace(required=True)
    as_of = Day()
    seller = Inner(SellerSchema, allow_none=True)
    facts = Facts()
    metrics = Metrics()


_REACH = ReachRequest()


def read_reach(catalog: Catalog, body: Any, today: date) -> AssessmentInput:
    """Read the body of a request for what is in reach: it names no programs, and means all. Raises InvalidInput."""
    load(_REACH, body)
    return read_assessment(catalog, {**body, "programs": catalog.program_ids}, today)
