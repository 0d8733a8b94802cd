"""Read JSON strictly: what two readers could understand differently is refused, not repaired.

Python's own reader takes NaN, keeps the last of repeated keys, fails on deep nesting and on integers of thousands of
digits, and lets NUL and lone surrogates through, which databases and other readers then choke on. Here all of these
are refused with a reason. Decimals come out as `Decimal`, so that nothing is ever rounded on the way in.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from advisor.errors import InvalidInput, Problem, UnreadableInput

DEEPEST = 32
LONGEST_NUMBER = 40
LARGEST_INTEGER_DIGITS = 19
LONGEST_KEY_SHOWN = 200
MOST_PROBLEMS = 100


def loads(data: bytes) -> Any:
    """Read one JSON value in UTF-8.

    Raises UnreadableInput (code empty_body, not_utf8, too_deep, not_json, duplicate_key, number_out_of_range or
    lone_surrogate), and InvalidInput (code nul_character) with a pointer to each text that holds a NUL.
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
        _check_texts(value)
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


def _check_texts(value: Any) -> None:
    problems: list[Problem] = []
    _walk(value, "", problems)
    if problems:
        raise InvalidInput(problems)


def _walk(value: Any, pointer: str, problems: list[Problem]) -> None:
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise UnreadableInput("lone_surrogate", f"The text at {pointer or '/'} holds half of a surrogate pair.")
        if "\0" in value and len(problems) < MOST_PROBLEMS:
            problems.append(Problem(pointer, "nul_character", "This text holds a NUL character. Remove it."))
    elif isinstance(value, dict):
        for key, item in value.items():
            _walk(key, pointer, problems)
            _walk(item, f"{pointer}/{escape(key)}", problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, f"{pointer}/{index}", problems)


def escape(key: str) -> str:
    """Escape a key for a JSON pointer (RFC 6901). A key longer than any that is known is cut, not sent back whole."""
    if len(key) > LONGEST_KEY_SHOWN:
        key = key[:LONGEST_KEY_SHOWN] + "…"
    return key.replace("~", "~0").replace("/", "~1")
