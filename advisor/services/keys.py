"""Who may ask for what: workspaces and their API keys.

A key is `sk_<id>_<secret>_<check>`. Its id finds it, its check digits tell a mistyped one without asking the database,
and of its secret only an HMAC is kept: whoever reads the database can use none of them. A publishable key (`pk_...`) is
no secret: it names a workspace, and the exact origins whose pages may use it.
"""

import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from advisor.errors import AdvisorError, Forbidden, Unauthenticated, say
from advisor.settings import read_origin
from advisor.store.database import insert_new, new_id, now_ms
from advisor.store.tables import api_keys, workspaces

SCOPES = (
    "sellers:read",
    "sellers:write",
    "batches:read",
    "batches:write",
    "webhooks:read",
    "webhooks:write",
)
MOST_LIVE_KEYS = 2
DAY_MS = 86_400_000
_KEY = re.compile(r"(sk|pk)_([0-9a-f]{8})_([0-9a-f]{64})_([0-9a-f]{8})", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,100}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a workspace, by one of its keys. `origins` are those of a publishable key."""

    workspace: str
    key: str
    scopes: frozenset[str]
    origins: tuple[str, ...] | None = None

    def require(self, scope: str) -> None:
        """Raise Forbidden unless the key has the scope."""
        if self.origins is not None:
            detail = say("A publishable key opens no stored data. Use a secret key, and keep it on your server.")
            raise Forbidden(detail)
        if scope not in self.scopes:
            raise Forbidden(say("This key may not do this: it lacks the scope {scope}.", scope=scope))


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as it is listed: everything but its secret."""

    id: str
    workspace: str
    name: str
    kind: str
    scopes: tuple[str, ...]
    origins: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_on: str | None


def create(
    connection: Connection,
    secret: bytes,
    workspace: str,
    name: str = "default",
    scopes: Sequence[str] = SCOPES,
    days: int | None = None,
    origins: Sequence[str] = (),
) -> str:
    """Make a key of a workspace, which is made if there is none of that name; gives the key, which is shown only now.

    With `origins` it is a publishable key. At most two keys of one name are live, so that one can be changed for
    another without a gap. Raises AdvisorError.
    """
    for what, text in (("workspace", workspace), ("key", name)):
        if not _NAME.fullmatch(text):
            raise AdvisorError(f"The name of a {what} has 1 to 100 printable characters.")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise AdvisorError(f"There is no scope {unknown[0]}. There are {', '.join(SCOPES)}.")
    checked = [read_origin(origin) for origin in origins]
    now = now_ms()
    insert_new(connection, workspaces, {"id": new_id("wsp"), "name": workspace, "created_at": now})
    # Locked, so that its live keys are counted one creator after the other.
    named = select(workspaces.c.id).where(workspaces.c.name == workspace).with_for_update()
    owner = connection.execute(named).scalar_one()
    live = _live(connection, owner, name, now)
    if len(live) >= MOST_LIVE_KEYS:
        raise AdvisorError(
            f"{workspace} has {len(live)} live keys named {name}: {', '.join(live)}. Revoke one first "
            "(`advisor keys revoke ID`), or give the new one another --name."
        )
    kind = "pk" if origins else "sk"
    key_id, random = secrets.token_hex(4), secrets.token_hex(32)
    connection.execute(
        insert(api_keys).values(
            id=key_id,
            workspace_id=owner,
            name=name,
            kind=kind,
            digest=_digest(secret, random),
            made_with=_fingerprint(secret),
            scopes="" if origins else " ".join(sorted(set(scopes))),
            origins=json.dumps(checked),
            created_at=now,
            expires_at=None if days is None else now + days * DAY_MS,
        )
    )
    body = f"{kind}_{key_id}_{random}"
    return f"{body}_{_check(body)}"


def of_another_secret(connection: Connection, secret: bytes | None) -> list[str]:
    """Name the live keys that are refused, because they were made with another secret than this, if there is one."""
    key, now = api_keys.c, now_ms()
    live = select(key.id).where(key.revoked_at.is_(None), or_(key.expires_at.is_(None), key.expires_at > now))
    known = live.where(key.made_with.is_not(None))
    if secret is not None:
        known = known.where(key.made_with != _fingerprint(secret))
    return list(connection.execute(known.order_by(key.created_at, key.id)).scalars())


