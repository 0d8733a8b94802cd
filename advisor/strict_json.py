"""Read JSON strictly: what two readers could understand differently is refused, not repaired.

Python's own reader takes NaN, keeps the last of repeated keys, fails on deep nesting and on integers of thousands of
digits, and lets NUL and lone surrogates through, which databases and other readers then choke on. Here all of these
are refused with a reason. Decimals come out as `Decimal`, so that nothing is ever rounded on the way in.
"""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from advisor.errors import InvalidInput, Problem, Sentence, UnreadableInput, say

DEEPEST = 32
LONGEST_NUMBER = 40
LARGEST_INTEGER_DIGITS = 19
LONGEST_KEY_SHOWN = 200
MOST_PROBLEMS = 100

NUL = say("This text holds a NUL character. Remove it.")


def loads(data: bytes, apart: str | None = None) -> Any:
    """Read one JSON value in UTF-8.

    Raises UnreadableInput (code empty_body, not_utf8, too_deep, not_json, duplicate_key, number_out_of_range or
    lone_surrogate), and InvalidInput (code nul_character) with a pointer to each text that holds a NUL. What stands
    under the key `apart` may hold NULs: whoever takes it apart calls `refuse_nuls` for each item.
    """
    if not data.strip():
        raise UnreadableInput("empty_body", say("The JSON text is empty. Send one JSON object."))
    if data.startswith(b"\xef\xbb\xbf"):
        raise UnreadableInput("not_json", say("The JSON text starts with a byte order mark. Send UTF-8 without one."))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        detail = say("Byte {number} is not UTF-8. Send the JSON text in UTF-8.", number=error.start)
        raise UnreadableInput("not_utf8", detail) from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableInput("not_json", _not_json(error)) from None
    if "\\u" in text:
        _refuse_surrogates(value)
        refuse_nuls({key: value[key] for key in value if key != apart} if isinstance(value, dict) else value)
    return value


def _not_json(error: json.JSONDecodeError) -> Sentence:
    """Say where and why a text is not JSON: whatever Python's reader can say, in a whole sentence of our own."""
    at = {"line": error.lineno, "column": error.colno}
    match error.msg:
        case "Expecting value":
            return say("This is not JSON at line {line}, column {column}: Expecting value.", **at)
        case "Expecting property name enclosed in double quotes":
            return say(
                "This is not JSON at line {line}, column {column}: Expecting property name enclosed in double quotes.",
                **at,
            )
        case "Expecting ':' delimiter":
            return say("This is not JSON at line {line}, column {column}: Expecting ':' delimiter.", **at)
        case "Expecting ',' delimiter":
            return say("This is not JSON at line {line}, column {column}: Expecting ',' delimiter.", **at)
        case "Illegal trailing comma before end of object":
            return say(
                "This is not JSON at line {line}, column {column}: Illegal trailing comma before end of object.", **at
            )
        case "Illegal trailing comma before end of array":
            return say(
                "This is not JSON at line {line}, column {column}: Illegal trailing comma before end of array.", **at
            )
        case "Unterminated string starting at":
            return say("This is not JSON at line {line}, column {column}: Unterminated string starting at.", **at)
        case "Invalid control character at":
            return say("This is not JSON at line {line}, column {column}: Invalid control character at.", **at)
        case "Invalid \\escape: ":
            return say("This is not JSON at line {line}, column {column}: Invalid \\escape: .", **at)
        case "Invalid \\uXXXX escape":
            return say("This is not JSON at line {line}, column {column}: Invalid \\uXXXX escape.", **at)
        case "Extra data":
            return say("This is not JSON at line {line}, column {column}: Extra data.", **at)
    return say("This is not JSON at line {line}, column {column}: {reason}.", **at, reason=error.msg)


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
                detail = say("The JSON is nested more than {levels} levels deep.", levels=DEEPEST)
                raise UnreadableInput("too_deep", detail)
        elif character in "]}":
            depth -= 1


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        left = dict.fromkeys(found, 1)
        for name, _ in pairs:
            left[name] -= 1
            if left[name] < 0:
                detail = say("The key {key} stands twice in one object. Give it once.", key=repr(name[:80]))
                raise UnreadableInput("duplicate_key", detail)
    return found


def _integer(digits: str) -> int | Decimal:
    if digits == "-0":
        return Decimal(digits)  # a sign is never taken, and an int would lose it
    if len(digits) > LARGEST_INTEGER_DIGITS + digits.startswith("-"):
        detail = say("The number {digits}… has more than 19 digits.", digits=digits[:20])
        raise UnreadableInput("number_out_of_range", detail)
    return int(digits)


def _decimal(digits: str) -> Decimal:
    if len(digits) > LONGEST_NUMBER:
        detail = say("The number {digits}… has more than {most} characters.", digits=digits[:20], most=LONGEST_NUMBER)
        raise UnreadableInput("number_out_of_range", detail)
    try:
        return Decimal(digits)
    except InvalidOperation:
        detail = say("The number {digits} has an exponent beyond all bounds.", digits=digits)
        raise UnreadableInput("number_out_of_range", detail) from None


def _constant(name: str) -> Any:
    detail = say("{name} is not JSON. Send null for a number that is not known.", name=name)
    raise UnreadableInput("not_json", detail)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_decimal, parse_constant=_constant, strict=True
)


def refuse_nuls(value: Any) -> None:
    """Refuse a value with texts that hold a NUL; raises InvalidInput (code nul_character) with a pointer to each."""
    found = [pointer for pointer, text in _texts(value, "") if "\0" in text][:MOST_PROBLEMS]
    if found:
        raise InvalidInput([Problem(pointer, "nul_character", NUL) for pointer in found])


def _refuse_surrogates(value: Any) -> None:
    for place, text in _texts(value, ""):
        if any("\ud800" <= character <= "\udfff" for character in text):
            detail = say("The text at {place} holds half of a surrogate pair.", place=place or "/")
            raise UnreadableInput("lone_surrogate", detail)


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
