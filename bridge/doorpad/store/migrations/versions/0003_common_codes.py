"""Codes that several doors share, and code lengths that an installer allows"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("devices", sa.Column("code_lengths", sa.JSON(), nullable=True))
    op.add_column("access_codes", sa.Column("common_code_key", sa.String(), nullable=True))
    op.create_index(op.f("ix_access_codes_common_code_key"), "access_codes", ["common_code_key"])
