"""Every table. Times are milliseconds since 1970 in UTC, so that both databases keep the same number.

Everything that belongs to a workspace carries its `workspace_id`, and is only ever read by it. Objects with a shape
of their own (facts, a list of programs) are kept as JSON text, read and written whole. Values are checked before they
come here: SQLModel does not validate the classes of tables.
"""

from datetime import date

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, LargeBinary, Table, Text
from sqlmodel import Field, SQLModel


def _millis(nullable: bool = False) -> Column[int]:
    return Column(BigInteger, nullable=nullable)


def _text(nullable: bool = False) -> Column[str]:
    return Column(Text, nullable=nullable)


def _bytes(nullable: bool = False) -> Column[bytes]:
    return Column(LargeBinary, nullable=nullable)


def _of_seller(table: str) -> ForeignKeyConstraint:
    """Bind rows to a seller of the same workspace; they go when it goes."""
    return ForeignKeyConstraint(
        ["workspace_id", "seller_id"],
        ["seller.workspace_id", "seller.id"],
        name=f"fk_{table}_seller",
        ondelete="CASCADE",
    )


# Rows lie in the order of their key: all of a seller side by side, so that keeping one touches few pages.
CLUSTERED = {"sqlite_with_rowid": False}


class Workspace(SQLModel, table=True):
    """Who keeps accounts here: an agency, or one seller. Nothing is ever shared between two of them."""

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    created_at: int = Field(sa_column=_millis())


class ApiKey(SQLModel, table=True):
    """A key of a workspace. Of a secret key only the keyed hash of its secret is kept.

    `made_with` tells which secret of the advisor that hash rests on, and nothing more about it; null for old keys.
    """

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    name: str
    kind: str
    digest: str | None
    made_with: str | None
    scopes: str = Field(sa_column=_text())
    origins: str = Field(sa_column=_text())
    created_at: int = Field(sa_column=_millis())
    expires_at: int | None = Field(sa_column=_millis(nullable=True))
    revoked_at: int | None = Field(sa_column=_millis(nullable=True))
    last_used_on: date | None


class Seller(SQLModel, table=True):
    """One account on one marketplace; `facts` are declared once and hold for each snapshot that does not say else."""

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    id: str = Field(primary_key=True)
    marketplace: str
    name: str | None = Field(sa_column=_text(nullable=True))
    programs: str = Field(sa_column=_text())
    facts: str = Field(sa_column=_text())
    created_at: int = Field(sa_column=_millis())
    updated_at: int = Field(sa_column=_millis())


class SellerGroup(SQLModel, table=True):
    """A seller's membership in a group (a tag)."""

    __tablename__ = "seller_group"
    __table_args__ = (_of_seller("seller_group"), Index("ix_seller_group_name", "workspace_id", "name"), CLUSTERED)

    workspace_id: str = Field(primary_key=True)
    seller_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)


class Snapshot(SQLModel, table=True):
    """The facts and observations of a seller at a date, as they were sent."""

    __table_args__ = (_of_seller("snapshot"), CLUSTERED)

    workspace_id: str = Field(primary_key=True)
    seller_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    as_of: date
    body: str = Field(sa_column=_text())
    created_at: int = Field(sa_column=_millis())


class StoredAssessment(SQLModel, table=True):
    """One program's answer to a snapshot, never changed: the answer as JSON (zlib), and the rules that judged it."""

    __tablename__ = "assessment"
    __table_args__ = (_of_seller("assessment"), CLUSTERED)

    workspace_id: str = Field(primary_key=True)
    seller_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    snapshot_id: str
    program: str
    marketplace: str
    as_of: date
    verdict: str
    score: int | None
    tightest: str | None
    rules: str
    created_at: int = Field(sa_column=_millis())
    answer: bytes = Field(sa_column=_bytes())


class Standing(SQLModel, table=True):
    """Where a seller stands with a program: its newest assessment, and the verdict before that."""

    __table_args__ = (
        _of_seller("standing"),
        Index("ix_standing_score", "workspace_id", "program", "score", "seller_id"),
        CLUSTERED,
    )

    workspace_id: str = Field(primary_key=True)
    seller_id: str = Field(primary_key=True)
    program: str = Field(primary_key=True)
    assessment_id: str
    as_of: date
    verdict: str
    score: int | None
    tightest: str | None
    previous_verdict: str | None
    previous_score: int | None
    assessed_at: int = Field(sa_column=_millis())


