"""What another hand did to a code of ours is proven before it counts: by the journal, or by two reads that agree.

A record comes sealed, so that no cable has made it up. But what the memory of a keypad does to one before that, no
seal shows; and to tell of a stranger, to follow him or to write over what he wrote takes more than one look.
The journal knows of those at the keypad itself, as far as it was not overwritten; of other hubs it does not tell.
"""

from collections.abc import Iterable, Sequence, Set

from doorpad_link import messages
from sqlalchemy import and_, select

from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.errors import ProtocolViolation
from doorpad.link.operations import SlotRecord
from doorpad.store.database import Database
from doorpad.store.schema import AccessCode, Slot

_READS_MAX = 4  # somebody may be changing it right now; that takes a person seconds


def lost(slot: int) -> SlotRecord:
    """What an empty slot is that has no record: whoever clears one leaves one, so flash has lost it."""
    return SlotRecord(slot, 0, messages.LOST, None, None, None, None, None, 0)


async def proven(
    database: Database,
    device_id: str,
    maker: int,
    connection: Connection,
    found: Sequence[SlotRecord],
    noted: Set[int] = frozenset(),
) -> list[SlotRecord]:
    """The records that were found, each read again by which another hand would have changed a code of this hub.

    Args:
        maker: the number that the keypad gives to this hub.
        noted: the slots at which, by the journal, somebody was.
    Raises:
        ProtocolViolation: a slot is another one each time.
    """
    doubtful = await _against_ours(database, device_id, maker, found) - noted
    return [await _agreed(connection, it) if it.slot in doubtful else it for it in found]


async def _against_ours(
    database: Database, device_id: str, maker: int, found: Iterable[SlotRecord]
) -> set[int]:
    """The slots of codes of this hub that somebody else has written, by these records."""
    by_others = {
        it.slot: it.op_id
        for it in found
        if it.maker != maker and not (it.op_id is None and it.flags & messages.LOST)
    }
    if not by_others:
        return set()
    at_its_slot = and_(AccessCode.device_id == Slot.device_id, AccessCode.slot == Slot.slot)
    async with database.read() as session:
        ours = await session.execute(
            select(Slot.slot, Slot.op_id)
            .join(AccessCode, at_its_slot)
            .where(
                Slot.device_id == device_id,
                Slot.slot.in_(by_others),
                Slot.maker == maker,
                AccessCode.managed,
                AccessCode.state == "active",
            )
        )
    return {
        slot for slot, op_id in ours if by_others[slot] != op_id
    }  # a use at the keypad keeps the operation id


async def _agreed(connection: Connection, found: SlotRecord) -> SlotRecord:
    for _ in range(_READS_MAX):
        page = await operations.changed_since(connection, 0, found.slot)
        again = next((it for it in page.slots if it.slot == found.slot), lost(found.slot))
        if again == found:
            return found
        found = again
    raise ProtocolViolation(f"slot {found.slot} of keypad {connection.serial} reads differently each time")
