"""Requests to check offers: planned pre-sales and product listings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from marshmallow import RAISE, ValidationError

from advisor.catalog import Catalog
from advisor.domain.assessment import Account
from advisor.domain.fees import CHANNELS, FeeLine, FeeSchedule
from advisor.domain.listing import IMAGE_FORMATS, Listing, MainImage
from advisor.domain.media import MEDIA, NOT_MEDIA
from advisor.domain.numbers import HIGHEST_UNITS
from advisor.domain.pre_sale import KINDS, Plan
from advisor.domain.program import Program
from advisor.errors import Problem, say
from advisor.inputs.accounts import Metrics, ProgramName, check_programs, read_observations
from advisor.inputs.bodies import Inner, Several, Strict, check_most, check_number, load, refuse_if_any
from advisor.inputs.fees import SELLING_PLANS, FeeLineFields, fee_line
from advisor.inputs.values import (
    LAST_DAY,
    MOST_HOLIDAYS,
    Count,
    CountedDay,
    Country,
    Day,
    Flag,
    LongText,
    Marketplace,
    Rate,
    Text,
    Value,
    Word,
    allowed,
    refuse,
)

MOST_HANDLING_DAYS = 366
LONGEST_TEXT = 10_000
LONGEST_NAME = 200
# Of one listing: twice as many as the field takes of the one product type whose schema was found.
MOST_BULLETS = 20
# Of all listings of a request: each of them is answered, at some length.
MOST_BULLETS_TOGETHER = 1000
MOST_IMAGES = 1000
MOST_PIXELS = 1_000_000
MOST_ATTRIBUTES = 1000
MOST_LISTINGS = 200


class SaleLine(FeeLineFields):
    """What one unit sells for and costs; who ships it stands beside it in `fulfillment`."""

    class Meta:
        """Without the channel."""

        unknown = RAISE
        exclude = ("fulfillment",)


class PreSaleRequest(Strict):
    """A planned pre-order or back-order, with the seller's current numbers to weigh it on."""

    marketplace = Marketplace(required=True)
    as_of = Day()
    kind = Word(KINDS, required=True)
    listed_on = CountedDay(required=True)
    release_on = CountedDay()
    restock_on = CountedDay()
    promised_ship_on = CountedDay()
    earliest_delivery_on = CountedDay()
    holidays = Several(CountedDay(required=True), allow_none=True, metadata={"maxItems": MOST_HOLIDAYS})
    media = Word((*MEDIA, NOT_MEDIA))
    fulfillment = Word(CHANNELS)
    prime = Flag()
    stock_secured = Count(0, HIGHEST_UNITS)
    expected_units = Count(1, HIGHEST_UNITS)
    handling_days = Count(0, MOST_HANDLING_DAYS)
    release_date_published = Flag()
    early_delivery_allowed = Flag()
    return_policy_stated = Flag()
    selling_plan = Word(SELLING_PLANS)
    established_in = Country()
    line = Inner(SaleLine, allow_none=True)
    programs = Several(ProgramName(required=True), allow_none=True, metadata={"minItems": 1, "uniqueItems": True})
    metrics = Metrics()
    late_share = Rate()
    cancelled_share = Rate()


class Attributes(Value):
    """Values of a listing by their names; an empty or null value says that there is none."""

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "maxProperties": MOST_ATTRIBUTES,
            "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME},
            "additionalProperties": {"type": ["string", "null"], "maxLength": LONGEST_TEXT},
        }

    def read(self, value: Any) -> dict[str, str]:
        if not isinstance(value, dict):
            raise refuse("not_an_object", say("This has to be an object of values by their names."))
        if len(value) > MOST_ATTRIBUTES or not all(1 <= len(name) <= LONGEST_NAME for name in value):
            detail = say(
                "This may have up to {most} attributes, each with a name of 1 to {longest} characters.",
                most=MOST_ATTRIBUTES,
                longest=LONGEST_NAME,
            )
            raise refuse("wrong_length", detail)
        text, found, errors = LongText(LONGEST_TEXT), {}, {}
        for name, one in value.items():
            try:
                found[name] = "" if one is None else text.read(one)
            except ValidationError as error:
                errors[name] = error.messages
        if errors:
            raise ValidationError(errors)
        return found


