"""Requests to keep a seller, and its snapshots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from advisor.catalog import Catalog
from advisor.errors import InvalidInput, Problem, say
from advisor.inputs.accounts import Facts, Metrics, ProgramName
from advisor.inputs.assessments import AssessmentInput, loaded_assessment
from advisor.inputs.bodies import Several, Strict, check_most, load, refuse_if_any
from advisor.inputs.values import Day, Marketplace, Text

MOST_GROUPS = 50
LONGEST_GROUP = 100


class SellerRequest(Strict):
    """An account to keep: its groups (tags), the programs to hold it against, and facts that hold until changed."""

    marketplace = Marketplace(required=True)
    name = Text()
    groups = Several(Text(LONGEST_GROUP, required=True), allow_none=True, metadata={"maxItems": MOST_GROUPS})
    programs = Several(ProgramName(required=True), allow_none=True, metadata={"minItems": 1, "uniqueItems": True})
    facts = Facts()


class SnapshotRequest(Strict):
    """What was observed of an account by a day. Its facts come before those kept with the seller."""

    as_of = Day()
    facts = Facts()
    metrics = Metrics()


_SELLER, _SNAPSHOT = SellerRequest(), SnapshotRequest()


@dataclass(frozen=True, slots=True)
class SellerInput:
    """An account to keep. `facts` are kept as they were sent."""

    marketplace: str
    name: str | None
    groups: tuple[str, ...]
    programs: tuple[str, ...]
    facts: Mapping[str, Any]


def read_seller(catalog: Catalog, body: Any) -> SellerInput:
    """Read the body of a request to keep a seller. Raises InvalidInput."""
    data = load(_SELLER, body)
    checked = loaded_assessment(catalog, {**data, "as_of": None}, date.min)
    groups = data.get("groups") or []
    problems: list[Problem] = []
    check_most(problems, groups, "/groups", MOST_GROUPS)
    refuse_if_any(problems)
    return SellerInput(
        marketplace=data["marketplace"],
        name=data.get("name"),
        groups=tuple(sorted(set(groups))),
        programs=tuple(program.id for program in checked.programs),
        facts={name: value for name, value in (data.get("facts") or {}).items() if value is not None},
    )


def read_snapshot(
    catalog: Catalog, body: Any, marketplace: str, programs: Sequence[str], facts: Mapping[str, Any], today: date
) -> AssessmentInput:
    """Read the body of a snapshot of a seller. A day that has not come yet has no numbers. Raises InvalidInput."""
    data = load(_SNAPSHOT, body)
    as_of = data.get("as_of") or today
    if as_of > today + timedelta(days=1):  # somewhere it is tomorrow already
        detail = say(
            "{as_of} has not come yet: a snapshot holds what was measured. Today is {today} (UTC).",
            as_of=as_of,
            today=today,
        )
        raise InvalidInput([Problem("/as_of", "out_of_range", detail)])
    facts = {**facts, **(data.get("facts") or {})}
    return loaded_assessment(catalog, {**data, "marketplace": marketplace, "programs": programs, "facts": facts}, today)
