"""How well a keypad's clock is known"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("clock_looked_at_ms", sa.BigInteger(), nullable=True))
    for name in ("clock_error_ms", "clock_source", "drift_low_ppb", "drift_high_ppb"):
        op.add_column("devices", sa.Column(name, sa.Integer(), nullable=True))
