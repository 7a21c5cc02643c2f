"""Making and changing managed codes, within the transaction of a request.

The functions write the desired state and its event. After the commit the caller wakes the synchronisation.
"""

from typing import Any, Literal
from uuid import UUID, uuid4

from msgspec import UNSET, UnsetType
from sqlalchemy import bindparam, delete
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.changed_event import Change, changed, tell_changed
from doorpad.api.code_options import CodeOptions
from doorpad.api.errors import ApiError, invalid_field
from doorpad.api.params import Text
from doorpad.api.pins import check_free, check_pin
from doorpad.api.pulled import follow
from doorpad.api.service import seen_device_or_404
from doorpad.api.times import check_window, ends_at_s, iso_s, starts_at_s
from doorpad.events.log import record
from doorpad.store import brands
from doorpad.store.audit import audit_changed, audit_created
from doorpad.store.identity import effect_event_id
from doorpad.store.schema import UNUSED, AccessCode, CodeError, Device
from doorpad.store.statements import NewRow, Statement
from doorpad.store.statements import change as write_changes
from doorpad.sync.retired import REMOVED
from doorpad.uses import is_one_time

_CODE = NewRow(AccessCode)
_NO_ERRORS = Statement(delete(CodeError).where(CodeError.access_code_id == bindparam("id")))


class CodeChange(CodeOptions, kw_only=True):
    """A field left out keeps its value; null clears it."""

    name: Text | UnsetType | None = UNSET
    code: str | UnsetType = UNSET
    starts_at: str | UnsetType | None = UNSET
    ends_at: str | UnsetType | None = UNSET
    type: Literal["ongoing", "time_bound"] | None = None

    def changes_anything(self) -> bool:
        """Whether anything is asked for that `change_code` does."""
        return (
            self.name is not UNSET or self.external_modification_allowed() is not None or self.is_for_keypad()
        )

    def is_for_keypad(self) -> bool:
        """Whether anything is asked for that the keypad has to know, even if it is so already."""
        for_keypad = (self.code, self.starts_at, self.ends_at)
        return (
            any(it is not UNSET for it in for_keypad)
            or self.type is not None
            or self.is_one_time_use is not None
        )


def asked_window(starts_at: str | None, ends_at: str | None, now_ms: int) -> tuple[int | None, int | None]:
    """The window of a new code. Raises ApiError 400 naming the wrong end."""
    starts_s = None if starts_at is None else starts_at_s(starts_at)
    ends_s = None if ends_at is None else ends_at_s(ends_at)
    check_window(starts_s, ends_s, now_ms)
    return starts_s, ends_s


def refuse_codeless(device: Device, field: str) -> None:
    """Raises ApiError 400 on `field` for a device that no code can be made for: it would wait for ever."""
    if not brands.of(device).takes_codes:
        raise invalid_field(field, f"names device {device.device_id}, which takes no access codes")
    if REMOVED in device.conditions:
        raise invalid_field(field, f"names device {device.device_id}, which has been removed")


async def add_code(
    session: AsyncSession,
    device: Device,
    pin: str,
    window: tuple[int | None, int | None],
    options: CodeOptions,
    *,
    name: str | None,
    common_code_key: str | None,
    now_ms: int,
) -> AccessCode:
    """A new code, with its event; the object is for looking at. The PIN is already found to be right and free."""
    code = _CODE.made(
        session,
        access_code_id=str(uuid4()),
        device_id=device.device_id,
        managed=True,
        name=name,
        code=pin,
        common_code_key=common_code_key,
        starts_at_s=window[0],
        ends_at_s=window[1],
        created_at_ms=now_ms,
        asked_at_ms=now_ms,
        external_modification_allowed=bool(options.external_modification_allowed()),
        uses_left=1 if options.is_one_time_use else None,
        offline=UNUSED if options.offline() else None,
        state="active",
        taken_off=False,
        duress=False,
    )
    await options.use_pool(session, code, now_ms)
    audit_created(session, code)
    await record(
        session,
        event_id=effect_event_id(code.access_code_id, "access_code.created", 0),
        event_type="access_code.created",
        device_id=code.device_id,
        access_code_id=code.access_code_id,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload={},
    )
    return code


