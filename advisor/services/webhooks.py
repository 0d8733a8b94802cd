"""Where a workspace wants its events sent, the outbox, and the dispatcher that empties it.

An event is kept in the transaction that it happens in, once for each endpoint that wants it: a delivery. A dispatcher
claims a delivery that is due, sends it outside of any transaction, and notes the result if its token is still the right
one. So whoever dies in between is followed by another once the lease has passed, and what is then sent twice carries
the same webhook-id. No secret is stored: those that sign are derived from the one of this advisor.
"""

import base64
import hashlib
import hmac
import json
import random
import re
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, delete, func, insert, select, update

from advisor import outbound
from advisor.answers.parts import Answer
from advisor.errors import Conflict, NotFound, Sentence, say
from advisor.inputs.webhooks import EndpointInput
from advisor.outbound import Network, Sent
from advisor.services.pages import page
from advisor.services.sellers import instant
from advisor.settings import Settings
from advisor.store.database import Database, clock, new_id, now_ms
from advisor.store.tables import webhook_deliveries, webhook_endpoints, workspaces

TEST = "webhook.test"
MOST_ENDPOINTS = 20
DAY_MS = 86_400_000
OLD_SECRET_MS = DAY_MS

# Seconds to wait before each attempt, a little more by chance: about three days in all.
WAITS = (0, 5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
JITTER = 0.1
LEASE_MS = 30_000  # a request takes 10 seconds at most
AT_ONCE = 8
MOST_A_ROUND = 1000
ROUND_SECONDS = 20.0
LOOK_SECONDS = 1.0

KEPT_MS = {"delivered": 30 * DAY_MS, "failed": 90 * DAY_MS}
CHUNK = 1000

_MOMENT = re.compile(r"[0-9-]+T[0-9:.]+Z")

Clock = Callable[[Connection], int]
_endpoint = webhook_endpoints.c
_delivery = webhook_deliveries.c


# Endpoints


def create(connection: Connection, workspace: str, wanted: EndpointInput) -> Answer:
    """Keep an endpoint. Raises Conflict when the workspace has as many as it may have."""
    owner = select(workspaces.c.id).where(workspaces.c.id == workspace)
    connection.execute(owner.with_for_update(key_share=True))  # two at once are counted one after the other
    its = select(func.count()).select_from(webhook_endpoints).where(_endpoint.workspace_id == workspace)
    if connection.execute(its).scalar_one() >= MOST_ENDPOINTS:
        detail = say(
            "This workspace has {number} webhook endpoints, and may have no more. Delete one first.",
            number=MOST_ENDPOINTS,
        )
        raise Conflict("too_many_endpoints", detail)
    endpoint_id = new_id("whe")
    connection.execute(
        insert(webhook_endpoints).values(
            id=endpoint_id,
            workspace_id=workspace,
            url=wanted.url,
            description=wanted.description,
            events=json.dumps(wanted.events),
            secret_version=1,
            created_at=clock(connection),
        )
    )
    return get(connection, workspace, endpoint_id)


def get(connection: Connection, workspace: str, endpoint_id: str) -> Answer:
    """Describe an endpoint. Raises NotFound."""
    return _described(_one_endpoint(connection, workspace, endpoint_id))


def listing(connection: Connection, workspace: str) -> Answer:
    """List the endpoints of a workspace, oldest first."""
    rows = select(webhook_endpoints).where(_endpoint.workspace_id == workspace)
    ordered = rows.order_by(_endpoint.created_at, _endpoint.id)
    return {"items": [_described(row) for row in connection.execute(ordered)], "next": None}  # there are only a few


def remove(connection: Connection, workspace: str, endpoint_id: str) -> None:
    """Delete an endpoint with its deliveries; what was not sent is never sent. Raises NotFound."""
    if connection.execute(delete(webhook_endpoints).where(_is(workspace, endpoint_id))).rowcount == 0:
        raise NotFound("webhook endpoint", endpoint_id)


def rotate(connection: Connection, workspace: str, endpoint_id: str) -> Answer:
    """Give an endpoint a new secret; the one before goes on signing beside it for a day. Raises NotFound."""
    changed = {"secret_version": _endpoint.secret_version + 1, "rotated_at": clock(connection)}
    connection.execute(update(webhook_endpoints).where(_is(workspace, endpoint_id)).values(changed))
    return get(connection, workspace, endpoint_id)


def with_secret(secret: bytes, described: Answer) -> Answer:
    """Add the secret to a described endpoint, for who has just made or rotated it."""
    return {**described, "secret": signing_secret(secret, described["id"], described["secret_version"])}


def signing_secret(secret: bytes, endpoint_id: str, version: int) -> str:
    """Derive the secret of an endpoint (`whsec_` and base64) from the secret of this advisor."""
    derived = hmac.new(secret, f"webhook {endpoint_id} {version}".encode(), hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(derived).decode()}"


def _described(row: Row[Any]) -> Answer:
    old_until = (row.rotated_at or 0) + OLD_SECRET_MS
    return {
        "id": row.id,
        "url": row.url,
        "description": row.description,
        "events": json.loads(row.events),
        "secret_version": row.secret_version,
        "old_secret_until": instant(old_until) if old_until > now_ms() else None,
        "disabled": row.disabled,
        "created_at": instant(row.created_at),
    }


def _one_endpoint(connection: Connection, workspace: str, endpoint_id: str) -> Row[Any]:
    row = connection.execute(select(webhook_endpoints).where(_is(workspace, endpoint_id))).one_or_none()
    if row is None:
        raise NotFound("webhook endpoint", endpoint_id)
    return row


def _enabled(connection: Connection, workspace: str, endpoint_id: str) -> None:
    """Raise Conflict if an endpoint is disabled, NotFound if there is none."""
    reason = _one_endpoint(connection, workspace, endpoint_id).disabled
    if reason is not None:
        moment = _MOMENT.search(reason)
        why = _gone(moment[0]) if moment else reason  # kept in English, and said in any language
        raise Conflict("endpoint_disabled", say("Nothing is sent to this endpoint any more. {reason}", reason=why))


def _gone(moment: str) -> Sentence:
    return say(
        "The receiver answered 410 on {moment}: it wants no more events. Add a new endpoint if it does.", moment=moment
    )


def _is(workspace: str, endpoint_id: str) -> ColumnElement[bool]:
    return and_(_endpoint.workspace_id == workspace, _endpoint.id == endpoint_id)


# Events and deliveries


_ENABLED = (
    select(_endpoint.id, _endpoint.events)
    .where(_endpoint.workspace_id == bindparam("workspace"), _endpoint.disabled.is_(None))
    .order_by(_endpoint.id)
    .with_for_update(read=True, key_share=True)  # none of them is deleted before the event is kept
)


def announce(connection: Connection, workspace: str, event: str, happened: Answer) -> None:
    """Put an event into the outbox, once for each endpoint that wants it; it is sent if the transaction is kept."""
    enabled = connection.execute(_ENABLED, {"workspace": workspace})
    ids = [row.id for row in enabled if event in json.loads(row.events)]
    if ids:
        _put(connection, workspace, ids, event, happened)


def send_test(connection: Connection, workspace: str, endpoint_id: str) -> Answer:
    """Put a test event for one endpoint into the outbox; gives its delivery. Raises NotFound, Conflict."""
    _enabled(connection, workspace, endpoint_id)
    (delivery_id,) = _put(connection, workspace, [endpoint_id], TEST, {"endpoint": endpoint_id})
    return delivery(connection, workspace, delivery_id)


def deliveries(
    connection: Connection,
    workspace: str,
    *,
    state: str | None = None,
    endpoint: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Answer:
    """List deliveries, the newest first. Raises NotFound where there is no such endpoint, InvalidInput."""
    rows = select(webhook_deliveries).where(_delivery.workspace_id == workspace)
    if state is not None:
        rows = rows.where(_delivery.state == state)
    if endpoint is not None:
        _one_endpoint(connection, workspace, endpoint)
        rows = rows.where(_delivery.endpoint_id == endpoint)
    found = page(connection, rows, (_delivery.created_at, _delivery.id), limit, cursor, descending=True)
    return {"items": [_in_short(row) for row in found.rows], "next": found.next}


def delivery(connection: Connection, workspace: str, delivery_id: str) -> Answer:
    """Describe a delivery with what is sent. Raises NotFound."""
    row = _one_delivery(connection, workspace, delivery_id)
    return _in_short(row) | {"payload": json.loads(row.body)}


def resend(connection: Connection, workspace: str, delivery_id: str) -> Answer:
    """Send a delivery again that has ended, with all its attempts before it. Raises NotFound, Conflict."""
    row = _one_delivery(connection, workspace, delivery_id, lock=True)
    if row.state == "pending":
        detail = say("This delivery has not ended: it is sent, or tried again, by itself. `next_attempt_at` says when.")
        raise Conflict("delivery_pending", detail)
    _enabled(connection, workspace, row.endpoint_id)
    again = {"state": "pending", "attempts": 0, "due_at": clock(connection), "finished_at": None}
    connection.execute(update(webhook_deliveries).where(_delivery.id == row.id).values(again))
    return delivery(connection, workspace, delivery_id)


def _put(connection: Connection, workspace: str, ids: Sequence[str], event: str, happened: Answer) -> list[str]:
    now = clock(connection)
    body = {"type": event, "timestamp": instant(now), "data": happened}
    common: dict[str, Any] = {
        "workspace_id": workspace,
        "event_id": new_id("evt"),
        "event": event,
        "body": json.dumps(body, ensure_ascii=False),
        "state": "pending",
        "attempts": 0,
        "due_at": now,
        "token": 0,
        "created_at": now,
    }
    rows = [common | {"id": new_id("dlv"), "endpoint_id": one} for one in ids]
    connection.execute(insert(webhook_deliveries), rows)
    return [row["id"] for row in rows]


def _one_delivery(connection: Connection, workspace: str, delivery_id: str, lock: bool = False) -> Row[Any]:
    mine = and_(_delivery.workspace_id == workspace, _delivery.id == delivery_id)
    wanted = select(webhook_deliveries).where(mine)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise NotFound("webhook delivery", delivery_id)
    return row


def _in_short(row: Row[Any]) -> Answer:
    return {
        "id": row.id,
        "endpoint": row.endpoint_id,
        "event": row.event,
        "event_id": row.event_id,
        "state": row.state,
        "attempts": row.attempts,
        "status": row.last_status,
        "failure": None if row.last_failure is None else json.loads(row.last_failure),
        "next_attempt_at": instant(row.due_at) if row.state == "pending" else None,
        "created_at": instant(row.created_at),
        "finished_at": None if row.finished_at is None else instant(row.finished_at),
    }


# The dispatcher


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that a dispatcher may send for now: `at` is when it was claimed, and what its signature says."""

    id: str
    endpoint: str
    url: str
    secrets: tuple[str, ...]
    event_id: str
    body: bytes
    attempts: int
    token: int
    at: int


def deliver_due(
    database: Database,
    settings: Settings,
    *,
    most: int = MOST_A_ROUND,
    stop: Event | None = None,
    now: Clock = clock,
) -> int:
    """Send what is due, until nothing is or the round is over; says how many attempts were made.

    Any number of dispatchers may do so on any machines. Several deliveries are sent at once, but never two to the same
    endpoint, and one that fails is left alone for the rest of the round: so who answers slowly, or not at all, takes
    one place of those that all share. Raises StoreUnavailable.

    Args:
        database: Where the deliveries are.
        settings: The secret that signs, and what may be reached although it is private.
        most: How many attempts a round has.
        stop: Once set, nothing more is begun.
        now: The clock that leases and waits are measured by.
    """
    secret, ends = settings.secret(), time.monotonic() + ROUND_SECONDS
    begun = 0
    failed: set[str] = set()
    under_way: dict[Future[bool], str] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
        while True:
            room = min(AT_ONCE - len(under_way), most - begun)
            if room and time.monotonic() < ends and not (stop and stop.is_set()):
                with database.writing() as connection:
                    claims = _claim(connection, secret, room, {*failed, *under_way.values()}, now(connection))
                for one in claims:
                    sending = pool.submit(_deliver, database, one, settings.webhook_networks, now)
                    under_way[sending] = one.endpoint
                begun += len(claims)
            if not under_way:
                return begun
            done, _ = wait(under_way, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for sending in done:
                endpoint = under_way.pop(sending)
                if not sending.result():
                    failed.add(endpoint)


def _claim(connection: Connection, secret: bytes, most: int, others: Collection[str], now: int) -> list[Claim]:
    """Claim what waits longest, one for each endpoint that is not among `others`."""
    found: list[Claim] = []
    passed = set(others)
    while len(found) < most:
        due = and_(_delivery.state == "pending", _delivery.due_at <= now, _delivery.endpoint_id.not_in(passed))
        row = connection.execute(
            select(
                webhook_deliveries,
                _endpoint.url,
                _endpoint.secret_version,
                _endpoint.rotated_at,
                _endpoint.disabled,
            )
            .join(webhook_endpoints, _endpoint.id == _delivery.endpoint_id)
            .where(due)
            .order_by(_delivery.due_at, _delivery.id)
            .limit(1)
            .with_for_update(of=webhook_deliveries, skip_locked=True)
        ).one_or_none()
        if row is None:
            break
        passed.add(row.endpoint_id)
        if row.disabled is not None:  # while the event was being kept
            _give_up(connection, row.endpoint_id, row.disabled, now)
            continue
        held = {"token": row.token + 1, "due_at": now + LEASE_MS}
        connection.execute(update(webhook_deliveries).where(_delivery.id == row.id).values(held))
        versions = [row.secret_version]
        if row.rotated_at is not None and now < row.rotated_at + OLD_SECRET_MS:
            versions.append(row.secret_version - 1)
        secrets = tuple(signing_secret(secret, row.endpoint_id, version) for version in versions)
        body = row.body.encode()
        found.append(
            Claim(row.id, row.endpoint_id, row.url, secrets, row.event_id, body, row.attempts, held["token"], now)
        )
    return found


def _deliver(database: Database, held: Claim, networks: Sequence[Network], now: Clock) -> bool:
    """Send what is claimed and note what became of it; says whether it was confirmed."""
    signed = outbound.sign(held.secrets, held.event_id, held.at // 1000, held.body)
    headers = {"Content-Type": "application/json", "User-Agent": "seller-program-advisor", **signed}
    sent = outbound.post(held.url, held.body, headers, networks)
    with database.writing() as connection:
        _note(connection, held, sent, now(connection))
    return sent.failure is None


def _note(connection: Connection, held: Claim, sent: Sent, now: int) -> None:
    """Note what became of an attempt, unless another has claimed the delivery meanwhile."""
    attempts = held.attempts + 1
    gone = None
    if sent.status == 410:
        gone = str(_gone(instant(now)))
        disabled = update(webhook_endpoints).where(_endpoint.id == held.endpoint, _endpoint.disabled.is_(None))
        connection.execute(disabled.values(disabled=gone))
    values: dict[str, Any] = {"attempts": attempts, "last_status": sent.status, "last_failure": None}
    if sent.failure is not None:
        values["last_failure"] = json.dumps({"code": sent.failure, "detail": sent.detail})
    if sent.failure is None:
        values |= _ended("delivered", now)
    elif gone or attempts >= len(WAITS):
        values |= _ended("failed", now)
    else:
        values["due_at"] = now + round(WAITS[attempts] * 1000 * (1 + JITTER * random.random()))
    still_held = (_delivery.id == held.id, _delivery.token == held.token, _delivery.state == "pending")
    connection.execute(update(webhook_deliveries).where(*still_held).values(values))
    if gone is not None:
        _give_up(connection, held.endpoint, gone, now)


def _give_up(connection: Connection, endpoint_id: str, reason: str, now: int) -> None:
    """Fail what is still to be sent to a disabled endpoint."""
    failure = json.dumps({"code": "endpoint_disabled", "detail": reason})
    pending = update(webhook_deliveries).where(_delivery.endpoint_id == endpoint_id, _delivery.state == "pending")
    connection.execute(pending.values(last_failure=failure, **_ended("failed", now)))


def _ended(state: str, now: int) -> dict[str, Any]:
    """End a delivery; it is due once more, to be forgotten."""
    return {"state": state, "finished_at": now, "due_at": now + KEPT_MS[state]}


def purge(database: Database, *, now: Clock = clock) -> int:
    """Forget deliveries that ended long ago, so many in one transaction; says how many."""
    forgotten = 0
    while True:
        with database.writing() as connection:
            old = and_(_delivery.state.in_(tuple(KEPT_MS)), _delivery.due_at <= now(connection))
            some = select(_delivery.id).where(old).limit(CHUNK)
            number = connection.execute(delete(webhook_deliveries).where(_delivery.id.in_(some))).rowcount
        forgotten += number
        if number < CHUNK:
            return forgotten
