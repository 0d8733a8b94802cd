"""Say which programs an account is in reach of, the nearest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from advisor.domain.assessment import Account, Assessment, Finding, assess
from advisor.domain.program import Outcome, Program, Verdict

NEAREST_FIRST = (Verdict.ELIGIBLE, Verdict.UNDETERMINED, Verdict.NOT_ELIGIBLE)


@dataclass(frozen=True, slots=True)
class Reached:
    """A program that may concern the account, with the required criteria that are missed."""

    assessment: Assessment
    missed: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """All programs, those that may concern the account nearest first.

    `not_applicable`: all that they require is about orders that the account has not. `not_covered`: they have no rules.
    """

    programs: tuple[Reached, ...]
    not_applicable: tuple[Assessment, ...]
    not_covered: tuple[Program, ...]


def reach(programs: Sequence[Program], marketplace: str, as_of: date, account: Account) -> Reach:
    """Assess every program and put them in order of distance; what is equally far stays in the order given.

    Eligible comes before undetermined, undetermined before not eligible. Within a verdict: fewer required criteria
    missed, then the higher score of the weakest required criterion, then fewer required criteria unknown.
    """
    results = [assess(program, marketplace, as_of, account) for program in programs]
    near = [
        Reached(one, tuple(each for each in one.findings if each.required and each.outcome is Outcome.MISSED))
        for one in results
        if one.applies and one.verdict is not Verdict.NOT_COVERED
    ]
    near.sort(key=_distance)
    apart = tuple(one for one in results if not one.applies)
    without = tuple(one.program for one in results if one.verdict is Verdict.NOT_COVERED)
    return Reach(tuple(near), apart, without)


def _distance(one: Reached) -> tuple[int, int, int, int]:
    result = one.assessment
    return NEAREST_FIRST.index(result.verdict), len(one.missed), -(result.score or 0), len(result.missing)
