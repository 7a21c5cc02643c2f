"""The brand that an emulated keypad plays"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "devices", sa.Column("profile", sa.String(), server_default=sa.text("'generic'"), nullable=False)
    )
