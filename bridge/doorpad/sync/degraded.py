"""The device warning `device_communication_degraded`: what hub and keypad lack of each other within a session.

The API has one name for it; the message says which of the causes stand. Each follows from the keypad's row.
"""

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.catalogue import DEVICE_WARNINGS
from doorpad.store.device_conditions import lift, stand
from doorpad.store.schema import AccessCode, Device
from doorpad.sync import gaps
from doorpad.sync.timing import Timing

WARNING = "device_communication_degraded"
_NEVER = float("inf")
_REPEATED_PERCENT_MAX = 5  # of a line that is good enough
_CLOCK = (
    "The keypad does not trust its clock and refuses every code with a window, until a hub sets it. "
    "If that lasts, set the hub's own clock right: the keypad has seen a later time."
)
_WRITES_STOPPED = (
    "The keypad did not take the last changes of its codes, by a fault of its own. The others wait; one at a time "
    "is tried, at least once a minute. Restart the keypad; replace its controller if that does not help."
)


async def judge(session: AsyncSession, device: Device, now_ms: int, timing: Timing) -> float:
    """Let the warning stand while it has a cause; return when (Unix seconds) time alone takes one off."""
    causes, edge_s = [], _NEVER
    if device.journal_gaps:
        until_ms = device.journal_gaps[-1]["noticed_ms"] + timing.quiet_s * 1000
        if now_ms < until_ms:
            causes.append(gaps.in_words(device.journal_gaps[-1]))
            edge_s = until_ms / 1000
    if device.boot_id is not None and not device.clock_trusted and await _has_windows(session, device):
        causes.append(_CLOCK)
    if device.repeated_percent is not None:
        causes.append(
            f"Of what is sent to the keypad {device.repeated_percent} % has to be sent again. "
            "Look at its cable and plugs; a long cable may need a lower speed."
        )
    if device.writes_stopped_ms is not None:
        causes.append(_WRITES_STOPPED)
    if causes:
        words = " ".join([DEVICE_WARNINGS[WARNING].message, *causes])
        stand(device, WARNING, words, now_ms, is_warning=True)
    else:
        lift(device, WARNING)
    return edge_s


async def note_line(
    session: AsyncSession, device: Device, repeated_percent: int, now_ms: int, timing: Timing
) -> None:
    """Note how much of what is sent to the keypad has to be sent again."""
    bad_percent = repeated_percent if repeated_percent > _REPEATED_PERCENT_MAX else None
    if device.repeated_percent != bad_percent:
        device.repeated_percent = bad_percent
        await judge(session, device, now_ms, timing)


async def _has_windows(session: AsyncSession, device: Device) -> bool:
    bound = select(AccessCode.access_code_id).where(
        AccessCode.device_id == device.device_id,
        AccessCode.state == "active",
        AccessCode.starts_at_s.is_not(None),
    )
    return bool(await session.scalar(select(exists(bound))))
