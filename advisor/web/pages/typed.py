"""Read numbers as people type them, exactly: with a percent sign, separators, a currency, full-width digits.

What can be read two ways is asked about, never guessed. Every reader gives what the JSON API takes.
"""

import re
import unicodedata
from decimal import Decimal

from babel.numbers import get_currency_symbol

from advisor.domain.numbers import HIGHEST_AMOUNT, HIGHEST_COUNT
from advisor.errors import AdvisorError, Sentence, say

LONGEST = 40  # characters
MOST_DIGITS = 20
LOWEST_SURE = Decimal("0.01")  # percent; below it a fraction is easily meant
_MONEY_SIGNS = re.compile(r"^(?:[A-Z]{3}|[A-Z]{0,2}[$€£¥₹])|(?:[A-Z]{3}|[$€£¥₹元円])$")
_SPACES = re.compile(r"[\s'’_]")
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_GROUPED = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+", re.ASCII)
_DECIMAL = re.compile(r"[0-9]*[.,]?[0-9]*", re.ASCII)


class Mistyped(AdvisorError):
    """A number that cannot be read; the sentence says what to do. `unsure`: it can be, but another was likely meant."""

    def __init__(self, sentence: Sentence, unsure: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.unsure = unsure


def _plain(text: str) -> str:
    """Write digits and signs of any width in ASCII, without blanks."""
    narrow = unicodedata.normalize("NFKC", text).strip().replace("。", ".").replace("−", "-")
    return _SPACES.sub("", narrow)


def read_count(text: str) -> int:
    """Read a whole number; separators may group its digits by three. Raises Mistyped."""
    plain = _plain(text) if len(text) <= LONGEST else ""
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "").replace(".", "")
    if not _DIGITS.fullmatch(plain) or len(plain) > len(str(HIGHEST_COUNT)) or int(plain) > HIGHEST_COUNT:
        raise Mistyped(say("Type a whole number such as 12 or 1,200, at most 1,000,000,000."))
    return int(plain)


def read_percent(text: str, sure: bool = False, most: int = 100, places: int = 9) -> str:
    """Read a percentage, typed with or without its sign, as the decimal text of a fraction. Raises Mistyped.

    Below 0.01 % it is asked whether a fraction was meant, unless the person is sure.
    """
    plain = _plain(text).removesuffix("%") if len(text) <= LONGEST else ""
    if not _DECIMAL.fullmatch(plain) or not any(sign.isdigit() for sign in plain):
        raise Mistyped(say("Type a percentage such as 0.45 or 12."))
    if most >= 1000 and _GROUPED.fullmatch(plain) and not plain.startswith("0"):
        raise _ambiguous(plain)
    percent = Decimal(plain.replace(",", "."))
    if percent > most:
        raise Mistyped(say("A percentage here is at most {most}. Type the number of them in a hundred.", most=most))
    if len(plain) > MOST_DIGITS:
        raise Mistyped(say("Type a percentage with at most {places} decimals.", places=places - 2))
    if 0 < percent < LOWEST_SURE and not sure:
        sentence = say(
            "We read this as {percent} %. If you mean that, tick the box below; if you mean {other} %, type that.",
            percent=_written(percent),
            other=_written(percent * 100),
        )
        raise Mistyped(sentence, unsure=True)
    fraction = percent.scaleb(-2)
    if -int(fraction.as_tuple().exponent) > places and fraction != round(fraction, places):
        raise Mistyped(say("Type a percentage with at most {places} decimals.", places=places - 2))
    return _written(round(fraction, places) if fraction else fraction)


def read_amount(text: str, decimals: int, currency: str = "") -> str:
    """Read an amount of money as a decimal text of its currency. Raises Mistyped, also for another currency's sign."""
    plain = _plain(text).upper() if len(text) <= LONGEST else ""
    signs = "".join(sign for sign in plain if not sign.isdigit() and sign not in ".,-+")
    has_digit = any(sign.isdigit() for sign in plain)
    if currency and has_digit and signs and _MONEY_SIGNS.search(plain) and signs not in _signs_of(currency):
        raise Mistyped(say("Type the amount in {currency}, the currency of the marketplace.", currency=currency))
    plain = _MONEY_SIGNS.sub("", _MONEY_SIGNS.sub("", plain))
    example = "1200" if decimals == 0 else "1200.50"
    marks = [sign for sign in plain if sign in ".,"]
    last = plain[max(plain.rfind("."), plain.rfind(",")) + 1 :] if marks else ""
    if len(set(marks)) == 2:  # the last one is the decimal mark
        other = "," if marks[-1] == "." else "."
        grouped, _, _ = plain.rpartition(marks[-1])
        if _GROUPED.fullmatch(grouped) and set(grouped) & set(".,") == {other}:
            plain = plain.replace(other, "")
    elif len(marks) > 1 and _GROUPED.fullmatch(plain):
        plain = plain.replace(marks[0], "")
    elif len(marks) == 1 and len(last) == 3 and _GROUPED.fullmatch(plain) and not plain.startswith("0"):
        if decimals:
            raise _ambiguous(plain)
        plain = plain.replace(marks[0], "")  # without decimals there is one reading only
    if not _DECIMAL.fullmatch(plain) or not any(sign.isdigit() for sign in plain):
        raise Mistyped(say("Type an amount such as {example}, without a sign.", example=example))
    amount = Decimal(plain.replace(",", "."))
    if amount > HIGHEST_AMOUNT:
        raise Mistyped(say("Type a smaller amount: this is too large."))
    if amount != round(amount, decimals):
        if decimals == 0:
            raise Mistyped(say("Type a whole amount: this currency has no decimals."))
        raise Mistyped(say("Type an amount with at most {decimals} decimals.", decimals=decimals))
    return _written(amount)


def _signs_of(currency: str) -> set[str]:
    """List how a currency is written beside an amount."""
    more = {
        "JPY": {"¥", "円"},
        "CNY": {"¥", "元"},
        "AUD": {"$", "A$", "AU$"},
        "CAD": {"$", "C$", "CA$"},
        "MXN": {"$", "MX$"},
    }
    symbol = get_currency_symbol(currency, locale="en").upper()
    return {currency, symbol, f"US{symbol}" if currency == "USD" else symbol} | more.get(currency, set())


def _ambiguous(plain: str) -> Mistyped:
    whole = plain.replace(",", "").replace(".", "")
    sentence = say("This can be read two ways. Type {whole} without a separator, or fewer decimals.", whole=whole)
    return Mistyped(sentence)


def _written(number: Decimal) -> str:
    """Write a decimal without exponent and trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
