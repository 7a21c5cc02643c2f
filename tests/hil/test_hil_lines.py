"""Serial lines with a speed and its limits, as an installer wires them, with the bridge as it runs on a hub."""

import json
import os
import pty
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from hil_world import WAIT_S, Message, World, running


def test_line_that_may_be_faster_is_raised_also_by_a_bridge_that_finds_it_raised(tmp_path: Path) -> None:
    """A bridge that starts anew speaks at the first speed to a keypad that is at the higher one."""
    with (
        running(tmp_path, "--baud", "115200", settings="max_baud = 921600") as world,
        world.keypad.bench() as bench,
    ):
        world.create(code="482913")
        assert bench.ask(about=True)["baud"] == 921_600
        world.restart_bridge()
        world.create(code="482914")
        assert bench.ask(about=True)["baud"] == 921_600
        assert bench.opens("482914")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A keypad on one pair of wires: nothing comes unasked, so the bridge asks often."""
    folder = tmp_path_factory.mktemp("pair")
    timing = "poll_s = 0.2\nstatistics_s = 0.2"
    with running(folder, "--baud", "115200", "--half-duplex", timing=timing) as world:
        yield world


def tells_of_bad_wires(statistics: Message) -> bool:
    hub, keypad = statistics["hub"], statistics["keypad"]
    return bool(hub["noise"] and hub["retransmits"] and keypad["noise"])


@pytest.mark.parametrize(
    "faults", [{}, {"seed": 11, "flip": 2e-4}], ids=["good wires", "bit errors, seed 11"]
)
def test_codes_and_events_pass_over_one_pair_of_wires(pair: World, faults: dict[str, float]) -> None:
    pin, other = ("482913", "591024") if faults else ("482914", "591025")
    with pair.keypad.bench() as bench:
        bench.ask(faults=faults)
        code = pair.create(code=pin)
        assert bench.opens(pin)
        mark = pair.bridge.mark()
        bench.ask(program=other)
        pair.bridge.event("access_code.unmanaged.created", after=mark)
        pair.seam.access_codes.delete(access_code_id=code)
        pair.bridge.event("access_code.deleted", code)
        assert not bench.opens(pin)
        assert bench.opens(other)
        counted = pair.bridge.message(
            lambda it: it["type"] == "statistics" and (not faults or tells_of_bad_wires(it))
        )
        harm = bench.ask(faults={})["harm"]
    with urlopen(f"{pair.endpoint}/health") as reply:
        [line] = json.load(reply)["keypads"]
    assert (line["device_id"], line["link"]) == (pair.device_id, "online")
    for end in ("hub", "keypad"):  # what was told before, or more
        assert line[end].keys() == counted[end].keys()
        assert line[end]["noise"] >= counted[end]["noise"]
    assert line["hub"]["baud"] == 115_200 and 0 < line["hub"]["line_use"] < 1
    assert line["hub"]["forged"] == line["keypad"]["forged"] == line["keypad"]["overruns"] == 0
    unlocked = [event for event in pair.events(event_type="lock.unlocked") if event.access_code_id == code]
    assert len(unlocked) == 1
    assert bool(harm) == bool(faults), "the wires were not as bad as they were asked to be"


def test_line_that_loses_frames_is_warned_of_until_it_is_good_again(tmp_path: Path) -> None:
    with running(tmp_path, timing="poll_s = 0.01") as world, world.keypad.bench() as bench:

        def causes() -> list[str]:
            """What the one warning there is says after the API's own words."""
            device = world.seam.devices.get(device_id=world.device_id)
            return [
                it.message for it in device.warnings if it.warning_code == "device_communication_degraded"
            ]

        assert causes() == []
        bench.ask(faults={"seed": 7, "lose_frame": 0.1})
        deadline_s = time.monotonic() + WAIT_S
        while not causes():
            assert time.monotonic() < deadline_s, "nothing is said of a line that loses frames"
        [cause] = causes()
        percent = int(cause.partition("keypad ")[2].partition(" %")[0])
        assert 5 < percent < 50, cause
        bench.ask(faults={})
        deadline_s = time.monotonic() + WAIT_S
        while causes():
            assert time.monotonic() < deadline_s, causes()


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two keypads for which the configuration names no port."""
    folder = tmp_path_factory.mktemp("plugs")
    timing = "offline_s = 60.0\nhandshake_s = 2.0"
    with running(folder, keypads=2, timing=timing, ports=["keypads/k*/link", "keypads/k*/tty*"]) as world:
        yield world


def test_keypad_that_comes_back_under_another_name_is_found_by_what_it_proves(plugged: World) -> None:
    first, second = plugged.keypads
    held = plugged.create(code="482913")
    with first.bench() as bench:
        mark = plugged.bridge.mark()
        bench.ask(cable="out")
        plugged.bridge.link("disconnected", first.device_id, after=mark)
        bench.ask(cable="in", name="ttyUSB7")
        plugged.bridge.link("online", first.device_id, after=mark)
        plugged.create(code="482914")
        assert bench.opens("482914")
        assert not first.link.exists()
    assert plugged.seam.access_codes.get(access_code_id=held).status == "set"
    assert plugged.seam.devices.get(device_id=second.device_id).properties.online


def test_two_keypads_that_are_swapped_over_their_ports_are_told_apart(plugged: World) -> None:
    first, second = plugged.keypads
    mark = plugged.bridge.mark()
    with first.bench() as one, second.bench() as other:
        for bench in (one, other):
            bench.ask(cable="out")
        for keypad in plugged.keypads:
            plugged.bridge.link("disconnected", keypad.device_id, after=mark)
        mark = plugged.bridge.mark()
        one.ask(cable="in", name=str(second.link))
        other.ask(cable="in", name=str(first.link))
        for keypad in plugged.keypads:
            plugged.bridge.link("online", keypad.device_id, after=mark)
        code = plugged.seam.access_codes.create(device_id=first.device_id, code="591024")
        plugged.bridge.event("access_code.set_on_device", code.access_code_id)
        assert one.opens("591024")
        assert not other.opens("591024")


@contextmanager
def speaking(link: Path, text: bytes) -> Iterator[None]:
    """In place of a keypad's cable: whatever is sent, this text comes back."""
    outside, inside = pty.openpty()
    tty.setraw(inside)
    link.symlink_to(os.ttyname(inside))
    stop, stopped = os.pipe()

    def answer() -> None:
        while stop not in (ready := select.select([outside, stop], [], [])[0]):
            if ready and os.read(outside, 4096):
                os.write(outside, text)

    speaker = threading.Thread(target=answer)
    speaker.start()
    try:
        yield
    finally:
        os.close(stopped)
        speaker.join()
        link.unlink()
        for descriptor in (stop, outside, inside):
            os.close(descriptor)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A bridge that gives a keypad up soon."""
    with running(tmp_path_factory.mktemp("hasty"), timing="offline_s = 1.0\nhandshake_s = 1.0") as world:
        yield world


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'MemoryError: 86420\r\nMicroPython v1.26.0; ESP32\r\nType "help()".\r\n>>> ', "device at prompt"),
        (b"Traceback (most recent call last):\r\nMemoryError: 86420\r\n", "crashed"),
    ],
)
def test_keypad_that_speaks_instead_of_its_link_says_why_it_is_offline(
    hasty: World, text: bytes, told: str
) -> None:
    mark = hasty.bridge.mark()
    with hasty.keypad.bench() as bench:
        bench.ask(cable="out")
        hasty.bridge.link("disconnected", hasty.device_id, after=mark)
        with speaking(hasty.keypad.link, text):
            hasty.bridge.link("offline", hasty.device_id, after=mark)
            [error] = hasty.seam.devices.get(device_id=hasty.device_id).errors
        assert error.error_code == "device_offline"
        assert told in error.message
        [kept] = (hasty.data / "consoles").iterdir()
        assert "MemoryError: #" in kept.read_text()
        assert "86420" not in kept.read_text() + hasty.said
        mark = hasty.bridge.mark()
        bench.ask(cable="in")
        hasty.bridge.link("online", hasty.device_id, after=mark)
