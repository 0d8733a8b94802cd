"""Keep workspaces, their keys, sellers, snapshots, assessments and standings."""

import sqlalchemy as sa
from alembic import op

revision = "0001_accounts"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workspace",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("origins", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_api_key_workspace_id"), "api_key", ["workspace_id"], unique=False)
    op.create_table(
        "seller",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("marketplace", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("programs", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspace.id"],
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_table(
        "assessment",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("seller_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("snapshot_id", sa.String(), nullable=False),
        sa.Column("program", sa.String(), nullable=False),
        sa.Column("marketplace", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("tightest", sa.String(), nullable=True),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "seller_id"],
            ["seller.workspace_id", "seller.id"],
            name="fk_assessment_seller",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "seller_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "seller_group",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("seller_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "seller_id"],
            ["seller.workspace_id", "seller.id"],
            name="fk_seller_group_seller",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "seller_id", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_seller_group_name", "seller_group", ["workspace_id", "name"], unique=False)
    op.create_table(
        "snapshot",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("seller_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "seller_id"],
            ["seller.workspace_id", "seller.id"],
            name="fk_snapshot_seller",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "seller_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "standing",
        sa.Column("workspace_id", sa.String(), nullable=False),
        sa.Column("seller_id", sa.String(), nullable=False),
        sa.Column("program", sa.String(), nullable=False),
        sa.Column("assessment_id", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("tightest", sa.String(), nullable=True),
        sa.Column("previous_verdict", sa.String(), nullable=True),
        sa.Column("previous_score", sa.Integer(), nullable=True),
        sa.Column("assessed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "seller_id"],
            ["seller.workspace_id", "seller.id"],
            name="fk_standing_seller",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "seller_id", "program"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_standing_score", "standing", ["workspace_id", "program", "score", "seller_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_standing_score", table_name="standing")
    op.drop_table("standing")
    op.drop_table("snapshot")
    op.drop_index("ix_seller_group_name", table_name="seller_group")
    op.drop_table("seller_group")
    op.drop_table("assessment")
    op.drop_table("seller")
    op.drop_index(op.f("ix_api_key_workspace_id"), table_name="api_key")
    op.drop_table("api_key")
    op.drop_table("workspace")
