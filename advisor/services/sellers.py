"""Accounts that a workspace keeps: sellers, their snapshots over time, and how each was judged.

Every function reads or writes on a connection that its caller opened, and touches the rows of one workspace only.
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Executable, Row, and_, bindparam, delete, func, insert, select, update

from advisor.answers.assessments import assessment
from advisor.answers.parts import Answer, dumps
from advisor.catalog import Catalog
from advisor.domain.assessment import Assessment, assess
from advisor.domain.numbers import PPB, PPM, format_rate, half_up, parse_decimal
from advisor.domain.trend import Point, trend
from advisor.errors import Conflict, NotFound, say
from advisor.inputs.sellers import SellerInput, read_snapshot
from advisor.messages import TREND_METHOD, TREND_REASONS, Messages
from advisor.services.calculations import today
from advisor.services.pages import page
from advisor.store.database import INSERTS, insert_new, new_id, now_ms
from advisor.store.tables import assessments, seller_groups, sellers, snapshots, standings

# Told of an event of a workspace in the transaction that it happens in: connection, workspace, event, what it holds.
Announce = Callable[[Connection, str, str, Answer], None]

NO_SCORE = 101  # sorts sellers without a score behind those with one


def instant(millis: int) -> str:
    """Write a time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Sellers


def put(connection: Connection, workspace: str, seller_id: str, wanted: SellerInput) -> bool:
    """Keep a seller, new or changed; says whether it is new. Raises Conflict when its marketplace would change."""
    now = now_ms()
    values = {
        "marketplace": wanted.marketplace,
        "name": wanted.name,
        "programs": json.dumps(wanted.programs),
        "facts": json.dumps(wanted.facts),
        "updated_at": now,
    }
    place = {"workspace_id": workspace, "id": seller_id, "created_at": now}
    new = insert_new(connection, sellers, place | values)
    if not new:
        known = connection.execute(select(sellers).where(*_is(workspace, seller_id)).with_for_update()).one()
        if known.marketplace != wanted.marketplace:
            detail = say(
                "This seller is kept for {kept}, and its history with it. Keep an account of {wanted} under another "
                "id, or delete this one first.",
                kept=known.marketplace,
                wanted=wanted.marketplace,
            )
            raise Conflict("marketplace_is_fixed", detail)
        connection.execute(update(sellers).where(*_is(workspace, seller_id)).values(values))
        connection.execute(delete(seller_groups).where(*_of(seller_groups, workspace, seller_id)))
        dropped = standings.c.program.not_in(wanted.programs)
        connection.execute(delete(standings).where(*_of(standings, workspace, seller_id), dropped))
    if wanted.groups:
        rows = [{"workspace_id": workspace, "seller_id": seller_id, "name": name} for name in wanted.groups]
        connection.execute(insert(seller_groups), rows)
    return new


def get(connection: Connection, workspace: str, seller_id: str) -> Answer:
    """Describe a seller and where it stands. Raises NotFound."""
    return _described(connection, workspace, [_seller(connection, workspace, seller_id)])[0]


def remove(connection: Connection, workspace: str, seller_id: str) -> None:
    """Delete a seller with all that is kept of it, for good. Raises NotFound."""
    if connection.execute(delete(sellers).where(*_is(workspace, seller_id))).rowcount == 0:
        raise NotFound("seller", seller_id)


def listing(
    connection: Connection,
    workspace: str,
    *,
    program: str,
    verdict: str | None = None,
    group: str | None = None,
    marketplace: str | None = None,
    tightest_first: bool = False,
    limit: int | None = None,
    cursor: str | None = None,
) -> Answer:
    """List sellers by id, or with the least room left first; those without a score come last. Raises InvalidInput."""
    here = and_(
        standings.c.workspace_id == sellers.c.workspace_id,
        standings.c.seller_id == sellers.c.id,
        standings.c.program == program,
    )
    rows = select(sellers).outerjoin(standings, here).where(sellers.c.workspace_id == workspace)
    if verdict is not None:
        rows = rows.where(standings.c.verdict == verdict)
    if marketplace is not None:
        rows = rows.where(sellers.c.marketplace == marketplace)
    if group is not None:
        named = and_(seller_groups.c.workspace_id == workspace, seller_groups.c.name == group)
        rows = rows.where(sellers.c.id.in_(select(seller_groups.c.seller_id).where(named)))
    order: list[ColumnElement[Any]] = [sellers.c.id]
    if tightest_first:
        order.insert(0, func.coalesce(standings.c.score, NO_SCORE))
    found = page(connection, rows, order, limit, cursor)
    return {"items": _described(connection, workspace, found.rows), "next": found.next}


