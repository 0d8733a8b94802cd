"""Requests to price sales and to weigh joining: fee lines, estimates, advice."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from marshmallow import ValidationError

from advisor.catalog import Catalog
from advisor.domain.advice import AdviceLine, QuantityDiscount, Scenario
from advisor.domain.fees import CHANNELS, FeeLine, FeeSchedule
from advisor.domain.numbers import HIGHEST_AMOUNT, HIGHEST_UNITS, PPM, parse_decimal
from advisor.errors import Problem, Sentence, say
from advisor.inputs.assessments import AssessmentInput, AssessmentRequest, loaded_assessment
from advisor.inputs.bodies import Inner, Several, Strict, check_number, flatten, load, refuse_if_any
from advisor.inputs.values import Count, Country, Day, Flag, Marketplace, Money, Rate, Text, Word, refuse

SELLING_PLANS = ("professional", "individual")
HIGHEST_UPLIFT_PPM = 100 * PPM
MOST_LINES = 200
PRICE_OF_NOTHING = say("A price is above 0.")


class FeeLineFields(Strict):
    """What every fee line has."""

    ref = Text()
    category = Text(required=True)
    price = Money(required=True)
    shipping = Money()
    gift_wrap = Money()
    fulfillment = Word(CHANNELS)
    business_order = Flag()
    unit_cost = Money()
    fulfillment_cost = Money()
    refund_rate = Rate()
    tax_rate = Rate()


class FeeLineSchema(FeeLineFields):
    """One sale to price."""

    units = Count(1, HIGHEST_UNITS)


class FeeEstimateRequest(Strict):
    """Sales to price on one marketplace."""

    marketplace = Marketplace(required=True)
    as_of = Day()
    selling_plan = Word(SELLING_PLANS)
    established_in = Country()
    lines = Several(Inner(FeeLineSchema), required=True, metadata={"minItems": 1, "maxItems": MOST_LINES})


class ScenarioSchema(Strict):
    """Additional B2B units a month: a number, or an uplift of the current monthly units."""

    name = Text(60, required=True)
    monthly_units = Count(0, HIGHEST_UNITS)
    uplift = Rate(HIGHEST_UPLIFT_PPM)


class QuantityDiscountSchema(Strict):
    """A price for larger orders: a discount off the price, or a unit price."""

    min_quantity = Count(2, HIGHEST_UNITS, required=True)
    discount_rate = Rate()
    unit_price = Money()


class AdviceLineSchema(FeeLineFields):
    """One product with what it sells today and what may come."""

    current_monthly_units = Count(0, HIGHEST_UNITS)
    scenarios = Several(Inner(ScenarioSchema), allow_none=True)
    quantity_discounts = Several(Inner(QuantityDiscountSchema), allow_none=True)


class AdviceRequest(AssessmentRequest):
    """An account and its products."""

    established_in = Country()
    fixed_monthly_cost = Money()
    lines = Several(Inner(AdviceLineSchema), required=True, metadata={"minItems": 1, "maxItems": MOST_LINES})


_ESTIMATE, FEE_LINE, _ADVICE = FeeEstimateRequest(), FeeLineSchema(), AdviceRequest()


@dataclass(frozen=True, slots=True)
class EstimateInput:
    """A request to estimate fees, in domain terms."""

    schedule: FeeSchedule
    as_of: date
    selling_plan: str | None
    established_in: str | None
    lines: tuple[FeeLine, ...]


@dataclass(frozen=True, slots=True)
class AdviceInput:
    """A request for advice, in domain terms."""

    assessment: AssessmentInput
    schedule: FeeSchedule
    established_in: str | None
    fixed_monthly_cost: int
    lines: tuple[AdviceLine, ...]


def read_estimate(catalog: Catalog, body: Any, today: date) -> EstimateInput:
    """Read the body of a fee estimate request. Raises InvalidInput."""
    data = load(_ESTIMATE, body)
    schedule = catalog.schedule(data["marketplace"])
    problems: list[Problem] = []
    check_number(problems, data["lines"], "/lines", MOST_LINES)
    lines = tuple(fee_line(schedule, line, f"/lines/{i}", problems) for i, line in enumerate(data["lines"]))
    refuse_if_any(problems)
    return EstimateInput(
        schedule, data.get("as_of") or today, data.get("selling_plan"), data.get("established_in"), lines
    )


def read_advice(catalog: Catalog, body: Any, today: date) -> AdviceInput:
    """Read the body of an advice request. Raises InvalidInput."""
    data = load(_ADVICE, body)
    assessment = loaded_assessment(catalog, data, today)
    schedule = catalog.schedule(assessment.marketplace)
    problems: list[Problem] = []
    check_number(problems, data["lines"], "/lines", MOST_LINES)
    lines = tuple(_advice_line(schedule, line, f"/lines/{i}", problems) for i, line in enumerate(data["lines"]))
    fixed = _amount(schedule, data, "fixed_monthly_cost", "", problems)
    refuse_if_any(problems)
    return AdviceInput(assessment, schedule, data.get("established_in"), fixed or 0, lines)


def fee_line(schedule: FeeSchedule, data: Mapping[str, Any], pointer: str, problems: list[Problem]) -> FeeLine:
    """Read one loaded fee line by the schedule's currency, categories and channels; notes what is wrong."""
    category = data["category"]
    if schedule.covered and schedule.category(category) is None:
        problems.append(Problem(f"{pointer}/category", "unknown_category", unknown_category(schedule, category)))
    channel = data.get("fulfillment") or "seller"
    if schedule.covered and channel not in schedule.channels:
        detail = say(
            "In {marketplace} allowed are {channels}.",
            marketplace=schedule.marketplace,
            channels=", ".join(schedule.channels),
        )
        problems.append(Problem(f"{pointer}/fulfillment", "not_allowed", detail))
    price = _amount(schedule, data, "price", pointer, problems)
    if price == 0:
        problems.append(Problem(f"{pointer}/price", "out_of_range", PRICE_OF_NOTHING))
    return FeeLine(
        category=category,
        price=price or 1,
        shipping=_amount(schedule, data, "shipping", pointer, problems) or 0,
        gift_wrap=_amount(schedule, data, "gift_wrap", pointer, problems) or 0,
        units=data.get("units") or 1,
        fulfillment=channel,
        business_order=data.get("business_order"),
        unit_cost=_amount(schedule, data, "unit_cost", pointer, problems),
        fulfillment_cost=_amount(schedule, data, "fulfillment_cost", pointer, problems),
        refund_rate_ppm=data.get("refund_rate") or 0,
        tax_rate_ppm=data.get("tax_rate"),
        ref=data.get("ref"),
    )


