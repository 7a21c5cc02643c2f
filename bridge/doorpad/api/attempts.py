"""Action attempts: their objects, and /action_attempts."""

from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.code_objects import access_code_object, code_rows, unmanaged_access_code_object
from doorpad.api.errors import not_found
from doorpad.api.paging import Pagination, page
from doorpad.api.params import Ids
from doorpad.api.service import READ, AnyOperation, Operation, Reply, Service
from doorpad.api.times import iso
from doorpad.store.audit import audit_created
from doorpad.store.schema import RELEASED, AccessCode, ActionAttempt, Event, Hub
from doorpad.store.statements import NewRow, Query, Statement
from doorpad.store.status import on_keypad

ActionType = Literal[
    "CREATE_ACCESS_CODE",
    "UPDATE_ACCESS_CODE",
    "DELETE_ACCESS_CODE",
    "SIMULATE_KEYPAD_CODE_ENTRY",
    "UNLOCK_DOOR",
    "LOCK_DOOR",
]

_ATTEMPT = NewRow(ActionAttempt)
_CODE = Query(AccessCode, AccessCode.access_code_id == bindparam("id"))
_ANNOUNCED = Statement(
    select(Event.seq)
    .where(
        Event.access_code_id == bindparam("id"),
        or_(
            Event.event_type == "access_code.scheduled_on_device",
            Event.event_type == "access_code.set_on_device",
            Event.event_type == "access_code.unmanaged.converted_to_managed",
        ),
        Event.created_at_ms >= bindparam("since_ms"),
    )
    .limit(1)
)
_OF_DOORS = ("UNLOCK_DOOR", "LOCK_DOOR")
_EXPIRES_MS = 600_000  # as upstream
_LIST_DEFAULT = 500


class ActionAttemptObject(msgspec.Struct, kw_only=True):
    """Exactly one of `result` and `error` is an object once the attempt is not pending."""

    action_attempt_id: str
    action_type: str
    status: Literal["pending", "success", "error"] = "pending"
    result: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    doorpad: dict[str, Any]


class GetParams(msgspec.Struct, kw_only=True):
    action_attempt_id: UUID


class ListParams(msgspec.Struct, kw_only=True):
    action_attempt_ids: Ids | None = None
    device_id: UUID | None = None
    limit: float | None = None
    page_cursor: str | None = None


def begin_attempt(
    session: AsyncSession,
    action_type: ActionType,
    *,
    device_id: str,
    access_code_id: str | None,
    now_ms: int,
    finished: Literal["success", "error"] | None = None,
) -> ActionAttempt:
    """A new attempt, in the session's transaction."""
    attempt = _ATTEMPT.made(
        session,
        action_attempt_id=str(uuid4()),
        action_type=action_type,
        device_id=device_id,
        access_code_id=access_code_id,
        created_at_ms=now_ms,
        finished=finished,
    )
    if access_code_id is None:  # else the entry of the code says it
        audit_created(session, attempt)
    return attempt


def begin_code_attempt(
    session: AsyncSession,
    action_type: ActionType,
    code: AccessCode,
    now_ms: int,
    *,
    is_done: bool = False,
) -> ActionAttempt:
    """A new attempt about a code, whose outcome is what becomes of the code, unless it is known already."""
    return begin_attempt(
        session,
        action_type,
        device_id=code.device_id,
        access_code_id=code.access_code_id,
        now_ms=now_ms,
        finished="success" if is_done else None,
    )


async def attempt_reply(service: Service, attempt: ActionAttempt, *, just_begun: bool = False) -> Reply:
    """The reply that tells how the attempt stands now. `just_begun`: the keypad cannot have done it yet."""
    if just_begun:
        return {"action_attempt": pending_attempt_object(attempt)}
    return {"action_attempt": await attempt_now(service, attempt)}


async def attempt_now(service: Service, attempt: ActionAttempt) -> ActionAttemptObject:
    """How an attempt stands now. Its row is read again: it may have been finished since."""
    hub = await service.database.hub()
    async with service.database.read() as session:
        row = await session.get_one(ActionAttempt, attempt.action_attempt_id)
        return attempt_object(session, hub, row, service.now_ms())


def pending_attempt_object(attempt: ActionAttempt) -> ActionAttemptObject:
    """The attempt as it stands when the keypad has just been asked for something."""
    return ActionAttemptObject(
        action_attempt_id=attempt.action_attempt_id,
        action_type=attempt.action_type,
        doorpad={"created_at": iso(attempt.created_at_ms), "access_code_id": attempt.access_code_id},
    )


