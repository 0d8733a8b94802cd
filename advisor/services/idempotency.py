"""The same request again is the same answer: Idempotency-Key, kept with the effect it stands for.

The first request with a key notes that it is under way. Its effect and its answer are then committed together. So a
request that comes again is answered with the same bytes, or learns that the first is still running, and whatever dies
in between leaves either both or nothing.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from advisor.errors import Conflict, InvalidInput, Problem, StoreUnavailable, say
from advisor.store.database import Database, clock, insert_new
from advisor.store.tables import idempotency_records

LEASE_MS = 60_000
KEPT_MS = 72 * 3_600_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that names a key: whose it is, what it asks for, and a hash of all of it."""

    workspace: str
    operation: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    replayed: bool = False


Effect = Callable[[Connection], Reply]
_record = idempotency_records.c
_IS = (
    _record.workspace_id == bindparam("of_workspace"),
    _record.operation == bindparam("of_operation"),
    _record.key == bindparam("of_key"),
)
_MINE = (*_IS, _record.token == bindparam("of_token"))
_FIND = select(idempotency_records).where(*_IS).with_for_update()
_TAKE_OVER = update(idempotency_records).where(*_IS)
_FINISH = update(idempotency_records).where(*_MINE)
_RELEASE = delete(idempotency_records).where(*_MINE, _record.status.is_(None))


def once(database: Database, asked: Asked | None, effect: Effect) -> Reply:
    """Carry an effect out in one transaction, once for each key, or give again what it was answered.

    Raises Conflict (in_progress) while the first request runs, InvalidInput (key_reused) when the key came with another
    request, and whatever the effect raises: then nothing is kept, and the key is free again.
    """
    if asked is None:
        with database.writing() as connection:
            return effect(connection)
    token = secrets.token_hex(8)
    known = _begin(database, asked, token)
    if known is not None:
        return known
    try:
        with database.writing() as connection:
            reply = effect(connection)
            _finish(connection, asked, token, reply)
            return reply
    except BaseException:
        _release(database, asked, token)
        raise


def _begin(database: Database, asked: Asked, token: str) -> Reply | None:
    """Note that the request is under way; gives what it was answered if it was answered before."""
    with database.writing() as connection:
        now = clock(connection)
        note = {
            "fingerprint": asked.fingerprint,
            "token": token,
            "lease_until": now + LEASE_MS,
            "status": None,
            "headers": "{}",
            "body": b"",
            "created_at": now,
        }
        place = {"workspace_id": asked.workspace, "operation": asked.operation, "key": asked.key}
        if insert_new(connection, idempotency_records, place | note):
            return None
        row = connection.execute(_FIND, _named(asked)).one_or_none()
        if row is None:  # it was freed between our two looks
            raise _in_progress()
        known = _known(row, asked, now) if row.created_at > now - KEPT_MS else None
        if known is None:
            connection.execute(_TAKE_OVER, _named(asked) | note)
        return known


def _known(row: Row[Any], asked: Asked, now: int) -> Reply | None:
    """Say what a kept record answers; None when the request that made it died before it was done."""
    if row.fingerprint != asked.fingerprint:
        detail = say("This Idempotency-Key came with another request before. Use a new key for a new request.")
        raise InvalidInput([Problem("Idempotency-Key", "key_reused", detail)])
    if row.status is not None:
        return Reply(row.status, row.body, json.loads(row.headers), replayed=True)
    if row.lease_until > now:
        raise _in_progress()
    return None


def _in_progress() -> Conflict:
    detail = say("The first request with this Idempotency-Key is still running. Ask again soon.")
    return Conflict("in_progress", detail)


def _finish(connection: Connection, asked: Asked, token: str, reply: Reply) -> None:
    """Keep the answer, in the transaction of the effect; raises Conflict when another request has taken over."""
    answer = {"status": reply.status, "headers": json.dumps(dict(reply.headers)), "body": reply.body}
    if connection.execute(_FINISH, _named(asked, token) | answer).rowcount != 1:
        raise _in_progress()


def _release(database: Database, asked: Asked, token: str) -> None:
    """Free the key of a request that came to nothing; if that fails too, its lease frees it."""
    with suppress(StoreUnavailable), database.writing() as connection:
        connection.execute(_RELEASE, _named(asked, token))


def purge(connection: Connection) -> int:
    """Forget the answers that are older than they are kept; says how many."""
    old = _record.created_at < clock(connection) - KEPT_MS
    return connection.execute(delete(idempotency_records).where(old)).rowcount


def _named(asked: Asked, token: str | None = None) -> dict[str, Any]:
    """Name a record, or what a token holds of it, for the statements above."""
    name = {"of_workspace": asked.workspace, "of_operation": asked.operation, "of_key": asked.key}
    return name if token is None else name | {"of_token": token}
