"""Access codes as the API shows them, built from rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from doorpad_link.messages import ENABLED
from msgspec import UNSET, UnsetType
from sqlalchemy import JSON, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.conditions import ErrorObject, WarningObject, error_object, warning_object
from doorpad.api.device_objects import device_errors
from doorpad.api.times import instant_us, iso, iso_s
from doorpad.store import brands, makers
from doorpad.store.catalogue import CODE_WARNINGS
from doorpad.store.device_conditions import CUT_OFF, THIRD_PARTY
from doorpad.store.pins import is_weak, lengths
from doorpad.store.schema import AccessCode, CodeError, Device, Hub, Slot
from doorpad.store.statements import Query, Statement
from doorpad.store.status import Status, expired, on_keypad, status, wanted
from doorpad.sync import backups
from doorpad.uses import is_one_time

CodeType = Literal["ongoing", "time_bound"]

_NEVER_MS = 2**63 - 1

_DISPLAY_STATUS: dict[Status, str] = {
    "unset": "Scheduled",
    "setting": "Issuing",
    "set": "Active",
    "removing": "Removing",
    "unknown": "Unknown",
}

_IDS = bindparam("ids", type_=JSON)
_NAMED = select(func.json_each(_IDS).table_valued("value").c.value)
_SLOTS = Query(  # a join: SQLite begins with the codes, and not with all slots
    Slot,
    AccessCode.access_code_id.in_(_NAMED),
    AccessCode.device_id == Slot.device_id,
    AccessCode.slot == Slot.slot,
)
_ERRORS = Query(
    CodeError,
    CodeError.access_code_id.in_(_NAMED),
    order_by=(CodeError.created_at_ms, CodeError.error_code),
)
_DEVICES = Query(
    Device, Device.device_id.in_(select(AccessCode.device_id).where(AccessCode.access_code_id.in_(_NAMED)))
)
_PULLED = Query(
    AccessCode,
    AccessCode.access_code_id.in_(_NAMED),
    AccessCode.state == "active",
    AccessCode.managed.is_(True),
)
_LIVING = and_(AccessCode.device_id == bindparam("device_id"), AccessCode.state == "active")
_NAMES = Statement(
    select(AccessCode.name, func.count())
    .where(_LIVING, AccessCode.name.is_not(None))
    .group_by(AccessCode.name)
)
_WAITING = Statement(
    select(func.count())
    .select_from(AccessCode)
    .where(_LIVING, AccessCode.managed, AccessCode.announced.is_(None))
)


class Appearance(msgspec.Struct, gc=False):
    name: str | None


class AccessCodeObject(msgspec.Struct, kw_only=True, gc=False):
    """A managed code."""

    access_code_id: str
    device_id: str
    workspace_id: str
    created_at: str
    name: str | None
    appearance: Appearance
    code: str | None
    type: CodeType
    starts_at: str | None
    ends_at: str | None
    status: Status
    display_status: str
    pending_mutations: list[dict[str, Any]]
    errors: list[ErrorObject]
    warnings: list[WarningObject]
    is_managed: bool = True
    is_scheduled_on_device: bool
    is_waiting_for_code_assignment: bool = False
    is_external_modification_allowed: bool
    is_one_time_use: bool
    is_offline_access_code: bool = False
    is_backup: bool = False
    is_backup_access_code_available: bool = False
    pulled_backup_access_code_id: str | None = None
    common_code_key: str | None
    doorpad: dict[str, Any]


class UnmanagedAccessCodeObject(msgspec.Struct, kw_only=True, gc=False):
    """A code that another hand put on the keypad. Its status is "set" even before its window."""

    access_code_id: str
    device_id: str
    workspace_id: str
    created_at: str
    name: str
    code: str | None
    type: CodeType
    starts_at: str | None
    ends_at: str | None
    status: Literal["set"] = "set"
    display_status: str = "Active"
    errors: list[ErrorObject]
    warnings: list[WarningObject]
    is_managed: bool = False
    cannot_be_managed: Literal[True] | UnsetType = UNSET  # the brand gives no codes away
    doorpad: dict[str, Any]


class CodeRows(msgspec.Struct, gc=False):
    """Everything that the object of one code is built from."""

    code: AccessCode
    device: Device
    slot: Slot | None
    errors: list[CodeError]
    beside: brands.Beside
    of_device: list[ErrorObject]  # what the code inherits
    pulled: AccessCode | None = None  # the backup that was pulled for it, and is not deleted


def code_rows(session: AsyncSession, codes: Sequence[AccessCode]) -> list[CodeRows]:
    """The codes with their devices, slots and errors, in the order given."""
    ids = [code.access_code_id for code in codes]
    slots = {(slot.device_id, slot.slot): slot for slot in _SLOTS.all(session, ids=ids)}
    errors: dict[str, list[CodeError]] = {}
    for error in _ERRORS.all(session, ids=ids):
        errors.setdefault(error.access_code_id, []).append(error)
    devices = {device.device_id: device for device in _DEVICES.all(session, ids=ids)}
    beside = {id_: _beside(session, device) for id_, device in devices.items()}
    of_devices = {id_: device_errors(device) for id_, device in devices.items()}
    backup_ids = [code.pulled_backup_id for code in codes if code.pulled_backup_id is not None]
    pulled = {it.access_code_id: it for it in _PULLED.all(session, ids=backup_ids)} if backup_ids else {}
    return [
        CodeRows(
            code=code,
            device=devices[code.device_id],
            slot=None if code.slot is None else slots.get((code.device_id, code.slot)),
            errors=errors.get(code.access_code_id, []),
            beside=beside[code.device_id],
            of_device=of_devices[code.device_id],
            pulled=pulled.get(code.pulled_backup_id or ""),
        )
        for code in codes
    ]


def new_code_rows(session: AsyncSession, code: AccessCode, device: Device) -> CodeRows:
    """A code that was made just now: nothing but its device and neighbours can be about it."""
    return CodeRows(
        code=code,
        device=device,
        slot=None,
        errors=[],
        beside=_beside(session, device),
        of_device=device_errors(device),
    )


def _beside(session: AsyncSession, device: Device) -> brands.Beside:
    """Asked for only where a brand's rules look at it."""
    if not brands.of(device).rules:
        return brands.Beside()
    of_device = {"device_id": device.device_id}
    (waiting,) = _WAITING.run(session, of_device).fetchone()
    return brands.Beside(dict(_NAMES.run(session, of_device)), waiting)


