"""The tables. Desired state (`access_codes`) and reported state (`slots`) are kept apart.

Instants are integers: `*_ms` are Unix milliseconds; a window's `*_s` are Unix seconds, half-open
(`starts_at_s` is the first second in, `ends_at_s` the first one out), as the keypad keeps them.
"""

from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    and_,
    false,
    func,
    literal,
    literal_column,
    or_,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from doorpad.store.profile_names import ProfileName

LinkState = Literal["new", "online", "resuming", "disconnected", "offline"]
CodeState = Literal["active", "removing", "deleted"]
Announced = Literal["scheduled", "set"]
Conversion = Literal["requested", "forced", "released"]
RELEASED: Conversion = "released"
# A spare code of a keypad: kept for whoever may need one, or given to somebody in place of a code of theirs.
Backup = Literal["pooled", "pulled"]
POOLED: Backup = "pooled"
PULLED: Backup = "pulled"
# A code whose PIN a brand's lock made up itself: whether somebody has opened with it.
Offline = Literal["unused", "used"]
UNUSED: Offline = "unused"
USED: Offline = "used"

_UUID = String(36)


class Base(DeclarativeBase):
    # Every constraint has a name, so that a later migration can address it.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Hub(Base):
    """The one row that gives this installation its identity."""

    __tablename__ = "hub"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    workspace_id: Mapped[str] = mapped_column(_UUID)
    connected_account_id: Mapped[str] = mapped_column(_UUID)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    custom_metadata: Mapped[dict[str, str | bool]] = mapped_column(
        JSON, default=dict, server_default=text("'{}'")
    )


class Device(Base):
    """A keypad, and how far its table and journal have been read."""

    __tablename__ = "devices"

    device_id: Mapped[str] = mapped_column(_UUID, primary_key=True)  # identity.device_id_for(serial)
    serial: Mapped[str] = mapped_column(String(16), unique=True)  # hex of the keypad's own id
    name: Mapped[str] = mapped_column(String)  # as the configuration has it
    nickname: Mapped[str | None] = mapped_column(String)  # as an API client gave it, for `name`
    managed: Mapped[bool] = mapped_column(default=True, server_default=true())
    profile: Mapped[ProfileName] = mapped_column(
        String, default="generic", server_default=text("'generic'")
    )  # the brand that an emulated one plays: brands.py
    time_zone: Mapped[str | None] = mapped_column(String)
    location_name: Mapped[str | None] = mapped_column(String)  # as the configuration has it
    custom_metadata: Mapped[dict[str, str | bool]] = mapped_column(
        JSON, default=dict, server_default=text("'{}'")
    )
    simulated: Mapped[bool]
    weak_years: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # PINs with years are weak
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    capacity: Mapped[int | None]  # slots; None until the keypad has told it
    pin_min: Mapped[int | None]
    pin_max: Mapped[int | None]
    code_lengths: Mapped[list[int] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # narrower than the keypad's
    table_epoch: Mapped[str | None] = mapped_column(String)
    generation: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    journal_epoch: Mapped[str | None] = mapped_column(String)
    journal_cursor: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    # The newest pieces of the journal that never reached this hub, sync/gaps.py.
    journal_gaps: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default=text("'[]'"))
    # How often the journal has lost its end and given numbers again that were read before.
    journal_rewound: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    boot_id: Mapped[str | None] = mapped_column(String)
    # Whose changes a maker number stands for: the name of the key (hex) by number; {} until it has been read.
    hosts: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default=text("'{}'"))
    # What people call its inputs; None until it has been read.
    input_names: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    maker: Mapped[int | None]  # the number that the keypad gives to this hub
    link_state: Mapped[LinkState] = mapped_column(String, default="new", server_default=text("'new'"))
    link_changed_at_ms: Mapped[int] = mapped_column(BigInteger)
    link_reason: Mapped[str | None] = mapped_column(String)  # why it is not online, for people
    # By code, device_conditions.StandingCondition.
    conditions: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default=text("'{}'"))
    clock_trusted: Mapped[bool] = mapped_column(default=False, server_default=false())
    # At the last look at the keypad's clock: when that was, how far off it may have been, who had set it (as a maker
    # number), and between which rates its crystal runs, in parts per billion of the time.
    clock_looked_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    clock_error_ms: Mapped[int | None]
    clock_source: Mapped[int | None]
    drift_low_ppb: Mapped[int | None]
    drift_high_ppb: Mapped[int | None]
    firmware: Mapped[str | None] = mapped_column(String)
    # Whether spare codes are kept on it, and since when (Unix milliseconds) there are fewer than there shall be.
    backup_pool: Mapped[bool] = mapped_column(default=False, server_default=false())
    backup_short_since_ms: Mapped[int | None] = mapped_column(BigInteger)
    full_since_ms: Mapped[int | None] = mapped_column(BigInteger)  # since when every slot holds a code
    health: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # as the keypad last told it
    repeated_percent: Mapped[
        int | None
    ]  # of the frames that are sent to it, on a bad line; None on a good one
    # Since when (Unix milliseconds) nothing more is written to it, because it takes nothing.
    writes_stopped_ms: Mapped[int | None] = mapped_column(BigInteger)
    # What it kept of the ends of its program, the newest first: operations.Crash.
    crashes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default=text("'[]'"))
    # Whether its strike is within a pulse, by its journal as far as read.
    unlocked: Mapped[bool] = mapped_column(default=False, server_default=false())


