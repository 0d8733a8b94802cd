"""Check what is offered: a planned pre-sale and a listing, each on a page of its own with its result."""

import re
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, request

from advisor.catalog import Catalog
from advisor.domain.fees import FeeSchedule
from advisor.domain.listing import IMAGE_FORMATS
from advisor.domain.media import MEDIA, NOT_MEDIA
from advisor.domain.pre_sale import KINDS
from advisor.domain.program import MARKETPLACES
from advisor.errors import InvalidInput, Sentence, say
from advisor.messages import (
    CHOICES,
    IMAGE_FORMAT_NAMES,
    MEDIA_NAMES,
    OUTCOME_NAMES,
    PLACES,
    PRE_SALE_KINDS,
    Messages,
)
from advisor.services.calculations import today
from advisor.services.journey import Journey
from advisor.services.offers import Offers
from advisor.web.pages.entries import one_of_words
from advisor.web.pages.form import COUNTRIES, categories_of
from advisor.web.pages.plain import NOT_KNOWN, Field, Group, PlainForm
from advisor.web.pages.shell import language, page
from advisor.web.stored import Workspaces

PLACE = Field(
    "marketplace",
    "choice",
    say("Marketplace"),
    "/marketplace",
    choices=tuple((one, PLACES[one]) for one in MARKETPLACES),
)
_COLON = re.compile("[:\uff1a]")

PRE_SALE_EXAMPLE = {
    "marketplace": "US",
    "kind": "pre_order",
    "fulfillment": "seller",
    "stock_secured": "150",
    "expected_units": "200",
    "handling_days": "1",
    "return_policy_stated": "true",
    "selling_plan": "professional",
    "established_in": "US",
    "category": "jewelry",
    "price": "300",
    "unit_cost": "180",
    "fulfillment_cost": "9.50",
    "late_count": "4",
    "late_of": "600",
    "cancelled_count": "1",
    "cancelled_of": "150",
    "late_share": "5",
    "cancelled_share": "1",
}
LISTING_EXAMPLE = {
    "marketplace": "US",
    "title": "Example Tools claw hammer, 450 g, ash handle",
    "item_highlights": "Forged steel head, handle of ash, 33 cm long",
    "bullet_points": "Forged steel head of 450 g\nHandle of ash, 33 cm long",
    "search_terms": "nail puller carpenter joiner",
    "images": "3",
    "longest_side": "1600",
    "filled_percent": "90",
    "format": "jpeg",
    "white_background": "true",
    "attributes": "brand: Example Tools\nhead_material: steel",
    "required_attributes": "brand\nhead_material\nitem_weight",
    "gtin": "4006381333931",
}


def pre_sale_example(day: date) -> dict[str, str]:
    """Fill in an example that lies ahead of a day: a release on a Sunday, before a holiday, 30 days after the offer."""
    release = day + timedelta(days=60 + 6 - (day + timedelta(days=60)).weekday())
    return PRE_SALE_EXAMPLE | {
        "listed_on": (release - timedelta(days=30)).isoformat(),
        "release_on": release.isoformat(),
        "holidays": (release + timedelta(days=1)).isoformat(),
        "promised_ship_on": (release + timedelta(days=2)).isoformat(),
    }


