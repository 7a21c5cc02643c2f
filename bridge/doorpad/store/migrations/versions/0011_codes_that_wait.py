"""Ways to find who waits for a slot, who holds a PIN and what stands on codes, without reading all codes"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OFF_KEYPAD = "slot IS NULL AND managed IS 1 AND state = 'active'"
_WAITING = sa.text(f"{_OFF_KEYPAD} AND taken_off IS 0 AND used_at_ms IS NULL")
_PLACED = sa.text("slot IS NOT NULL OR state = 'removing'")
_USED = sa.text("used_at_ms IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_access_codes_waiting",
        "access_codes",
        ["device_id", sa.text("coalesce(starts_at_s, 0)"), "created_at_ms", "access_code_id"],
        sqlite_where=_WAITING,
    )
    op.create_index(
        "ix_access_codes_off_keypad",
        "access_codes",
        ["device_id", "ends_at_s"],
        sqlite_where=sa.text(_OFF_KEYPAD),
    )
    op.create_index("ix_access_codes_placed", "access_codes", ["device_id", "slot"], sqlite_where=_PLACED)
    op.create_index("ix_access_codes_used", "access_codes", ["device_id", "used_at_ms"], sqlite_where=_USED)
    op.create_index("ix_access_codes_device_id_code", "access_codes", ["device_id", "code"])
    op.create_index("ix_slots_device_id_code", "slots", ["device_id", "code"])
    op.create_index("ix_code_errors_error_code", "code_errors", ["error_code"])
