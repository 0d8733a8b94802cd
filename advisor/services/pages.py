"""Pages of a list: each ends with a cursor, the place where the next one goes on, so that no row is shown twice."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, Select, tuple_

from advisor.errors import InvalidInput, Problem, say

USUAL_LENGTH = 50
LONGEST = 200
LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, and the cursor of the next; None where this is the last."""

    rows: Sequence[Row[Any]]
    next: str | None


def page(
    connection: Connection,
    rows: Select[Any],
    order: Sequence[ColumnElement[Any]],
    limit: int | None,
    cursor: str | None,
    descending: bool = False,
) -> Page:
    """Give one page of rows in an order whose columns are never null and together unique. Raises InvalidInput."""
    length = limit or USUAL_LENGTH
    if cursor is not None:
        place = tuple_(*_read(cursor, order))
        rows = rows.where(tuple_(*order) < place if descending else tuple_(*order) > place)
    places = [column.label(f"order_{index}") for index, column in enumerate(order)]
    rows = rows.add_columns(*places).order_by(*(one.desc() if descending else one.asc() for one in order))
    found = connection.execute(rows.limit(length + 1)).all()
    shown = found[:length]
    more = len(found) > length
    return Page(shown, _write([getattr(shown[-1], place.name) for place in places]) if more else None)


def _write(place: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _read(cursor: str, order: Sequence[ColumnElement[Any]]) -> list[Any]:
    try:
        given = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(given, list):
            raise TypeError
        return [_value(one, column.type.python_type) for one, column in zip(given, order, strict=True)]
    except (binascii.Error, TypeError, ValueError):
        detail = say(
            "This is no cursor of this list. Take `next` of the page before, or leave it out for the first page."
        )
        raise InvalidInput([Problem("?cursor", "not_a_cursor", detail)]) from None


def _value(given: Any, kind: type) -> Any:
    """Read one value of a cursor as its column has it; raises TypeError or ValueError."""
    if kind is date:
        return date.fromisoformat(given)
    if kind is int and type(given) is int and abs(given) <= LARGEST:
        return given
    if kind is not int and isinstance(given, str) and "\0" not in given:
        return given
    raise TypeError
