"""/devices/simulate: what can happen to a keypad's connection, its place at the hub and its subscription.

Each pulls or plugs the cable of an emulated keypad, and says on the device why, so that it outlives a restart.
"""

from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.hands import simulated, with_hands
from doorpad.api.service import CREATE, AnyOperation, Operation, Reply, Service
from doorpad.store.catalogue import ERRORS
from doorpad.store.device_conditions import UNPAID, lift, stand
from doorpad.store.schema import Device
from doorpad.sync.retired import REMOVED
from doorpad.sync.telling import tell_of_device

_HUB = "hub_disconnected"


class DeviceParams(msgspec.Struct, kw_only=True):
    device_id: UUID


class SubscriptionParams(DeviceParams, kw_only=True):
    is_expired: bool


async def _connect(service: Service, params: DeviceParams) -> Reply:
    """Plug the cable in; a keypad that had been removed is there again."""
    device_id = await simulated(service, params.device_id)
    async with service.database.write() as session:
        lift(await session.get_one(Device, device_id), REMOVED)
    await with_hands(device_id, service.bench.set_cable(device_id, True))
    return {}


async def _disconnect(service: Service, params: DeviceParams) -> Reply:
    device_id = await simulated(service, params.device_id)
    await with_hands(device_id, service.bench.set_cable(device_id, False))
    return {}


async def _connect_to_hub(service: Service, params: DeviceParams) -> Reply:
    device_id = await simulated(service, params.device_id)
    async with service.database.write() as session:
        lift(await session.get_one(Device, device_id), _HUB)
    await with_hands(device_id, service.bench.set_cable(device_id, True))
    return {}


async def _disconnect_from_hub(service: Service, params: DeviceParams) -> Reply:
    device_id = await simulated(service, params.device_id)
    async with service.database.write() as session:
        _stand(await session.get_one(Device, device_id), _HUB, service.now_ms())
    await with_hands(device_id, service.bench.set_cable(device_id, False))
    return {}


async def _remove(service: Service, params: DeviceParams) -> Reply:
    device_id = await simulated(service, params.device_id)
    async with service.database.write() as session:
        await _tell_once(session, device_id, REMOVED, "device.removed", service.now_ms())
    await with_hands(device_id, service.bench.set_cable(device_id, False))
    return {}


async def _pay(service: Service, params: SubscriptionParams) -> Reply:
    """Without a subscription nothing is written to the keypad; the door works on."""
    device_id = await simulated(service, params.device_id)
    now_ms = service.now_ms()
    async with service.database.write() as session:
        if params.is_expired:
            await _tell_once(session, device_id, UNPAID, "device.error.subscription_required", now_ms)
        elif lift(await session.get_one(Device, device_id), UNPAID):
            await tell_of_device(session, device_id, "device.error.subscription_required.resolved", now_ms)
    service.changes.wake(device_id)
    return {}


def _stand(device: Device, code: str, now_ms: int) -> bool:
    return stand(device, code, ERRORS[code].message, now_ms)


async def _tell_once(session: AsyncSession, device_id: str, code: str, event_type: str, now_ms: int) -> None:
    if _stand(await session.get_one(Device, device_id), code, now_ms):
        await tell_of_device(session, device_id, event_type, now_ms)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/devices/simulate/connect",
        CREATE,
        DeviceParams,
        _connect,
        "Plug the cable of an emulated keypad in.",
        {},
    ),
    Operation(
        "/devices/simulate/disconnect",
        CREATE,
        DeviceParams,
        _disconnect,
        "Pull the cable of an emulated keypad out.",
        {},
    ),
    Operation(
        "/devices/simulate/connect_to_hub",
        CREATE,
        DeviceParams,
        _connect_to_hub,
        "Give an emulated keypad its hub back.",
        {},
    ),
    Operation(
        "/devices/simulate/disconnect_from_hub",
        CREATE,
        DeviceParams,
        _disconnect_from_hub,
        "Take the hub away from an emulated keypad.",
        {},
    ),
    Operation(
        "/devices/simulate/remove",
        CREATE,
        DeviceParams,
        _remove,
        "Remove an emulated keypad, until its cable is plugged in again.",
        {},
    ),
    Operation(
        "/devices/simulate/paid_subscription",
        CREATE,
        SubscriptionParams,
        _pay,
        "Let the subscription of an emulated keypad end, or be paid.",
        {},
    ),
)
