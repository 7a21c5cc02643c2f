"""Spare codes that a keypad keeps, and those that were given out"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_codes", sa.Column("backup", sa.String(), nullable=True))
    op.add_column("access_codes", sa.Column("pulled_backup_id", sa.String(36), nullable=True))
    op.add_column(
        "devices", sa.Column("backup_pool", sa.Boolean(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("devices", sa.Column("backup_short_since_ms", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_access_codes_backup",
        "access_codes",
        ["device_id", "backup"],
        sqlite_where=sa.text("backup IS NOT NULL"),
    )
