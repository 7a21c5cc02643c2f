"""Codes that open once, and when they did"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "access_codes", sa.Column("one_time", sa.Boolean(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("access_codes", sa.Column("used_at_ms", sa.BigInteger(), nullable=True))
