"""Random bytes on the line: neither end may crash, grow or stop serving."""

import os
import random
import select
import threading
import tty
from pathlib import Path

import pytest
from doorpad import keyring
from doorpad_link import cbor, frame
from doorpad_link.frame import Header, Splitter
from doorpad_link.handshake import NONCE16_BYTES, PROTO
from hil_world import WAIT_S, Keypad, World, running

PIECE_BYTES = 1 << 16  # less than what waits for a busy keypad without being dropped
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
OTHER_SERIAL = "00112233445566ff"


def noise(chance: random.Random, size: int) -> bytes:
    """Bytes of each kind that has broken a reader of frames somewhere."""
    made = bytearray()
    whole = hello(chance.randbytes(8), chance.randbytes(NONCE16_BYTES))
    while len(made) < size:
        length = chance.randrange(1, 4096)
        made += chance.choice(
            [
                chance.randbytes(length),
                bytes(length),
                b"\x03" * length,  # Ctrl-C
                b"\xff" * length,
                b"\x00" + chance.randbytes(length).replace(b"\0", b"\1"),
                whole[: chance.randrange(len(whole))],
                whole.replace(whole[-9:-8], chance.randbytes(1)),
            ]
        )
    return bytes(made[:size])


def hello(host_id: bytes, nonce: bytes) -> bytes:
    return frame.pack(Header(frame.HELLO, 0, 0, False), cbor.encode([PROTO, PROTO, nonce, host_id]))


class Port:
    """The hub's end of the line, while no bridge has it."""

    def __init__(self, keypad: Keypad, host_id: bytes) -> None:
        self._fd = os.open(keypad.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._host_id = host_id
        self._splitter = Splitter()

    def close(self) -> None:
        os.close(self._fd)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            readable, writable, _ = select.select([self._fd], [self._fd], [], WAIT_S)
            assert readable or writable, "the keypad's cable takes nothing"
            if readable:
                os.read(self._fd, 4096)
            if writable:
                view = view[os.write(self._fd, view[:4096]) :]

    def greet(self) -> None:
        """Say HELLO until the keypad answers it: then it has read all that came before."""
        for _ in range(int(WAIT_S)):
            self.write(hello(self._host_id, os.urandom(NONCE16_BYTES)))
            while select.select([self._fd], [], [], 1.0)[0]:
                if any(
                    header.kind == frame.HELLO_R for header, _ in self._splitter.feed(os.read(self._fd, 4096))
                ):
                    return
        pytest.fail("the keypad answers no HELLO any more")


@pytest.mark.parametrize("seed", range(2))
def test_random_bytes_at_the_keypad_cost_it_nothing_lasting(world: World, seed: int) -> None:
    assert world.bridge.stop() == 0
    chance = random.Random(seed)
    port = Port(world.keypad, keyring.load(world.data / "keys", world.keypad.serial).host_id)
    with world.keypad.bench() as bench:
        pid = bench.ask(about=True)["pid"]
        allocated = []
        for _ in range(8):
            port.write(noise(chance, PIECE_BYTES))
            port.greet()
            allocated.append(bench.ask(heap=True)["allocated"])
        port.close()
        assert max(allocated[3:]) - max(allocated[:3]) < 1024, allocated
        assert bench.ask(about=True)["pid"] == pid
        world.start_bridge()
        world.create(code=f"48291{seed}")
        assert bench.opens(f"48291{seed}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> object:
    with running(tmp_path_factory.mktemp("noise")) as world:
        yield world


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def test_random_bytes_at_the_bridge_leave_its_memory_and_its_other_keypad_alone(world: World) -> None:
    hub_end, bridge_end = os.openpty()
    tty.setraw(bridge_end)
    os.set_blocking(hub_end, False)
    assert world.bridge.stop() == 0
    keyring.save(world.data / "keys", OTHER_SERIAL, keyring.LinkKey(os.urandom(8), os.urandom(32)))
    with world.config.open("a") as config:
        config.write(
            f'\n[[keypad]]\nserial = "{OTHER_SERIAL}"\nname = "Mad"\nport = "{os.ttyname(bridge_end)}"\n'
        )
    world.start_bridge()
    sent = Flood(hub_end)
    try:
        sent.wait_for(1 << 20)
        world.create(code="736450")
        before = resident_bytes(world.bridge.process.pid)
        for number in range(4):
            sent.wait_for((2 + number) << 20)
            world.create(code=f"86421{number}")
        assert resident_bytes(world.bridge.process.pid) - before < 4 << 20
        assert world.seam.devices.get(device_id=world.device_id).properties.online
    finally:
        sent.stop()
    os.close(hub_end)
    os.close(bridge_end)


class Flood:
    """Writes noise to a terminal as fast as the other side takes it, and throws away what it says."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._chance = random.Random(7)
        self._sent = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pending = b""
        while not self._stopping:
            pending = pending or noise(self._chance, PIECE_BYTES)
            readable, writable, _ = select.select([self._fd], [self._fd], [], 0.1)
            if readable:
                os.read(self._fd, 4096)
            if writable:
                count = os.write(self._fd, pending[:4096])
                pending = pending[count:]
                with self._changed:
                    self._sent += count
                    self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Until so many bytes were taken since the start."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._sent >= count, WAIT_S), (
                f"only {self._sent} bytes were taken"
            )

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()