def attempt_object(
    session: AsyncSession, hub: Hub, attempt: ActionAttempt, now_ms: int
) -> ActionAttemptObject:
    """The attempt as it stands now. One about a code follows what its keypad is known to hold."""
    made = pending_attempt_object(attempt)
    if attempt.finished == "error":
        made.status = "error"
        made.error = {
            "type": attempt.error_type or "uncategorized_error",
            "message": attempt.error_message or "The action failed.",
        }
        return made
    code = _CODE.first(session, id=attempt.access_code_id) if attempt.access_code_id else None
    if code is not None:
        made.result = _result(session, hub, attempt, code, now_ms)
    elif attempt.finished == "success":
        made.result = {"was_confirmed_by_device": True} if attempt.action_type in _OF_DOORS else {}
    if made.result is not None:
        made.status = "success"
    elif code is not None and code.state == "deleted":
        made.status = "error"
        made.error = {
            "type": "uncategorized_error",
            "message": "The code was removed before the keypad had it.",
        }
    elif now_ms - attempt.created_at_ms >= _EXPIRES_MS:
        made.status = "error"
        made.error = {
            "type": "action_attempt_expired",
            "message": "The keypad has not confirmed it within 10 minutes"
            + ("." if code is None else "; it is still being tried."),
        }
    return made


def _result(
    session: AsyncSession, hub: Hub, attempt: ActionAttempt, code: AccessCode, now_ms: int
) -> dict[str, Any] | None:
    """The result of an attempt about a code, or None while the keypad does not match it."""
    if attempt.action_type == "DELETE_ACCESS_CODE":
        return {} if code.state == "deleted" else None
    if (
        attempt.finished != "success"
        and code.conversion == RELEASED
        and attempt.created_at_ms >= code.asked_at_ms
    ):
        return None
    (rows,) = code_rows(session, [code])
    if not code.managed:
        if attempt.finished == "success" or (code.conversion is None and _was_announced(session, attempt)):
            return {"access_code": unmanaged_access_code_object(hub, rows, now_ms)}
        return None
    if (
        attempt.finished == "success"
        or code.announced is not None
        or on_keypad(code, rows.slot)
        or _was_announced(session, attempt)
    ):
        return {"access_code": access_code_object(hub, rows, now_ms)}
    return None


def _was_announced(session: AsyncSession, attempt: ActionAttempt) -> bool:
    """Whether the keypad has held the code since: that stays done when the code changes or goes later."""
    asked = {"id": attempt.access_code_id, "since_ms": attempt.created_at_ms}
    return _ANNOUNCED.run(session, asked).fetchone() is not None


async def _get(service: Service, params: GetParams) -> Reply:
    hub = await service.database.hub()
    async with service.database.read() as session:
        attempt = await session.get(ActionAttempt, str(params.action_attempt_id))
        if attempt is None:
            raise not_found("action_attempt", params.action_attempt_id)
        return {"action_attempt": attempt_object(session, hub, attempt, service.now_ms())}


async def _list(service: Service, params: ListParams) -> Reply:
    wanted = page(params, limit=params.limit, cursor=params.page_cursor, default=_LIST_DEFAULT)
    query = select(ActionAttempt)
    if params.action_attempt_ids is not None:
        query = query.where(ActionAttempt.action_attempt_id.in_(map(str, params.action_attempt_ids)))
    if params.device_id is not None:
        query = query.where(ActionAttempt.device_id == str(params.device_id))
    hub = await service.database.hub()
    async with service.database.read() as session:
        found = await session.scalars(
            wanted.of(query, ActionAttempt.created_at_ms, ActionAttempt.action_attempt_id)
        )
        attempts = found.all()
        now_ms = service.now_ms()
        objects = [attempt_object(session, hub, it, now_ms) for it in attempts[: wanted.limit]]
    keys = [(it.created_at_ms, it.action_attempt_id) for it in attempts]
    return {"action_attempts": objects, "pagination": wanted.pagination(keys)}


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/action_attempts/get",
        READ,
        GetParams,
        _get,
        "Show how an action stands.",
        {"action_attempt": ActionAttemptObject},
    ),
    Operation(
        "/action_attempts/list",
        READ,
        ListParams,
        _list,
        "List actions.",
        {"action_attempts": list[ActionAttemptObject], "pagination": Pagination},
    ),
)
