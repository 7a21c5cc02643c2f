"""What API clients set on devices and on the hub"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("managed", sa.Boolean(), server_default=sa.text("1"), nullable=False),
        sa.Column("nickname", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column("custom_metadata", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
    ):
        op.add_column("devices", column)
    op.add_column(
        "hub", sa.Column("custom_metadata", sa.JSON(), server_default=sa.text("'{}'"), nullable=False)
    )
