"""What the pages of a portfolio show beyond the API: how much room is left, a workspace's groups, lines of trends."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, and_, select

from advisor.answers.parts import Answer
from advisor.domain.numbers import parse_decimal
from advisor.domain.trend import Point, trend
from advisor.store.tables import assessments, seller_groups, standings

MOST_GROUPS = 200


def tightest(connection: Connection, workspace: str, program: str, seller_ids: Sequence[str]) -> dict[str, Answer]:
    """Give each seller's finding of its tightest criterion, by seller, as it was answered then.

    One query, however many sellers. One that was never judged, or has no such criterion, is left out.
    """
    stands, judged = standings.c, assessments.c
    its = and_(
        judged.workspace_id == stands.workspace_id,
        judged.seller_id == stands.seller_id,
        judged.id == stands.assessment_id,
    )
    mine = and_(
        stands.workspace_id == workspace,
        stands.program == program,
        stands.seller_id.in_(seller_ids),
        stands.tightest.is_not(None),
    )
    rows = select(stands.seller_id, stands.tightest, judged.answer).join(assessments, its).where(mine)
    found = {}
    for row in connection.execute(rows):
        for finding in orjson.loads(zlib.decompress(row.answer))["findings"]:
            if finding["criterion"] == row.tightest:
                found[row.seller_id] = finding
    return found


def groups(connection: Connection, workspace: str) -> list[str]:
    """List the names of a workspace's groups, the first 200."""
    name = seller_groups.c.name
    mine = select(name).distinct().where(seller_groups.c.workspace_id == workspace).order_by(name)
    return list(connection.execute(mine.limit(MOST_GROUPS)).scalars())


@dataclass(frozen=True, slots=True)
class Line:
    """The line through the values of a criterion, in the unit that they are kept in: ppm of a rate, or a count."""

    start: date
    first: float
    end: date
    last: float


def line(criterion: Answer) -> Line | None:
    """Draw the line of one of `sellers.trends`, from the first day that counts to the last, or to where it crosses.

    For the eye only: what it leads to was worked out there, from the numbers as they were sent.
    """
    counter = isinstance(criterion["threshold"], int)
    points = [one for sent in criterion["points"] if (one := _point(sent)) is not None]
    if criterion["threshold"] is None or criterion["direction"] is None:
        return None
    bar = criterion["threshold"] if counter else parse_decimal(criterion["threshold"], 6) or 0
    found = trend(points, criterion["comparison"], bar)
    if found.per_day is None or found.on_last_day is None:
        return None
    last = points[-1].day
    start = last - timedelta(days=found.span_days)
    end = last if criterion["crosses_on"] is None else date.fromisoformat(criterion["crosses_on"])
    unit = 1 if counter else 1_000_000
    first, final = (float(found.on_last_day + found.per_day * (day - last).days) * unit for day in (start, end))
    return Line(start, first, end, final)


def _point(sent: Any) -> Point | None:
    seen = sent["observed"]
    if sent["outcome"] not in ("met", "missed") or seen is None or seen["count"] is seen["rate"] is None:
        return None
    day = date.fromisoformat(sent["as_of"])
    if seen["count"] is None:
        return Point(day, parse_decimal(seen["rate"], 6) or 0, 1_000_000)
    return Point(day, seen["count"], seen["of"])
