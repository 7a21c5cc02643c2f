"""What people call the place of a keypad"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("location_name", sa.String(), nullable=True))
