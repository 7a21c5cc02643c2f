"""What of a keypad's journal never reached the hub"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "devices", sa.Column("journal_gaps", sa.JSON(), server_default=sa.text("'[]'"), nullable=False)
    )
    op.add_column(
        "devices", sa.Column("journal_rewound", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
