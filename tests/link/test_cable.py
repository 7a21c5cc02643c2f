"""The emulated cable: what it carries arrives whole, and at a set pace not before a line could have carried it."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from doorpad.emulator.cable import Cable, Line, Plug

WAIT_S = 60.0
BAUD = 921_600
BYTES_PER_S = BAUD / 10
DATA = random.Random(1).randbytes(20_000)  # more than a driver's buffer: the sender has to wait
AT_ONCE = DATA[
    :4000
]  # what the hub's driver holds even if nobody reads: the keypad does not wait, as on a real line


@asynccontextmanager
async def plugged_in(folder: Path, baud: int | None) -> AsyncIterator[tuple[Cable, socket.socket, int]]:
    """A cable, the keypad's end of it, and a descriptor of the hub's port."""
    keypad, inside = socket.socketpair()
    for end in (keypad, inside):
        end.setblocking(False)
    cable = Cable(folder / "link", Line(baud))
    cable.connect_keypad(inside)
    cable.set(Plug.IN)
    hub = os.open(cable.name, os.O_RDWR | os.O_NOCTTY)
    with keypad:
        try:
            yield cable, keypad, hub
        finally:
            os.close(hub)
            cable.close()


def _write(port: int, data: bytes) -> None:
    while data:
        data = data[os.write(port, data) :]


def _read(port: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(port, size - len(data))
    return data


async def _receive(keypad: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await asyncio.get_running_loop().sock_recv(keypad, size - len(data))
    return data


@pytest.mark.parametrize("baud", [None, BAUD])
async def test_both_ways_at_once_arrive_whole_and_not_before_their_time(
    tmp_path: Path, baud: int | None
) -> None:
    loop = asyncio.get_running_loop()
    async with plugged_in(tmp_path, baud) as (cable, keypad, hub):
        began = loop.time()
        at_hub = asyncio.create_task(asyncio.to_thread(_read, hub, len(AT_ONCE)))
        sent = [
            asyncio.create_task(loop.sock_sendall(keypad, AT_ONCE)),
            asyncio.create_task(asyncio.to_thread(_write, hub, DATA)),
        ]
        assert await asyncio.wait_for(_receive(keypad, len(DATA)), WAIT_S) == DATA
        assert await asyncio.wait_for(at_hub, WAIT_S) == AT_ONCE
        await asyncio.gather(*sent)
        assert cable.carried == (len(DATA), len(AT_ONCE))
        if baud is not None:
            assert loop.time() - began >= len(DATA) / BYTES_PER_S


async def test_line_that_was_idle_has_saved_no_time_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: an hour passes on the event loop's clock between two pieces."""
    loop = asyncio.get_running_loop()
    piece = DATA[:2000]
    real = loop.time
    async with plugged_in(tmp_path, BAUD) as (_, keypad, hub):
        _write(hub, piece[:1])
        await asyncio.wait_for(_receive(keypad, 1), WAIT_S)
        monkeypatch.setattr(loop, "time", lambda: real() + 3600)
        began = loop.time()
        _write(hub, piece)
        assert await asyncio.wait_for(_receive(keypad, len(piece)), WAIT_S) == piece
        assert loop.time() - began >= len(piece) / BYTES_PER_S
        monkeypatch.undo()


async def test_pulled_cable_loses_what_was_under_way_and_carries_again_when_plugged_in(
    tmp_path: Path,
) -> None:
    async with plugged_in(tmp_path, 1200) as (cable, keypad, hub):
        tapped: list[tuple[bytes, bool]] = []
        cable.tap = lambda data, from_device: tapped.append((data, from_device))
        _write(hub, DATA[:4000])  # half a minute of line: pulled long before its end
        await asyncio.wait_for(_receive(keypad, 1), WAIT_S)
        cable.set(Plug.OUT)
        assert not cable.name.exists()
        before = cable.carried[0]
        assert before < 4000
        cable.set(Plug.IN)
        again = os.open(cable.name, os.O_RDWR | os.O_NOCTTY)
        try:
            _write(again, b"\0new")
            received = b""
            while not received.endswith(b"\0new"):
                received += await asyncio.wait_for(_receive(keypad, 1), WAIT_S)
        finally:
            os.close(again)
        assert cable.carried == (before + 4, 0)
        assert b"".join(data for data, _ in tapped) == DATA[:before] + b"\0new"


@pytest.mark.parametrize("baud", [None, BAUD])
@pytest.mark.parametrize("to_hub", [False, True], ids=["to keypad", "to hub"])
async def test_cable_cut_after_some_bytes_carries_so_many_and_is_gone(
    tmp_path: Path, baud: int | None, to_hub: bool
) -> None:
    async with plugged_in(tmp_path, baud) as (cable, keypad, hub), asyncio.timeout(WAIT_S):
        cable.cut_after(57, to_hub=to_hub)
        if to_hub:
            keypad.send(DATA[:100])
        else:
            os.write(hub, DATA[:100])
        while cable.state is Plug.IN:
            await asyncio.sleep(0)  # lets the cable work
        assert cable.carried == ((0, 57) if to_hub else (57, 0))
        assert not cable.name.exists()
        cable.set(Plug.IN)
        os.close(os.open(cable.name, os.O_RDWR | os.O_NOCTTY))


async def test_cut_that_was_called_off_is_not_made(tmp_path: Path) -> None:
    async with plugged_in(tmp_path, None) as (cable, keypad, hub), asyncio.timeout(WAIT_S):
        cable.cut_after(10, to_hub=True)
        cable.set(Plug.IN)
        keypad.send(AT_ONCE)
        assert await asyncio.to_thread(_read, hub, len(AT_ONCE)) == AT_ONCE
        assert cable.state is Plug.IN
