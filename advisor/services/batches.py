"""Files of accounts: taken in, scored part by part by whichever worker claims them, and handed out.

A batch is a pure function of its file, so its row is all the queue there is. Whoever scores it holds a lease, which it
renews while it works, and a token that grows with every claim. A part counts once a commit that checks the token has
named it; so a worker that died is followed by one that goes on after the last part, and one that only slept, past its
lease, finds that its token is worth nothing.
"""

import contextlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update

from advisor.answers.parts import Answer
from advisor.errors import AdvisorError, Conflict, InvalidInput, NotFound, Problem, UnreadableInput, say
from advisor.messages import DEFAULT_LOCALE, messages_in
from advisor.services.calculations import problems
from advisor.services.pages import page
from advisor.services.sellers import Announce, instant
from advisor.store.database import clock
from advisor.store.tables import batch_parts, batches

MOST_ATTEMPTS = 20
NOT_FINISHED = {
    "queued": say("This batch is queued. Ask for its state until it is done."),
    "running": say("This batch is running. Ask for its state until it is done."),
    "failed": say("This batch is failed. `problem` says why."),
}


class LeaseLost(AdvisorError):
    """Somebody else works on the batch now, or nobody should any more."""

    def __init__(self) -> None:
        super().__init__("This batch was claimed by another worker, or cancelled.")


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of a file: by which rules it is scored, and what it is."""

    format: str
    program: str
    marketplace: str | None
    as_of: date
    constants: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that a worker may score for now, with the parts that are done: the token and last row of each."""

    id: str
    workspace: str
    token: int
    order: Order
    parts: Mapping[int, tuple[int, int]]


def folder(files: Path, batch_id: str) -> Path:
    """Name the directory of a batch's files."""
    return files / "batches" / batch_id


def part_folder(files: Path, batch_id: str, number: int, token: int) -> Path:
    """Name the directory of a part that was scored under a token."""
    return folder(files, batch_id) / f"part-{number}-{token}"


# For those who send files


def create(connection: Connection, workspace: str, batch_id: str, order: Order, size: int, digest: str) -> None:
    """Keep a batch whose file is in its place."""
    connection.execute(
        insert(batches).values(
            id=batch_id,
            workspace_id=workspace,
            state="queued",
            format=order.format,
            program=order.program,
            marketplace=order.marketplace,
            as_of=order.as_of,
            constants=json.dumps(dict(order.constants)),
            size=size,
            digest=digest,
            rows_done=0,
            scored=0,
            rejected=0,
            token=0,
            attempts=0,
            lease_until=0,
            created_at=clock(connection),
        )
    )


def get(connection: Connection, workspace: str, batch_id: str) -> Answer:
    """Describe a batch. Raises NotFound."""
    return _described(_batch(connection, workspace, batch_id))


def listing(connection: Connection, workspace: str, limit: int | None = None, cursor: str | None = None) -> Answer:
    """List batches, the newest first. Raises InvalidInput."""
    rows = select(batches).where(batches.c.workspace_id == workspace)
    found = page(connection, rows, (batches.c.created_at, batches.c.id), limit, cursor, descending=True)
    return {"items": [_described(row) for row in found.rows], "next": found.next}


def finished(connection: Connection, workspace: str, batch_id: str) -> str:
    """Give the format of a batch's file once its results are there. Raises NotFound, Conflict."""
    row = _batch(connection, workspace, batch_id)
    if row.state != "done":
        raise Conflict("not_finished", NOT_FINISHED[row.state])
    return str(row.format)


def remove(connection: Connection, workspace: str, batch_id: str) -> None:
    """Delete a batch, whatever its state: who works on it finds out, and its files are swept. Raises NotFound."""
    mine = and_(batches.c.workspace_id == workspace, batches.c.id == batch_id)
    if connection.execute(delete(batches).where(mine)).rowcount == 0:
        raise NotFound("batch", batch_id)


def _batch(connection: Connection, workspace: str, batch_id: str) -> Row[Any]:
    mine = and_(batches.c.workspace_id == workspace, batches.c.id == batch_id)
    row = connection.execute(select(batches).where(mine)).one_or_none()
    if row is None:
        raise NotFound("batch", batch_id)
    return row


