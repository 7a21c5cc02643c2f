"""A way to find whether an event is still to be delivered: it may not be deleted before"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_deliveries_seq", "deliveries", ["seq"])
