"""What a keypad says of its own health"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("health", sa.Integer(), server_default=sa.text("0"), nullable=False))
