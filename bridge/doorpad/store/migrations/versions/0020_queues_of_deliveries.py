"""A way to find the first event of each queue of deliveries without reading all of them"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_webhook_id_device_id_seq", "deliveries", ["webhook_id", "device_id", "seq"]
    )
