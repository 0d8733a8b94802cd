"""Answer what has to be in place for a stage, as far as an account's facts and findings tell.

What nothing tells stays unknown: a list that is not answered is never taken for one that is in order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from advisor.domain.program import Fact, FactValue, Metric, Outcome, Rule
from advisor.domain.sources import Source


@dataclass(frozen=True, slots=True, eq=False)
class Teller:
    """A fact or metric that tells, at some marketplaces, whether an item is so.

    Of a fact, the values in `says_yes` say so and any other says no. Of a metric, every finding on it tells; where it
    does not prove the item, a miss says no and being met says nothing.
    """

    subject: Metric | Fact
    marketplaces: frozenset[str]
    says_yes: tuple[FactValue, ...] = ()
    proves: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """What has to be in place for a stage, and what tells whether it is; nothing where nothing does."""

    stage: str
    id: str
    text: str
    why: str
    answered_by: tuple[Teller, ...]
    sources: tuple[Source, ...]


class Told(NamedTuple):
    """What one fact, or one finding on a metric, answers; without a rule where no criterion reads the metric."""

    subject: Metric | Fact
    rule: Rule | None
    outcome: Outcome


class Answered(NamedTuple):
    """An item with its answer for one account, and what told it."""

    check: Check
    outcome: Outcome
    told: tuple[Told, ...]


def answer_check(
    check: Check, judged: Sequence[tuple[Rule, Outcome]], facts: Mapping[str, FactValue | None], marketplace: str
) -> Answered:
    """Answer one item: missed if anything says no, met if all that could prove it does, otherwise unknown.

    It is not applicable where what tells is about other marketplaces, or about orders that the account does not have.
    """
    tellers = [one for one in check.answered_by if marketplace in one.marketplaces]
    heard = [(one.proves, told) for one in tellers for told in _hear(one, judged, facts)]
    told = tuple([each for _, each in heard])
    if not heard:
        outcome = Outcome.NOT_APPLICABLE if check.answered_by else Outcome.UNKNOWN
        return Answered(check, outcome, told)
    outcomes = {each.outcome for each in told}
    proofs = {each.outcome for proves, each in heard if proves} - {Outcome.NOT_APPLICABLE}
    if Outcome.MISSED in outcomes:
        return Answered(check, Outcome.MISSED, told)
    if outcomes == {Outcome.NOT_APPLICABLE}:
        return Answered(check, Outcome.NOT_APPLICABLE, told)
    return Answered(check, Outcome.MET if proofs == {Outcome.MET} else Outcome.UNKNOWN, told)


def _hear(one: Teller, judged: Sequence[tuple[Rule, Outcome]], facts: Mapping[str, FactValue | None]) -> list[Told]:
    subject = one.subject
    if isinstance(subject, Fact):
        value = facts.get(subject.key)
        if value is None:
            return [Told(subject, None, Outcome.UNKNOWN)]
        return [Told(subject, None, Outcome.MET if value in one.says_yes else Outcome.MISSED)]
    found = [Told(subject, rule, outcome) for rule, outcome in judged if rule.criterion.subject is subject]
    return found or [Told(subject, None, Outcome.UNKNOWN)]
