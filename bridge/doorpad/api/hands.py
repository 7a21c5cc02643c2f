"""Hands on emulated keypads, for the simulate paths. A real keypad answers 400 device_not_simulated."""

from collections.abc import Awaitable
from uuid import UUID

from doorpad.api.errors import not_simulated
from doorpad.api.service import Service, device_or_404
from doorpad.errors import BenchUnavailable


async def simulated(service: Service, device_id: UUID) -> str:
    async with service.database.read() as session:
        device = await device_or_404(session, device_id)
    if not device.simulated:
        raise not_simulated(device.device_id)
    return device.device_id


async def with_hands(device_id: str, action: Awaitable[None]) -> None:
    try:
        await action
    except BenchUnavailable:
        raise not_simulated(device_id) from None
