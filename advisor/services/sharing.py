"""Results that a person chose to share. A link is random and names no seller; only its hash is stored."""

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, select

from advisor.answers.parts import dumps
from advisor.errors import NotFound
from advisor.store.database import now_ms
from advisor.store.tables import shared_results

KEPT_DAYS = 30
DAY_MS = 86_400_000
LINK_BYTES = 18  # 144 bits


@dataclass(frozen=True, slots=True)
class Shared:
    """A shared result: the document, its link, when it expires, and (only when it is made) what deletes it."""

    link: str
    document: dict[str, Any]
    made_at: datetime
    expires_at: datetime
    token: str | None = None


def keep(connection: Connection, secret: bytes, document: dict[str, Any]) -> Shared:
    """Keep a document under a new link."""
    link, now = secrets.token_urlsafe(LINK_BYTES), now_ms()
    until = now + KEPT_DAYS * DAY_MS
    row = {"digest": _digest(link), "answer": zlib.compress(dumps(document)), "created_at": now}
    connection.execute(insert(shared_results), row | {"expires_at": until})
    return Shared(link, document, _instant(now), _instant(until), _token(secret, link))


def get(connection: Connection, link: str) -> Shared:
    """Find what a link leads to. Raises NotFound: also where it has expired."""
    wanted = select(shared_results).where(shared_results.c.digest == _digest(link))
    row = connection.execute(wanted).one_or_none()
    if row is None or row.expires_at <= now_ms():
        raise NotFound("shared result", link)
    document = orjson.loads(zlib.decompress(row.answer))
    return Shared(link, document, _instant(row.created_at), _instant(row.expires_at))


def may_delete(secret: bytes, link: str, token: str) -> bool:
    """Tell whether somebody has the link that deletes, not only the one that shows."""
    return hmac.compare_digest(_token(secret, link).encode(), token.encode())


def remove(connection: Connection, link: str) -> None:
    """Delete a shared result, for good. Deleting it again changes nothing."""
    connection.execute(delete(shared_results).where(shared_results.c.digest == _digest(link)))


def purge(connection: Connection) -> int:
    """Delete what has expired; says how many there were."""
    return connection.execute(delete(shared_results).where(shared_results.c.expires_at <= now_ms())).rowcount


def _digest(link: str) -> str:
    return hashlib.sha256(link.encode()).hexdigest()


def _token(secret: bytes, link: str) -> str:
    return hmac.new(secret, b"delete shared result " + link.encode(), "sha256").hexdigest()[:40]


def _instant(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)
