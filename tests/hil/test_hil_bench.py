"""`doorpad bench link`: on a keypad in use it changes nothing that stays, and its peers send what it counts."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from doorpad.benchmark import cost, link, peers, report
from doorpad.benchmark.rig import Target, emulated
from doorpad.emulator.cable import AT_ONCE
from doorpad.link import operations
from doorpad.link.slot_writes import PUTS_MAX
from doorpad_link import messages

SLOTS = 20
BAUD = 115_200


def bench(target: Target, *options: str) -> "subprocess.CompletedProcess[str]":
    at = ("--port", target.port, "--serial", target.serial, "--keys", str(target.keys))
    command = [sys.executable, "-m", "doorpad", "bench", "link", *at, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


async def test_keypad_in_use_keeps_its_codes_and_no_code_of_the_measurement_opens(tmp_path: Path) -> None:
    with emulated(tmp_path / "data", AT_ONCE) as target:
        async with target.connected() as (connection, _):
            # Slots 3 to 5, with the PINs that the measurement would begin with.
            own = [replace(it, slot=it.slot + 2) for it in link.writes(range(1, 4))]
            await link.write_all(connection, own)
        done = bench(target, "--slots", str(SLOTS), "--json")
        assert done.returncode == 0, done.stderr
        async with target.connected() as (connection, _):
            page = await operations.changed_since(connection, 0, 1)
            after = await operations.state(connection)
            entries = (await operations.events(connection, 0)).entries
    told = json.loads(done.stdout)
    assert [(it.slot, it.code) for it in page.slots if it.flags] == [(it.slot, it.code) for it in own]
    assert (after.used, after.generation) == (len(own), len(own) + 2 * SLOTS), (
        "each was written and cleared once"
    )
    assert messages.EV_GRANTED not in {entry.kind for entry in entries}
    assert told["lines"][target.port]["nothing_changed"]["bytes_of_reply"] <= 120
    assert any("left out" not in line and target.port in line for line in report.tables(told))


def test_more_slots_than_the_keypad_has_free_are_refused_in_one_line(tmp_path: Path) -> None:
    with emulated(tmp_path / "data", AT_ONCE, slots=SLOTS) as target:
        done = bench(target, "--slots", str(SLOTS + 1))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{SLOTS} empty slots" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", peers.PEERS)
def test_peer_carries_every_slot_and_is_left_out_only_without_its_package(tmp_path: Path, name: str) -> None:
    writes = link.writes(range(1, SLOTS + 1))
    found = peers.measure(name, tmp_path, BAUD, writes)
    if isinstance(found, peers.Missing):
        assert "doorpad[benchmarks]" in found.reason
        return
    peer = peers.PEERS[name]()
    each = [peers.fields(write) for write in writes]
    parts = [each[at : at + peer.slots_a_message] for at in range(0, SLOTS, peer.slots_a_message)]
    wires = [peer.request(number, part) for number, part in enumerate(parts)]
    assert found["bytes_a_slot_to_keypad"] == round(sum(map(len, wires)) / SLOTS, 1)
    assert found["seconds"] >= sum(map(len, wires)) * 10 / BAUD, "faster than the line"


def test_cost_of_a_frame_is_counted_in_the_keypads_heap(tmp_path: Path) -> None:
    free_bytes = 20_000
    told = cost.measure(tmp_path, free_bytes)
    assert told["slots_a_frame"] == PUTS_MAX
    assert abs(told["keypad_heap_free_bytes"] - free_bytes) < 4096
    assert 0 < told["keypad_heap_bytes_a_frame"] < free_bytes
    assert told["keypad_us_a_slot"] > 0 and told["hub_us_a_frame"] > 0
