"""The whole of a seller's journey: which programs are in reach, and its stages."""

from typing import Any

from advisor.answers import journey
from advisor.answers.parts import Answer
from advisor.catalog import Catalog
from advisor.domain.reach import reach
from advisor.inputs.journey import read_reach
from advisor.messages import Messages
from advisor.services.calculations import today


class Journey:
    """What is said about the whole journey, over one catalog. Nothing is stored."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def reach(self, body: Any, messages: Messages) -> Answer:
        """Hold an account against every program, the nearest first. Raises InvalidInput."""
        wanted = read_reach(self.catalog, body, today())
        found = reach(wanted.programs, wanted.marketplace, wanted.as_of, wanted.account)
        return journey.reach(wanted.marketplace, wanted.as_of, found, self.catalog.process, messages)

    def stages(self, messages: Messages) -> Answer:
        """Describe the stages of the business process."""
        return journey.stages(self.catalog.process, self.catalog.vocabulary, messages)
