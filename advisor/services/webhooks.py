"""Where a workspace wants its events sent, and the outbox: an event is kept in the transaction that it happens in."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from advisor.services.calculations import Answer
from advisor.store.database import new_id, now_ms
from advisor.store.tables import webhook_deliveries, webhook_endpoints

EVENTS = ("seller.verdict_changed", "batch.finished")


def announce(connection: Connection, workspace: str, event: str, happened: Answer) -> None:
    """Put an event into the outbox, once for each endpoint that wants it; it is sent if the transaction is kept."""
    endpoint = webhook_endpoints.c
    wanted = select(endpoint.id, endpoint.events).where(endpoint.workspace_id == workspace, endpoint.disabled.is_(None))
    ids = [row.id for row in connection.execute(wanted) if event in json.loads(row.events)]
    if not ids:
        return
    now, event_id = now_ms(), new_id("evt")
    at = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = json.dumps({"type": event, "timestamp": at, "data": happened}, ensure_ascii=False)
    common: dict[str, Any] = {
        "workspace_id": workspace,
        "event_id": event_id,
        "event": event,
        "body": body,
        "state": "pending",
        "attempts": 0,
        "due_at": now,
        "token": 0,
        "created_at": now,
    }
    rows = [common | {"id": new_id("dlv"), "endpoint_id": one} for one in ids]
    connection.execute(insert(webhook_deliveries), rows)