class MainImageSchema(Strict):
    """The image that stands first: the pixels on its longest side, and how much of it the product fills."""

    longest_side = Count(1, MOST_PIXELS)
    filled_percent = Count(0, 100)
    format = Word(IMAGE_FORMATS)
    white_background = Flag()


class ProductListingSchema(Strict):
    """One product's listing. What is left out is unknown; what is empty is missing."""

    ref = Text()
    title = LongText(LONGEST_TEXT)
    item_highlights = LongText(LONGEST_TEXT)
    bullet_points = Several(LongText(LONGEST_TEXT, required=True), allow_none=True, metadata={"maxItems": MOST_BULLETS})
    description = LongText(LONGEST_TEXT)
    search_terms = LongText(LONGEST_TEXT)
    images = Count(0, MOST_IMAGES)
    main_image = Inner(MainImageSchema, allow_none=True)
    attributes = Attributes()
    required_attributes = Several(
        Text(LONGEST_NAME, required=True), allow_none=True, metadata={"maxItems": MOST_ATTRIBUTES}
    )
    gtin = LongText(LONGEST_NAME)
    gtin_exempt = Flag()
    media = Flag()


class ListingCheckRequest(Strict):
    """Listings of one marketplace."""

    marketplace = Marketplace(required=True)
    as_of = Day()
    listings = Several(Inner(ProductListingSchema), required=True, metadata={"minItems": 1, "maxItems": MOST_LISTINGS})


_PRE_SALE, _LISTINGS = PreSaleRequest(), ListingCheckRequest()


@dataclass(frozen=True, slots=True)
class PreSaleInput:
    """A planned pre-sale in domain terms. Without a line there is nothing to price; `shares` are in ppm by event."""

    plan: Plan
    as_of: date
    schedule: FeeSchedule
    line: FeeLine | None
    selling_plan: str | None
    established_in: str | None
    programs: tuple[Program, ...]
    account: Account
    shares: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ListingsInput:
    """Listings of one marketplace, in domain terms."""

    marketplace: str
    as_of: date
    listings: tuple[Listing, ...]


def read_pre_sale(catalog: Catalog, body: Any, today: date) -> PreSaleInput:
    """Read the body of a pre-sale check. Raises InvalidInput."""
    data = load(_PRE_SALE, body, _without_date)
    problems: list[Problem] = []
    due_on = _due_on(data, problems)
    for key in ("promised_ship_on", "earliest_delivery_on"):
        if data.get(key) is not None and data[key] < data["listed_on"]:
            detail = say("This is before the offer opens, when nobody can have ordered yet.")
            problems.append(Problem(f"/{key}", "out_of_range", detail))
    names = data.get("programs")
    if names is not None:
        check_programs(catalog, names, problems)
    prime = data.get("prime")
    if data.get("fulfillment") == "seller_prime":
        if prime is False:
            detail = say("What the seller ships with Prime is offered with Prime. Leave one of the two out.")
            problems.append(Problem("/prime", "not_allowed", detail))
        prime = True
    holidays = data.get("holidays") or []
    check_most(problems, holidays, "/holidays", MOST_HOLIDAYS)
    schedule = catalog.schedule(data["marketplace"])
    line = _line(schedule, data, problems)
    observations = read_observations(catalog.vocabulary, data.get("metrics") or {}, problems)
    refuse_if_any(problems)
    shares = {"late": data.get("late_share"), "cancelled": data.get("cancelled_share")}
    return PreSaleInput(
        plan=Plan(
            marketplace=data["marketplace"],
            kind=data["kind"],
            listed_on=data["listed_on"],
            due_on=due_on,
            promised_ship_on=data.get("promised_ship_on"),
            earliest_delivery_on=data.get("earliest_delivery_on"),
            media=data.get("media"),
            category=line.category if line else None,
            fulfillment=data.get("fulfillment"),
            prime=prime,
            stock_secured=data.get("stock_secured"),
            expected_units=data.get("expected_units"),
            handling_days=data.get("handling_days"),
            release_date_published=data.get("release_date_published"),
            early_delivery_allowed=data.get("early_delivery_allowed"),
            return_policy_stated=data.get("return_policy_stated"),
            holidays=frozenset(holidays),
        ),
        as_of=data.get("as_of") or today,
        schedule=schedule,
        line=line,
        selling_plan=data.get("selling_plan"),
        established_in=data.get("established_in"),
        programs=tuple(catalog.program(name) for name in (catalog.program_ids if names is None else names)),
        account=Account(observations=observations),
        shares={event: share for event, share in shares.items() if share is not None},
    )


