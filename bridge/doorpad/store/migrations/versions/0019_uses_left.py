"""How often a code may still open, in place of whether it opens once"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_codes", sa.Column("uses_left", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE access_codes SET uses_left = CASE WHEN used_at_ms IS NULL THEN 1 ELSE 0 END WHERE one_time"
    )
    op.drop_column("access_codes", "one_time")
