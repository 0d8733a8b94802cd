"""Convert between decimal text and the integers that the advisor computes with.

Money is counted in minor units (cents, yen), rates in parts per million (ppm) and observed rates in parts per billion
(ppb), so that no float is ever needed. Text uses ASCII digits and one optional full stop: no sign, blank, exponent or
separator.
"""

import re

PPM = 1_000_000
PPB = 1_000_000_000
HIGHEST_COUNT = 10**9
HIGHEST_AMOUNT = 10**11
HIGHEST_UNITS = 10**6

_DECIMAL = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,19}))?", re.ASCII)


def parse_decimal(text: str, places: int) -> int | None:
    """Read decimal text as an integer of 10**-places; None when it is no plain decimal or has more places.

    Zeros behind the last place are no loss: "5.00" has 0 places too.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    whole, fraction = match[1], (match[2] or "").rstrip("0")
    if len(fraction) > places:
        return None
    return int(whole + fraction.ljust(places, "0"))


def format_decimal(value: int, places: int) -> str:
    """Write an integer of 10**-places with all its places: (5250, 2) is "52.50"."""
    if places == 0:
        return str(value)
    sign, digits = ("-", -value) if value < 0 else ("", value)
    whole, fraction = divmod(digits, 10**places)
    return f"{sign}{whole}.{fraction:0{places}d}"


def format_rate(ppm: int) -> str:
    """Write parts per million, 0 or more, without trailing zeros: 20000 is "0.02"."""
    whole, fraction = divmod(ppm, PPM)
    return f"{whole}.{fraction:06d}".rstrip("0") if fraction else str(whole)


def half_up(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest integer; halves go away from zero. The denominator is positive."""
    if numerator < 0:
        return -half_up(-numerator, denominator)
    return (2 * numerator + denominator) // (2 * denominator)