def _described(row: Row[Any]) -> Answer:
    address = f"/v1/batches/{row.id}"
    done = row.state == "done"
    return {
        "id": row.id,
        "state": row.state,
        "format": row.format,
        "program": row.program,
        "marketplace": row.marketplace,
        "as_of": row.as_of.isoformat(),
        "set": json.loads(row.constants),
        "size": row.size,
        "digest": f"sha-256=:{row.digest}:",
        "rows": row.rows,
        "rows_done": row.rows_done,
        "scored": row.scored,
        "rejected": row.rejected,
        "passed_through": None if row.passed_through is None else json.loads(row.passed_through),
        "unused": None if row.unused is None else json.loads(row.unused),
        "created_at": instant(row.created_at),
        "started_at": None if row.started_at is None else instant(row.started_at),
        "finished_at": None if row.finished_at is None else instant(row.finished_at),
        "problem": None if row.problem is None else json.loads(row.problem),
        "results": f"{address}/results" if done else None,
        "rejects": f"{address}/rejects" if done else None,
    }


# For workers


def claim(connection: Connection, owner: str, lease_ms: int, announce: Announce) -> Claim | None:
    """Claim the batch that waits longest, or one whose worker has not been heard of; None when there is none.

    One that was claimed again and again without a part being done is given up.
    """
    now = clock(connection)
    one = batches.c
    free = and_(one.state.in_(("queued", "running")), one.lease_until <= now)
    waiting = select(batches).where(free).order_by(one.created_at, one.id).limit(1).with_for_update(skip_locked=True)
    row = connection.execute(waiting).one_or_none()
    if row is None:
        return None
    if row.attempts >= MOST_ATTEMPTS:
        detail = f"{row.attempts} workers died over this batch without finishing a part. Send it in smaller files."
        problem = {"code": "worker_died", "detail": detail, "errors": []}
        _end(connection, row.id, row.workspace_id, "failed", now, announce, problem)
        return None
    changed = {
        "state": "running",
        "owner": owner,
        "token": row.token + 1,
        "attempts": row.attempts + 1,
        "lease_until": now + lease_ms,
        "started_at": row.started_at or now,
    }
    connection.execute(update(batches).where(one.id == row.id).values(changed))
    part = batch_parts.c
    done = select(part.number, part.token, part.last_row).where(part.batch_id == row.id)
    return Claim(
        id=row.id,
        workspace=row.workspace_id,
        token=row.token + 1,
        order=Order(row.format, row.program, row.marketplace, row.as_of, json.loads(row.constants)),
        parts={number: (token, last) for number, token, last in connection.execute(done)},
    )


def renew(connection: Connection, held: Claim, lease_ms: int) -> None:
    """Renew the lease. Raises LeaseLost."""
    _change(connection, held, {"lease_until": clock(connection) + lease_ms})


def begin(
    connection: Connection, held: Claim, rows: int, *, passed_through: Sequence[str], unused: Sequence[str]
) -> None:
    """Say how many rows the file has, and which of its columns are not read. Raises LeaseLost."""
    names = {"passed_through": json.dumps([*passed_through]), "unused": json.dumps([*unused])}
    _change(connection, held, {"rows": rows, **names})


def begin_again(connection: Connection, held: Claim) -> None:
    """Forget the parts that are done, because the file falls into other parts now. Raises LeaseLost."""
    _change(connection, held, {"rows_done": 0, "scored": 0, "rejected": 0})
    connection.execute(delete(batch_parts).where(batch_parts.c.batch_id == held.id))


