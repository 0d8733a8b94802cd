"""Turn request bodies into domain objects: schemas check the shape, then names and money are read by the rule data.

Whatever is wrong ends as one `InvalidInput` with a JSON pointer, a stable code and a sentence for every wrong value.
Unknown fields are refused; null or absent means unknown.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from marshmallow import RAISE, Schema, ValidationError, fields, missing

from advisor.catalog import Catalog
from advisor.domain.advice import AdviceLine, QuantityDiscount, Scenario
from advisor.domain.assessment import Account, Observation, Slot
from advisor.domain.fees import CHANNELS, FeeLine, FeeSchedule
from advisor.domain.numbers import HIGHEST_AMOUNT, HIGHEST_COUNT, HIGHEST_UNITS, PPB, PPM, format_decimal, parse_decimal
from advisor.domain.program import DEFAULT_PROGRAM, MARKETPLACES, Fact, FactValue, Metric, Program, Vocabulary
from advisor.errors import LONGEST_NAME_SHOWN, InvalidInput, Problem, Sentence, say
from advisor.outbound import LONGEST_URL, Failure, Network, check_url
from advisor.strict_json import MOST_PROBLEMS, NUL, escape

SELLING_PLANS = ("professional", "individual")
SEGMENT = re.compile(r"seller_fulfilled|amazon_fulfilled|business|category:[a-z0-9_]{1,160}", re.ASCII)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
HIGHEST_UPLIFT_PPM = 100 * PPM
MOST_LINES = 200
MOST_ITEMS = 1000
MOST_OBSERVATIONS = 100
MOST_GROUPS = 50
LONGEST_CONSTANT = 200
GROUP_LONGEST = 100

ALLOWED_MARKETPLACES = say("Allowed are {marketplaces} (GB is taken as UK).", marketplaces=", ".join(MARKETPLACES))
NOT_A_WHOLE_NUMBER = say("This has to be a whole number, such as 12.")
NO_OBJECT = say("This has to be a JSON object.")
NO_LIST = say("This has to be a list.")
NO_BODY_OBJECT = say("The body has to be a JSON object.")
NOT_TRUE_OR_FALSE = say("This has to be true or false.")
PRICE_OF_NOTHING = say("A price is above 0.")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a value is refused: a stable code and what to do."""

    code: str
    detail: Sentence


def refuse(code: str, detail: Sentence) -> ValidationError:
    """Make the error that a field raises."""
    return ValidationError(Refusal(code, detail))  # type: ignore[arg-type]


def allowed(words: Sequence[str]) -> Sentence:
    """Say which words are allowed."""
    return say("Allowed are {words}.", words=", ".join(words))


class Value(fields.Field[Any]):
    """A field whose refusals carry codes. `read` checks one JSON value; null and absent are unknown unless required."""

    default_error_messages = {
        "required": Refusal("missing", say("This is missing; it has to be given.")),  # type: ignore[dict-item]
        "null": Refusal("missing", say("This is null; it has to be given.")),  # type: ignore[dict-item]
    }

    def __init__(self, *, required: bool = False, **kwargs: Any) -> None:
        super().__init__(required=required, allow_none=not required, **kwargs)

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Read a value at once: there are no validators and hooks to ask, as `read` does all the checking."""
        if value is None or value is missing:
            return super().deserialize(value, attr, data, **kwargs)
        return self.read(value)

    def read(self, value: Any) -> Any:
        """Check one value that is not null."""
        return value

    def json_schema(self) -> dict[str, Any]:
        """Describe the values it takes, as JSON Schema."""
        return {}


def decimal_schema(places: int, most: int, example: str) -> dict[str, Any]:
    """Describe a decimal text of at most so many places, or a whole number."""
    whole = rf"0*[0-9]{{1,{len(str(most))}}}(\.[0-9]{{1,{places}}})?"
    up_to_one = rf"0+(\.[0-9]{{1,{places}}})?|0*1(\.0{{1,{places}}})?"
    return {
        "type": ["string", "integer"],
        "format": "decimal",
        "pattern": f"^({up_to_one if most == 1 else whole})$",
        "minimum": 0,
        "maximum": most,
        "example": example,
    }


class Text(Value):
    """A text that is not too long."""

    def __init__(self, longest: int = 200, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": self.longest}

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise refuse("not_text", say("This has to be a text."))
        if not 1 <= len(value) <= self.longest:
            detail = say(
                "This text has {length} characters; it may have 1 to {longest}.",
                length=len(value),
                longest=self.longest,
            )
            raise refuse("wrong_length", detail)
        if "\0" in value:
            raise refuse("nul_character", NUL)
        return value


class LongText(Value):
    """A text of up to so many code points, as it is shown; it may be empty."""

    def __init__(self, longest: int, description: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest, self.description = longest, description

    def json_schema(self) -> dict[str, Any]:
        described = {} if self.description is None else {"description": self.description}
        return {"type": "string", "maxLength": self.longest, **described}

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise refuse("not_text", say("This has to be a text."))
        if len(value) > self.longest:
            detail = say(
                "This text has {length} characters; it may have up to {longest}.",
                length=len(value),
                longest=self.longest,
            )
            raise refuse("wrong_length", detail)
        if "\0" in value:
            raise refuse("nul_character", NUL)
        return value


class Word(Value):
    """One of listed words."""

    def __init__(self, choices: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices = choices

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise refuse("not_allowed", allowed(self.choices))
        return value


class Marketplace(Value):
    """A marketplace, in any letter case; GB is taken as UK."""

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "enum": [*MARKETPLACES, "GB"],
            "description": "In any letter case; GB is taken as UK.",
        }

    def read(self, value: Any) -> str:
        return read_marketplace(value)


def read_marketplace(value: Any) -> str:
    """Read a marketplace's name; raises ValidationError."""
    name = value.upper() if isinstance(value, str) and value.isascii() else ""
    name = "UK" if name == "GB" else name
    if name not in MARKETPLACES:
        raise refuse("unknown_marketplace", ALLOWED_MARKETPLACES)
    return name


