"""Requests to hold texts and declared facts against the red lines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from advisor.domain.declared import FACTS, Declared, Dispatch, Listing, MultiPack, ReviewRequest, Shipping
from advisor.domain.media import MEDIA
from advisor.domain.numbers import HIGHEST_AMOUNT, HIGHEST_COUNT, HIGHEST_UNITS, PPM
from advisor.domain.plain_text import can_be_seen
from advisor.domain.red_lines import KINDS, MESSAGE
from advisor.domain.red_lines import Text as GivenText
from advisor.errors import Problem, say
from advisor.inputs.bodies import Inner, Several, Strict, check_most, load, refuse_if_any
from advisor.inputs.values import (
    MOST_HOLIDAYS,
    Count,
    CountedDay,
    Day,
    Flag,
    LongText,
    Marketplace,
    Text,
    Value,
    Word,
    decimal_schema,
    read_decimal,
    refuse,
)

LONGEST_TEXT = 100_000
# All texts of a request together: so many are checked within seconds.
MOST_CHARACTERS = 200_000
MOST_TEXTS = 200
MOST_ENTRIES = 1000
MOST_MARKS = 100
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
GTIN = re.compile(r"[0-9]{8,14}", re.ASCII)
ASIN = re.compile(r"[A-Z0-9]{10}", re.ASCII)
PHONE_USES = ("carrier_label", "not_used", "contact_buyer", "marketing", "other")


class Language(Value):
    """The language of a text as a tag; only its first part counts."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{LANGUAGE.pattern}$", "example": "en"}

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or not LANGUAGE.fullmatch(value):
            raise refuse("wrong_value", say("A language is a tag, such as en, zh or zh-Hans."))
        return value.partition("-")[0].lower()


class Code(Value):
    """An ASIN or a GTIN, by its pattern."""

    def __init__(self, pattern: re.Pattern[str], example: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern, self.example = pattern, example

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern.pattern}$", "example": self.example}

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            raise refuse("wrong_value", say("This has another form, such as {example}.", example=self.example))
        return value


class Amount(Value):
    """An amount whose currency does not matter, as it is compared with another; read in millionths."""

    def json_schema(self) -> dict[str, Any]:
        return decimal_schema(6, HIGHEST_AMOUNT, "12.50")

    def read(self, value: Any) -> int:
        return read_decimal(value, 6, HIGHEST_AMOUNT * PPM)


class TextSchema(Strict):
    """One text. What is about sending is for messages."""

    kind = Word(KINDS, required=True)
    text = LongText(LONGEST_TEXT, "At most 100,000 code points, and not blank.", required=True)
    language = Language()
    message_type = Text(100)
    reply = Flag()
    order_completed_on = CountedDay()
    sent_on = CountedDay()


class ReviewRequestSchema(Strict):
    """Requests for a review or feedback of one order."""

    order_id = Text(100, required=True)
    count = Count(1, HIGHEST_UNITS)
    sent_on = CountedDay()


class DispatchSchema(Strict):
    """One order and when it was handed over; null when it was not yet."""

    category = Word(MEDIA, required=True)
    confirmed_on = CountedDay(required=True)
    dispatched_on = CountedDay()
    holidays = Several(CountedDay(required=True), allow_none=True, metadata={"maxItems": MOST_HOLIDAYS})


class ShippingSchema(Strict):
    """What the buyer pays for shipping, and what the carrier's standard rate is."""

    charged = Amount(required=True)
    carrier_standard = Amount(required=True)


class MultiPackSchema(Strict):
    """Several units sold as one, and a single one."""

    price = Amount(required=True)
    units = Count(2, HIGHEST_UNITS, required=True)
    single_price = Amount(required=True)


class ListingSchema(Strict):
    """A listing with its product's number (GTIN, UPC, EAN, ISBN-13)."""

    asin = Code(ASIN, "B000EXAMPL", required=True)
    gtin = Code(GTIN, "4006381333931", required=True)


def _entries(schema: type[Strict]) -> Several:
    return Several(Inner(schema), allow_none=True, metadata={"maxItems": MOST_ENTRIES})


class DeclaredSchema(Strict):
    """What the seller declares of its business; null is unknown."""

    selling_accounts = Count(0, HIGHEST_COUNT)
    several_accounts_permitted = Flag()
    buyer_phone_use = Word(PHONE_USES)
    buyer_phone_disposed = Flag()
    buyer_data_kept_days = Count(0, HIGHEST_COUNT)
    self_paid_orders = Flag()
    review_requests = _entries(ReviewRequestSchema)
    dispatches = _entries(DispatchSchema)
    shipping = _entries(ShippingSchema)
    multi_packs = _entries(MultiPackSchema)
    listings = _entries(ListingSchema)
    media_pre_sales = Several(Word(MEDIA, required=True), allow_none=True, metadata={"maxItems": MOST_ENTRIES})
    third_party_trademarks = Several(Text(100, required=True), allow_none=True, metadata={"maxItems": MOST_MARKS})


