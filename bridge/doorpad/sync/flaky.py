"""The device warning `device_has_flaky_connection`: sessions that are lost again and again."""

from collections import deque

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.catalogue import DEVICE_WARNINGS
from doorpad.store.device_conditions import lift, stand
from doorpad.store.schema import Device
from doorpad.sync.telling import tell_of_device

WARNING = "device_has_flaky_connection"
LOSSES_MIN = 3  # within the time that `Losses` is given


class Losses:
    """When the last sessions with one keypad were lost, by the clock of the caller.

    Args:
        within_s: losses that lie further back do not count, and a warning ends after so long without one.
        now_s: the start of the hub counts as a loss for the end of a warning: it has not looked before.
    """

    def __init__(self, within_s: float, now_s: float) -> None:
        self._within_s = within_s
        self._began_s = now_s
        self._at_s: deque[float] = deque(maxlen=LOSSES_MIN)

    def add(self, now_s: float) -> None:
        self._at_s.append(now_s)

    def are_many(self, now_s: float) -> bool:
        """Whether the least number of them lies within the time."""
        return len(self._at_s) == LOSSES_MIN and now_s - self._at_s[0] < self._within_s

    def are_past(self, now_s: float) -> bool:
        """Whether none lies within the time."""
        return now_s - max([self._began_s, *self._at_s]) >= self._within_s


async def review(session: AsyncSession, device: Device, losses: Losses, now_s: float, now_ms: int) -> bool:
    """Raise the warning or take it off, each with its event; return whether it stands."""
    if losses.are_many(now_s):
        if stand(device, WARNING, DEVICE_WARNINGS[WARNING].message, now_ms, is_warning=True):
            await tell_of_device(session, device.device_id, "device.connection_became_flaky", now_ms)
    elif losses.are_past(now_s) and lift(device, WARNING):
        await tell_of_device(session, device.device_id, "device.connection_stabilized", now_ms)
    return WARNING in device.conditions
