"""Check a text and some declared facts against the red lines, with what was found marked in the text."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from advisor.catalog import Catalog
from advisor.domain.red_lines import KINDS, MESSAGE
from advisor.errors import say
from advisor.messages import PHONE_USES, POLICY_KINDS, POLICY_LANGUAGES
from advisor.services.red_lines import RedLineChecks
from advisor.web.pages.offers import NOT_KNOWN, PLACE, asked, named, sent, shown
from advisor.web.pages.plain import Field, Group, PlainForm
from advisor.web.pages.shell import language
from advisor.web.stored import Workspaces

EXAMPLE = {
    "marketplace": "US",
    "kind": "message",
    "text": (
        "Hello, your order 123-1234567-1234567 is on its way. If you are happy, please leave us a five star review "
        "and write to help (at) example dot com for a 10 % coupon."
    ),
    "language": "en",
    "selling_accounts": "2",
    "several_accounts_permitted": "true",
}
KIND_NAMES = named(KINDS, POLICY_KINDS)
GROUPS = (
    Group(
        None,
        (
            PLACE,
            Field(
                "kind", "choice", say("What kind of text is it?"), "/texts/0/kind", choices=named(KINDS, POLICY_KINDS)
            ),
            Field("text", "long", say("The text"), "/texts/0/text"),
            Field(
                "language",
                "choice",
                say("Which language is it in?"),
                "/texts/0/language",
                choices=tuple(POLICY_LANGUAGES.items()),
                empty=say("Not said"),
            ),
        ),
        in_rows=False,
    ),
    Group(
        say("About the message"),
        (
            Field(
                "message_type",
                "text",
                say("Message type, if you send it by the messaging interface"),
                "/texts/0/message_type",
            ),
            Field("reply", "yes_no", say("Is it an answer to the buyer?"), "/texts/0/reply"),
            Field("order_completed_on", "day", say("The order was completed on"), "/texts/0/order_completed_on"),
            Field("sent_on", "day", say("It is sent on"), "/texts/0/sent_on"),
        ),
    ),
    Group(
        say("About the business"),
        (
            Field("selling_accounts", "count", say("Selling accounts"), "/facts/selling_accounts"),
            Field(
                "several_accounts_permitted",
                "yes_no",
                say("Did the marketplace permit several accounts?"),
                "/facts/several_accounts_permitted",
            ),
            Field(
                "buyer_phone_use",
                "choice",
                say("What are the phone numbers of buyers used for?"),
                "/facts/buyer_phone_use",
                choices=tuple(PHONE_USES.items()),
                empty=NOT_KNOWN,
            ),
            Field(
                "buyer_phone_disposed",
                "yes_no",
                say("Are they disposed of once an order is processed?"),
                "/facts/buyer_phone_disposed",
            ),
            Field(
                "buyer_data_kept_days",
                "count",
                say("Days for which the data of buyers is kept after shipment"),
                "/facts/buyer_data_kept_days",
            ),
            Field(
                "self_paid_orders", "yes_no", say("Are there orders that you paid yourself?"), "/facts/self_paid_orders"
            ),
        ),
    ),
)


def add(pages: Blueprint, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the page."""
    checks = RedLineChecks(catalog)

    @pages.route("/checks/red-lines", methods=["GET", "POST"])
    def red_lines() -> Response:
        """Check a text against the red lines."""
        typed, go = sent(workspaces.settings.max_body, EXAMPLE)
        form = PlainForm(GROUPS, typed, language(), catalog.schedule("US"))
        answer = asked(form, go, lambda body: checks.policy_checks(_body(body), language()))
        text = form.value("text").replace("\r\n", "\n")
        return shown("red_lines.html", form, answer, marked=marked(text, answer["findings"]) if answer else ())


def _body(body: dict[str, Any]) -> dict[str, Any]:
    """Leave a text out that was not typed, and from other texts what only a message has."""
    one = body["texts"][0]
    if "text" not in one:
        del body["texts"]
    elif one["kind"] != MESSAGE:
        body["texts"] = [{name: one[name] for name in ("kind", "text", "language") if name in one}]
    return body


def marked(text: str, findings: Sequence[Any]) -> list[tuple[str, bool]]:
    """Cut a text into pieces that were found and pieces that were not; what overlaps becomes one piece."""
    spans = sorted((one["start"], one["end"]) for one in findings if one["start"] is not None)
    pieces: list[tuple[str, bool]] = []
    at = 0
    for start, end in spans:
        if end <= at:
            continue
        start = max(start, at)
        pieces += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [piece for piece in [*pieces, (text[at:], False)] if piece[0]]
