"""Since when a code waits, warnings beside errors, and codes that another hand took off with permission"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "access_codes", sa.Column("asked_at_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.execute("UPDATE access_codes SET asked_at_ms = created_at_ms")
    op.add_column(
        "access_codes", sa.Column("taken_off", sa.Boolean(), server_default=sa.text("0"), nullable=False)
    )
    op.drop_column("access_codes", "slow_since_ms")
    op.add_column(
        "code_errors", sa.Column("is_warning", sa.Boolean(), server_default=sa.text("0"), nullable=False)
    )
