"""Check what a seller offers: planned pre-sales against their rules, product listings for completeness."""

from typing import Any

from advisor.answers.offers import listings, pre_sale
from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.domain.assessment import Observation, assess
from advisor.domain.fees import estimate_line
from advisor.domain.listing import check_listing
from advisor.domain.pre_sale import check_plan, effects
from advisor.domain.program import Threshold
from advisor.inputs.offers import read_listings, read_pre_sale
from advisor.messages import Messages
from advisor.services.calculations import today


class Offers:
    """The checks of offers, over one catalog. Nothing is stored, and `as_of` defaults to today in UTC."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def pre_sale_checks(self, body: Any, messages: Messages) -> Answer:
        """Check a planned pre-order or back-order. Raises InvalidInput."""
        wanted = read_pre_sale(self.catalog, body, today())
        plan, rules, as_of, line = wanted.plan, self.catalog.pre_sale, wanted.as_of, wanted.line
        seen: dict[Threshold, Observation] = {}
        for program in wanted.programs:
            for one in assess(program, plan.marketplace, as_of, wanted.account).findings:
                if isinstance(one.observed, Observation):
                    seen[one.rule.threshold] = one.observed
        estimate = None
        if line is not None:
            estimate = estimate_line(wanted.schedule, as_of, line, wanted.selling_plan, wanted.established_in)
        touched = effects(
            rules,
            wanted.programs,
            plan.marketplace,
            as_of,
            lambda rule: seen.get(rule.threshold),
            plan.expected_units,
            wanted.shares,
            plan.fulfillment,
        )
        check = check_plan(rules, plan, as_of)
        return pre_sale(rules, plan, as_of, check, estimate, wanted.schedule, touched, messages)

    def listing_checks(self, body: Any, messages: Messages) -> Answer:
        """Check product listings for what is missing and for published limits. Raises InvalidInput."""
        wanted = read_listings(body, today())
        rules = self.catalog.listing
        checks = [check_listing(rules, one, wanted.marketplace, wanted.as_of) for one in wanted.listings]
        return listings(rules, wanted.marketplace, wanted.as_of, checks, messages)
