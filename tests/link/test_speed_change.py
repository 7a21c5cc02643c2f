"""Raising the speed of a line with the real firmware at its other end: both sides are at one speed in the end.

The emulated cable carries bytes at the speed of their sender, and as garbage where the other side has another one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from doorpad import keyring
from doorpad.emulator import fleet
from doorpad.emulator.cable import Line
from doorpad.emulator.control import ControlServer
from doorpad.emulator.faults import Faults, Spoiler, misread
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.errors import LinkDown
from doorpad.link.speed import SLOW_S, STEADY_S, HigherSpeed, raise_speed
from doorpad_link import messages

FIRST, FAST = 115_200, 921_600


async def connect(server: ControlServer, data: Path) -> Connection:
    """A session at the first speed, after as many attempts as it takes."""
    serial = server.keypad.keypad.serial
    key = keyring.load(data / "keys", serial)
    while True:
        try:
            connection, _ = await Connection.open(str(server.keypad.cable.name), FIRST, key, serial, 5.0)
        except LinkDown:
            continue
        return connection


async def run_fast(connection: Connection) -> None:
    """Raise the speed, however often a busy machine lets the half second of a trial pass."""
    async with asyncio.timeout(60):
        while not await raise_speed(connection, FAST):
            pass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speed")  # one keypad, started for each test


@pytest.fixture
async def server(data: Path) -> AsyncIterator[ControlServer]:
    async with fleet.running(data, 1, slots=None, strike_ms=100, line=Line(FIRST)) as [server]:
        yield server


async def test_line_runs_faster_on_request_and_carries_requests_both_ways(server, data):
    connection = await connect(server, data)
    await run_fast(connection)
    assert (connection.baud, server.keypad.cable.keypad_baud) == (FAST, FAST)
    before = (await operations.statistics(connection)).noise
    for size in (1, 500, 990):
        assert await connection.request(messages.OP_PING, bytes(size)) == (messages.OK, bytes(size))
    assert (await operations.statistics(connection)).noise == before
    assert await raise_speed(connection, FIRST)
    assert (connection.baud, server.keypad.cable.keypad_baud) == (FIRST, FIRST)
    await operations.state(connection)
    connection.close()


class Losing:
    """Loses the next pieces of one direction of a cable, up to 16 bytes each, while `when()`."""

    def __init__(self, pieces: int, when: Callable[[], bool]) -> None:
        self.left = pieces
        self._when = when

    def spoil(self, data: bytes) -> bytes:
        if not self.left or not self._when():
            return data
        self.left -= 1
        return b""

    def pause_ms(self, data: bytes) -> int:
        return 0


@pytest.mark.parametrize(
    ("to_hub", "at_baud", "pieces"),
    [
        pytest.param(False, FIRST, 2, id="the request is lost"),
        pytest.param(True, FIRST, 2, id="the reply is lost"),
        pytest.param(False, FAST, 20, id="the proof is lost"),
        pytest.param(True, FAST, 20, id="the answer to the proof is lost"),
    ],
)
async def test_lost_frame_of_the_exchange_leaves_both_sides_at_one_speed(
    server, data, to_hub, at_baud, pieces
):
    connection = await connect(server, data)
    cable = server.keypad.cable
    losing = Losing(pieces, lambda: connection.baud == at_baud)
    (cable._to_hub if to_hub else cable._to_keypad).spoiler = losing
    await run_fast(connection)
    assert losing.left == 0
    assert (connection.baud, cable.keypad_baud) == (FAST, FAST)
    await operations.state(connection)
    connection.close()


class Garbling:
    """Gives other bytes while the line is at the new speed, as an adapter does that runs at another one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def spoil(self, data: bytes) -> bytes:
        return data.translate(bytes(range(255, -1, -1))) if self._connection.baud == FAST else data

    def pause_ms(self, data: bytes) -> int:
        return 0


