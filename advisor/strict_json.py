"""Read JSON strictly: what two readers could understand differently is refused, not repaired.

Python's own reader takes NaN, keeps the last of repeated keys, fails on deep nesting and on integers of thousands of
digits, and lets NUL and lone surrogates through, which databases and other readers then choke on. Here all of these
are refused with a reason. Decimals come out as `Decimal`, so that nothing is ever rounded on the way in.
"""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from advisor.errors import InvalidInput, Problem, UnreadableInput

DEEPEST = 32
LONGEST_NUMBER = 40
LARGEST_INTEGER_DIGITS = 19
LONGEST_KEY_SHOWN = 200
MOST_PROBLEMS = 100


def loads(data: bytes, apart: str | None = None) -> Any:
    """Read one JSON value in UTF-8.

    Raises UnreadableInput (code empty_body, not_utf8, too_deep, not_json, duplicate_key, number_out_of_range or
    lone_surrogate), and InvalidInput (code nul_character) with a pointer to each text that holds a NUL. What stands
    under the key `apart` may hold NULs: whoever takes it apart calls `refuse_nuls` for each item.
    """
    if not data.strip():
        raise UnreadableInput("empty_body", "The JSON text is empty. Send one JSON object.")
    if data.startswith(b"\xef\xbb\xbf"):
        raise UnreadableInput("not_json", "The JSON text starts with a byte order mark. Send UTF-8 without one.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableInput("not_utf8", f"Byte {error.start} is not UTF-8. Send the JSON text in UTF-8.") from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UnreadableInput("not_json", f"This is not JSON at {where}: {error.msg}.") from None
    if "\\u" in text:
        _refuse_surrogates(value)
        refuse_nuls({key: value[key] for key in value if key != apart} if isinstance(value, dict) else value)
    return value


def _check_depth(text: str) -> None:
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > DEEPEST:
                raise UnreadableInput("too_deep", f"The JSON is nested more than {DEEPEST} levels deep.")
        elif character in "]}":
            depth -= 1


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        left = dict.fromkeys(found, 1)
        for name, _ in pairs:
            left[name] -= 1
            if left[name] < 0:
                raise UnreadableInput(
                    "duplicate_key", f"The key {name[:80]!r} stands twice in one object. Give it once."
                )
    return found


def _integer(digits: str) -> int | Decimal:
    if digits == "-0":
        return Decimal(digits)  # a sign is never taken, and an int would lose it
    if len(digits) > LARGEST_INTEGER_DIGITS + digits.startswith("-"):
        raise UnreadableInput("number_out_of_range", f"The number {digits[:20]}… has more than 19 digits.")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    if len(digits) > LONGEST_NUMBER:
        raise UnreadableInput(
            "number_out_of_range", f"The number {digits[:20]}… has more than {LONGEST_NUMBER} characters."
        )
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise UnreadableInput(
            "number_out_of_range", f"The number {digits} has an exponent beyond all bounds."
        ) from None


def _constant(name: str) -> Any:
    raise UnreadableInput("not_json", f"{name} is not JSON. Send null for a number that is not known.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_decimal, parse_constant=_constant, strict=True
)


def refuse_nuls(value: Any) -> None:
    """Refuse a value with texts that hold a NUL; raises InvalidInput (code nul_character) with a pointer to each."""
    detail = "This text holds a NUL character. Remove it."
    found = [pointer for pointer, text in _texts(value, "") if "\0" in text][:MOST_PROBLEMS]
    if found:
        raise InvalidInput([Problem(pointer, "nul_character", detail) for pointer in found])


def _refuse_surrogates(value: Any) -> None:
    for place, text in _texts(value, ""):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise UnreadableInput("lone_surrogate", f"The text at {place or '/'} holds half of a surrogate pair.")


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Give every text within a value, keys too, with where it stands."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield pointer, key
            yield from _texts(item, f"{pointer}/{escape(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{index}")


def escape(key: str) -> str:
    """Escape a key for a JSON pointer (RFC 6901). A key longer than any that is known is cut, not sent back whole."""
    if len(key) > LONGEST_KEY_SHOWN:
        key = key[:LONGEST_KEY_SHOWN] + "…"
    return key.replace("~", "~0").replace("/", "~1")