def unknown_category(schedule: FeeSchedule, category: str) -> Sentence:
    """Say that a category does not exist, and which ones share its words or come close to its letters."""
    from difflib import get_close_matches

    words = re.findall(r"[a-z0-9]{3,}", category.lower())
    shared = {
        key: sum(word.removesuffix("s") in f"{key} {one.label.lower()}" for word in words)
        for key, one in schedule.categories.items()
    }
    near = sorted((key for key, number in shared.items() if number), key=lambda key: -shared[key])
    near += get_close_matches(category, schedule.categories, n=5, cutoff=0.4)
    if not near:
        return say(
            "The {marketplace} fee schedule has no such category. It lists {number}.",
            marketplace=schedule.marketplace,
            number=len(schedule.categories),
        )
    return say(
        "The {marketplace} fee schedule has no such category. Close to it are {near}. It lists {number}.",
        marketplace=schedule.marketplace,
        near=", ".join(list(dict.fromkeys(near))[:5]),
        number=len(schedule.categories),
    )


def _amount(
    schedule: FeeSchedule, data: Mapping[str, Any], key: str, pointer: str, problems: list[Problem]
) -> int | None:
    text = data.get(key)
    if text is None:
        return None
    try:
        return read_amount(schedule, text)
    except ValidationError as error:
        problems.extend(flatten(error.messages, f"{pointer}/{key}"))
        return None


def read_amount(schedule: FeeSchedule, text: str) -> int:
    """Read money of the schedule's currency in minor units; raises ValidationError."""
    minor = parse_decimal(text, schedule.decimals)
    if minor is None:
        detail = say(
            "Amounts in {currency} have at most {decimals} decimals.",
            currency=schedule.currency,
            decimals=schedule.decimals,
        )
        raise refuse("too_many_decimals", detail)
    if minor > HIGHEST_AMOUNT:
        highest = HIGHEST_AMOUNT // 10**schedule.decimals
        detail = say("An amount may be at most {highest} {currency}.", highest=highest, currency=schedule.currency)
        raise refuse("out_of_range", detail)
    return minor


def _advice_line(schedule: FeeSchedule, data: Mapping[str, Any], pointer: str, problems: list[Problem]) -> AdviceLine:
    scenarios, discounts = [], []
    names = set()
    for index, one in enumerate(data.get("scenarios") or ()):
        units, uplift = one.get("monthly_units"), one.get("uplift")
        if (units is None) == (uplift is None):
            detail = say("A scenario has either `monthly_units` or `uplift`.")
            problems.append(Problem(f"{pointer}/scenarios/{index}", "one_of_two", detail))
        if uplift is not None and data.get("current_monthly_units") is None:
            detail = say("An uplift needs the line's `current_monthly_units`.")
            problems.append(Problem(f"{pointer}/scenarios/{index}/uplift", "missing", detail))
        if one["name"] in names:
            detail = say("Two scenarios of this line have this name. Name each once.")
            problems.append(Problem(f"{pointer}/scenarios/{index}/name", "duplicate_name", detail))
        names.add(one["name"])
        scenarios.append(Scenario(one["name"], units, uplift))
    for index, one in enumerate(data.get("quantity_discounts") or ()):
        place = f"{pointer}/quantity_discounts/{index}"
        price = _amount(schedule, one, "unit_price", place, problems)
        if (one.get("unit_price") is None) == (one.get("discount_rate") is None):
            detail = say("A quantity discount has either `discount_rate` or `unit_price`.")
            problems.append(Problem(place, "one_of_two", detail))
        if price == 0:
            problems.append(Problem(f"{place}/unit_price", "out_of_range", PRICE_OF_NOTHING))
        if one.get("discount_rate") == PPM:
            detail = say("A discount of everything leaves no price; it is below 1.")
            problems.append(Problem(f"{place}/discount_rate", "out_of_range", detail))
        discounts.append(QuantityDiscount(one["min_quantity"], one.get("discount_rate"), price))
    return AdviceLine(
        line=fee_line(schedule, data, pointer, problems),
        current_monthly_units=data.get("current_monthly_units"),
        scenarios=tuple(scenarios),
        quantity_discounts=tuple(discounts),
    )