# The date that a kind of pre-sale has, the one that it has not, and what is said where the one is missing or the other
# is given.
_DATES = {
    "pre_order": (
        "release_on",
        "restock_on",
        say("A pre-order needs its release date."),
        say("A pre-order has no restock date. Give its release date instead."),
    ),
    "back_order": (
        "restock_on",
        "release_on",
        say("A back-order needs its restock date."),
        say("A back-order has no release date. Give its restock date instead."),
    ),
}


def _without_date(data: Mapping[str, Any]) -> list[Problem]:
    """Say that the date is missing which the kind of pre-sale has."""
    if data.get("kind") not in _DATES:
        return []
    key, _, needed, _ = _DATES[data["kind"]]
    return [Problem(f"/{key}", "missing", needed)] if data.get(key) is None else []


def _due_on(data: Mapping[str, Any], problems: list[Problem]) -> date:
    """Read the date that the kind of pre-sale has: a release or a restock."""
    key, other, _, instead = _DATES[data["kind"]]
    if data.get(other) is not None:
        problems.append(Problem(f"/{other}", "not_allowed", instead))
    problems += _without_date(data)
    due_on: date | None = data.get(key)
    if due_on is None:
        return LAST_DAY
    return due_on


def _line(schedule: FeeSchedule, data: Mapping[str, Any], problems: list[Problem]) -> FeeLine | None:
    """Read the line with the channel that stands beside it; an unknown channel is priced as the seller's own."""
    line = data.get("line")
    if line is None:
        return None
    channel = data.get("fulfillment")
    if schedule.covered and channel is not None and channel not in schedule.channels:
        problems.append(Problem("/fulfillment", "not_allowed", allowed(schedule.channels)))
        channel = None
    units = data.get("expected_units")
    return fee_line(schedule, {**line, "fulfillment": channel, "units": units}, "/line", problems)


def read_listings(body: Any, today: date) -> ListingsInput:
    """Read the body of a listing check. Raises InvalidInput."""
    data = load(_LISTINGS, body)
    problems: list[Problem] = []
    check_number(problems, data["listings"], "/listings", MOST_LISTINGS)
    listings = tuple(_listing(one, f"/listings/{index}", problems) for index, one in enumerate(data["listings"]))
    bullets = sum(len(one.bullet_points or ()) for one in listings)
    if bullets > MOST_BULLETS_TOGETHER:
        detail = say(
            "These listings have {number} bullet points together; up to {most} are taken. Send several requests.",
            number=bullets,
            most=MOST_BULLETS_TOGETHER,
        )
        problems.append(Problem("/listings", "wrong_length", detail))
    refuse_if_any(problems)
    return ListingsInput(data["marketplace"], data.get("as_of") or today, listings)


def _listing(data: Mapping[str, Any], pointer: str, problems: list[Problem]) -> Listing:
    bullets, required = data.get("bullet_points"), data.get("required_attributes")
    check_most(problems, bullets or (), f"{pointer}/bullet_points", MOST_BULLETS)
    check_most(problems, required or (), f"{pointer}/required_attributes", MOST_ATTRIBUTES)
    image = data.get("main_image")
    if image is not None and data.get("images") == 0:
        detail = say("There are no images, so none of them is the main one. Leave it out, or say how many there are.")
        problems.append(Problem(f"{pointer}/main_image", "not_allowed", detail))
    as_sent = ("title", "item_highlights", "description", "search_terms", "images", "attributes", "gtin", "ref")
    return Listing(
        **{name: data.get(name) for name in as_sent},
        bullet_points=None if bullets is None else tuple(bullets),
        main_image=None if image is None else MainImage(**image),
        required_attributes=None if required is None else tuple(dict.fromkeys(required)),
        gtin_exempt=data.get("gtin_exempt"),
        media=data.get("media"),
    )