class PolicyCheckRequest(Strict):
    """Texts and declared facts to hold against the red lines of one marketplace."""

    marketplace = Marketplace(required=True)
    as_of = Day()
    language = Language()
    texts = Several(Inner(TextSchema), allow_none=True, metadata={"maxItems": MOST_TEXTS})
    facts = Inner(DeclaredSchema, allow_none=True)


@dataclass(frozen=True, slots=True)
class PolicyCheckInput:
    """What is to be checked, by the red lines of which day."""

    marketplace: str
    as_of: date
    texts: tuple[GivenText, ...]
    declared: Declared


_REQUEST = PolicyCheckRequest()


def read_policy_check(body: Any, today: date) -> PolicyCheckInput:
    """Read the body of a policy check. Raises InvalidInput."""
    data = load(_REQUEST, body)
    problems: list[Problem] = []
    given = data.get("texts") or []
    facts = {name: value for name, value in (data.get("facts") or {}).items() if value is not None}
    check_most(problems, given, "/texts", MOST_TEXTS)
    for name, value in facts.items():
        if isinstance(value, list):
            most = MOST_MARKS if name == "third_party_trademarks" else MOST_ENTRIES
            check_most(problems, value, f"/facts/{name}", most)
    refuse_if_any(problems)
    length = sum(len(one["text"]) for one in given)
    if length > MOST_CHARACTERS:
        detail = say(
            "These texts have {length} characters together; {longest} are taken at once. Send several requests.",
            length=length,
            longest=MOST_CHARACTERS,
        )
        problems.append(Problem("/texts", "wrong_length", detail))
    for index, one in enumerate(given):
        _check_text(one, f"/texts/{index}", problems)
    for index, one in enumerate(facts.get("dispatches", ())):
        _check_dispatch(one, f"/facts/dispatches/{index}", problems)
    if not given and FACTS.keys().isdisjoint(facts):
        detail = say("There is nothing to check: give texts, facts or both.")
        problems.append(Problem("", "missing", detail))
    refuse_if_any(problems)
    language = data.get("language")
    return PolicyCheckInput(
        data["marketplace"],
        data.get("as_of") or today,
        tuple(GivenText(**{"language": language, **_known(one)}) for one in given),
        _declared(facts),
    )


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _check_text(one: Mapping[str, Any], place: str, problems: list[Problem]) -> None:
    if not can_be_seen(one["text"]):
        detail = say("There is nothing to check: this text is empty.")
        problems.append(Problem(f"{place}/text", "missing", detail))
    if one["kind"] != MESSAGE:
        for name in ("message_type", "reply", "order_completed_on", "sent_on"):
            if one.get(name) is not None:
                detail = say("Only a message has this. Leave it out.")
                problems.append(Problem(f"{place}/{name}", "wrong_value", detail))
    completed, sent = one.get("order_completed_on"), one.get("sent_on")
    if completed is not None and sent is not None and sent < completed:
        detail = say("A message is sent after the order was completed: {first} is the earliest.", first=completed)
        problems.append(Problem(f"{place}/sent_on", "out_of_range", detail))


def _check_dispatch(one: Mapping[str, Any], place: str, problems: list[Problem]) -> None:
    holidays = one.get("holidays") or ()
    check_most(problems, holidays, f"{place}/holidays", MOST_HOLIDAYS)
    dispatched = one.get("dispatched_on")
    if dispatched is not None and dispatched < one["confirmed_on"]:
        detail = say(
            "An order is dispatched after it was confirmed: {first} is the earliest.", first=one["confirmed_on"]
        )
        problems.append(Problem(f"{place}/dispatched_on", "out_of_range", detail))


def _declared(facts: Mapping[str, Any]) -> Declared:
    read: dict[str, Any] = dict(facts)
    makers: dict[str, Any] = {
        "review_requests": lambda one: ReviewRequest(**one),
        "dispatches": lambda one: Dispatch(**{**one, "holidays": tuple(one.get("holidays", ()))}),
        "shipping": lambda one: Shipping(**one),
        "multi_packs": lambda one: MultiPack(**one),
        "listings": lambda one: Listing(one["asin"], one["gtin"].lstrip("0")),
    }
    for name, make in makers.items():
        if name in read:
            read[name] = tuple(make(_known(one)) for one in read[name])
    for name in ("media_pre_sales", "third_party_trademarks"):
        if name in read:
            read[name] = tuple(read[name])
    return Declared(**read)
