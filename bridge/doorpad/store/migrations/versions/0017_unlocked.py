"""Whether a keypad's strike is within a pulse"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("unlocked", sa.Boolean(), server_default=sa.text("0"), nullable=False))