class Slot(Base):
    """One used slot of a keypad's table, as it was last read. An absent row is an empty slot."""

    __tablename__ = "slots"
    __table_args__ = (Index(None, "device_id", "code"),)

    device_id: Mapped[str] = mapped_column(_UUID, ForeignKey("devices.device_id"), primary_key=True)
    slot: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    flags: Mapped[int]
    code: Mapped[str | None] = mapped_column(String)  # None: the keypad did not show it
    from_s: Mapped[int | None] = mapped_column(BigInteger)
    until_s: Mapped[int | None] = mapped_column(BigInteger)
    op_id: Mapped[str] = mapped_column(String)  # hex
    access_code_id: Mapped[str | None] = mapped_column(_UUID, index=True)  # as the slot's record says
    maker: Mapped[int]


class AccessCode(Base):
    """What a code shall be (managed), or a code that another hand wrote (unmanaged)."""

    __tablename__ = "access_codes"
    __table_args__ = (
        CheckConstraint("(starts_at_s IS NULL) = (ends_at_s IS NULL)", name="window_whole"),
        CheckConstraint("starts_at_s < ends_at_s", name="window_forward"),
        Index(None, "device_id", "created_at_ms", "access_code_id"),
        Index(None, "created_at_ms", "access_code_id"),
        Index(None, "device_id", "code"),
    )

    access_code_id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    device_id: Mapped[str] = mapped_column(_UUID, ForeignKey("devices.device_id"))
    managed: Mapped[bool]
    name: Mapped[str | None] = mapped_column(String)
    code: Mapped[str | None] = mapped_column(String)
    common_code_key: Mapped[str | None] = mapped_column(String, index=True)  # shared with other doors
    starts_at_s: Mapped[int | None] = mapped_column(BigInteger)  # None with ends_at_s: ongoing
    ends_at_s: Mapped[int | None] = mapped_column(BigInteger)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    external_modification_allowed: Mapped[bool] = mapped_column(default=False, server_default=false())
    state: Mapped[CodeState] = mapped_column(String, default="active", server_default=text("'active'"))
    deleted_at_ms: Mapped[int | None] = mapped_column(BigInteger)
    # What the event log has already said about the code's present version on the keypad.
    announced: Mapped[Announced | None] = mapped_column(String)
    slot: Mapped[int | None]  # where the keypad holds it, if it is known to
    # To managed, not done yet. "forced": also if another hub manages it. "released": of a managed one, to unmanaged.
    conversion: Mapped[Conversion | None] = mapped_column(String)
    # When its present state was last asked for: made, changed for the keypad, to be removed or converted.
    asked_at_ms: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    # Another hand took it off the keypad or disabled it there, which it was allowed to: it is not put back unasked.
    taken_off: Mapped[bool] = mapped_column(default=False, server_default=false())
    # How often it may still open; None: as often as one likes. A keypad counts, and the hub follows.
    uses_left: Mapped[int | None]
    used_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # when the hub saw that no use is left
    # For somebody under threat: it opens as any other, and the journal says so. Made at a keypad, and kept.
    duress: Mapped[bool] = mapped_column(default=False, server_default=false())
    backup: Mapped[Backup | None] = mapped_column(String)
    pulled_backup_id: Mapped[str | None] = mapped_column(_UUID)  # the backup that was pulled for this code
    offline: Mapped[Offline | None] = mapped_column(String)  # None: an ordinary code


def _index_of(those: ColumnElement[bool], name: str, *columns: Any) -> None:
    """An index of some of the rows alone."""
    Index(name, *columns, sqlite_where=those, postgresql_where=those)


OFF_KEYPAD = and_(
    AccessCode.slot.is_(None),
    AccessCode.managed.is_(True),
    AccessCode.state == literal("active", literal_execute=True),
)
# A code that shall be on the keypad and has no slot there, unless its window is over: that depends on the time.
# The index for it holds only those, in the order in which they get slots, so that the first ones are found at once.
WAITING = and_(OFF_KEYPAD, AccessCode.taken_off.is_(False), AccessCode.used_at_ms.is_(None))
# Ongoing ones come first. An expression, so that those that have begun are one range of it.
begins_s = func.coalesce(AccessCode.starts_at_s, literal_column("0"))
_index_of(
    WAITING,
    "ix_access_codes_waiting",
    AccessCode.device_id,
    begins_s,
    AccessCode.created_at_ms,
    AccessCode.access_code_id,
)
_index_of(OFF_KEYPAD, "ix_access_codes_off_keypad", AccessCode.device_id, AccessCode.ends_at_s)
# A code that has a slot, or is to leave the one it may have.
REMOVING = AccessCode.state == literal("removing", literal_execute=True)
_index_of(
    or_(AccessCode.slot.is_not(None), REMOVING),
    "ix_access_codes_placed",
    AccessCode.device_id,
    AccessCode.slot,
)
_index_of(AccessCode.backup.is_not(None), "ix_access_codes_backup", AccessCode.device_id, AccessCode.backup)
_index_of(
    AccessCode.used_at_ms.is_not(None), "ix_access_codes_used", AccessCode.device_id, AccessCode.used_at_ms
)
_index_of(
    AccessCode.offline.is_not(None), "ix_access_codes_offline", AccessCode.device_id, AccessCode.offline
)


