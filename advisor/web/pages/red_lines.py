"""Check a text and some declared facts against the red lines, with what was found marked in the text."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema

from advisor.catalog import Catalog
from advisor.domain.program import MARKETPLACES
from advisor.domain.red_lines import KINDS, MESSAGE, RedLines
from advisor.errors import Sentence, say
from advisor.inputs.red_lines import DeclaredSchema, TextSchema
from advisor.messages import MEDIA_NAMES, PHONE_USES, POLICY_KINDS, POLICY_LANGUAGES
from advisor.services.red_lines import RedLineChecks
from advisor.web.pages.asking import Wording, ask
from advisor.web.pages.entries import one_of_words
from advisor.web.pages.offers import PLACE, asked, named, sent, shown
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
    "review_requests_1_order_id": "123-1234567-1234567",
    "review_requests_1_sent_on": "2026-11-02",
    "review_requests_2_order_id": "123-7654321-7654321",
    "review_requests_2_sent_on": "2026-11-03",
    "review_requests_3_order_id": "123-1234567-1234567",
    "review_requests_3_sent_on": "2026-11-09",
}
ONE_IN_EACH_LINE = say("One in each line.")
WORDING = Wording(
    labels={
        "message_type": say("Message type, if you send it by the messaging interface"),
        "reply": say("Is it an answer to the buyer?"),
        "order_completed_on": say("The order was completed on"),
        "sent_on": say("It is sent on"),
        "selling_accounts": say("Selling accounts"),
        "several_accounts_permitted": say("Did the marketplace permit several accounts?"),
        "self_paid_orders": say("Are there orders that you paid yourself?"),
        "buyer_phone_use": say("What are the phone numbers of buyers used for?"),
        "buyer_phone_disposed": say("Are they disposed of once an order is processed?"),
        "buyer_data_kept_days": say("Days for which the data of buyers is kept after shipment"),
        "review_requests.order_id": say("Order number"),
        "review_requests.count": say("How many requests"),
        "review_requests.sent_on": say("Day of the request"),
        "dispatches.category": say("What was ordered"),
        "dispatches.confirmed_on": say("The order was confirmed on"),
        "dispatches.dispatched_on": say("It was handed over on"),
        "dispatches.holidays": say("Holidays in between"),
        "shipping.charged": say("What the buyer pays for shipping"),
        "shipping.carrier_standard": say("Standard rate of the carrier"),
        "multi_packs.price": say("Price of the pack"),
        "multi_packs.units": say("Units in the pack"),
        "multi_packs.single_price": say("Price of a single unit"),
        "listings.asin": say("ASIN"),
        "listings.gtin": say("Number of the product"),
        "media_pre_sales": say("Media that you offer before the release"),
        "third_party_trademarks": say("Trademarks of others to look for"),
    },
    hints={
        "review_requests.count": say("1 if you leave this empty."),
        "dispatches.dispatched_on": say("Leave this empty if it was not yet."),
        "dispatches.holidays": say("Dates with commas between. None is assumed."),
        "listings.gtin": say("GTIN, UPC, EAN or ISBN-13."),
        "third_party_trademarks": ONE_IN_EACH_LINE,
    },
    choices={"buyer_phone_use": PHONE_USES, "dispatches.category": MEDIA_NAMES, "media_pre_sales": MEDIA_NAMES},
    rows={
        "review_requests": (say("Request {number}"), say("Add a request"), say("Remove request {number}")),
        "dispatches": (say("Order {number}"), say("Add an order"), say("Remove order {number}")),
        "shipping": (
            say("Shipping fee {number}"),
            say("Add a shipping fee"),
            say("Remove shipping fee {number}"),
        ),
        "multi_packs": (say("Multi-pack {number}"), say("Add a multi-pack"), say("Remove multi-pack {number}")),
        "listings": (say("Listing {number}"), say("Add a listing"), say("Remove listing {number}")),
    },
)
TEXT_FIELDS = (
    PLACE,
    Field("kind", "choice", say("What kind of text is it?"), "/texts/0/kind", choices=named(KINDS, POLICY_KINDS)),
    Field("text", "long", say("The text"), "/texts/0/text"),
    Field(
        "language",
        "choice",
        say("Which language is it in?"),
        "/texts/0/language",
        choices=tuple(POLICY_LANGUAGES.items()),
        empty=say("Not said"),
    ),
)
# Single facts that belong together. Every other fact has a group of its own.
SUBJECTS = (
    (
        say("Selling accounts and orders of your own"),
        ("selling_accounts", "several_accounts_permitted", "self_paid_orders"),
    ),
    (
        say("Phone numbers and other data of buyers"),
        ("buyer_phone_use", "buyer_phone_disposed", "buyer_data_kept_days"),
    ),
)


def groups(lines: RedLines) -> tuple[Group, ...]:
    """List what is asked: a text, what else a message has, and every fact, under the red line that is about it."""
    asked = {field.pointer.rpartition("/")[2] for field in TEXT_FIELDS}
    of_message = [name for name in TextSchema().fields if name not in asked]
    together = [name for _, names in SUBJECTS for name in names]
    rules = {rule.fact: rule for rule in lines.rules}
    return (
        Group(None, TEXT_FIELDS, in_rows=False),
        _together(say("About the message"), TextSchema, of_message, "/texts/0"),
        Group(
            say("About the business"),
            (),
            hint=say("Open what you want to have checked too. What you do not tell counts as unknown, never as fine."),
        ),
        *(_together(title, DeclaredSchema, names, "/facts") for title, names in SUBJECTS),
        *(
            replace(
                ask(DeclaredSchema, name, f"/facts/{name}", WORDING),
                title=say(rules[name].label),
                hint=say(rules[name].summary),
                folds=True,
            )
            for name in DeclaredSchema().fields
            if name in rules and name not in together
        ),
    )


def _together(title: Sentence, schema: type[Schema], names: Sequence[str], pointer: str) -> Group:
    fields = [field for name in names for field in ask(schema, name, f"{pointer}/{name}", WORDING).fields]
    return Group(title, tuple(fields), folds=True)


def add(pages: Blueprint, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the page."""
    checks = RedLineChecks(catalog)
    questions = groups(catalog.red_lines)

    @pages.route("/checks/red-lines", methods=["GET", "POST"])
    def red_lines() -> Response:
        """Check a text against the red lines."""
        typed, go = sent(workspaces.settings.max_body, EXAMPLE)
        schedule = catalog.schedule(one_of_words(typed.get("marketplace"), MARKETPLACES, "US"))
        form = PlainForm(questions, typed, language(), schedule)
        form.pointers[""] = "text"  # where to begin if nothing was said at all
        answer = asked(form, go, lambda body: checks.policy_checks(_body(body), language()))
        text = form.value("text").replace("\r\n", "\n")
        return shown("red_lines.html", form, answer, marked=marked(text, answer["findings"]) if answer else ())


def _body(body: dict[str, Any]) -> dict[str, Any]:
    """Leave a text out that was not typed, and from other texts what only a message has."""
    one = body.get("texts", [{}])[0]
    if "text" not in one:
        body.pop("texts", None)
    elif one.get("kind", MESSAGE) != MESSAGE:
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
