"""The use cases: read the input, call the pure functions, shape the answer. Web and command line only call these."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from advisor.answers import assessments, fees, programs
from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.domain.advice import advise
from advisor.domain.assessment import assess
from advisor.domain.fees import estimate, left_over_prices
from advisor.domain.program import MARKETPLACES
from advisor.errors import InvalidInput, Problem
from advisor.inputs.assessments import AssessmentRequest, read_assessment, read_batch
from advisor.inputs.fees import AdviceInput, read_advice, read_estimate
from advisor.messages import Messages
from advisor.strict_json import refuse_nuls

ASSESSMENT_FIELDS = frozenset(AssessmentRequest().fields)


def today() -> date:
    """The day in UTC: what `as_of` is when nobody names a day."""
    return datetime.now(UTC).date()


class Services:
    """What the advisor does, over one catalog. `as_of` defaults to today in UTC."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def assessments(self, body: Any, messages: Messages) -> Answer:
        """Hold an account against programs. Raises InvalidInput."""
        return self._assessed(body, False, messages)

    def assessment_batch(self, body: Any, messages: Messages, describe: Callable[[InvalidInput], Answer]) -> Answer:
        """Assess up to 1,000 accounts, each with its result or, as `describe` puts it, its problem.

        Raises InvalidInput when the batch itself cannot be used.
        """
        items, compact = read_batch(body)
        answered = []
        for index, item in enumerate(items):
            try:
                refuse_nuls(item)
                answered.append({"index": index, "result": self._assessed(item, compact, messages)})
            except InvalidInput as error:
                answered.append({"index": index, "problem": describe(error)})
        return {"items": answered}

    def _assessed(self, body: Any, compact: bool, messages: Messages) -> Answer:
        wanted = read_assessment(self.catalog, body, today())
        results = [assess(one, wanted.marketplace, wanted.as_of, wanted.account) for one in wanted.programs]
        if not compact:
            return assessments.assessments(wanted.marketplace, wanted.as_of, results, self.catalog.process, messages)
        return assessments.compact_assessments(wanted.marketplace, wanted.as_of, results)

    def fee_estimates(self, body: Any, messages: Messages) -> Answer:
        """Price sales. Raises InvalidInput."""
        wanted = read_estimate(self.catalog, body, today())
        result = estimate(wanted.schedule, wanted.as_of, wanted.lines, wanted.selling_plan, wanted.established_in)
        return fees.estimate(result, wanted.as_of, messages)

    def advice(self, body: Any, messages: Messages) -> Answer:
        """Weigh joining. Raises InvalidInput."""
        return self._advised(read_advice(self.catalog, body, today()), messages)

    def checked(self, body: Any, messages: Messages) -> Answer:
        """Answer a form: the request's own answer, of assessments or (with products) of advice, under `answer`.

        `left` follows what is left of each product over prices, up to twice its own: lists of stretches as
        [from, to, left at from, left at to] in minor units. Raises InvalidInput.
        """
        if not body["lines"]:
            asked = {name: value for name, value in body.items() if name in ASSESSMENT_FIELDS}
            return {"answer": self.assessments(asked, messages), "left": []}
        wanted = read_advice(self.catalog, body, today())
        plan = wanted.assessment.account.facts.get("selling_plan")
        left = [
            left_over_prices(
                wanted.schedule,
                wanted.assessment.as_of,
                one.line,
                plan if isinstance(plan, str) else None,
                wanted.established_in,
                highest=2 * one.line.price,
            )
            for one in wanted.lines
        ]
        return {
            "answer": self._advised(wanted, messages),
            "left": [[[one.start, one.end, one.left_at_start, one.left_at_end] for one in line] for line in left],
        }

    def _advised(self, wanted: AdviceInput, messages: Messages) -> Answer:
        asked = wanted.assessment
        plan = asked.account.facts.get("selling_plan")
        result = advise(
            assessments=[assess(one, asked.marketplace, asked.as_of, asked.account) for one in asked.programs],
            schedule=wanted.schedule,
            as_of=asked.as_of,
            lines=wanted.lines,
            share=self.catalog.cited_share,
            fixed_monthly_cost=wanted.fixed_monthly_cost,
            selling_plan=plan if isinstance(plan, str) else None,
            established_in=wanted.established_in,
        )
        process = self.catalog.process
        return fees.advice(result, wanted.schedule, asked.marketplace, asked.as_of, process, messages)

    def programs(self, messages: Messages) -> Answer:
        """List the programs."""
        return programs.program_list([self.catalog.program(name) for name in self.catalog.program_ids], messages)

    def program(self, name: str, marketplace: str | None, as_of: date | None, messages: Messages) -> Answer:
        """Describe a program. Raises UnknownName."""
        return programs.program(self.catalog.program(name), marketplace, as_of or today(), messages)

    def schedules(self, messages: Messages) -> Answer:
        """List the fee schedules."""
        return fees.schedule_list([self.catalog.schedule(place) for place in MARKETPLACES], messages)

    def schedule(self, marketplace: str, as_of: date | None, messages: Messages) -> Answer:
        """Describe a fee schedule. Raises UnknownName."""
        return fees.schedule(self.catalog.schedule(marketplace), as_of or today(), messages)


def problems(found: list[Problem], messages: Messages) -> list[Answer]:
    """Write problems for an answer."""
    return [{"pointer": one.pointer, "code": one.code, "detail": messages.say(one.detail)} for one in found]