def add_part(
    connection: Connection,
    held: Claim,
    number: int,
    *,
    last_row: int,
    rows: int,
    scored: int,
    blamed: Mapping[tuple[str, str, str], int],
    lease_ms: int,
) -> None:
    """Count a part whose files are in place. Raises LeaseLost, and then they are worth nothing."""
    changed = {
        "rows_done": batches.c.rows_done + rows,
        "scored": batches.c.scored + scored,
        "rejected": batches.c.rejected + rows - scored,
        "attempts": 0,
        "lease_until": clock(connection) + lease_ms,
    }
    _change(connection, held, changed)
    connection.execute(
        insert(batch_parts).values(
            batch_id=held.id,
            number=number,
            token=held.token,
            last_row=last_row,
            scored=scored,
            rejected=rows - scored,
            blamed=json.dumps([[*name, count] for name, count in blamed.items()]),
        )
    )


def blamed(connection: Connection, held: Claim) -> dict[tuple[str, str, str], int]:
    """Add up, over all parts, how many rows each constant spoilt."""
    found: dict[tuple[str, str, str], int] = {}
    parts = select(batch_parts.c.blamed).where(batch_parts.c.batch_id == held.id)
    for text in connection.execute(parts).scalars():
        for column, code, reason, count in json.loads(text):
            found[column, code, reason] = found.get((column, code, reason), 0) + count
    return found


def finish(connection: Connection, held: Claim, announce: Announce) -> None:
    """Say that the results are in place. Raises LeaseLost."""
    _change(connection, held, {})
    _end(connection, held.id, held.workspace, "done", clock(connection), announce)


def fail(connection: Connection, held: Claim, why: UnreadableInput | InvalidInput, announce: Announce) -> None:
    """Say that the file as a whole cannot be used, and why, in English: many may read it. Raises LeaseLost."""
    _change(connection, held, {})
    english = messages_in(DEFAULT_LOCALE)
    if isinstance(why, InvalidInput):
        detail = "Some columns or values cannot be used. `errors` says which, and what to do."
        problem = {"code": "not_usable", "detail": detail, "errors": problems(why.problems, english)}
    else:
        errors = problems([Problem("", why.code, why.detail)], english)
        problem = {"code": why.code, "detail": why.detail, "errors": errors}
    _end(connection, held.id, held.workspace, "failed", clock(connection), announce, problem)


def give_back(connection: Connection, held: Claim, wait_ms: int = 0) -> None:
    """Let another worker go on, at once or after a while; the attempt does not count. Raises LeaseLost."""
    later = clock(connection) + wait_ms
    _change(connection, held, {"state": "queued", "lease_until": later, "attempts": batches.c.attempts - 1})


def known(connection: Connection) -> dict[str, bool]:
    """Name every batch that there is, and say whether it has ended: files of others can be swept."""
    return {
        batch_id: state in ("done", "failed")
        for batch_id, state in connection.execute(select(batches.c.id, batches.c.state))
    }


def _holds(held: Claim) -> ColumnElement[bool]:
    return and_(batches.c.id == held.id, batches.c.token == held.token, batches.c.state == "running")


def _change(connection: Connection, held: Claim, values: Mapping[str, Any]) -> None:
    """Change the batch if the token is still the right one; the row is locked until the transaction ends."""
    changed = update(batches).where(_holds(held)).values({"token": held.token, **values})
    if connection.execute(changed).rowcount != 1:
        raise LeaseLost


def _end(
    connection: Connection,
    batch_id: str,
    workspace: str,
    state: str,
    now: int,
    announce: Announce,
    problem: Answer | None = None,
) -> None:
    values = {
        "state": state,
        "finished_at": now,
        "owner": None,
        "problem": None if problem is None else json.dumps(problem),
    }
    connection.execute(update(batches).where(batches.c.id == batch_id).values(values))
    announce(connection, workspace, "batch.finished", get(connection, workspace, batch_id))


def sweep(files: Path, batch_ids: Collection[str], before: float) -> int:
    """Remove the files of batches that are gone, and of uploads that broke off, if they are older than a time.

    (Files come before their batch: young ones may be of one that is just being kept.) Says how many there were.
    """
    swept = 0
    for root in (files / "batches", files / "incoming"):
        for path in root.iterdir() if root.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # another worker sweeps too
                if path.name not in batch_ids and path.stat().st_mtime < before:
                    shutil.rmtree(path, ignore_errors=True)
                    swept += 1
    return swept
