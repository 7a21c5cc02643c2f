"""Why a keypad is not online, and the errors and warnings that stand on it"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("link_reason", sa.String(), nullable=True))
    op.add_column(
        "devices", sa.Column("conditions", sa.JSON(), server_default=sa.text("'{}'"), nullable=False)
    )
