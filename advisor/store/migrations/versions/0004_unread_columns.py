"""Keep which columns of a batch's file were not read."""

import sqlalchemy as sa
from alembic import op

revision = "0004_unread_columns"
down_revision = "0003_webhooks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("passed_through", sa.Text(), nullable=True))
    op.add_column("batch", sa.Column("unused", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("batch") as batch:
        batch.drop_column("unused")
        batch.drop_column("passed_through")
