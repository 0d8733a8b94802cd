"""The whole of a seller's journey: which programs are in reach, and its stages."""

from typing import Any

from advisor.answers import journey as journey_answers
from advisor.catalog import Catalog
from advisor.domain.reach import reach
from advisor.inputs import journey as journey_inputs
from advisor.messages import Messages
from advisor.services.calculations import Answer, today


class Journey:
    """What is said about the whole journey, over one catalog. Nothing is stored."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def reach(self, body: Any, messages: Messages) -> Answer:
        """Hold an account against every program, the nearest first. Raises InvalidInput."""
        wanted = journey_inputs.read_reach(self.catalog, body, today())
        found = reach(wanted.programs, wanted.marketplace, wanted.as_of, wanted.account)
        return journey_answers.reach(wanted.marketplace, wanted.as_of, found, self.catalog.process, messages)

    def stages(self, messages: Messages) -> Answer:
        """Describe the stages of the business process."""
        return journey_answers.stages(self.catalog.process, self.catalog.vocabulary, messages)
