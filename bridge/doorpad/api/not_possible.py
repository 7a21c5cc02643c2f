"""Paths of the contract that ask for what these keypads do not have: refused with the reason, not with a 404."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from doorpad.api.attempts import ActionAttemptObject
from doorpad.api.errors import ApiError
from doorpad.api.service import CREATE, AnyOperation, Operation, Reply, Service, device_or_404


class DeviceParams(msgspec.Struct, kw_only=True):
    device_id: UUID


def _refuse(reason: str) -> Callable[[Service, DeviceParams], Awaitable[Reply]]:
    async def refuse(service: Service, params: DeviceParams) -> Reply:
        async with service.database.read() as session:
            device = await device_or_404(session, params.device_id)
        raise ApiError(400, "device_type_not_supported", reason, data={"device_id": device.device_id})

    return refuse


_ATTEMPT = {"action_attempt": ActionAttemptObject}

OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/locks/simulate/manual_lock_via_keypad",
        CREATE,
        DeviceParams,
        _refuse("a keypad has no key that locks: the strike falls back by itself"),
        "Not possible.",
        _ATTEMPT,
    ),
)
