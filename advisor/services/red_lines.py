"""Hold messages, listings, business names and declared facts against the red lines of a marketplace."""

from typing import Any

from advisor.answers.parts import Answer
from advisor.answers.red_lines import policy_check
from advisor.catalog import Catalog
from advisor.domain.red_lines import check
from advisor.inputs.red_lines import read_policy_check
from advisor.messages import Messages
from advisor.services.calculations import today


class RedLineChecks:
    """The check of red lines, over one catalog. Nothing is stored, and `as_of` defaults to today in UTC."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def policy_checks(self, body: Any, messages: Messages) -> Answer:
        """Check texts and declared facts. Raises InvalidInput."""
        wanted = read_policy_check(body, today())
        lines = self.catalog.red_lines
        checked = check(lines, wanted.marketplace, wanted.as_of, wanted.texts, wanted.declared)
        types = lines.message_types
        return policy_check(wanted.marketplace, wanted.as_of, wanted.texts, checked, types, messages)
