"""One pair of wires for both directions: the hub speaks first, the keypad answers, neither before the other ends.

On the emulated pair each side hears itself, and what both say at the same time nobody can read.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bad_line import writes
from doorpad import keyring
from doorpad.emulator import fleet
from doorpad.emulator.cable import Line
from doorpad.emulator.control import ControlServer
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad_link.host import NEVER_SILENT, OPEN, HostSession
from link_world import HOST_ID, OP_ADD, PSK, Keypad

BAUD = 115_200
TURN_MS = 2  # protocol/README.md, section 3
WAIT_S = 60


def hub_on_a_pair() -> HostSession:
    return HostSession(HOST_ID, lambda _: PSK, bytes, half_duplex=True)


def opened(hub: HostSession, keypad: Keypad, now_ms: int = 0) -> int:
    """Bring a session up, with the hub's echo and the keypad's answer in its ear; return when."""
    hub.start(now_ms)
    while hub.state != OPEN:
        sent = hub.take_output()
        hub.receive(sent + keypad.session.receive(sent, 1000), now_ms)
        now_ms += TURN_MS + 1
        hub.on_time(now_ms)
    return now_ms


def test_hub_begins_to_send_only_after_two_milliseconds_of_silence():
    hub, keypad = hub_on_a_pair(), Keypad()
    now_ms = opened(hub, keypad)
    hub.receive(b"\x01", now_ms)  # somebody still speaks
    hub.request(OP_ADD, 1, now_ms)
    assert hub.take_output() == b""
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None and wake_ms > now_ms + TURN_MS
    hub.on_time(wake_ms - 1)
    assert hub.take_output() == b""
    hub.on_time(wake_ms)
    assert hub.take_output() != b""


def test_repetition_that_is_due_waits_until_the_line_is_silent():
    hub, keypad = hub_on_a_pair(), Keypad()
    now_ms = opened(hub, keypad)
    hub.request(OP_ADD, 1, now_ms)
    request = hub.take_output()
    due_ms = hub.wake_at_ms()
    assert due_ms is not None
    hub.receive(b"\x01", due_ms - 1)
    assert hub.on_time(due_ms) == []
    assert hub.take_output() == b""
    wake_ms = hub.wake_at_ms()
    assert wake_ms is not None and wake_ms > due_ms - 1 + TURN_MS
    hub.on_time(wake_ms)
    assert hub.take_output() == request


@pytest.mark.parametrize("state", ["hello sent", "open"])
def test_line_that_is_never_silent_is_given_up_as_such_once_something_is_asked(state):
    hub, keypad = hub_on_a_pair(), Keypad()
    now_ms = 0
    if state == "open":
        now_ms = opened(hub, keypad)
        for _ in range(15_000):  # nothing is asked, so nothing is missed
            now_ms += 1
            assert hub.receive(b"\x55", now_ms) == []
        now_ms += TURN_MS + 1  # then it is silent, and begins once more
        hub.request(OP_ADD, 1, now_ms)
    else:
        hub.start(now_ms)
    events: list[Any] = []
    began_ms = now_ms
    while not events:
        now_ms += 1
        assert now_ms < began_ms + 20_000
        events = hub.receive(b"\x55", now_ms) + hub.on_time(now_ms)
    assert [event.reason for event in events] == [NEVER_SILENT]
    assert now_ms - began_ms > 10_000, "longer than any frame of any line"


def test_hub_has_one_request_on_the_line_whatever_window_the_keypad_offers():
    hub, keypad = hub_on_a_pair(), Keypad()
    now_ms = opened(hub, keypad)
    for number in range(3):
        hub.request(OP_ADD, number, now_ms)
    answered: list[int] = []
    while len(answered) < 3:
        sent = hub.take_output()
        assert sent.count(0) == 2, "not one frame between its delimiters"
        events = hub.receive(sent + keypad.session.receive(sent, 1000), now_ms)
        answered += [event.body for event in events]
        assert hub.take_output() == b""
        now_ms += TURN_MS + 1
        hub.on_time(now_ms)
    assert (answered, keypad.effects, hub.noise, keypad.session.noise) == ([0, 1, 2], [0, 1, 2], 0, 0)


@asynccontextmanager
async def session(
    server: ControlServer, data: Path, *, half_duplex: bool = True
) -> AsyncIterator[Connection]:
    serial = server.keypad.keypad.serial
    key = keyring.load(data / "keys", serial)
    path = str(server.keypad.cable.name)
    connection, _ = await Connection.open(path, BAUD, key, serial, WAIT_S, half_duplex=half_duplex)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pair")  # one keypad, started for each test


@pytest.fixture
async def server(data: Path) -> AsyncIterator[ControlServer]:
    line = Line(BAUD, half_duplex=True)
    async with fleet.running(data, 1, slots=None, strike_ms=100, line=line) as [server]:
        yield server


async def test_either_side_waits_until_the_other_has_let_go_of_the_wires(server, data):
    """Method: where the speaker changes, measure the silence on the cable itself. A busy machine only adds to it.

    An answer so late that the hub repeats its request may meet the repetition, and the answer to that the next
    request: such exchanges show nothing.
    """
    cable = server.keypad.cable
    silences_ms: dict[bool, list[float]] = {True: [], False: []}
    heard: list[tuple[bool, float]] = []
    last_from: bool | None = None

    def tap(_data: bytes, from_keypad: bool) -> None:
        nonlocal last_from
        wire, other = (cable._to_hub, cable._to_keypad) if from_keypad else (cable._to_keypad, cable._to_hub)
        if last_from not in (None, from_keypad):
            heard.append((from_keypad, (wire.passing_since_s - other._carried_at) * 1000))
        last_from = from_keypad

    cable.tap = tap
    async with session(server, data) as connection, asyncio.timeout(WAIT_S):
        number, was_calm = 0, False
        while min(map(len, silences_ms.values())) < 6:
            repeated = connection.statistics.retransmits
            heard.clear()
            number += 1
            [result] = await operations.put(connection, writes(number, 1))
            assert result.done
            await operations.state(connection)
            is_calm = connection.statistics.retransmits == repeated
            was_calm, counts = is_calm, is_calm and was_calm
            if counts:
                for from_keypad, silence_ms in heard:
                    silences_ms[from_keypad].append(silence_ms)
    assert min(silences_ms[True]) >= TURN_MS, "the keypad"
    assert min(silences_ms[False]) >= TURN_MS, "the hub"


async def test_keypad_says_nothing_unasked_and_tells_its_news_when_it_is_asked(server, data):
    cable = server.keypad.cable
    async with session(server, data) as connection:
        before = await operations.state(connection)
        said = cable.carried[1]
        await server._program("1", "591024")
        assert cable.carried[1] == said
        after = await operations.state(connection)
    assert after.generation == before.generation + 1
    assert after.journal_head > before.journal_head


async def test_hub_that_waits_for_no_silence_collides_and_is_answered_in_the_end(server, data):
    """The other half of the proof: the emulated pair does tell on a side that speaks too early."""
    cable = server.keypad.cable
    async with session(server, data, half_duplex=False) as connection, asyncio.timeout(WAIT_S):
        while not cable.collided_bytes:
            await operations.state(connection)
        await operations.state(connection)
