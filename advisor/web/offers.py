"""The checks of what a seller offers: planned pre-sales and product listings, with what they answer."""

from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema, fields

from advisor.domain.listing import ELEMENTS, MEASURES, REQUIREMENTS
from advisor.domain.pre_sale import CHECKS, EVENTS, KINDS, WEEKDAYS
from advisor.domain.program import MARKETPLACES
from advisor.domain.sources import BASES
from advisor.inputs.offers import ListingCheckRequest, PreSaleRequest
from advisor.inputs.values import Word
from advisor.messages import (
    LISTING_REASONS,
    LISTING_VERDICTS,
    PRE_SALE_ASSUMPTIONS,
    PRE_SALE_CALENDAR,
    PRE_SALE_DOUBTS,
    PRE_SALE_EFFECTS,
    PRE_SALE_MARGINS,
    PRE_SALE_REASONS,
    PRE_SALE_SKIPPED,
    PRE_SALE_VERDICTS,
)
from advisor.services.offers import Offers
from advisor.settings import Settings
from advisor.web.api import json_answer, json_body, poster
from advisor.web.language import reader
from advisor.web.schemas import (
    OUTCOME,
    Anything,
    Code,
    Day,
    DayOrNull,
    DecimalOrNull,
    LineEstimate,
    Source,
    WordOrNull,
    many,
    number,
    number_or_null,
    one,
    one_or_null,
    string,
    string_or_null,
)

PRE_SALE_EXAMPLE = {
    "marketplace": "US",
    "as_of": "2026-11-22",
    "kind": "pre_order",
    "listed_on": "2027-06-04",
    "release_on": "2027-07-04",
    "promised_ship_on": "2027-07-06",
    "holidays": ["2027-07-05"],
    "fulfillment": "seller",
    "stock_secured": 150,
    "expected_units": 200,
    "handling_days": 1,
    "return_policy_stated": True,
    "selling_plan": "professional",
    "established_in": "US",
    "line": {"category": "jewelry", "price": "300.00", "unit_cost": "180.00", "fulfillment_cost": "9.50"},
    "metrics": {
        "late_shipment_rate": {"count": 4, "of": 600, "window_days": 30},
        "pre_fulfillment_cancellation_rate": {"count": 1, "of": 150, "window_days": 7},
    },
    "late_share": "0.05",
    "cancelled_share": "0.01",
}
LISTING_MEASURE = tuple(dict.fromkeys(name for several in MEASURES.values() for name in several))
LISTING_EXAMPLE = {
    "marketplace": "US",
    "as_of": "2026-11-25",
    "listings": [
        {
            "ref": "sku-1",
            "title": "Example Tools claw hammer, 450 g, ash handle",
            "item_highlights": "Forged steel head, handle of ash, 33 cm long",
            "bullet_points": ["Forged steel head of 450 g", "Handle of ash, 33 cm long"],
            "search_terms": "nail puller carpenter joiner",
            "images": 3,
            "main_image": {
                "longest_side": 1600,
                "filled_percent": 90,
                "format": "jpeg",
                "white_background": True,
            },
            "attributes": {"brand": "Example Tools", "head_material": "steel"},
            "required_attributes": ["brand", "head_material", "item_weight"],
            "gtin": "4006381333931",
        }
    ],
}


class MaybeDated(Schema):
    """From when to when a rule holds; all null where there is no rule."""

    effective_from = DayOrNull()
    effective_from_kind = WordOrNull(("documented", "observed", "unknown"))
    effective_to = DayOrNull()
    effective_to_kind = string_or_null()


class PlanFinding(MaybeDated):
    """One rule's result. `asks` and `observed` have the names of the rule data and of the request."""

    rule = Word(tuple(CHECKS), required=True)
    label = string()
    level = WordOrNull(("required", "advisory"))
    basis = WordOrNull(BASES)
    outcome = Word(OUTCOME, required=True)
    reason = Code(PRE_SALE_REASONS)
    asks = fields.Dict(required=True, allow_none=True)
    observed = fields.Dict(required=True)
    needs = fields.List(fields.String(), required=True)
    message = string()
    advice = string_or_null()
    consequence = string_or_null()
    note = string_or_null()
    sources = many(Source)


class SkippedDay(Schema):
    """A day on which nothing is shipped."""

    date = Day(required=True)
    because = Code(PRE_SALE_SKIPPED)
    text = string()


class PlannedDate(Schema):
    """A day of the plan, the days that were passed over to find it, and what speaks against it."""

    event = Code(PRE_SALE_CALENDAR)
    date = Day(required=True)
    weekday = Word(WEEKDAYS, required=True)
    text = string()
    skipped = many(SkippedDay)
    doubt = WordOrNull(tuple(PRE_SALE_DOUBTS))
    note = string_or_null()


class Margin(Schema):
    """Whether one unit leaves something after fees and costs."""

    outcome = Word(OUTCOME, required=True)
    reason = Code(PRE_SALE_MARGINS)
    message = string()
    estimate = one_or_null(LineEstimate)


