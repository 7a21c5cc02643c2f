"""Keypads at which PINs with years are weak ones"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "devices", sa.Column("weak_years", sa.Boolean(), server_default=sa.text("0"), nullable=False)
    )
