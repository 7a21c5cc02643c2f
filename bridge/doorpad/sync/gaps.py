"""What of a keypad's journal never reached this hub: noted once, in the commit that moves the cursor past it."""

from typing import TypedDict

from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.events.log import record
from doorpad.store.identity import effect_event_id
from doorpad.store.schema import Device

EVENT = "doorpad.journal_gap"
_SHOWN_MAX = 20  # gaps that the keypad's row remembers; the event log has all of them


class Gap(TypedDict):
    """Entries of one journal that are gone. `count` None: it lost its end, and nobody knows how many that were."""

    journal_epoch: str
    first_missing: int
    count: int | None
    noticed_ms: int  # Unix milliseconds


async def note(
    session: AsyncSession, device: Device, first_missing: int, count: int | None, now_ms: int
) -> Gap:
    """Put a gap of the journal that the cursor belongs to on the keypad's row and into the event log."""
    assert device.journal_epoch is not None
    gap = Gap(journal_epoch=device.journal_epoch, first_missing=first_missing, count=count, noticed_ms=now_ms)
    device.journal_gaps = [*device.journal_gaps, gap][-_SHOWN_MAX:]
    await record(
        session,
        event_id=effect_event_id(
            device.device_id, EVENT, f"{device.journal_epoch}:{device.journal_rewound}:{first_missing}"
        ),
        event_type=EVENT,
        device_id=device.device_id,
        access_code_id=None,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload={"journal_epoch": device.journal_epoch, "first_missing": first_missing, "count": count},
    )
    return gap


def in_words(gap: Gap) -> str:
    """The gap as a sentence for people."""
    first, count = gap["first_missing"], gap["count"]
    if count is None:
        return f"The keypad lost the end of its journal from entry {first} on, of a length that nobody knows."
    entries = f"entry {first}" if count == 1 else f"entries {first} to {first + count - 1}"
    return f"This hub never read {entries} of the keypad's journal: overwritten before that, or damaged."