class CodeError(Base):
    """A condition that stands on one access code until it is cleared: an error, or a warning."""

    __tablename__ = "code_errors"

    access_code_id: Mapped[str] = mapped_column(
        _UUID, ForeignKey("access_codes.access_code_id"), primary_key=True
    )
    error_code: Mapped[str] = mapped_column(String, primary_key=True, index=True)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    message: Mapped[str] = mapped_column(String)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)  # further fields of this error code, no PIN
    is_warning: Mapped[bool] = mapped_column(default=False, server_default=false())


class Event(Base):
    """The append-only log. Subjects are plain ids: an event outlives what it tells of."""

    __tablename__ = "events"
    __table_args__ = ({"sqlite_autoincrement": True},)  # a number is never given twice

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    event_id: Mapped[str] = mapped_column(_UUID, unique=True)
    event_type: Mapped[str] = mapped_column(String)
    device_id: Mapped[str | None] = mapped_column(_UUID, index=True)
    access_code_id: Mapped[str | None] = mapped_column(_UUID, index=True)
    occurred_at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)  # further fields of the type, no PIN


class ActionAttempt(Base):
    """A request whose outcome may come later.

    `finished` is None where the outcome is derived when read: from the code it is about.
    """

    __tablename__ = "action_attempts"
    __table_args__ = (Index(None, "created_at_ms", "action_attempt_id"),)

    action_attempt_id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    action_type: Mapped[str] = mapped_column(String)
    device_id: Mapped[str | None] = mapped_column(_UUID, index=True)
    access_code_id: Mapped[str | None] = mapped_column(_UUID, index=True)
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    finished: Mapped[Literal["success", "error"] | None] = mapped_column(String)
    error_type: Mapped[str | None] = mapped_column(String)
    error_message: Mapped[str | None] = mapped_column(String)


class Webhook(Base):
    """Who wants to be told of events."""

    __tablename__ = "webhooks"

    webhook_id: Mapped[str] = mapped_column(_UUID, primary_key=True)
    url: Mapped[str] = mapped_column(String)
    secret: Mapped[str] = mapped_column(String)  # needed in the clear: each delivery is signed with it
    event_types: Mapped[list[str]] = mapped_column(JSON)  # ["*"]: all
    created_at_ms: Mapped[int] = mapped_column(BigInteger)
    disabled_at_ms: Mapped[int | None] = mapped_column(BigInteger)  # its receiver said that it is gone


class Delivery(Base):
    """The outbox: an event that a webhook has not acknowledged yet. Acknowledged ones are deleted."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "webhook_id", "device_id", "seq"),)

    webhook_id: Mapped[str] = mapped_column(_UUID, ForeignKey("webhooks.webhook_id"), primary_key=True)
    seq: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("events.seq"), primary_key=True, autoincrement=False, index=True
    )
    device_id: Mapped[str | None] = mapped_column(_UUID)  # of the event: within a device the order is kept
    attempts: Mapped[int]
    next_at_ms: Mapped[int] = mapped_column(BigInteger)


class RepeatableRequest(Base):
    """What a request of the last minute has done that its client sends again when the answer is lost."""

    __tablename__ = "repeatable_requests"

    request: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of it and of its key, hex
    at_ms: Mapped[int] = mapped_column(BigInteger)
    made: Mapped[list[str]] = mapped_column(JSON)  # the ids of what it made


class AuditEntry(Base):
    """One change that somebody made: of what, and which fields. Append-only, as the event log."""

    __tablename__ = "audit_log"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    at_ms: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[str] = mapped_column(String)  # "" of a user of this system
    key_name: Mapped[str] = mapped_column(String)  # as it was then; "user" and the name of a user
    request_id: Mapped[str] = mapped_column(_UUID)
    path: Mapped[str] = mapped_column(String)  # or the command
    did: Mapped[str] = mapped_column(String)  # audit.Did
    subject: Mapped[str] = mapped_column(String)  # its name in the API
    subject_id: Mapped[str] = mapped_column(_UUID, index=True)
    fields: Mapped[list[str]] = mapped_column(JSON)  # that a change changed; never their values