def _described(connection: Connection, workspace: str, rows: Sequence[Row[Any]]) -> list[Answer]:
    """Describe sellers, with their groups and standings, by two further queries however many they are."""
    ids = [row.id for row in rows]
    groups: dict[str, list[str]] = {name: [] for name in ids}
    stands: dict[str, list[Answer]] = {name: [] for name in ids}
    group, standing = seller_groups.c, standings.c
    mine = select(seller_groups).where(group.workspace_id == workspace, group.seller_id.in_(ids)).order_by(group.name)
    for row in connection.execute(mine):
        groups[row.seller_id].append(row.name)
    mine = select(standings).where(standing.workspace_id == workspace, standing.seller_id.in_(ids))
    for row in connection.execute(mine.order_by(standing.program)):
        stands[row.seller_id].append(_standing(row))
    return [
        {
            "id": row.id,
            "marketplace": row.marketplace,
            "name": row.name,
            "groups": groups[row.id],
            "programs": json.loads(row.programs),
            "facts": json.loads(row.facts),
            "created_at": instant(row.created_at),
            "updated_at": instant(row.updated_at),
            "standings": stands[row.id],
        }
        for row in rows
    ]


def _standing(row: Row[Any]) -> Answer:
    before = None
    if row.previous_verdict is not None:
        before = {"verdict": row.previous_verdict, "score": row.previous_score}
    return {
        "program": row.program,
        "verdict": row.verdict,
        "score": row.score,
        "tightest": row.tightest,
        "as_of": row.as_of.isoformat(),
        "assessment": row.assessment_id,
        "previous": before,
    }


def _seller(connection: Connection, workspace: str, seller_id: str) -> Row[Any]:
    row = connection.execute(_SELLER, {"workspace": workspace, "seller": seller_id}).one_or_none()
    if row is None:
        raise NotFound("seller", seller_id)
    return row


def _is(workspace: str, seller_id: str) -> tuple[ColumnElement[bool], ...]:
    return (sellers.c.workspace_id == workspace, sellers.c.id == seller_id)


def _of(table: Any, workspace: str, seller_id: str) -> tuple[ColumnElement[bool], ...]:
    return (table.c.workspace_id == workspace, table.c.seller_id == seller_id)


# Snapshots and assessments

# The statements of the request that comes most often are built once.
_SELLER = select(sellers).where(sellers.c.workspace_id == bindparam("workspace"), sellers.c.id == bindparam("seller"))
_LOCKED_SELLER = _SELLER.with_for_update()  # while it is judged, it stays what it is
_NEW_SNAPSHOT, _NEW_ASSESSMENT = insert(snapshots), insert(assessments)


def _newest(dialect: str) -> Executable:
    """Let a seller stand as told, unless it knows a later day; gives the verdict before, if it stood there before."""
    told = INSERTS[dialect](standings)
    names = ("assessment_id", "as_of", "verdict", "score", "tightest", "assessed_at")
    changed = {name: told.excluded[name] for name in names}
    changed |= {"previous_verdict": standings.c.verdict, "previous_score": standings.c.score}
    not_later = standings.c.as_of <= told.excluded.as_of
    kept = told.on_conflict_do_update(index_elements=standings.primary_key, set_=changed, where=not_later)
    return kept.returning(standings.c.previous_verdict)


_NEWEST = {dialect: _newest(dialect) for dialect in INSERTS}


def add_snapshot(
    connection: Connection,
    catalog: Catalog,
    workspace: str,
    seller_id: str,
    body: Any,
    messages: Messages,
    announce: Announce,
) -> Answer:
    """Keep a seller's numbers of a day, and judge them at once. Raises NotFound, InvalidInput.

    The seller then stands where its newest snapshot puts it: one of an earlier day is kept, and changes nothing.
    """
    named = {"workspace": workspace, "seller": seller_id}
    seller = connection.execute(_LOCKED_SELLER, named).one_or_none()
    if seller is None:
        raise NotFound("seller", seller_id)
    programs, facts = json.loads(seller.programs), json.loads(seller.facts)
    wanted = read_snapshot(catalog, body, seller.marketplace, programs, facts, today())
    place = {"workspace_id": workspace, "seller_id": seller_id}
    snapshot_id, now = new_id("snp"), now_ms()
    numbers = {"as_of": wanted.as_of, "body": orjson.dumps(body).decode(), "created_at": now}
    connection.execute(_NEW_SNAPSHOT, place | numbers | {"id": snapshot_id})
    judged = []
    for program in wanted.programs:
        assessment_id = new_id("asm")
        result = assess(program, wanted.marketplace, wanted.as_of, wanted.account)
        answer = dumps(assessment(result, catalog.process, messages))
        kept = {
            "id": assessment_id,
            "snapshot_id": snapshot_id,
            "program": program.id,
            "marketplace": wanted.marketplace,
            "as_of": wanted.as_of,
            "verdict": result.verdict.value,
            "score": result.score,
            "tightest": tightest(result),
            "rules": catalog.digest,
            "answer": zlib.compress(answer, 1),
            "created_at": now,
        }
        connection.execute(_NEW_ASSESSMENT, place | kept)
        _stand(connection, place, kept, announce)
        judged.append(orjson.Fragment(b'{"id":"%b",%b' % (assessment_id.encode(), answer[1:])))  # not written twice
    return {
        "id": snapshot_id,
        "seller": seller_id,
        "marketplace": wanted.marketplace,
        "as_of": wanted.as_of.isoformat(),
        "created_at": instant(now),
        "assessments": judged,
    }


