"""How slots are put into the frames of PUT, read back as protocol/README.md, section 4, tells it."""

from itertools import pairwise
from typing import Any
from uuid import UUID

import cbor2
import pytest
from doorpad.link import operations
from doorpad.link.slot_writes import SlotWrite, op_ids
from doorpad_link import messages
from hypothesis import given
from hypothesis import strategies as st

AROUND_BYTES = 8 + 8 + 4  # header, tag, CRC
LIFTED = 1 << 64


class Listening:
    """In place of a session: keeps what is asked, and answers that each slot was written."""

    round_trip_ms = 0

    def __init__(self, mtu_bytes: int) -> None:
        self.mtu_bytes = mtu_bytes
        self.asked: list[list[Any]] = []

    async def request(self, op: int, body: list[Any]) -> tuple[int, object]:
        assert op == messages.OP_PUT
        assert AROUND_BYTES + len(cbor2.dumps([op, body])) <= self.mtu_bytes
        self.asked.append(body)
        return messages.OK, [[slot, messages.OK, 1] for slot, *_ in read([body])]


def read(frames: list[list[Any]]) -> list[tuple[Any, ...]]:
    """(slot, if_version, code, from, until, flags, operation id, access-code id) of each put."""
    found = []
    for op_id, code_ids, puts in frames:
        assert len(code_ids) == 16 * len(puts)
        slot = 0
        for n, (if_version, step, *rest) in enumerate(puts):
            assert step >= 1
            slot += step
            own_id = ((int.from_bytes(op_id, "big") + n) % LIFTED).to_bytes(8, "big")
            found.append((slot, if_version, *rest, own_id, code_ids[16 * n : 16 * n + 16]))
    return found


def write(slot: int, number: int, version: int = 0, code: str = "123456", *, bound: bool = True) -> SlotWrite:
    window = (1_760_000_000, 1_760_003_600) if bound else (None, None)
    return SlotWrite(slot, version, code, *window, str(UUID(int=slot)), (number % LIFTED).to_bytes(8, "big"))


def as_told(it: SlotWrite) -> tuple[Any, ...]:
    code_id = UUID(it.access_code_id).bytes
    return (it.slot, it.if_version, it.code.encode(), it.from_s, it.until_s, 3, it.op_id, code_id)


WRITES = st.lists(
    st.builds(
        write,
        st.integers(1, 4096),
        st.integers(0, 3) | st.integers(LIFTED - 3, LIFTED - 1),
        st.integers(0, 2**32 - 1),
        st.text("0123456789", min_size=4, max_size=12),
        bound=st.booleans(),
    ),
    max_size=60,
)


@given(WRITES, st.sampled_from([128, 193, 1024]))
async def test_any_writes_are_told_in_their_order_and_fit_the_keypads_frames(writes, mtu_bytes):
    session = Listening(mtu_bytes)
    results = await operations.put(session, writes)
    assert read(session.asked) == [as_told(it) for it in writes]
    assert [result.slot for result in results] == [it.slot for it in writes]


@pytest.mark.parametrize(("mtu_bytes", "a_frame"), [(1024, 16), (193, 4), (128, 2)])
async def test_slots_in_a_row_fill_frames(mtu_bytes, a_frame):
    session = Listening(mtu_bytes)
    numbers = op_ids(96)
    await operations.put(
        session, [write(1000 + n, int.from_bytes(op_id, "big")) for n, op_id in enumerate(numbers)]
    )
    assert {len(puts) for _, _, puts in session.asked} == {a_frame}


def test_operation_ids_run_on_and_begin_anywhere():
    ids = [int.from_bytes(op_id, "big") for op_id in op_ids(100)]
    assert all((after - before) % LIFTED == 1 for before, after in pairwise(ids))
    assert int.from_bytes(op_ids(1)[0], "big") not in ids