def has_workspace(connection: Connection, name: str) -> bool:
    """Tell whether there is a workspace of exactly that name."""
    return connection.execute(select(workspaces.c.id).where(workspaces.c.name == name)).first() is not None


def _live(connection: Connection, workspace_id: str, name: str, now: int) -> list[str]:
    key = api_keys.c
    same_name = select(key.id).where(key.workspace_id == workspace_id, key.name == name, key.revoked_at.is_(None))
    live = same_name.where(or_(key.expires_at.is_(None), key.expires_at > now))
    return list(connection.execute(live.order_by(key.created_at, key.id)).scalars())


def listed(connection: Connection, workspace: str | None = None) -> list[KeyState]:
    """List keys, of one workspace or of all, oldest first."""
    keys = select(api_keys, workspaces.c.name.label("workspace")).join(workspaces)
    if workspace is not None:
        keys = keys.where(workspaces.c.name == workspace)
    return [
        KeyState(
            id=row.id,
            workspace=row.workspace,
            name=row.name,
            kind="publishable" if row.kind == "pk" else "secret",
            scopes=tuple(row.scopes.split()),
            origins=tuple(json.loads(row.origins)),
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            last_used_on=row.last_used_on.isoformat() if row.last_used_on else None,
        )
        for row in connection.execute(keys.order_by(workspaces.c.name, api_keys.c.created_at, api_keys.c.id))
    ]


def revoke(connection: Connection, key_id: str) -> str:
    """Revoke a key, at once and for good; gives its id. Raises AdvisorError where there is no such key."""
    wanted = key_id.split("_")[1] if _KEY.fullmatch(key_id) else key_id
    key = connection.execute(select(api_keys.c.revoked_at).where(api_keys.c.id == wanted)).one_or_none()
    if key is None:
        raise AdvisorError(f"There is no key {wanted[:80]}. `advisor keys list` names them all.")
    if key.revoked_at is None:
        connection.execute(update(api_keys).where(api_keys.c.id == wanted).values(revoked_at=now_ms()))
    return wanted


def is_well_formed(key: str) -> bool:
    """Tell whether a text can be a key, by its form and check digits alone."""
    parts = _KEY.fullmatch(key)
    return parts is not None and _check(key.rpartition("_")[0]) == parts[4]


_FIND = select(api_keys).where(api_keys.c.id == bindparam("key"))


def find(connection: Connection, secret: bytes, key: str) -> tuple[Caller, date | None]:
    """Find who has a well-formed key, and the day of its last use that is noted. Raises Unauthenticated."""
    kind, key_id, random, _ = key.split("_")
    row = connection.execute(_FIND, {"key": key_id}).one_or_none()
    # Compared even where there is no such key, so that both take the same time.
    right = hmac.compare_digest(_digest(secret, random), row.digest if row else "")
    if row is None or not right or row.kind != kind:
        raise Unauthenticated
    return _caller(row), row.last_used_on


def of_id(connection: Connection, key_id: str) -> tuple[Caller, date | None]:
    """Find who has the key of an id, which was shown before, as `find` does. Raises Unauthenticated."""
    row = connection.execute(_FIND, {"key": key_id}).one_or_none()
    if row is None:
        raise Unauthenticated
    return _caller(row), row.last_used_on


def _caller(row: Row[Any]) -> Caller:
    """Say who has a key, while it is live. Raises Unauthenticated."""
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now_ms()):
        raise Unauthenticated
    origins = tuple(json.loads(row.origins)) if row.kind == "pk" else None
    return Caller(row.workspace_id, row.id, frozenset(row.scopes.split()), origins)


def workspace_name(connection: Connection, workspace: str) -> str:
    """Give the name of a workspace."""
    return str(connection.execute(select(workspaces.c.name).where(workspaces.c.id == workspace)).scalar_one())


def note_use(connection: Connection, key_id: str, day: date) -> None:
    """Note the day on which a key was last used."""
    connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_on=day))


def _fingerprint(secret: bytes) -> str:
    """Tell one secret of the advisor from another, without giving anything of it away."""
    return hmac.new(secret, b"fingerprint of the secret", hashlib.sha256).hexdigest()[:16]


def _digest(secret: bytes, random: str) -> str:
    return hmac.digest(secret, f"api key {random}".encode(), "sha256").hex()


def _check(body: str) -> str:
    return f"{binascii.crc32(body.encode()):08x}"