def tightest(one: Assessment) -> str | None:
    """Name the required criterion with the least room left; None where the verdict leaves open which it is."""
    if one.score is None:
        return None
    scored = [
        (each.score, index) for index, each in enumerate(one.findings) if each.required and each.score is not None
    ]
    return one.findings[min(scored)[1]].rule.criterion.id if scored else None


def _stand(connection: Connection, place: Answer, kept: Mapping[str, Any], announce: Announce) -> None:
    """Let the seller stand where an assessment puts it, unless it knows a later day; announce a change of verdict."""
    stands = {name: kept[name] for name in ("program", "as_of", "verdict", "score", "tightest")}
    stands |= {"assessment_id": kept["id"], "assessed_at": kept["created_at"]}
    before = connection.execute(_NEWEST[connection.dialect.name], place | stands).scalar()
    if before not in (None, kept["verdict"]):
        happened = {
            "seller": place["seller_id"],
            "program": kept["program"],
            "marketplace": kept["marketplace"],
            "as_of": kept["as_of"].isoformat(),
            "assessment": kept["id"],
            "verdict": kept["verdict"],
            "previous_verdict": before,
        }
        announce(connection, place["workspace_id"], "seller.verdict_changed", happened)


def snapshot(connection: Connection, workspace: str, seller_id: str, snapshot_id: str) -> Answer:
    """Give a snapshot as it was sent, and the ids of its assessments. Raises NotFound."""
    one = snapshots.c
    row = connection.execute(
        select(snapshots).where(*_of(snapshots, workspace, seller_id), one.id == snapshot_id)
    ).one_or_none()
    if row is None:
        raise NotFound("snapshot", snapshot_id)
    its = (*_of(assessments, workspace, seller_id), assessments.c.snapshot_id == snapshot_id)
    judged = select(assessments.c.id).where(*its).order_by(assessments.c.program)
    return {
        "id": row.id,
        "seller": row.seller_id,
        "as_of": row.as_of.isoformat(),
        "created_at": instant(row.created_at),
        "numbers": json.loads(row.body),
        "assessments": list(connection.execute(judged).scalars()),
    }


