"""The tables of the first release"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action_attempts",
        sa.Column("action_attempt_id", sa.String(length=36), nullable=False),
        sa.Column("action_type", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(length=36), nullable=True),
        sa.Column("access_code_id", sa.String(length=36), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.String(), nullable=True),
        sa.Column("error_type", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("action_attempt_id", name=op.f("pk_action_attempts")),
    )
    op.create_index(op.f("ix_action_attempts_access_code_id"), "action_attempts", ["access_code_id"])
    op.create_index(
        op.f("ix_action_attempts_created_at_ms_action_attempt_id"),
        "action_attempts",
        ["created_at_ms", "action_attempt_id"],
    )
    op.create_index(op.f("ix_action_attempts_device_id"), "action_attempts", ["device_id"])
    op.create_table(
        "devices",
        sa.Column("device_id", sa.String(length=36), nullable=False),
        sa.Column("serial", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("pin_min", sa.Integer(), nullable=True),
        sa.Column("pin_max", sa.Integer(), nullable=True),
        sa.Column("table_epoch", sa.String(), nullable=True),
        sa.Column("generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("journal_epoch", sa.String(), nullable=True),
        sa.Column("journal_cursor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("boot_id", sa.String(), nullable=True),
        sa.Column("link_state", sa.String(), server_default=sa.text("'new'"), nullable=False),
        sa.Column("link_changed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("clock_trusted", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("firmware", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_devices")),
        sa.UniqueConstraint("serial", name=op.f("uq_devices_serial")),
    )
    op.create_table(
        "events",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(length=36), nullable=True),
        sa.Column("access_code_id", sa.String(length=36), nullable=True),
        sa.Column("occurred_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_events_access_code_id"), "events", ["access_code_id"])
    op.create_index(op.f("ix_events_device_id"), "events", ["device_id"])
    op.create_index(op.f("ix_events_occurred_at_ms"), "events", ["occurred_at_ms"])
    op.create_table(
        "hub",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("workspace_id", sa.String(length=36), nullable=False),
        sa.Column("connected_account_id", sa.String(length=36), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_hub_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub")),
    )
    op.create_table(
        "access_codes",
        sa.Column("access_code_id", sa.String(length=36), nullable=False),
        sa.Column("device_id", sa.String(length=36), nullable=False),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("starts_at_s", sa.BigInteger(), nullable=True),
        sa.Column("ends_at_s", sa.BigInteger(), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("external_modification_allowed", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("deleted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("announced", sa.String(), nullable=True),
        sa.Column("removed_announced", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("conversion", sa.String(), nullable=True),
        sa.Column("slow_since_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(starts_at_s IS NULL) = (ends_at_s IS NULL)", name=op.f("ck_access_codes_window_whole")
        ),
        sa.CheckConstraint("starts_at_s < ends_at_s", name=op.f("ck_access_codes_window_forward")),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.device_id"], name=op.f("fk_access_codes_device_id_devices")
        ),
        sa.PrimaryKeyConstraint("access_code_id", name=op.f("pk_access_codes")),
    )
    op.create_index(
        op.f("ix_access_codes_created_at_ms_access_code_id"),
        "access_codes",
        ["created_at_ms", "access_code_id"],
    )
    op.create_index(
        op.f("ix_access_codes_device_id_created_at_ms_access_code_id"),
        "access_codes",
        ["device_id", "created_at_ms", "access_code_id"],
    )
    op.create_table(
        "slots",
        sa.Column("device_id", sa.String(length=36), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("from_s", sa.BigInteger(), nullable=True),
        sa.Column("until_s", sa.BigInteger(), nullable=True),
        sa.Column("op_id", sa.String(), nullable=False),
        sa.Column("access_code_id", sa.String(length=36), nullable=True),
        sa.Column("maker", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.device_id"], name=op.f("fk_slots_device_id_devices")
        ),
        sa.PrimaryKeyConstraint("device_id", "slot", name=op.f("pk_slots")),
    )
    op.create_index(op.f("ix_slots_access_code_id"), "slots", ["access_code_id"])
    op.create_table(
        "code_errors",
        sa.Column("access_code_id", sa.String(length=36), nullable=False),
        sa.Column("error_code", sa.String(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["access_code_id"],
            ["access_codes.access_code_id"],
            name=op.f("fk_code_errors_access_code_id_access_codes"),
        ),
        sa.PrimaryKeyConstraint("access_code_id", "error_code", name=op.f("pk_code_errors")),
    )
