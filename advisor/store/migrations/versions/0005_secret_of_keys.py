"""Keep of each key which secret of the advisor it was made with."""

import sqlalchemy as sa
from alembic import op

revision = "0005_secret_of_keys"
down_revision = "0004_unread_columns"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_key", sa.Column("made_with", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("api_key", "made_with")