async def change_code(session: AsyncSession, code: AccessCode, change: CodeChange, now_ms: int) -> bool:
    """Change the code as asked, with its event; return whether the keypad has to change too.

    Raises:
        ApiError: 400 on PIN or window; 409 if the code is being removed or another one holds the PIN.
    """
    _check_offline(code, change)
    if code.state == "removing":
        raise ApiError(
            409, "access_code_is_being_removed", f"access code {code.access_code_id} is being removed"
        )
    new: dict[str, Any] = {}  # values, by column
    for_keypad = _changes_on_keypad(session, code, change, new, now_ms)
    changes = for_keypad + _changes_at_hub(code, change, new)
    write_changes(session, code, **new)
    if for_keypad:
        # The new PIN or window gets another chance, whatever stood in the way of the old one.
        _NO_ERRORS.run(session, {"id": code.access_code_id})
        await follow(session, code, now_ms)
    if changes:
        audit_changed(session, code, new)
        await tell_changed(session, code, changes, now_ms)
    return bool(for_keypad)


def _check_offline(code: AccessCode, change: CodeChange) -> None:
    """Raises ApiError 400 for what cannot be changed of an offline code, or to one."""
    asked, is_offline = change.offline(), code.offline is not None
    if asked is not None and asked != is_offline:
        raise change.no_offline_code("a code stays what it was made as; make another")
    if is_offline and change.is_for_keypad():
        raise invalid_field(
            "access_code_id", "names an offline code, of which the lock lets nobody change more than the name"
        )


def _changes_on_keypad(
    session: AsyncSession, code: AccessCode, change: CodeChange, new: dict[str, Any], now_ms: int
) -> list[Change]:
    """What is asked for of PIN and window: the values into `new`, and what changes, without PINs.

    Raises:
        ApiError: 400 on PIN or window; 409 if another code holds the PIN.
    """
    pin = code.code if change.code is UNSET else change.code
    starts_s, ends_s = _window(code, change)
    was_one_time = is_one_time(code.uses_left)
    one_time = was_one_time if change.is_one_time_use is None else change.is_one_time_use
    changes: list[Change] = []
    if pin != code.code:
        changes.append(changed("code", None, None))
    if starts_s != code.starts_at_s:
        changes.append(changed("starts_at", iso_s(code.starts_at_s), iso_s(starts_s)))
    if ends_s != code.ends_at_s:
        changes.append(changed("ends_at", iso_s(code.ends_at_s), iso_s(ends_s)))
    if one_time != was_one_time:
        changes.append(changed("is_one_time_use", str(was_one_time).lower(), str(one_time).lower()))
    if not changes:
        return []
    check_window(starts_s, ends_s, now_ms)
    if pin is not None:
        check_pin(seen_device_or_404(session, UUID(code.device_id)), pin, chosen=pin != code.code)
        check_free(
            session,
            code.device_id,
            pin,
            starts_s,
            ends_s,
            now_s=now_ms // 1_000,
            except_id=code.access_code_id,
        )
    new.update(
        code=pin,
        starts_at_s=starts_s,
        ends_at_s=ends_s,
        uses_left=_uses(code, one_time),
        used_at_ms=None,
        announced=None,
        asked_at_ms=now_ms,
        taken_off=False,
    )
    return changes


def _uses(code: AccessCode, one_time: bool) -> int | None:
    """How often the changed code may open: as often as it has left. One that is used up is given anew."""
    if one_time == is_one_time(code.uses_left) and code.uses_left != 0:
        return code.uses_left
    return 1 if one_time else None


def _changes_at_hub(code: AccessCode, change: CodeChange, new: dict[str, Any]) -> list[Change]:
    """What is asked for that the keypad does not know of: the values into `new`, and what changes."""
    changes: list[Change] = []
    if change.name is not UNSET and change.name != code.name:
        changes.append(changed("name", code.name, change.name))
        new["name"] = change.name
    allowed = change.external_modification_allowed()
    if allowed is not None and allowed != code.external_modification_allowed:
        before, after = (str(it).lower() for it in (code.external_modification_allowed, allowed))
        changes.append(changed("is_external_modification_allowed", before, after))
        new["external_modification_allowed"] = allowed
    return changes


def _window(code: AccessCode, change: CodeChange) -> tuple[int | None, int | None]:
    """The window after the update. Raises ApiError 400 if `type` and the two times contradict."""
    starts_s, ends_s = code.starts_at_s, code.ends_at_s
    if change.type == "ongoing":
        starts_s = ends_s = None
    if change.starts_at is not UNSET:
        starts_s = None if change.starts_at is None else starts_at_s(change.starts_at)
    if change.ends_at is not UNSET:
        ends_s = None if change.ends_at is None else ends_at_s(change.ends_at)
    if change.type == "ongoing" and (starts_s, ends_s) != (None, None):
        raise invalid_field("type", "an ongoing code has neither starts_at nor ends_at")
    if change.type == "time_bound" and None in (starts_s, ends_s):
        raise invalid_field("type", "a time_bound code needs starts_at and ends_at")
    return starts_s, ends_s
