"""What people call the inputs of a keypad"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("input_names", sa.JSON(), nullable=True))
