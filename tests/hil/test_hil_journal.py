"""A journal that overflowed while no hub read it: the loss is told by number, once, and nothing else is lost."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from doorpad.emulator import runtime
from doorpad_link.messages import EV_DENIED, MAKER_KEYPAD, UNKNOWN_PIN
from hil_world import World, running

GAP = "doorpad.journal_gap"
WARNING = "device_communication_degraded"
SEGMENTS = 3  # of each half of flash: one is written and two are spare, so that the journal overflows soon
WRITTEN = 300

# What the keypad's own program writes while somebody tries code after code at the door, as fast as it can.
FILL = """
import os
from doorpad_fw.journal import LAYOUT, Journal
from doorpad_fw.log import Log
from esp32 import Partition

partition = Partition.find(Partition.TYPE_DATA, label="slots")[0]
half = partition.ioctl(4, 0) // 2
journal = Journal(Log(partition, half, half, LAYOUT, lambda: os.urandom(4)))
for _ in range({count}):
    journal.append({kind}, {reason}, 0, 0, 0, None, {maker})
print(journal.head - {count}, journal.first)
"""


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("journal"), "--slots", "4", timing="poll_s = 0.2") as world:
        yield world


def fill(world: World, count: int) -> list[int]:
    """Have the firmware note refusals on the flash of the keypad, which has no power; the numbers around them."""
    [program] = (world.data / "keypads").glob("program-*")
    done = subprocess.run(
        [
            *runtime.micropython(),
            "-X",
            f"heapsize={runtime.HEAP}",
            "-c",
            FILL.format(count=count, kind=EV_DENIED, reason=UNKNOWN_PIN, maker=MAKER_KEYPAD),
        ],
        cwd=world.folder,
        env={**os.environ, "MICROPYPATH": runtime.search_path(program), "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(number) for number in done.stdout.split()]


def refusals(world: World) -> int:
    return len(world.events(event_type="lock.access_denied", device_id=world.device_id))


def test_overflow_while_the_hub_was_away_is_told_once_by_number(world: World) -> None:
    with world.keypad.bench() as bench:
        world.bridge.kill()
        bench.ask(power="off")
        (world.folder / "flash.bin").write_bytes(b"\xff" * (2 * SEGMENTS * 4096))
        bench.ask(power="on")
        world.start_bridge()
        assert world.own_fields()["journal_gaps"][-1]["count"] is None  # the journal before was wiped
        known = len(world.own_fields()["journal_gaps"])

        world.bridge.kill()
        bench.ask(power="off")
        read, _ = fill(world, WRITTEN)  # the hub was killed with all of these read: the keypad was at rest
        bench.ask(power="on")
        assert not bench.opens("0000")
        world.start_bridge()
        before = refusals(world)
        _, *gaps = world.own_fields()["journal_gaps"][known - 1 :]
        [gap] = gaps
        assert gap["first_missing"] == read + 1
        assert gap["count"] > WRITTEN / 2
        assert before == WRITTEN + 1 - gap["count"]
        [warning] = world.seam.devices.get(device_id=world.device_id).warnings
        assert warning.warning_code == WARNING
        assert f"entries {read + 1} to {read + gap['count']}" in warning.message
        assert [it.event_type for it in world.events(event_type=GAP)] == [GAP] * (known + 1)
        assert GAP not in {it.event_type for it in world.events(device_id=world.device_id)}

        world.restart_bridge()
        assert (len(world.own_fields()["journal_gaps"]), refusals(world)) == (known + 1, before)
        assert len(world.events(event_type=GAP)) == known + 1
