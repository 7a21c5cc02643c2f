"""Codes whose PIN a brand's lock made up itself, and whether they were used"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_codes", sa.Column("offline", sa.String(), nullable=True))
    op.create_index(
        "ix_access_codes_offline",
        "access_codes",
        ["device_id", "offline"],
        sqlite_where=sa.text("offline IS NOT NULL"),
        postgresql_where=sa.text("offline IS NOT NULL"),
    )
