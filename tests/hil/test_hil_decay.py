"""Flash that forgets, end to end: a revoked code stays revoked without a hub, which then puts back what was lost."""

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from doorpad.emulator import runtime
from doorpad_link.messages import ENABLED, FROM_KEYPAD, MAKER_KEYPAD
from hil_world import World, running

BLOCK_BYTES = 4096
RECORD_BYTES = 64
FAST = "offline_s = 1.0\npoll_s = 0.2\nhandshake_s = 1.0"

# What somebody with the master PIN does, as fast as the keypad's own program can: one code a slot from FIRST on.
ADD = """
import os
from doorpad_fw import keys
from doorpad_fw.log import Log
from doorpad_fw.slots import LAYOUT, NO_CODE, Slot, Slots
from esp32 import Partition

partition = Partition.find(Partition.TYPE_DATA, label="slots")[0]
log = Log(partition, 0, partition.ioctl(4, 0) // 2, LAYOUT, lambda: os.urandom(4))
slots = Slots(log, 4096, keys.load().device_key)
for number in range({first}, {first} + {count}):
    pin = b"88%04d" % number
    slots.put(0, Slot(number, 0, {flags}, 0, 0, {maker}, bytes(8), NO_CODE, pin))
print(slots.generation, log.current)
"""


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("decay"), timing=FAST) as world:
        yield world


def spoil(world: World, change: Callable[[bytearray], None]) -> None:
    """Change what is on the flash of the keypad, which has no power."""
    path = world.folder / "flash.bin"
    image = bytearray(path.read_bytes())
    change(image)
    path.write_bytes(image)


def records(image: bytearray, slot: int) -> list[int]:
    """Where the first segment's records of a slot are, oldest first. The slot's number is in bytes 2 and 3."""
    places = range(RECORD_BYTES, BLOCK_BYTES, RECORD_BYTES)
    return [at for at in places if image[at + 2 : at + 4] == slot.to_bytes(2, "little")]


def test_records_lost_by_flash_open_nothing_until_the_hub_has_put_them_back(world: World) -> None:
    seam = world.seam
    revoked, changed, fresh, sound = (
        world.create(code=pin) for pin in ("471100", "471111", "471122", "471133")
    )
    slots = [world.place(code_id)["slot"] for code_id in (revoked, changed, fresh)]
    seam.access_codes.delete(access_code_id=revoked)
    world.bridge.event("access_code.deleted", revoked)
    mark = world.bridge.mark()
    seam.access_codes.update(access_code_id=changed, code="999911")
    world.bridge.event("access_code.set_on_device", changed, after=mark)

    def flip_two_bits_of_each(image: bytearray) -> None:
        counts = []
        for slot in slots:
            places = records(image, slot)
            counts.append(len(places))
            image[places[-1] + 40] ^= 0x11
        assert counts == [2, 2, 1]  # the older records are there still

    with world.keypad.bench() as bench:
        world.bridge.kill()
        bench.ask(power="off")
        spoil(world, flip_two_bits_of_each)
        bench.ask(power="on")
        assert bench.opens("471133")
        assert not any(bench.opens(pin) for pin in ("471100", "471111", "999911", "471122"))
        world.start_bridge()
        assert world.own_fields()["health"] == ["slot_record_lost"]
        for code_id in (changed, fresh):
            world.bridge.event("access_code.set_on_device", code_id)
        assert all(bench.opens(pin) for pin in ("999911", "471122", "471133"))
        assert not any(bench.opens(pin) for pin in ("471100", "471111"))
    codes = world.seam.access_codes.list(device_id=world.device_id)
    assert {(code.access_code_id, code.status) for code in codes} == {
        (code_id, "set") for code_id in (changed, fresh, sound)
    }
    assert [(code.errors, code.warnings) for code in codes] == [([], [])] * 3, "nobody had a hand in it"


def test_block_that_reads_as_never_written_costs_its_codes_and_no_later_change_is_missed(
    world: World,
) -> None:
    def add(first: int, count: int) -> tuple[int, int]:
        [program] = (world.data / "keypads").glob("program-*")
        done = subprocess.run(
            [
                *(*runtime.micropython(), "-X", f"heapsize={runtime.HEAP}"),
                *(
                    "-c",
                    ADD.format(first=first, count=count, flags=ENABLED | FROM_KEYPAD, maker=MAKER_KEYPAD),
                ),
            ],
            cwd=world.folder,
            env={**os.environ, "MICROPYPATH": runtime.search_path(program), "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=True,
        )
        generation, segment = done.stdout.split()
        return int(generation), int(segment)

    def held() -> set[str | None]:
        return {it.code for it in world.seam.access_codes.unmanaged.list(device_id=world.device_id)}

    def pins(first: int, last: int) -> set[str]:
        return {f"88{number:04}" for number in range(first, last + 1)}

    with world.keypad.bench() as bench:
        mark = world.bridge.mark()
        bench.ask(power="off")
        world.bridge.link("offline", world.device_id, after=mark)
        generation, segment = add(1, 70)
        assert (generation, segment) == (70, 1)  # 63 in the first segment
        bench.ask(power="on")
        world.bridge.link("online", world.device_id, after=mark)
        assert held() == pins(1, 70)

        mark = world.bridge.mark()
        bench.ask(power="off")
        world.bridge.link("offline", world.device_id, after=mark)

        def wipe(image: bytearray) -> None:
            image[BLOCK_BYTES : 2 * BLOCK_BYTES] = b"\xff" * BLOCK_BYTES

        spoil(world, wipe)
        generation, _ = add(80, 3)
        assert generation == 66  # below what the hub has seen: these would pass for read
        bench.ask(power="on")
        world.bridge.link("online", world.device_id, after=mark)
        assert held() == pins(1, 63) | pins(80, 82)
        known = {
            it.access_code_id for it in world.seam.access_codes.unmanaged.list(device_id=world.device_id)
        }
        bench.ask(program="471144")  # version 67, below what was seen before
        world.bridge.message(
            lambda it: (
                it["type"] == "event"
                and it["event_type"] == "access_code.unmanaged.created"
                and it["access_code_id"] not in known
            ),
            after=mark,
        )
        assert held() == pins(1, 63) | pins(80, 82) | {"471144"}