class OfLongFrames(Spoiler):
    """Two bits in a thousand at the new speed: a short frame may pass, one of 1,000 bytes never does."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(Faults(seed=1, flip=2e-3), "to keypad")
        self._connection = connection

    def spoil(self, data: bytes) -> bytes:
        return super().spoil(data) if self._connection.baud == FAST else data


@pytest.mark.parametrize(
    "spoils",
    [
        pytest.param(Garbling, id="only other bytes"),
        pytest.param(OfLongFrames, id="no long frame"),
    ],
)
async def test_line_on_which_this_comes_through_at_the_new_speed_stays_at_the_first(server, data, spoils):
    connection = await connect(server, data)
    cable = server.keypad.cable
    cable._to_keypad.spoiler = spoils(connection)
    assert not await raise_speed(connection, FAST)
    assert (connection.baud, cable.keypad_baud) == (FIRST, FIRST)
    await operations.state(connection)
    connection.close()


@pytest.mark.parametrize(
    ("from_keypad", "at_baud"),
    [
        pytest.param(False, FIRST, id="when the request arrives"),
        pytest.param(True, FIRST, id="when the reply arrives"),
        pytest.param(False, FAST, id="when the proof arrives"),
        pytest.param(True, FAST, id="when the answer to the proof arrives"),
    ],
)
async def test_power_cut_within_the_change_leaves_both_sides_at_the_first_speed(
    server, data, from_keypad, at_baud
):
    connection = await connect(server, data)
    cable = server.keypad.cable
    arrives = asyncio.Event()

    def tap(_data: bytes, is_from_keypad: bool) -> None:
        if is_from_keypad == from_keypad and connection.baud == at_baud:
            arrives.set()

    cable.tap = tap
    changing = asyncio.create_task(raise_speed(connection, FAST))
    await asyncio.wait_for(arrives.wait(), 30)
    await server.keypad.power(False)
    cable.tap = None
    connection.close()
    await asyncio.gather(changing, return_exceptions=True)
    await server.keypad.power(True)
    again = await connect(server, data)
    assert (again.baud, cable.keypad_baud) == (FIRST, FIRST)
    await run_fast(again)
    await operations.state(again)
    again.close()


async def test_speed_that_ended_a_session_soon_is_left_alone_for_a_while(server, data):
    """Seconds are told, not waited for."""
    higher = HigherSpeed(FAST)
    for now_s, speed in (
        (0, FAST),
        (STEADY_S - 1, None),  # lost
        (STEADY_S, FIRST),
        (STEADY_S + SLOW_S - 2, FIRST),
        (STEADY_S + SLOW_S, FAST),
        (STEADY_S + SLOW_S + STEADY_S, None),  # lost, but it had stood for long
        (STEADY_S + SLOW_S + STEADY_S + 1, FAST),
    ):
        if speed is None:
            higher.lost(now_s)
            continue
        connection = await connect(server, data)
        assert await higher.ask(connection, now_s)
        assert connection.baud == speed
        if speed == FAST:
            assert await raise_speed(connection, FIRST)
        connection.close()


async def test_speed_that_the_keypad_does_not_have_is_not_asked_for_by_the_next_session(server, data):
    connection = await connect(server, data)
    higher = HigherSpeed(FAST + 1)
    asked = [await higher.ask(connection, now_s) for now_s in (0, SLOW_S - 1, SLOW_S)]
    assert asked == [False, True, False], "True: it was let alone"
    assert connection.baud == FIRST
    connection.close()


async def test_proof_that_only_the_keypad_has_seen_ends_at_one_speed(server, data):
    """The keypad takes the new speed for proven, and the hub does not: bytes without a frame tell the keypad."""
    connection = await connect(server, data)
    cable = server.keypad.cable
    trials: list[int] = []

    def first_trial() -> bool:
        if not trials or trials[-1] != connection.baud:
            trials.append(connection.baud)
        return trials in ([FAST], [FIRST, FAST])

    cable._to_hub.spoiler = Losing(1 << 30, first_trial)
    await run_fast(connection)
    assert trials == [FIRST, FAST, FIRST, FAST], "there was no first trial that failed"
    assert (connection.baud, cable.keypad_baud) == (FAST, FAST)
    await operations.state(connection)
    connection.close()


async def test_hub_that_starts_anew_at_the_first_speed_is_heard_again(server, data):
    connection = await connect(server, data)
    await run_fast(connection)
    connection.close()
    again = await asyncio.wait_for(connect(server, data), 60)
    assert server.keypad.cable.keypad_baud == FIRST
    await operations.state(again)
    again.close()


async def test_keypad_that_starts_anew_is_at_the_first_speed(server, data):
    connection = await connect(server, data)
    await run_fast(connection)
    connection.close()
    await server.keypad.power(False)
    await server.keypad.power(True)
    again = await connect(server, data)
    await operations.state(again)
    again.close()


async def test_hub_that_asks_and_then_changes_nothing_is_answered_at_the_first_speed_again(server, data):
    """As an adapter does that takes a speed and does not run at it."""
    connection = await connect(server, data)
    status, _ = await connection.request(messages.OP_SPEED, [FAST])
    assert status == messages.OK
    await operations.state(connection)  # repeated until the keypad has fallen back
    assert server.keypad.cable.keypad_baud == FIRST
    connection.close()


async def test_speed_that_no_uart_of_a_keypad_has_is_refused_and_changes_nothing(server, data):
    connection = await connect(server, data)
    for baud in (0, 9599, 921_601, 4_000_000):
        assert await connection.request(messages.OP_SPEED, [baud]) == (messages.UNSUPPORTED, None)
    assert not await raise_speed(connection, 921_601)
    assert connection.baud == FIRST
    await operations.state(connection)
    connection.close()


async def test_console_keeps_its_speed_and_says_so(data):
    line = Line(FIRST, console=True)
    async with fleet.running(data, 1, slots=None, strike_ms=100, line=line) as [server]:
        connection = await connect(server, data)
        assert not await raise_speed(connection, FAST)
        await operations.state(connection)
        connection.close()


def test_byte_at_half_the_speed_is_read_as_the_samples_of_a_receiver_give_it():
    # 0x55 at 9600, read at 19200: each bit twice, from the start bit on: 0 0 | 1 1 | 0 0 | 1 1 | 0 0 | ...
    # First byte: start 0, then bits 0 1 1 0 0 1 1 0 -> 0x66, stop bit 0. The next falling edges follow.
    assert misread(b"\x55", 9600, 19_200)[0] == 0x66
    # At twice the speed every other bit is seen: start 0, then data bits 1 3 5 7 of 0x00: all 0 until the stop bit.
    assert misread(b"\xff", 19_200, 9600) == b"\xff"
    assert misread(b"abc", 9600, 9600) == b"abc"
