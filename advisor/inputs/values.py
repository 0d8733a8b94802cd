"""Single values of requests: a type of field each, and the readers that queries, files and commands share with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, missing

from advisor.domain.numbers import HIGHEST_AMOUNT, HIGHEST_COUNT, PPM, parse_decimal
from advisor.domain.program import MARKETPLACES
from advisor.errors import Sentence, say
from advisor.strict_json import NUL

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# Beyond these nobody sells or plans: they leave room to count days before and after any date.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
MOST_HOLIDAYS = 366
COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
ALLOWED_MARKETPLACES = say("Allowed are {marketplaces} (GB is taken as UK).", marketplaces=", ".join(MARKETPLACES))
NOT_A_WHOLE_NUMBER = say("This has to be a whole number, such as 12.")
NOT_TRUE_OR_FALSE = say("This has to be true or false.")


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


# marshmallow hands on whatever stands here; it says str.
MISSING: dict[str, Any] = {
    "required": Refusal("missing", say("This is missing; it has to be given.")),
    "null": Refusal("missing", say("This is null; it has to be given.")),
}


class Value(fields.Field[Any]):
    """A field whose refusals carry codes. `read` checks one JSON value; null and absent are unknown unless required."""

    default_error_messages = MISSING

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
    """A text of one character or more that is not too long."""

    shortest = 1

    def __init__(self, longest: int = 200, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": self.shortest, "maxLength": self.longest}

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise refuse("not_text", say("This has to be a text."))
        if not self.shortest <= len(value) <= self.longest:
            raise refuse("wrong_length", self.wrong_length(len(value)))
        if "\0" in value:
            raise refuse("nul_character", NUL)
        return value

    def wrong_length(self, length: int) -> Sentence:
        """Say how long a text may be."""
        return wrong_length(length, self.longest)


def wrong_length(length: int, longest: int) -> Sentence:
    """Say how long a text may be that is not empty."""
    return say(
        "This text has {length} characters; it may have 1 to {longest}.",
        length=length,
        longest=longest,
    )


class LongText(Text):
    """A text of several lines, of up to so many code points, as it is shown; it may be empty."""

    shortest = 0

    def __init__(self, longest: int, description: str | None = None, **kwargs: Any) -> None:
        super().__init__(longest, **kwargs)
        self.description = description

    def json_schema(self) -> dict[str, Any]:
        described = {} if self.description is None else {"description": self.description}
        return {"type": "string", "maxLength": self.longest, **described}

    def wrong_length(self, length: int) -> Sentence:
        return say(
            "This text has {length} characters; it may have up to {longest}.",
            length=length,
            longest=self.longest,
        )


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


class CountedDay(Day):
    """A date that days are counted before and after: one of the years from 1900 to 2999."""

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "description": f"From {FIRST_DAY} to {LAST_DAY}."}

    def read(self, value: Any) -> date:
        day = read_day(value)
        if not FIRST_DAY <= day <= LAST_DAY:
            raise refuse("out_of_range", say("A day lies from {first} to {last}.", first=FIRST_DAY, last=LAST_DAY))
        return day


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