def access_code_object(hub: Hub, rows: CodeRows, now_ms: int) -> AccessCodeObject:
    code, slot, now_s = rows.code, rows.slot, now_ms // 1_000
    state = status(code, slot, now_s, cut_off=CUT_OFF in rows.device.conditions)
    over = state == "unset" and expired(code, now_s)
    errors, warnings = _conditions(rows, now_s, over=over)
    return AccessCodeObject(
        access_code_id=code.access_code_id,
        device_id=code.device_id,
        workspace_id=hub.workspace_id,
        created_at=iso(code.created_at_ms),
        name=code.name,
        appearance=Appearance(brands.of(rows.device).shown_name(code.name)),
        code=code.code,
        type=_type(code),
        starts_at=iso_s(code.starts_at_s),
        ends_at=iso_s(code.ends_at_s),
        status=state,
        display_status="Expired" if over else _DISPLAY_STATUS[state],
        pending_mutations=_pending_mutations(code, slot, now_s),
        errors=errors,
        warnings=warnings,
        is_scheduled_on_device=(
            code.starts_at_s is not None and now_s < code.starts_at_s and on_keypad(code, slot)
        ),
        is_external_modification_allowed=code.external_modification_allowed,
        is_one_time_use=is_one_time(code.uses_left),
        is_offline_access_code=code.offline is not None,
        is_backup=code.backup is not None,
        is_backup_access_code_available=_has_backup(rows, now_s),
        pulled_backup_access_code_id=None if rows.pulled is None else rows.pulled.access_code_id,
        common_code_key=code.common_code_key,
        doorpad={
            **_on_keypad(rows),
            "is_weak_code": code.code is not None and is_weak(code.code, years=rows.device.weak_years),
            "backup_pulled_at": None if rows.pulled is None else iso(rows.pulled.created_at_ms),
        },
    )


def _has_backup(rows: CodeRows, now_s: int) -> bool:
    """Whether a backup would be given for the code if it was asked for now."""
    code, device = rows.code, rows.device
    return (
        device.backup_pool
        and backups.EMPTY not in device.conditions
        and rows.pulled is None
        and code.ends_at_s is not None
        and code.state == "active"
        and code.uses_left is None
        and not expired(code, now_s)
        and backups.may_pull(device, code, now_s)
    )


def unmanaged_access_code_object(hub: Hub, rows: CodeRows, now_ms: int) -> UnmanagedAccessCodeObject:
    code, now_s = rows.code, now_ms // 1_000
    place = "" if code.slot is None else f" {code.slot}"
    errors, warnings = _conditions(rows, now_s)
    return UnmanagedAccessCodeObject(
        access_code_id=code.access_code_id,
        device_id=code.device_id,
        workspace_id=hub.workspace_id,
        created_at=iso(code.created_at_ms),
        name=code.name if code.name is not None else f"Keypad code{place}",
        code=code.code,
        type=_type(code),
        starts_at=iso_s(code.starts_at_s),
        ends_at=iso_s(code.ends_at_s),
        errors=errors,
        warnings=warnings,
        cannot_be_managed=UNSET if brands.of(rows.device).gives_codes_away else True,
        doorpad=_on_keypad(rows),
    )


