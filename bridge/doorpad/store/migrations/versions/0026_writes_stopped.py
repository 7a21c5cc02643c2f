"""Since when nothing more is written to a keypad, because it takes nothing"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("writes_stopped_ms", sa.BigInteger(), nullable=True))
