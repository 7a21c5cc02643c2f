"""Codes for somebody under threat stay such when they are changed"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "access_codes", sa.Column("duress", sa.Boolean(), server_default=sa.text("0"), nullable=False)
    )
    op.execute(
        "UPDATE access_codes SET duress = 1 WHERE EXISTS (SELECT 1 FROM slots"
        " WHERE slots.device_id = access_codes.device_id AND slots.slot = access_codes.slot"
        " AND slots.flags & 4 != 0)"  # DURESS
    )