def history(
    connection: Connection,
    workspace: str,
    seller_id: str,
    *,
    program: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Answer:
    """List how a seller was judged, the latest day first. Raises NotFound, InvalidInput."""
    _seller(connection, workspace, seller_id)
    one = assessments.c
    rows = select(
        one.id,
        one.snapshot_id,
        one.program,
        one.marketplace,
        one.as_of,
        one.verdict,
        one.score,
        one.tightest,
        one.rules,
        one.created_at,
    ).where(*_of(assessments, workspace, seller_id))
    if program is not None:
        rows = rows.where(one.program == program)
    found = page(connection, rows, (one.as_of, one.created_at, one.id), limit, cursor, descending=True)
    return {"items": [_judged(row) for row in found.rows], "next": found.next}


def judged(connection: Connection, workspace: str, seller_id: str, assessment_id: str) -> Answer:
    """Give one assessment in full, as it was answered then. Raises NotFound."""
    row = connection.execute(
        select(assessments).where(*_of(assessments, workspace, seller_id), assessments.c.id == assessment_id)
    ).one_or_none()
    if row is None:
        raise NotFound("assessment", assessment_id)
    return _judged(row) | {"assessment": orjson.Fragment(zlib.decompress(row.answer))}


def _judged(row: Row[Any]) -> Answer:
    return {
        "id": row.id,
        "snapshot": row.snapshot_id,
        "program": row.program,
        "marketplace": row.marketplace,
        "as_of": row.as_of.isoformat(),
        "verdict": row.verdict,
        "score": row.score,
        "tightest": row.tightest,
        "rules": row.rules,
        "created_at": instant(row.created_at),
    }


# Trends

MOST_IN_A_TREND = 100


def trends(
    connection: Connection, catalog: Catalog, workspace: str, seller_id: str, program: str, messages: Messages
) -> Answer:
    """Show each criterion of a program over time against its bar, and where that leads. Raises NotFound.

    Of a day the assessment that came last counts; of all days the latest 100. The bars are those that judged.
    """
    _seller(connection, workspace, seller_id)
    one = assessments.c
    last_of_day = func.row_number().over(partition_by=one.as_of, order_by=(one.created_at.desc(), one.id.desc()))
    mine = (*_of(assessments, workspace, seller_id), one.program == program)
    ranked = select(one.as_of, one.answer, one.snapshot_id, last_of_day.label("nth")).where(*mine).subquery()
    sent = and_(*_of(snapshots, workspace, seller_id), snapshots.c.id == ranked.c.snapshot_id)
    rows = select(ranked, snapshots.c.body).join(snapshots, sent).where(ranked.c.nth == 1)
    latest = connection.execute(rows.order_by(ranked.c.as_of.desc()).limit(MOST_IN_A_TREND)).all()
    found: dict[str, list[tuple[date, Answer]]] = {}
    for row in reversed(latest):
        numbers = json.loads(row.body).get("metrics") or {}
        for finding in orjson.loads(zlib.decompress(row.answer))["findings"]:
            if finding["metric"] is not None:
                exact = _exact_rate(numbers.get(finding["metric"]), finding)
                found.setdefault(finding["criterion"], []).append((row.as_of, finding | {"exact": exact}))
    now = catalog.program(program)
    labels = {criterion.id: criterion.label for criterion in now.criteria}
    return {
        "seller": seller_id,
        "program": program,
        "method": messages.text(TREND_METHOD),
        "criteria": [_trend(series, messages.text(labels.get(name, name)), messages) for name, series in found.items()],
    }


def _trend(series: Sequence[tuple[date, Answer]], label: str, messages: Messages) -> Answer:
    last = series[-1][1]
    points = [point for day, finding in series if (point := _point(day, finding)) is not None]
    followed: Answer = {"direction": None, "crosses_on": None, "reason": "no_bar", "points_used": 0, "span_days": 0}
    counter = isinstance(last["threshold"], int)
    if last["threshold"] is not None and all((point.of is None) == counter for point in points):
        bar = last["threshold"] if counter else parse_decimal(last["threshold"], 6)
        line = trend(points, last["comparison"], bar or 0)
        followed = {
            "direction": line.direction,
            "crosses_on": None if line.crosses_on is None else line.crosses_on.isoformat(),
            "reason": line.reason,
            "points_used": line.points,
            "span_days": line.span_days,
        }
        if line.crosses_on is not None and line.crosses_on <= today():
            followed["reason"] = "line_has_passed"
    words = {"label": label, "crosses_on": followed["crosses_on"]}
    return {
        "criterion": last["criterion"],
        "metric": last["metric"],
        "window_days": last["window_days"],
        "segment": last["segment"],
        "level": last["level"],
        "comparison": last["comparison"],
        "threshold": last["threshold"],
        "points": [
            {"as_of": day.isoformat(), **{key: finding[key] for key in ("observed", "outcome", "threshold")}}
            for day, finding in series
        ],
        **followed,
        "message": messages.text(TREND_REASONS[followed["reason"]], words),
    }


def _point(day: date, finding: Answer) -> Point | None:
    """Take the value of a finding as a point: None where it was not judged by itself."""
    seen = finding["observed"]
    if finding["outcome"] not in ("met", "missed") or seen is None or seen["count"] is seen["rate"] is None:
        return None
    if finding["exact"] is not None:
        return Point(day, finding["exact"], PPB)
    return Point(day, seen["count"], seen["of"])


def _exact_rate(sent: Any, finding: Answer) -> int | None:
    """Find a bare rate as it was sent, in ppb: the answer has it rounded, maybe over the bar."""
    seen = finding["observed"]
    if seen is None or seen["rate"] is None or seen["count"] is not None:
        return None
    several = sent if isinstance(sent, list) else [sent]
    rates = [
        rate
        for one in several
        if one and one.get("window_days") in (finding["window_days"], None)
        if (rate := parse_decimal(str(one.get("rate")), 9)) is not None
        and format_rate(half_up(rate, PPB // PPM)) == seen["rate"]
    ]
    return rates[0] if rates else (parse_decimal(seen["rate"], 6) or 0) * (PPB // PPM)
