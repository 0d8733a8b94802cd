"""Requests to assess: one account, or a batch of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from advisor.catalog import Catalog
from advisor.domain.assessment import Account
from advisor.domain.program import DEFAULT_PROGRAM, Program
from advisor.errors import Problem
from advisor.inputs.accounts import Facts, Metrics, ProgramName, check_programs, read_facts, read_observations
from advisor.inputs.bodies import Inner, Several, Strict, check_number, load, refuse_if_any
from advisor.inputs.values import Day, Flag, Marketplace, Text, Value

MOST_ITEMS = 1000


class SellerSchema(Strict):
    """Who the account is; echoed nowhere and never stored here."""

    id = Text()
    name = Text()


class AssessmentRequest(Strict):
    """One account to hold against one or more programs."""

    marketplace = Marketplace(required=True)
    as_of = Day()
    programs = Several(ProgramName(required=True), allow_none=True, metadata={"minItems": 1, "uniqueItems": True})
    seller = Inner(SellerSchema, allow_none=True)
    facts = Facts()
    metrics = Metrics()


class AssessmentBatchRequest(Strict):
    """Up to 1,000 assessment requests. Each is judged, or answered with its own problem."""

    items = Several(Value(), required=True, metadata={"minItems": 1, "maxItems": MOST_ITEMS})
    compact = Flag()


ASSESSMENT, _BATCH = AssessmentRequest(), AssessmentBatchRequest()


@dataclass(frozen=True, slots=True)
class AssessmentInput:
    """A request to assess, in domain terms."""

    marketplace: str
    as_of: date
    programs: tuple[Program, ...]
    account: Account


def read_assessment(catalog: Catalog, body: Any, today: date) -> AssessmentInput:
    """Read the body of an assessment request. Raises InvalidInput."""
    return loaded_assessment(catalog, load(ASSESSMENT, body), today)


def read_batch(body: Any) -> tuple[list[Any], bool]:
    """Read the body of a batch of assessments, its items unread. Raises InvalidInput."""
    data = load(_BATCH, body)
    problems: list[Problem] = []
    check_number(problems, data["items"], "/items", MOST_ITEMS)
    refuse_if_any(problems)
    return data["items"], bool(data.get("compact"))


def loaded_assessment(catalog: Catalog, data: Mapping[str, Any], today: date) -> AssessmentInput:
    """Read what a schema loaded of an account, by the rule data. Raises InvalidInput."""
    problems: list[Problem] = []
    names = data.get("programs")
    if names is None:
        names = [DEFAULT_PROGRAM]
    check_programs(catalog, names, problems)
    vocabulary = catalog.vocabulary
    facts = read_facts(vocabulary, data.get("facts") or {}, problems)
    observations = read_observations(vocabulary, data.get("metrics") or {}, problems)
    refuse_if_any(problems)
    return AssessmentInput(
        marketplace=data["marketplace"],
        as_of=data.get("as_of") or today,
        programs=tuple([catalog.program(name) for name in names]),
        account=Account(facts, observations),
    )
