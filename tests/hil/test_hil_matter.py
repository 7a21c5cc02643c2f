"""The keypad as a Matter door lock is tested: TC-DRLK-2.2, 2.3 and 2.12 of the Matter test plan, in spirit.

Matter's names beside ours: WrongCodeEntryLimit is `wrong_max`, UserCodeTemporaryDisableTime `lockout_s`,
SetCredential PUT, ClearCredential DEL. Our lockout of 10 s is the shortest that may be set; Matter's tests take 15.
"""

import os
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from doorpad import keyring
from doorpad.link import operations
from doorpad.link import settings as keypad_settings
from doorpad.link.connection import Connection
from doorpad.link.operations import JournalRecord
from doorpad.link.slot_writes import SlotWrite
from doorpad_link import messages
from hil_world import Bench, emulated

BAUD = 115_200
CODE_ID = "d3b07384-d9a0-4c9b-8f4a-6a1f7c1e2a35"
WRONG_CODE_ENTRY_LIMIT = 3
DISABLE_TIME_S = 10
STRIKE_MS = 150  # of all emulated keypads in these tests


@pytest.fixture(scope="module")
def keypad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with emulated(tmp_path_factory.mktemp("matter")) as keypad:
        yield keypad


@pytest.fixture
async def lock(keypad: dict[str, Any]) -> "AsyncIterator[Lock]":
    serial = keypad["serial"]
    key = keyring.load(Path(keypad["keys"]), serial)
    connection, _ = await Connection.open(keypad["link"], BAUD, key, serial)
    try:
        if (await operations.state(connection)).time_s is None:
            assert await operations.set_time(connection, time.time_ns() // 1_000_000)
        with Bench(keypad["control"]) as bench:
            yield Lock(connection, bench)
    finally:
        connection.close()


class Lock:
    """A keypad, told over the link and touched with a finger."""

    def __init__(self, connection: Connection, bench: Bench) -> None:
        self.connection = connection
        self.bench = bench

    async def set_credential(self, slot: int, code: str, window: tuple[int, int] | None = None) -> int:
        """Put a code into an empty slot; return the status."""
        from_s, until_s = window or (None, None)
        write = SlotWrite(slot, 0, code, from_s, until_s, CODE_ID, os.urandom(8))
        [result] = await operations.put(self.connection, [write])
        return result.status

    async def clear_credential(self, slot: int) -> int:
        held = [it for it in (await operations.changed_since(self.connection, 0, 1)).slots if it.slot == slot]
        [result] = await operations.delete(self.connection, [(slot, held[0].version, b"clearing")])
        return result.status

    async def set_config(self, **settings: int) -> None:
        await keypad_settings.change(self.connection, await keypad_settings.read(self.connection), settings)

    async def head(self) -> int:
        return (await operations.state(self.connection)).journal_head

    async def entry(self, kind: int, *, after: int) -> JournalRecord:
        """The first journal entry of this kind after number `after`; waits for it."""
        while True:
            self.connection.hinted.clear()
            page = await operations.events(self.connection, after)
            for entry in page.entries:
                if entry.kind == kind:
                    return entry
            if not page.entries:
                await self.connection.hinted.wait()
            else:
                after = page.entries[-1].sequence


async def test_pin_is_set_opens_locks_again_by_itself_and_is_cleared(lock: Lock) -> None:
    assert await lock.set_credential(1, "654321") == messages.OK
    place = len(lock.bench.outputs)
    assert lock.bench.opens("654321")
    on = lock.bench.see("strike", 1, after=place)
    off = lock.bench.see("strike", 0, after=place)
    assert off.ticks_ms - on.ticks_ms >= STRIKE_MS  # auto-relock
    assert not lock.bench.opens("654322")
    assert await lock.clear_credential(1) == messages.OK
    assert not lock.bench.opens("654321")
    assert (await operations.state(lock.connection)).used == 0


async def test_wrong_code_entry_limit_disables_the_right_pin_until_the_time_is_over(lock: Lock) -> None:
    assert await lock.set_credential(2, "123456") == messages.OK
    assert lock.bench.opens("123456")  # and nothing wrong before counts
    await lock.set_config(wrong_max=WRONG_CODE_ENTRY_LIMIT, lockout_s=DISABLE_TIME_S)
    before = await lock.head()
    for _ in range(WRONG_CODE_ENTRY_LIMIT):
        assert not lock.bench.opens("999999")
    shut = await lock.entry(messages.EV_LOCKOUT, after=before)
    assert not lock.bench.opens("123456")
    refused = await lock.entry(messages.EV_DENIED, after=shut.sequence)
    assert (refused.reason, refused.slot) == (messages.LOCKED_OUT, 0)  # not looked at, so not told apart
    opened = await lock.entry(messages.EV_LOCKOUT_END, after=shut.sequence)
    assert opened.uptime_ms - shut.uptime_ms >= DISABLE_TIME_S * 1000 - 100  # noted just after it began
    assert lock.bench.opens("123456")
    assert await lock.clear_credential(2) == messages.OK


async def test_second_credential_with_the_same_pin_is_a_duplicate(lock: Lock) -> None:
    assert await lock.set_credential(3, "271828") == messages.OK
    assert await lock.set_credential(4, "271828") == messages.DUPLICATE
    assert await lock.set_credential(3, "314159") == messages.CONFLICT  # Matter: OCCUPIED
    assert lock.bench.opens("271828") and not lock.bench.opens("314159")
    assert await lock.clear_credential(3) == messages.OK


@pytest.mark.parametrize(
    "begin",
    [
        datetime(2028, 2, 29, tzinfo=UTC),  # a leap day
        datetime(
            2034, 1, 9, 13, 37, 4, tzinfo=UTC
        ),  # 2**30 s after 2000: the end of an ESP32's small integers
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),  # 2**31 s after 1970
    ],
    ids=lambda moment: moment.date().isoformat(),
)
async def test_year_day_schedule_holds_to_the_second(lock: Lock, begin: datetime) -> None:
    from_s = int(begin.timestamp())
    until_s = from_s + 86_400
    assert await lock.set_credential(5, "482915", (from_s, until_s)) == messages.OK
    try:
        for now_s, opens in [(from_s - 1, False), (from_s, True), (until_s - 1, True), (until_s, False)]:
            lock.bench.ask(freeze=now_s)
            assert lock.bench.opens("482915") == opens, now_s - from_s
    finally:
        lock.bench.ask(freeze=None)
    assert await lock.clear_credential(5) == messages.OK
