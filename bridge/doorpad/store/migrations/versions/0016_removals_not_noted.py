"""That the removal of a code was told is not noted any more: the id of the event says it"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("access_codes", "removed_announced")