def named(words: tuple[str, ...], names: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Give words to choose from their names."""
    return tuple((word, names[word]) for word in words)


def _pair(name: str, label: Sentence, pointer: str) -> tuple[Field, Field]:
    pair = f"{name}_count", f"{name}_of"
    return (
        Field(pair[0], "count", label, f"{pointer}/count", pair=pair),
        Field(pair[1], "count", say("Of how many orders in all"), f"{pointer}/of", pair=pair),
    )


def pre_sale_groups(schedule: FeeSchedule, messages: Messages) -> tuple[Group, ...]:
    """List what is asked about a planned pre-sale, with the categories and channels of its marketplace."""
    categories = tuple(categories_of(schedule, today(), messages))
    channels = tuple((one, CHOICES[one]) for one in schedule.channels)
    words = (("professional", CHOICES["professional"]), ("individual", CHOICES["individual"]))
    return (
        Group(
            None,
            (
                PLACE,
                Field("kind", "choice", say("Kind of pre-sale"), "/kind", choices=named(KINDS, PRE_SALE_KINDS)),
            ),
        ),
        Group(
            say("Dates"),
            (
                Field(
                    "listed_on",
                    "day",
                    say("Day on which the offer opens"),
                    "/listed_on",
                    needed=say("Type the day on which the offer opens."),
                ),
                Field(
                    "release_on",
                    "day",
                    say("Release date, of a pre-order"),
                    "/release_on",
                    needed=say("Type the release date of the pre-order."),
                ),
                Field(
                    "restock_on",
                    "day",
                    say("Restock date, of a back-order"),
                    "/restock_on",
                    needed=say("Type the restock date of the back-order."),
                ),
                Field("promised_ship_on", "day", say("Promised ship date"), "/promised_ship_on"),
                Field("earliest_delivery_on", "day", say("Earliest delivery date"), "/earliest_delivery_on"),
                Field(
                    "holidays",
                    "days",
                    say("Holidays on which nothing is shipped"),
                    "/holidays",
                    hint=say("Dates with commas between. None is assumed."),
                ),
                Field("handling_days", "count", say("Handling time in days"), "/handling_days"),
            ),
        ),
        Group(
            say("Stock and shipping"),
            (
                Field(
                    "media",
                    "choice",
                    say("Media"),
                    "/media",
                    choices=named((*MEDIA, NOT_MEDIA), MEDIA_NAMES),
                    empty=NOT_KNOWN,
                ),
                Field("fulfillment", "choice", say("Who ships it?"), "/fulfillment", choices=channels, empty=NOT_KNOWN),
                Field("stock_secured", "count", say("Units that are secured"), "/stock_secured"),
                Field("expected_units", "count", say("Units that you expect to sell before"), "/expected_units"),
                Field("prime", "yes_no", say("Is it offered with Prime?"), "/prime"),
                Field(
                    "release_date_published",
                    "yes_no",
                    say("Has the manufacturer published the release date?"),
                    "/release_date_published",
                ),
                Field(
                    "early_delivery_allowed",
                    "yes_no",
                    say("Does the rights holder allow delivery before the release?"),
                    "/early_delivery_allowed",
                ),
                Field("return_policy_stated", "yes_no", say("Is the return policy stated?"), "/return_policy_stated"),
            ),
        ),
        Group(
            say("Price and costs"),
            (
                Field(
                    "category",
                    "choice",
                    say("Fee category"),
                    "/line/category",
                    choices=categories,
                    needed=say("Choose the fee category, or leave price, costs and tax rate empty."),
                    empty=NOT_KNOWN,
                ),
                Field(
                    "price",
                    "amount",
                    say("Price for one"),
                    "/line/price",
                    needed=say("Type the price for one, or leave fee category, costs and tax rate empty."),
                ),
                Field("unit_cost", "amount", say("What one costs you"), "/line/unit_cost"),
                Field("fulfillment_cost", "amount", say("Shipping and handling of one"), "/line/fulfillment_cost"),
                Field("tax_rate", "percent", say("Tax rate in %"), "/line/tax_rate"),
                Field("selling_plan", "choice", say("Selling plan"), "/selling_plan", choices=words, empty=NOT_KNOWN),
                Field(
                    "established_in",
                    "choice",
                    say("Where is your company established?"),
                    "/established_in",
                    choices=tuple((one, PLACES[one]) for one in COUNTRIES),
                    empty=NOT_KNOWN,
                ),
            ),
        ),
        Group(
            say("Your rates today, and what may go wrong"),
            (
                *_pair("late", say("Late shipments, 30 days"), "/metrics/late_shipment_rate"),
                *_pair("cancelled", say("Cancellations, 7 days"), "/metrics/pre_fulfillment_cancellation_rate"),
                Field("late_share", "percent", say("Late pre-orders in %"), "/late_share"),
                Field("cancelled_share", "percent", say("Cancelled pre-orders in %"), "/cancelled_share"),
            ),
        ),
    )


LISTING_GROUPS = (
    Group(
        None,
        (
            PLACE,
            Field("title", "text", say("Title"), "/listings/0/title"),
            Field(
                "item_highlights",
                "text",
                say("Item highlights"),
                "/listings/0/item_highlights",
                hint=say("Short phrases with commas between."),
            ),
            Field(
                "bullet_points",
                "lines",
                say("Bullet points"),
                "/listings/0/bullet_points",
                hint=say("One in each line."),
            ),
            Field("description", "long", say("Description"), "/listings/0/description"),
            Field(
                "search_terms",
                "text",
                say("Search terms"),
                "/listings/0/search_terms",
                hint=say("All of them, with blanks between."),
            ),
            Field(
                "attributes",
                "lines",
                say("Attributes"),
                "/listings/0/attributes",
                hint=say("One in each line: the name, a colon, the value."),
            ),
            Field(
                "required_attributes",
                "lines",
                say("Attributes that the product type requires"),
                "/listings/0/required_attributes",
                hint=say("One name in each line."),
            ),
        ),
        in_rows=False,
    ),
    Group(
        say("Images"),
        (
            Field("images", "count", say("Number of images"), "/listings/0/images"),
            Field(
                "longest_side",
                "count",
                say("Pixels on the longest side of the main image"),
                "/listings/0/main_image/longest_side",
            ),
            Field(
                "filled_percent",
                "count",
                say("How much of it the product fills, in %"),
                "/listings/0/main_image/filled_percent",
            ),
            Field(
                "format",
                "choice",
                say("Its format"),
                "/listings/0/main_image/format",
                choices=named(IMAGE_FORMATS, IMAGE_FORMAT_NAMES),
                empty=NOT_KNOWN,
            ),
            Field(
                "white_background",
                "yes_no",
                say("Is its background pure white?"),
                "/listings/0/main_image/white_background",
            ),
        ),
    ),
    Group(
        say("The product"),
        (
            Field("gtin", "text", say("Product identifier (UPC, EAN, JAN, ISBN)"), "/listings/0/gtin"),
            Field("gtin_exempt", "yes_no", say("Is it exempt from one?"), "/listings/0/gtin_exempt"),
            Field("media", "yes_no", say("Is it a book, music, video or other media?"), "/listings/0/media"),
        ),
    ),
)


def add(pages: Blueprint, catalog: Catalog, workspaces: Workspaces) -> None:
    """Add the list of checks and the page of each."""
    offers = Offers(catalog)
    most = workspaces.settings.max_body

    @pages.get("/checks")
    def checks() -> Response:
        """List what else can be checked."""
        return page("checks.html", section="checks")

    @pages.get("/checks/stages")
    def stages() -> Response:
        """Show the stages of the business process."""
        return page("journey.html", section="checks", stages=Journey(catalog).stages(language())["stages"])

    @pages.route("/checks/pre-sale", methods=["GET", "POST"])
    def pre_sale() -> Response:
        """Check a planned pre-sale."""
        typed, go = sent(most, pre_sale_example(today()))
        schedule = catalog.schedule(one_of_words(typed.get("marketplace"), MARKETPLACES, "US"))
        form = PlainForm(pre_sale_groups(schedule, language()), typed, language(), schedule)
        answer = asked(form, go, lambda body: offers.pre_sale_checks(whole(body), language()))
        titles = {name: catalog.program(name).title for name in catalog.program_ids}
        return shown("pre_sale.html", form, answer, program_titles=titles)

    @pages.route("/checks/listing", methods=["GET", "POST"])
    def listing() -> Response:
        """Check a listing."""
        typed, go = sent(most, LISTING_EXAMPLE)
        form = PlainForm(LISTING_GROUPS, typed, language(), catalog.schedule("US"))
        answer = asked(form, go, lambda body: offers.listing_checks(with_attributes(form, body), language()))
        return shown("listing.html", form, answer)


def sent(most: int, example: dict[str, str]) -> tuple[dict[str, str], str]:
    """Read what a form sent and which button; the button for an example fills it in."""
    request.max_content_length = request.max_form_memory_size = most
    typed = {name: values[0] for name, values in request.form.lists()}
    go = typed.pop("go", "")
    return (dict(example), "") if go == "example" else (typed, go)


def asked(form: PlainForm, go: str, ask: Any) -> Any:
    """Ask the service what the form means; None where another button was pressed, or something is wrong.

    It is asked about what can be read even where something cannot, so that all mistakes are told at once.
    """
    if go != "check":
        form.at = form.press(go) or ""
        return None
    try:
        answer = ask(form.read())
    except InvalidInput as error:
        form.refuse_all(error.problems)
    return None if form.errors else answer


def shown(template: str, form: PlainForm, answer: Any, **values: Any) -> Response:
    """Show a form, and its result above it."""
    status = 422 if form.errors else 200
    names: dict[str, Any] = {"outcome_names": OUTCOME_NAMES, "place_names": PLACES}
    stay = "check" if answer else "stay"  # another language shows the result again
    return page(
        template,
        status=status,
        section="checks",
        stay=stay,
        form=form,
        answer=answer,
        **names,
        **values,
    )


def whole(body: dict[str, Any]) -> dict[str, Any]:
    """Finish the body of a pre-sale check: the windows of its rates."""
    windows = {"late_shipment_rate": 30, "pre_fulfillment_cancellation_rate": 7}
    for metric, seen in body.get("metrics", {}).items():
        seen["window_days"] = windows[metric]
    return body


def with_attributes(form: PlainForm, body: dict[str, Any]) -> dict[str, Any]:
    """Part attributes into names and values; a listing with nothing at all is still a listing."""
    listing = body.setdefault("listings", [{}])[0]
    found = {}
    for line in listing.pop("attributes", ()):
        name, colon, value = _COLON.sub(":", line, count=1).partition(":")
        if not colon or not name.strip():
            form.refuse(
                "attributes", say("Write each attribute as a name, a colon and its value: “{line}”.", line=line)
            )
        if name.strip() in found:
            form.refuse("attributes", say("The attribute “{name}” stands twice. Keep one of them.", name=name.strip()))
        found[name.strip()] = value.strip()
    if found:
        listing["attributes"] = found
    return body