class Batch(SQLModel, table=True):
    """A file of accounts to score. Whoever works on it holds a lease, and a token that only ever grows.

    `state` is queued, running, done or failed. `attempts` counts claims since a part was last committed.
    """

    __table_args__ = (
        Index("ix_batch_state", "state", "lease_until"),
        Index("ix_batch_workspace", "workspace_id", "created_at", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    state: str
    format: str
    program: str
    marketplace: str | None
    as_of: date
    constants: str = Field(sa_column=_text())
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    digest: str
    rows: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    rows_done: int = Field(sa_column=Column(BigInteger, nullable=False))
    scored: int = Field(sa_column=Column(BigInteger, nullable=False))
    rejected: int = Field(sa_column=Column(BigInteger, nullable=False))
    passed_through: str | None = Field(sa_column=_text(nullable=True))
    unused: str | None = Field(sa_column=_text(nullable=True))
    token: int
    attempts: int
    owner: str | None
    lease_until: int = Field(sa_column=_millis())
    problem: str | None = Field(sa_column=_text(nullable=True))
    created_at: int = Field(sa_column=_millis())
    started_at: int | None = Field(sa_column=_millis(nullable=True))
    finished_at: int | None = Field(sa_column=_millis(nullable=True))


class BatchPart(SQLModel, table=True):
    """A part of a batch that is scored and published: `token` tells which claim's files are the right ones."""

    __tablename__ = "batch_part"

    batch_id: str = Field(primary_key=True, foreign_key="batch.id", ondelete="CASCADE")
    number: int = Field(primary_key=True)
    token: int
    last_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    scored: int = Field(sa_column=Column(BigInteger, nullable=False))
    rejected: int = Field(sa_column=Column(BigInteger, nullable=False))
    blamed: str = Field(sa_column=_text())


class SharedResult(SQLModel, table=True):
    """A result that somebody chose to share, found by the hash of the secret in its link, until it expires."""

    __tablename__ = "shared_result"

    digest: str = Field(primary_key=True)
    answer: bytes = Field(sa_column=_bytes())
    created_at: int = Field(sa_column=_millis())
    expires_at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class IdempotencyRecord(SQLModel, table=True):
    """What a request with an Idempotency-Key was answered, or (status is null) that it is still under way."""

    __tablename__ = "idempotency_record"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    operation: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    token: str
    lease_until: int = Field(sa_column=_millis())
    status: int | None
    headers: str = Field(sa_column=_text())
    body: bytes = Field(sa_column=_bytes())
    created_at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class WebhookEndpoint(SQLModel, table=True):
    """Where a workspace wants its events sent. Secrets are derived, not stored: only their version is."""

    __tablename__ = "webhook_endpoint"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    url: str = Field(sa_column=_text())
    description: str | None = Field(sa_column=_text(nullable=True))
    events: str = Field(sa_column=_text())
    secret_version: int
    rotated_at: int | None = Field(sa_column=_millis(nullable=True))
    disabled: str | None = Field(sa_column=_text(nullable=True))
    created_at: int = Field(sa_column=_millis())


class WebhookDelivery(SQLModel, table=True):
    """One event for one endpoint: the outbox. `state` is pending, delivered or failed."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("ix_webhook_delivery_due", "state", "due_at"),
        Index("ix_webhook_delivery_workspace", "workspace_id", "created_at", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    endpoint_id: str = Field(foreign_key="webhook_endpoint.id", index=True, ondelete="CASCADE")
    event_id: str
    event: str
    body: str = Field(sa_column=_text())
    state: str
    attempts: int
    due_at: int = Field(sa_column=_millis())
    token: int
    last_status: int | None
    last_failure: str | None = Field(sa_column=_text(nullable=True))
    created_at: int = Field(sa_column=_millis())
    finished_at: int | None = Field(sa_column=_millis(nullable=True))


METADATA = SQLModel.metadata


def _table(of: type[SQLModel]) -> Table:
    return METADATA.tables[str(of.__tablename__)]


# For statements: `select(sellers.c.id)`.
workspaces = _table(Workspace)
api_keys = _table(ApiKey)
sellers = _table(Seller)
seller_groups = _table(SellerGroup)
snapshots = _table(Snapshot)
assessments = _table(StoredAssessment)
standings = _table(Standing)
batches = _table(Batch)
batch_parts = _table(BatchPart)
shared_results = _table(SharedResult)
idempotency_records = _table(IdempotencyRecord)
webhook_endpoints = _table(WebhookEndpoint)
webhook_deliveries = _table(WebhookDelivery)
