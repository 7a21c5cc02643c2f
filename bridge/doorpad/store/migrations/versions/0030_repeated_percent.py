"""How much of what is sent to a keypad on a bad line has to be sent again"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("repeated_percent", sa.Integer(), nullable=True))
