"""The simulate paths: hands on emulated keypads. A real keypad answers 400 device_not_simulated."""

import asyncio
from uuid import UUID

import msgspec

from doorpad.api.attempts import ActionAttemptObject, attempt_object, begin_attempt
from doorpad.api.code_objects import UnmanagedAccessCodeObject, code_rows, unmanaged_access_code_object
from doorpad.api.errors import ApiError, invalid_field, unavailable
from doorpad.api.hands import simulated, with_hands
from doorpad.api.params import Text
from doorpad.api.pins import check_free, is_digits
from doorpad.api.service import CREATE, AnyOperation, Operation, Reply, Service, device_or_404
from doorpad.events.log import Subscription
from doorpad.store.schema import AccessCode

_ENTRY_DIGITS_MAX = 16  # as many as a slot holds; a wrong PIN may have any number
_TYPED_DIGITS = range(4, 9)
_APPEARS_S = 10.0  # typing and reading back take about a second


class EntryParams(msgspec.Struct, kw_only=True):
    device_id: UUID
    code: str


class CreateUnmanagedParams(msgspec.Struct, kw_only=True):
    device_id: UUID
    name: Text
    code: str


async def _enter_code(service: Service, params: EntryParams) -> Reply:
    """Press the keys of a PIN. A refused PIN is a success of the simulation."""
    if not (is_digits(params.code) and len(params.code) <= _ENTRY_DIGITS_MAX):
        raise invalid_field("code", f"must be 1 to {_ENTRY_DIGITS_MAX} digits")
    device_id = await simulated(service, params.device_id)
    await with_hands(device_id, service.bench.press_keys(device_id, params.code + "#"))
    now_ms = service.now_ms()
    hub = await service.database.hub()
    async with service.database.write() as session:
        attempt = begin_attempt(
            session,
            "SIMULATE_KEYPAD_CODE_ENTRY",
            device_id=device_id,
            access_code_id=None,
            now_ms=now_ms,
            finished="success",
        )
        await session.flush()
        return {"action_attempt": attempt_object(session, hub, attempt, now_ms)}


async def _create_unmanaged(service: Service, params: CreateUnmanagedParams) -> Reply:
    """Program a code at the keypad, as a person would, and answer once the hub has read it back.

    Raises:
        ApiError: 400 on `code`; 409 if the PIN is taken; 503 if the code has not appeared.
    """
    if not (is_digits(params.code) and len(params.code) in _TYPED_DIGITS):
        raise invalid_field("code", f"must be {_TYPED_DIGITS[0]} to {_TYPED_DIGITS[-1]} digits")
    device_id = await simulated(service, params.device_id)
    async with service.database.read() as session:
        now_s = service.now_ms() // 1_000
        check_free(session, device_id, params.code, None, None, now_s=now_s)
    with service.feed.subscribe() as events:  # before the keys, so that the code cannot be missed
        await with_hands(device_id, service.bench.program_code(device_id, params.code))
        if not await _may_appear(service, params.device_id):
            raise await _not_appeared(service, params.device_id)
        try:
            async with asyncio.timeout(_APPEARS_S):
                return {"access_code": await _appeared(service, events, device_id, params)}
        except TimeoutError:
            raise await _not_appeared(service, params.device_id) from None


async def _appeared(
    service: Service, events: Subscription, device_id: str, params: CreateUnmanagedParams
) -> UnmanagedAccessCodeObject:
    """Wait for the code with this PIN and give it its name."""
    hub = await service.database.hub()
    async for event in events:
        if event.event_type != "access_code.unmanaged.created" or event.device_id != device_id:
            continue
        async with service.database.write() as session:
            code = await session.get(AccessCode, event.access_code_id)
            if code is not None and code.code == params.code:
                code.name = params.name
                (rows,) = code_rows(session, [code])
                return unmanaged_access_code_object(hub, rows, service.now_ms())
    raise AssertionError("a subscription has no end")


async def _may_appear(service: Service, device_id: UUID) -> bool:
    """Whether the keypad can tell of what was typed there: of one that is away nothing comes, however long."""
    async with service.database.read() as session:
        device = await device_or_404(session, device_id)
    return device.link_state not in ("disconnected", "offline")


async def _not_appeared(service: Service, device_id: UUID) -> ApiError:
    async with service.database.read() as session:
        device = await device_or_404(session, device_id)
    if device.link_state != "online":
        return unavailable(
            "the keys were pressed, but the keypad is not connected: the code appears once it is"
        )
    return unavailable(
        "the keys were pressed, but the keypad has reported no such code: it may have refused it"
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/locks/simulate/keypad_code_entry",
        CREATE,
        EntryParams,
        _enter_code,
        "Press the keys of a code at an emulated keypad.",
        {"action_attempt": ActionAttemptObject},
    ),
    Operation(
        "/access_codes/simulate/create_unmanaged_access_code",
        CREATE,
        CreateUnmanagedParams,
        _create_unmanaged,
        "Program a code at an emulated keypad, as a person with the master PIN would.",
        {"access_code": UnmanagedAccessCodeObject},
    ),
)
