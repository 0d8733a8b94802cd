"""Hold messages, listings, business names and declared facts against the red lines of a marketplace."""

from typing import Any

from advisor.answers import red_lines as red_line_answers
from advisor.catalog import Catalog
from advisor.domain.red_lines import check
from advisor.inputs import red_lines as red_line_inputs
from advisor.messages import Messages
from advisor.services.calculations import Answer, today


class RedLineChecks:
    """The check of red lines, over one catalog. Nothing is stored, and `as_of` defaults to today in UTC."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def policy_checks(self, body: Any, messages: Messages) -> Answer:
        """Check texts and declared facts. Raises InvalidInput."""
        wanted = red_line_inputs.read_policy_check(body, today())
        lines = self.catalog.red_lines
        checked = check(lines, wanted.marketplace, wanted.as_of, wanted.texts, wanted.declared)
        types = lines.message_types
        return red_line_answers.policy_check(wanted.marketplace, wanted.as_of, wanted.texts, checked, types, messages)
