"""Since when a keypad holds as many codes as it can"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("full_since_ms", sa.BigInteger(), nullable=True))