class Counted(Schema):
    """A rate as a count of a total; both null where only the rate is known."""

    count = number_or_null()
    of = number_or_null()
    rate = DecimalOrNull()


class CountedAfter(Counted):
    """A rate once the pre-orders are counted, `events` of them late or cancelled."""

    events = number()
    outcome = Word(OUTCOME, required=True)


class AlsoPublishedEffect(Schema):
    """What another source prints, and the largest number that meets it."""

    comparison = string_or_null()
    threshold = Anything(required=True)
    most = number_or_null()
    note = string_or_null()
    sources = many(Source)


class PreSaleEffect(Schema):
    """What pre-orders do to one criterion.

    `most` is the largest number of them that may be late (or cancelled) with the bar still met; null where even none is
    too many, or where it cannot be known. `after` is there where the share of that event is given.
    """

    program = string()
    criterion = string()
    metric = string()
    window_days = number_or_null()
    event = Word(EVENTS, required=True)
    level = Word(("required", "advisory"), required=True)
    basis = Word(BASES, required=True)
    comparison = string_or_null()
    threshold = Anything(required=True)
    reason = Code(PRE_SALE_EFFECTS)
    before = one_or_null(Counted)
    most = number_or_null()
    after = one_or_null(CountedAfter)
    message = string()
    text = string()
    also_published = many(AlsoPublishedEffect)
    sources = many(Source)


class Assumption(Schema):
    """What the effects rest on."""

    code = Code(PRE_SALE_ASSUMPTIONS)
    text = string()


class NotPublished(Schema):
    """Something said about pre-sales that stands on no published page; it is told and never enforced."""

    id = string()
    label = string()
    text = string()
    sources = many(Source)


class PreSaleAnswer(Schema):
    """What the rules answer about a planned pre-sale."""

    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    kind = Word(KINDS, required=True)
    verdict = Code(PRE_SALE_VERDICTS)
    message = string()
    findings = many(PlanFinding)
    missing = fields.List(fields.String(), required=True)
    calendar = many(PlannedDate)
    margin = one(Margin)
    effects = many(PreSaleEffect)
    assumptions = many(Assumption)
    not_published = many(NotPublished)


class AlsoPublishedLimit(Schema):
    """What others print of a length, which may be of another measure, and what the listing would be by that."""

    measure = Word(LISTING_MEASURE, required=True)
    observed = number()
    least = number_or_null()
    most = number_or_null()
    outcome = Word(OUTCOME, required=True)
    message = string()
    note = string_or_null()
    sources = many(Source)


class ListingFinding(MaybeDated):
    """Whether a part of a listing is there, one measure of it, or one requirement; the other two are null."""

    element = Word(ELEMENTS, required=True)
    bullet = number_or_null()
    measure = WordOrNull(LISTING_MEASURE)
    requirement = WordOrNull(tuple(dict.fromkeys(kind for several in REQUIREMENTS.values() for kind in several)))
    level = WordOrNull(("required", "advisory"))
    outcome = Word(OUTCOME, required=True)
    reason = Code(LISTING_REASONS)
    observed = number_or_null()
    least = number_or_null()
    most = number_or_null()
    names = fields.List(fields.String(), required=True)
    message = string()
    advice = string_or_null()
    why = string_or_null()
    basis = WordOrNull(BASES)
    consequence = string_or_null()
    note = string_or_null()
    also_published = many(AlsoPublishedLimit)
    sources = many(Source)


class CheckedListing(Schema):
    """One listing: what it lacks, and what passes a limit."""

    ref = string_or_null()
    verdict = Code(LISTING_VERDICTS)
    message = string()
    missing = fields.List(Word(ELEMENTS, required=True), required=True)
    findings = many(ListingFinding)


class Doubt(Schema):
    """Something said about listings, and what is published about it."""

    id = string()
    text = string()
    sources = many(Source)


class ListingCheckAnswer(Schema):
    """Listings, each with what it lacks."""

    marketplace = Word(MARKETPLACES, required=True)
    as_of = Day(required=True)
    listings = many(CheckedListing)
    doubts = many(Doubt)


def add(blueprint: Blueprint, offers: Offers, settings: Settings) -> None:
    """Add the routes."""
    post = poster(blueprint)

    @post("/pre-sale-checks", PreSaleRequest, PreSaleAnswer, PRE_SALE_EXAMPLE)
    def pre_sale_checks() -> Response:
        """Check a planned pre-order or back-order.

        Holds it against what the marketplace publishes about them, works out its dates and its margin, and says how
        many orders may be late or cancelled until a program's bar is missed. Nothing is stored.
        """
        return json_answer(offers.pre_sale_checks(json_body(settings.max_body), reader()))

    @post("/listing-checks", ListingCheckRequest, ListingCheckAnswer, LISTING_EXAMPLE)
    def listing_checks() -> Response:
        """Check product listings.

        Says of each what is missing, and which published limits and requirements it breaks. Nothing is stored.
        """
        return json_answer(offers.listing_checks(json_body(settings.max_body), reader()))
