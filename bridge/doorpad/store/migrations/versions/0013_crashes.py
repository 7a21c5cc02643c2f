"""What a keypad kept of its crashes"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("crashes", sa.JSON(), server_default=sa.text("'[]'"), nullable=False))