class Country(Value):
    """The country a seller is established in, as two letters (ISO 3166); GB is taken as UK."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[A-Za-z]{2}$", "example": "US"}

    def read(self, value: Any) -> str:
        name = value.upper() if isinstance(value, str) and value.isascii() else ""
        if not COUNTRY.fullmatch(name):
            raise refuse("not_a_country", say("A country is two letters, such as US, UK or DE."))
        return "UK" if name == "GB" else name


class Day(Value):
    """A date as YYYY-MM-DD."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date", "example": "2026-11-22"}

    def read(self, value: Any) -> date:
        return read_day(value)


def read_day(value: Any) -> date:
    """Read a date; raises ValidationError."""
    try:
        if isinstance(value, str) and DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise refuse("not_a_date", say("A date is written YYYY-MM-DD and has to exist, such as 2026-11-22."))


class Count(Value):
    """A whole number within bounds: a JSON integer, not true, not 1.0, not a text."""

    def __init__(self, low: int = 0, high: int = HIGHEST_COUNT, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def read(self, value: Any) -> int:
        return read_count(value, self.low, self.high)


def out_of_range(low: int, high: int) -> Sentence:
    """Say which numbers are allowed."""
    return say("This may be from {low} to {high}.", low=low, high=high)


def read_count(value: Any, low: int, high: int) -> int:
    """Read a whole number; raises ValidationError."""
    if type(value) is not int:  # true is an int too
        raise refuse("not_a_whole_number", NOT_A_WHOLE_NUMBER)
    if not low <= value <= high:
        raise refuse("out_of_range", out_of_range(low, high))
    return value


class Flag(Value):
    """true or false."""

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise refuse("not_true_or_false", NOT_TRUE_OR_FALSE)
        return value


class Rate(Value):
    """A rate as a decimal text or a whole number, read as parts per million (six decimals)."""

    def __init__(self, high: int = PPM, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.high = high

    def json_schema(self) -> dict[str, Any]:
        return decimal_schema(6, self.high // PPM, "0.02")

    def read(self, value: Any) -> int:
        return read_decimal(value, 6, self.high, rate=True)


class Money(Value):
    """An amount as a decimal text or a whole number of major units; its text is kept until the currency is known."""

    def json_schema(self) -> dict[str, Any]:
        return decimal_schema(6, HIGHEST_AMOUNT, "52.50")

    def read(self, value: Any) -> str:
        read_decimal(value, 6, HIGHEST_AMOUNT * PPM)
        return str(value)


def too_large(most: int, *, rate: bool) -> Sentence:
    """Say how large an amount or a rate may be."""
    if rate:
        return say("This is too large; at most {most} is possible. 1 is 100 %.", most=most)
    return say("This is too large; at most {most} is possible.", most=most)


def read_decimal(value: Any, places: int, high: int, *, rate: bool = False) -> int:
    """Read a decimal text (or a JSON integer) as an integer of 10**-places; raises ValidationError.

    What is said of a rate shows how a percentage is written: a wrong guess there is wrong by a factor of 100.
    """
    if isinstance(value, (float, Decimal)):
        detail = say('An amount has to be sent as a text, such as "52.50", so that it stays exact.')
        if rate:
            detail = say('A rate has to be sent as a text, so that it stays exact: 0.5 % is written "0.005".')
        raise refuse("json_float", detail)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        detail = say('This has to be an amount in quotes, such as "52.50".')
        if rate:
            detail = say('This has to be a rate in quotes: 0.5 % is written "0.005".')
        raise refuse("not_a_decimal", detail)
    text = str(value)
    number = parse_decimal(text, places)
    if number is None or len(text.partition(".")[2]) > places:
        detail = say(
            "An amount has digits 0-9 and at most one full stop with up to {places} decimals: no sign, blank, "
            'separator or exponent, such as "52.50".',
            places=places,
        )
        if rate:
            detail = say(
                "A rate has digits 0-9 and at most one full stop with up to {places} decimals: no sign, blank, "
                'separator, exponent or percent sign. 0.5 % is written "0.005".',
                places=places,
            )
        raise refuse("not_a_decimal", detail)
    if number > high:
        raise refuse("out_of_range", too_large(high // 10**places, rate=rate))
    return number


def once(read: Callable[[str], Any]) -> Callable[[Sequence[str]], Any]:
    """Make a reader of all values of a parameter out of that of one: a second value is refused."""

    def read_one(values: Sequence[str]) -> Any:
        if len(values) > 1:
            raise refuse("duplicate_key", say("This parameter stands twice. Give it once."))
        return read(values[0])

    return read_one


def read_constants(values: Sequence[str]) -> dict[str, str]:
    """Read constants written NAME=VALUE; a name stands once, in whatever letter case. Raises ValidationError."""
    found: dict[str, str] = {}
    refusals: list[Refusal] = []
    names: set[str] = set()
    for given in values:
        name, equals, value = given.partition("=")
        if "\0" in given:
            refusals.append(Refusal("nul_character", NUL))
        elif len(given) > LONGEST_CONSTANT:
            detail = say(
                "This text has {length} characters; it may have 1 to {longest}.",
                length=len(given),
                longest=LONGEST_CONSTANT,
            )
            refusals.append(Refusal("wrong_length", detail))
        elif not name or not equals:
            detail = say("{given} has to be NAME=VALUE, such as selling_plan=professional.", given=repr(given))
            refusals.append(Refusal("wrong_value", detail))
        elif name.lower() in names:
            detail = say("{name} is set twice. Set it once.", name=name)
            refusals.append(Refusal("duplicate_name", detail))
        else:
            found[name] = value
        names.add(name.lower())
    if refusals:
        raise ValidationError(refusals)
    return found


def read_named(
    given: Mapping[str, Sequence[str]], readers: Mapping[str, Callable[[Sequence[str]], Any]], pointer: str = "?{}"
) -> dict[str, Any]:
    """Read named parameters, each with all its values: of a query, a form or a command line. Raises InvalidInput.

    `pointer` is how a parameter is written where it came from.
    """
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, values in given.items():
        place = pointer.format(name[:LONGEST_NAME_SHOWN])
        reader = readers.get(name)
        if reader is None:
            detail = say("There is no such parameter. None is allowed here.")
            if readers:
                detail = say("There is no such parameter. Allowed are {names}.", names=", ".join(readers))
            problems.append(Problem(place, "unknown_field", detail))
            continue
        try:
            found[name] = reader(values)
        except ValidationError as error:
            problems.extend(flatten(error.messages, place))
    refuse_if_any(problems)
    return found


class Measured(NamedTuple):
    """An observation as sent: what was measured, for which window and segment."""

    seen: Observation
    window_days: int | None
    segment: str | None


def _too_many(given: Sequence[Any], most: int) -> Sentence:
    return say("This list has {number} entries; it may have up to {most}.", number=len(given), most=most)


class Metrics(Value):
    """Observations by metric: one object or a list of them each; null is unknown."""

    def json_schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Metrics"}

    def read(self, value: Any) -> dict[str, list[tuple[str, Measured]]]:
        if not isinstance(value, dict):
            raise refuse("not_an_object", say("This has to be an object of observations by metric."))
        found: dict[str, list[tuple[str, Measured]]] = {}
        errors: dict[str, Any] = {}
        for metric, given in value.items():
            several = isinstance(given, list)
            if several and len(given) > MOST_OBSERVATIONS:
                errors[metric] = Refusal("wrong_length", _too_many(given, MOST_OBSERVATIONS))
                continue
            measured = []
            wrong: dict[Any, Any] = {}
            for index, one in enumerate(given if several else [given]):
                try:
                    seen = read_observation(one)
                except ValidationError as error:
                    wrong[index] = error.messages
                else:
                    if seen is not None:
                        measured.append((f"/{index}" if several else "", seen))
            if wrong:
                errors[metric] = wrong if several else wrong[0]
            found[metric] = measured
        if errors:
            raise ValidationError(errors)
        return found


def _read_segment(value: Any) -> str:
    if not isinstance(value, str) or not SEGMENT.fullmatch(value):
        detail = say("Allowed are seller_fulfilled, amazon_fulfilled, business and category:<key>.")
        raise refuse("not_a_segment", detail)
    return value


_OBSERVATION: dict[str, Callable[[Any], Any]] = {
    "count": lambda value: read_count(value, 0, HIGHEST_COUNT),
    "of": lambda value: read_count(value, 0, HIGHEST_COUNT),
    "rate": lambda value: read_decimal(value, 9, PPB, rate=True),
    "window_days": lambda value: read_count(value, 1, 366),
    "segment": _read_segment,
}


def read_observation(given: Any) -> Measured | None:
    """Read `{count, of}`, `{rate}` or `{count}`, each with optional window_days and segment; None is unknown."""
    if given is None:
        return None
    if not isinstance(given, dict):
        detail = say('An observation is an object such as {"count": 3, "of": 1200} or {"rate": "0.0025"}.')
        raise refuse("not_an_object", detail)
    errors: dict[str, Any] = {}
    read: dict[str, Any] = {}
    for key, value in given.items():
        reader = _OBSERVATION.get(key)
        if reader is None:
            errors[key] = [Refusal("unknown_field", allowed(sorted(_OBSERVATION)))]
        elif value is not None:
            try:
                read[key] = reader(value)
            except ValidationError as error:
                errors[key] = error.messages
    if errors:
        raise ValidationError(errors)
    count, of, rate = read.get("count"), read.get("of"), read.get("rate")
    if count is None and of is None and rate is None:
        if given.keys() & {"count", "of", "rate"}:
            return None
        raise refuse("no_value", say("An observation has count and of, or rate, or (for counters) count."))
    if rate is not None and (count is not None or of is not None):
        raise refuse("rate_and_count", say("Give either the rate, or count and of: not both."))
    if rate is not None:
        seen = Observation.of_rate(rate)
    elif count is None:
        raise refuse("half_a_pair", say("`of` needs `count`: how many of them."))
    elif of is not None and count > of:
        detail = say("{count} of {of} is impossible: `count` may be at most `of`.", count=count, of=of)
        raise refuse("count_above_of", detail)
    else:
        seen = Observation(count, of)
    return Measured(seen, read.get("window_days"), read.get("segment"))


# The account's fulfillment that a sale's channel belongs to; Seller Flex is neither.
CHANNEL_OF_ACCOUNT = {
    "seller": "seller",
    "seller_prime": "seller",
    "easy_ship": "seller",
    "self_ship": "seller",
    "amazon": "amazon",
    "seller_flex": None,
}


class Facts(Value):
    """Declared facts by name; null is unknown."""

    def json_schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Facts"}

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise refuse("not_an_object", say("This has to be an object of facts by name."))
        return value


class Strict(Schema):
    """A schema that refuses unknown fields."""

    class Meta:
        unknown = RAISE

    error_messages = {
        "type": Refusal("not_an_object", NO_OBJECT),  # type: ignore[dict-item]
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        detail = say("There is no such field here. There are {fields}.", fields=", ".join(self.fields))
        self.error_messages["unknown"] = Refusal("unknown_field", detail)  # type: ignore[assignment]

    def load(self, data: Any, **_: Any) -> dict[str, Any]:
        """Read one object, whole. The schema's own way serves hooks and partial objects, which nothing here has."""
        if not isinstance(data, dict):
            raise ValidationError({"_schema": [self.error_messages["type"]]})
        loaded: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self.fields.items():
            try:
                value = field.deserialize(data.get(name, missing), name, data)
            except ValidationError as error:
                errors[name] = error.messages
            else:
                if value is not missing:
                    loaded[name] = value
        errors |= {name: [self.error_messages["unknown"]] for name in data if name not in self.fields}
        if errors:
            raise ValidationError(errors)
        return loaded


class Inner(fields.Nested):
    """An object of its own schema."""

    default_error_messages = {
        "null": Refusal("not_an_object", NO_OBJECT),  # type: ignore[dict-item]
    }


class Several(fields.List[Any]):
    """A list of values or objects."""

    default_error_messages = {
        "required": Refusal("missing", say("This is missing; it has to be given.")),  # type: ignore[dict-item]
        "null": Refusal("missing", say("This is null; it has to be given.")),  # type: ignore[dict-item]
        "invalid": Refusal("wrong_value", NO_LIST),  # type: ignore[dict-item]
    }


class ProgramName(Text):
    """A program's id; whether there is such a program is asked of the catalog."""

    def json_schema(self) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/ProgramId"}


class SellerSchema(Strict):
    """Who the account is; echoed nowhere and never stored here."""

    id = Text()
    name = Text()


class AssessmentRequest(Strict):
    """One account to hold against one or more programs."""

    marketplace = Marketplace(required=True)
    as_of = Day()
    programs = Several(ProgramName(required=True), allow_none=True, metadata={"minItems": 1, "uniqueItems": True})
    seller = Inner(SellerSchema, allow_none=True)
    facts = Facts()
    metrics = Metrics()


class SellerRequest(Strict):
    """An account to keep: its groups (tags), the programs to hold it against, and facts that hold until changed."""

    marketplace = Marketplace(required=True)
    name = Text()
    groups = Several(Text(GROUP_LONGEST, required=True), allow_none=True, metadata={"maxItems": MOST_GROUPS})
    programs = Several(ProgramName(required=True), allow_none=True, metadata={"minItems": 1, "uniqueItems": True})
    facts = Facts()


class SnapshotRequest(Strict):
    """What was observed of an account by a day. Its facts come before those kept with the seller."""

    as_of = Day()
    facts = Facts()
    metrics = Metrics()


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


class AssessmentBatchRequest(Strict):
    """Up to 1,000 assessment requests. Each is judged, or answered with its own problem."""

    items = Several(Value(), required=True, metadata={"minItems": 1, "maxItems": MOST_ITEMS})
    compact = Flag()


def component_schemas(vocabulary: Vocabulary, program_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Describe, as JSON Schema, the parts of a request that the rule data names: programs, metrics and facts."""
    window = {"type": ["integer", "null"], "minimum": 1, "maximum": 366}
    segment = {"type": ["string", "null"], "pattern": f"^({SEGMENT.pattern})$"}
    count = {"type": ["integer", "null"], "minimum": 0, "maximum": HIGHEST_COUNT}
    null = {"type": "null"}
    given = [{"required": [name]} for name in ("count", "of", "rate")]

    def observation(description: str, count: Any, of: Any, rate: Any, ways: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "type": "object",
            "description": description,
            "properties": {"count": count, "of": of, "rate": rate, "window_days": window, "segment": segment},
            "additionalProperties": False,
            "anyOf": ways,
        }

    def several(ref: str) -> dict[str, Any]:
        one = {"$ref": f"#/components/schemas/{ref}"}
        many = {"type": "array", "items": {"anyOf": [one, null]}, "maxItems": MOST_OBSERVATIONS}
        return {"anyOf": [one, many, null]}

    facts: dict[str, Any] = {}
    for fact in vocabulary.facts.values():
        kinds: dict[str, dict[str, Any]] = {
            "boolean": {"type": ["boolean", "null"]},
            "choice": {"enum": [*fact.choices, None]},
            "integer": {"type": ["integer", "null"], "minimum": fact.lowest, "maximum": fact.highest},
            "date": {"type": ["string", "null"], "format": "date"},
        }
        facts[fact.key] = {"description": fact.label, **kinds[fact.kind]}
    metrics = {
        metric.key: {"description": metric.label, **several("Counter" if metric.kind == "counter" else "Rate")}
        for metric in vocabulary.metrics.values()
    }
    rate = decimal_schema(9, 1, "0.0025")
    rate["type"] = [*rate["type"], "null"]
    some_count, some_rate = {"type": "integer"}, {"type": ["string", "integer"]}
    return {
        "ProgramId": {"type": "string", "enum": list(program_ids)},
        "Facts": {"type": "object", "properties": facts, "additionalProperties": False},
        "Metrics": {"type": "object", "properties": metrics, "additionalProperties": False},
        "Rate": observation(
            "Either count and of, which give headroom, or a bare rate with up to nine decimals; null is unknown.",
            count,
            count,
            rate,
            [
                {"properties": {"count": some_count, "of": some_count, "rate": null}, "required": ["count", "of"]},
                {"properties": {"count": null, "of": null, "rate": some_rate}, "required": ["rate"]},
                {"properties": {"count": null, "of": null, "rate": null}, "anyOf": given},
            ],
        ),
        "Counter": observation("A plain count; null is unknown.", count, null, null, given),
    }


_ASSESSMENT, _ESTIMATE, _FEE_LINE, _ADVICE, _BATCH, _SELLER, _SNAPSHOT = (
    AssessmentRequest(),
    FeeEstimateRequest(),
    FeeLineSchema(),
    AdviceRequest(),
    AssessmentBatchRequest(),
    SellerRequest(),
    SnapshotRequest(),
)


@dataclass(frozen=True, slots=True)
class AssessmentInput:
    """A request to assess, in domain terms."""

    marketplace: str
    as_of: date
    programs: tuple[Program, ...]
    account: Account


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


def read_assessment(catalog: Catalog, body: Any, today: date) -> AssessmentInput:
    """Read the body of an assessment request. Raises InvalidInput."""
    return _assessment(catalog, load(_ASSESSMENT, body), today)


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
    assessment = _assessment(catalog, data, today)
    schedule = catalog.schedule(assessment.marketplace)
    problems: list[Problem] = []
    check_number(problems, data["lines"], "/lines", MOST_LINES)
    lines = tuple(_advice_line(schedule, line, f"/lines/{i}", problems) for i, line in enumerate(data["lines"]))
    fixed = _amount(schedule, data, "fixed_monthly_cost", "", problems)
    refuse_if_any(problems)
    return AdviceInput(assessment, schedule, data.get("established_in"), fixed or 0, lines)


def read_batch(body: Any) -> tuple[list[Any], bool]:
    """Read the body of a batch of assessments, its items unread. Raises InvalidInput."""
    data = load(_BATCH, body)
    problems: list[Problem] = []
    check_number(problems, data["items"], "/items", MOST_ITEMS)
    refuse_if_any(problems)
    return data["items"], bool(data.get("compact"))


@dataclass(frozen=True, slots=True)
class SellerInput:
    """An account to keep. `facts` are kept as they were sent."""

    marketplace: str
    name: str | None
    groups: tuple[str, ...]
    programs: tuple[str, ...]
    facts: Mapping[str, Any]


def read_seller(catalog: Catalog, body: Any) -> SellerInput:
    """Read the body of a request to keep a seller. Raises InvalidInput."""
    data = load(_SELLER, body)
    checked = _assessment(catalog, {**data, "as_of": None}, date.min)
    groups = data.get("groups") or []
    if len(groups) > MOST_GROUPS:
        raise InvalidInput([Problem("/groups", "wrong_length", _too_many(groups, MOST_GROUPS))])
    return SellerInput(
        marketplace=data["marketplace"],
        name=data.get("name"),
        groups=tuple(sorted(set(groups))),
        programs=tuple(program.id for program in checked.programs),
        facts={name: value for name, value in (data.get("facts") or {}).items() if value is not None},
    )


def read_snapshot(
    catalog: Catalog, body: Any, marketplace: str, programs: Sequence[str], facts: Mapping[str, Any], today: date
) -> AssessmentInput:
    """Read the body of a snapshot of a seller. A day that has not come yet has no numbers. Raises InvalidInput."""
    data = load(_SNAPSHOT, body)
    as_of = data.get("as_of") or today
    if as_of > today + timedelta(days=1):  # somewhere it is tomorrow already
        detail = say(
            "{as_of} has not come yet: a snapshot holds what was measured. Today is {today} (UTC).",
            as_of=as_of.isoformat(),
            today=today.isoformat(),
        )
        raise InvalidInput([Problem("/as_of", "out_of_range", detail)])
    facts = {**facts, **(data.get("facts") or {})}
    return _assessment(catalog, {**data, "marketplace": marketplace, "programs": programs, "facts": facts}, today)


def check_number(problems: list[Problem], given: list[Any], pointer: str, most: int) -> None:
    """Note a list that is empty or too long."""
    if not 1 <= len(given) <= most:
        detail = say("This list has {number} entries; it may have 1 to {most}.", number=len(given), most=most)
        problems.append(Problem(pointer, "wrong_length", detail))


def flatten_assessment(catalog: Catalog, body: Any, program: str, as_of: date) -> dict[str, str]:
    """Flatten the body of an assessment request to the columns of a file: one row, checked as the API checks it.

    One fee line may stand in `lines`, and `established_in` beside it. A file has one program and one date, so the body
    may not name others. Raises InvalidInput.
    """
    if not isinstance(body, dict):
        raise InvalidInput([Problem("", "not_an_object", NO_BODY_OBJECT)])
    account = {name: value for name, value in body.items() if name not in ("lines", "established_in")}
    problems: list[Problem] = []
    data = _noted(_ASSESSMENT, account, "", problems)
    if data.get("programs") not in (None, [program]):
        detail = say("This file is scored for {program} alone.", program=program)
        problems.append(Problem("/programs", "not_allowed", detail))
    if data.get("as_of") not in (None, as_of):
        detail = say("This file is scored by the rules of {as_of} alone.", as_of=as_of.isoformat())
        problems.append(Problem("/as_of", "not_allowed", detail))
    vocabulary = catalog.vocabulary
    facts = _facts(vocabulary, data.get("facts") or {}, problems)
    observations = read_observations(vocabulary, data.get("metrics") or {}, problems)
    lines = body.get("lines")
    seller = data.get("seller") or {}
    cells = {"seller_id": seller.get("id") or "", "marketplace": data.get("marketplace") or ""}
    if seller.get("name"):
        cells["seller_name"] = seller["name"]
    if lines is not None and not isinstance(lines, list):
        problems.append(Problem("/lines", "wrong_value", NO_LIST))
    elif lines and len(lines) > 1:
        problems.append(Problem("/lines", "wrong_length", say("A row has at most one fee line.")))
    elif lines:
        loaded = _noted(_FEE_LINE, lines[0], "/lines/0", problems)
        channel = loaded.get("fulfillment")
        if channel is not None and CHANNEL_OF_ACCOUNT[channel] != facts.pop("fulfillment", None):
            detail = say(
                "A row has one fulfillment, for the account and its sale: give facts.fulfillment to match this."
            )
            problems.append(Problem("/lines/0/fulfillment", "not_allowed", detail))
        cells |= {name: _cell(lines[0][name]) for name, value in loaded.items() if value is not None}
    if body.get("established_in") is not None:
        cells["established_in"] = str(body["established_in"])
    refuse_if_any(problems)
    for name, fact in facts.items():
        cells[name] = _cell(fact)
    for slot, seen in observations.items():
        column = column_of(slot)
        if seen.bare:
            cells[column] = format_decimal(seen.count, 9)
        else:
            cells[f"{column}_count"] = str(seen.count)
            if seen.of is not None:
                cells[f"{column}_of"] = str(seen.of)
    return cells


def column_of(slot: Slot) -> str:
    """Name the column of an observation: the metric, then its segment, then its window."""
    window = None if slot.window_days is None else f"{slot.window_days}d"
    return "_".join(part for part in (slot.metric, slot.segment, window) if part)


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def refuse_if_any(problems: list[Problem]) -> None:
    """Raise what was found; no more than anybody reads, so that the answer does not outgrow the request."""
    if problems:
        raise InvalidInput(problems[:MOST_PROBLEMS])


def load(schema: Schema, body: Any) -> dict[str, Any]:
    """Read a body by its schema. Raises InvalidInput."""
    if not isinstance(body, dict):
        raise InvalidInput([Problem("", "not_an_object", NO_BODY_OBJECT)])
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise InvalidInput(flatten(error.messages, "")[:MOST_PROBLEMS]) from None
    return loaded


def _noted(schema: Schema, given: Any, pointer: str, problems: list[Problem]) -> dict[str, Any]:
    """Load an object that stands at a pointer; notes what is wrong with it, and gives nothing then."""
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        problems.extend(flatten(error.messages, pointer))
        return {}
    return loaded


def flatten(messages: Any, pointer: str) -> list[Problem]:
    """Bring marshmallow's nested messages into problems with pointers."""
    if isinstance(messages, Refusal):
        return [Problem(pointer, messages.code, messages.detail)]
    if isinstance(messages, dict):
        found = []
        for key, inner in messages.items():
            below = pointer if key == "_schema" else f"{pointer}/{escape(str(key))}"
            found.extend(flatten(inner, below))
        return found
    if isinstance(messages, list):
        return [problem for inner in messages for problem in flatten(inner, pointer)]
    return [Problem(pointer, "wrong_value", str(messages))]


def _assessment(catalog: Catalog, data: Mapping[str, Any], today: date) -> AssessmentInput:
    problems: list[Problem] = []
    names = data.get("programs")
    if names is None:
        names = [DEFAULT_PROGRAM]
    check_programs(catalog, names, problems)
    vocabulary = catalog.vocabulary
    facts = _facts(vocabulary, data.get("facts") or {}, problems)
    observations = read_observations(vocabulary, data.get("metrics") or {}, problems)
    refuse_if_any(problems)
    return AssessmentInput(
        marketplace=data["marketplace"],
        as_of=data.get("as_of") or today,
        programs=tuple([catalog.program(name) for name in names]),
        account=Account(facts, observations),
    )


def check_programs(catalog: Catalog, names: Sequence[str], problems: list[Problem]) -> None:
    """Note what is wrong with a list of programs: each there is, named once."""
    if not 1 <= len(names) <= len(catalog.program_ids) or len(set(names)) < len(names):
        detail = say("Name each program once; there are {programs}.", programs=", ".join(catalog.program_ids))
        problems.append(Problem("/programs", "wrong_programs", detail))
    for index, name in enumerate(names):
        if name not in catalog.program_ids:
            problems.append(Problem(f"/programs/{index}", "unknown_program", _no_such_program(catalog)))


def read_program(catalog: Catalog) -> Callable[[str], str]:
    """Make a reader of a program's id; it raises ValidationError where there is no such program."""

    def read(name: str) -> str:
        if name not in catalog.program_ids:
            raise refuse("unknown_program", _no_such_program(catalog))
        return name

    return read


def _no_such_program(catalog: Catalog) -> Sentence:
    return say("There is no such program. There are {programs}.", programs=", ".join(catalog.program_ids))


@lru_cache(maxsize=8)
def _no_such_fact(vocabulary: Vocabulary) -> Sentence:
    return say("There is no such fact. There are {facts}.", facts=", ".join(vocabulary.facts))


@lru_cache(maxsize=8)
def _no_such_metric(vocabulary: Vocabulary) -> Sentence:
    return say("There is no such metric. There are {metrics}.", metrics=", ".join(vocabulary.metrics))


def _facts(vocabulary: Vocabulary, given: Mapping[str, Any], problems: list[Problem]) -> dict[str, FactValue]:
    facts: dict[str, FactValue] = {}
    for name, value in given.items():
        fact = vocabulary.facts.get(name)
        if fact is None:
            problems.append(Problem(f"/facts/{escape(name)}", "unknown_field", _no_such_fact(vocabulary)))
        elif value is not None:
            try:
                facts[name] = read_fact(fact, value)
            except ValidationError as error:
                problems.extend(flatten(error.messages, f"/facts/{name}"))
    return facts


def read_fact(fact: Fact, value: Any) -> FactValue:
    """Read one fact's value; raises ValidationError."""
    match fact.kind:
        case "boolean":
            if not isinstance(value, bool):
                raise refuse("not_true_or_false", NOT_TRUE_OR_FALSE)
            return value
        case "choice":
            if value not in fact.choices:
                raise refuse("not_allowed", allowed(fact.choices))
            return str(value)
        case "integer":
            return read_count(value, fact.lowest or 0, fact.highest or HIGHEST_COUNT)
    return read_day(value)


def read_observations(
    vocabulary: Vocabulary, given: Mapping[str, list[tuple[str, Measured]]], problems: list[Problem]
) -> dict[Slot, Observation]:
    """Read loaded metrics by what each metric is; notes what is wrong."""
    observations: dict[Slot, Observation] = {}
    for name, several in given.items():
        metric = vocabulary.metrics.get(name)
        if metric is None:
            problems.append(Problem(f"/metrics/{escape(name)}", "unknown_field", _no_such_metric(vocabulary)))
            continue
        counter = metric.kind == "counter"
        for place, (seen, window_days, segment) in several:
            slot = slot_of(metric, window_days, segment)
            if slot in observations:
                detail = say("There are two observations of this metric for one window and segment. Keep one.")
                problems.append(Problem(f"/metrics/{name}{place}", "duplicate_observation", detail))
            elif counter == (seen.of is None):
                observations[slot] = seen
            elif counter:
                detail = say("{metric} is a plain count. Give count alone.", metric=name)
                problems.append(Problem(f"/metrics/{name}{place}", "not_a_count", detail))
            else:
                detail = say("{metric} is a rate. Give count and of, or rate.", metric=name)
                problems.append(Problem(f"/metrics/{name}{place}", "half_a_pair", detail))
    return observations


def slot_of(metric: Metric, window_days: int | None, segment: str | None) -> Slot:
    """Say which slot an observation fills: seller-fulfilled is the whole of a metric defined on such orders only."""
    if segment == "seller_fulfilled" and metric.seller_fulfilled_only:
        segment = None
    return Slot(metric.key, window_days, segment)


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
            detail = say("A scenario has either monthly_units or uplift.")
            problems.append(Problem(f"{pointer}/scenarios/{index}", "one_of_two", detail))
        if uplift is not None and data.get("current_monthly_units") is None:
            detail = say("An uplift needs the line's current_monthly_units.")
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
            detail = say("A quantity discount has either discount_rate or unit_price.")
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


EVENTS = ("seller.verdict_changed", "batch.finished")


class WebhookEndpointRequest(Strict):
    """An address that events are to be sent to; all there are now when `events` is left out."""

    url = Text(LONGEST_URL, required=True)
    description = Text()
    events = Several(Word(EVENTS, required=True), allow_none=True, metadata={"minItems": 1, "maxItems": len(EVENTS)})


_ENDPOINT = WebhookEndpointRequest()


@dataclass(frozen=True, slots=True)
class EndpointInput:
    """An address that events are to be sent to."""

    url: str
    description: str | None
    events: tuple[str, ...]


def read_endpoint(body: Any, networks: Sequence[Network]) -> EndpointInput:
    """Read the body of a request to add a webhook endpoint; its address is checked by its form. Raises InvalidInput."""
    data = load(_ENDPOINT, body)
    problems: list[Problem] = []
    given = data.get("events")
    events = list(EVENTS) if given is None else given
    check_number(problems, events, "/events", len(EVENTS))
    checked = check_url(data["url"], networks)
    if isinstance(checked, Failure):
        problems.append(Problem("/url", checked.code, checked.detail))
    refuse_if_any(problems)
    return EndpointInput(data["url"], data.get("description"), tuple(sorted(set(events))))
