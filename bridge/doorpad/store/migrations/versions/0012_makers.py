"""The names of the keys that a keypad holds, by which it is told who changed something"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("hosts", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("devices", sa.Column("maker", sa.Integer(), nullable=True))