def shown_until_ms(reply: Mapping[str, Any], now_ms: int) -> int:
    """When the clock alone changes what a reply shows of codes: at the next beginning or end of a window."""
    codes = reply["access_codes"] if "access_codes" in reply else [reply["access_code"]]
    now = iso(now_ms)  # texts of this form sort by time
    edges = (edge for code in codes for edge in (code.starts_at, code.ends_at) if edge is not None)
    following = min((edge for edge in edges if edge > now), default=None)
    return _NEVER_MS if following is None else instant_us("", following) // 1_000


def _type(code: AccessCode) -> CodeType:
    return "ongoing" if code.ends_at_s is None else "time_bound"


def _on_keypad(rows: CodeRows) -> dict[str, Any]:
    """Where the keypad holds the code, who wrote it so, whether it is enabled (a disabled one never opens), and how
    often it may still open (null: without end)."""
    uses = {"uses_left": rows.code.uses_left}
    if rows.slot is None:
        return {"slot": None, "generation": None, "maker": None, "enabled": None, **uses}
    return {
        "slot": rows.slot.slot,
        "generation": rows.slot.version,
        "maker": makers.name(rows.device, rows.slot.maker),
        "enabled": bool(rows.slot.flags & ENABLED),
        **uses,
    }


def _conditions(
    rows: CodeRows, now_s: int, *, over: bool = False
) -> tuple[list[ErrorObject], list[WarningObject]]:
    """Errors and warnings, the code's own ones first.

    `over`: the code has ended and is off the keypad, so that nothing stands in its way.
    """
    errors: list[ErrorObject] = []
    warnings: list[WarningObject] = []
    if not over:
        for it in rows.errors:
            if it.is_warning:
                warnings.append(warning_object(it.error_code, it.created_at_ms, it.message, it.detail))
            else:
                errors.append(
                    error_object(it.error_code, it.created_at_ms, message=it.message, detail=it.detail)
                )
        for rule, since_ms in _said_by_brand(rows, now_s):
            if rule.is_warning:
                warnings.append(warning_object(rule.name, since_ms, CODE_WARNINGS[rule.name].message))
            else:
                errors.append(error_object(rule.name, since_ms))
    errors += rows.of_device
    standing = rows.device.conditions.get(THIRD_PARTY)
    if standing is not None and _is_of_another_hub(rows):
        warnings.append(warning_object(THIRD_PARTY, standing["since_ms"], CODE_WARNINGS[THIRD_PARTY].message))
    return errors, warnings


def _is_of_another_hub(rows: CodeRows) -> bool:
    if rows.code.managed or rows.slot is None:
        return False
    return makers.name(rows.device, rows.slot.maker).startswith(makers.HOST)


def _said_by_brand(rows: CodeRows, now_s: int) -> Iterator[tuple[brands.Rule, int]]:
    if not brands.of(rows.device).rules:
        return iter(())
    return brands.on_code(
        brands.Facts(
            code=rows.code,
            device=rows.device,
            slot=rows.slot,
            standing={it.error_code: it for it in rows.errors},
            lengths=lengths(rows.device),
            beside=rows.beside,
            now_s=now_s,
        )
    )


def _pending_mutations(code: AccessCode, slot: Slot | None, now_s: int) -> list[dict[str, Any]]:
    """What is not yet so on the keypad. PINs are left out: the field is shown where codes are not."""
    at = {"created_at": iso(code.asked_at_ms)}
    if code.state == "removing" or (expired(code, now_s) and slot is not None):
        return [{**at, "mutation_code": "deleting", "message": "Removing the code from the keypad."}]
    if not wanted(code, now_s) or on_keypad(code, slot):
        return []
    if slot is None:
        if code.starts_at_s is not None and now_s < code.starts_at_s:
            later = "The code gets a slot ahead of its beginning, when those that begin earlier leave one."
            due = iso_s(code.starts_at_s)
            return [{**at, "mutation_code": "deferring_creation", "message": later, "scheduled_at": due}]
        return [{**at, "mutation_code": "creating", "message": "Setting the code on the keypad."}]
    pending: list[dict[str, Any]] = []
    if slot.code != code.code:
        hidden = {"code": None}
        pending.append(
            {
                **at,
                "mutation_code": "updating_code",
                "message": "Replacing the PIN on the keypad.",
                "from": hidden,
                "to": hidden,
            }
        )
    if (slot.from_s, slot.until_s) != (code.starts_at_s, code.ends_at_s):
        pending.append(
            {
                **at,
                "mutation_code": "updating_time_frame",
                "message": "Replacing the time frame on the keypad.",
                "from": {"starts_at": iso_s(slot.from_s), "ends_at": iso_s(slot.until_s)},
                "to": {"starts_at": iso_s(code.starts_at_s), "ends_at": iso_s(code.ends_at_s)},
            }
        )
    return pending
