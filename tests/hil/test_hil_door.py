"""What happens at a door with everything fitted, from the contact to the hub's events."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hil_world import Bench, Message, World, emulated, running

FAST = "offline_s = 1.0\npoll_s = 0.2\nhandshake_s = 1.0"
SETTINGS = """{"strike_ms": 150, "door_contact": 1, "tamper": 1, "held_open_s": 5, "wiegand": 2,
"wrong_max": 3, "lockout_s": 10,
"exit_name": "Taster im Flur", "door_name": "Tür zum Hof"}"""
# HID, PINpad 8-bit Wiegand Reader, installation guide 7393760, table 1.
WIEGAND = {
    "0": "11110000",
    "1": "11100001",
    "2": "11010010",
    "3": "11000011",
    "4": "10110100",
    "5": "10100101",
    "6": "10010110",
    "7": "10000111",
    "8": "01111000",
    "9": "01101001",
    "*": "01011010",
    "#": "01001011",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("door")
    with emulated(folder):
        pass
    [settings] = (folder / "data").glob("keypads/*/config.json")
    settings.write_text(SETTINGS)
    with running(folder, timing=FAST) as world:
        yield world


@pytest.fixture
def bench(world: World) -> Iterator[Bench]:
    with world.keypad.bench() as bench:
        yield bench


def told(world: World, event_type: str, after: int) -> Message:
    """The event as the API tells it to who asks for this type; waits for it."""
    event = world.bridge.event(event_type, after=after)
    answer = world.seam.client.post(
        "/events/list", json={"event_type": event_type, "since": "2000-01-01T00:00:00Z", "limit": 1000}
    )
    [found] = [it for it in answer["events"] if it["event_id"] == event["event_id"]]
    assert found["device_id"] == world.device_id
    return dict(found)


def test_door_opened_by_force_and_closed_again_is_told(world: World, bench: Bench) -> None:
    # Before any test that unlocks: for two seconds after the strike an opened door would be no alarm.
    mark = world.bridge.mark()
    bench.ask(contact="door_contact", active=True)
    assert told(world, "doorpad.door_forced", mark)["doorpad"] == {"input_name": "Tür zum Hof"}
    bench.ask(contact="door_contact", active=False)
    assert told(world, "doorpad.door_closed", mark)["doorpad"] == {"input_name": "Tür zum Hof"}


def test_keys_of_a_wiegand_keypad_open_as_those_of_the_matrix_do(world: World, bench: Bench) -> None:
    code = world.create(code="1590437862")
    mark, place = world.bridge.mark(), len(bench.outputs)
    noise = ["1", "0101", WIEGAND["5"] + "1"]
    bench.ask(wiegand=[WIEGAND["8"], WIEGAND["*"], *(WIEGAND[key] for key in "15904"), *noise])
    bench.ask(press="9")  # at the other keypad, and no part of this entry
    bench.ask(wiegand=[WIEGAND[key] for key in "37862#"])
    bench.see("strike", 1, after=place)
    bench.see("strike", 0, after=place)
    world.bridge.event("lock.unlocked", code, after=mark)
    bench.ask(press="*")


def test_door_opened_after_the_exit_button_and_held_is_told(world: World, bench: Bench) -> None:
    mark = world.bridge.mark()
    bench.ask(contact="request_to_exit", active=True)
    unlocked = told(world, "lock.unlocked", mark)
    assert (unlocked["method"], unlocked["doorpad"]) == ("manual", {"input_name": "Taster im Flur"})
    bench.ask(contact="door_contact", active=True)
    told(world, "doorpad.door_held_open", mark)
    bench.ask(contact="door_contact", active=False)
    told(world, "doorpad.door_closed", mark)
    bench.ask(contact="request_to_exit", active=False)
    types = {event.event_type for event in world.events(device_id=world.device_id)}
    assert not any(name.startswith("doorpad.") for name in types)  # only who asks by name is told


def test_opened_case_is_told_with_its_end(world: World, bench: Bench) -> None:
    mark = world.bridge.mark()
    bench.ask(contact="tamper", active=True)
    assert "doorpad" not in told(world, "device.tampered", mark)  # nobody has given the case a name
    bench.ask(contact="tamper", active=False)
    told(world, "doorpad.tamper_ended", mark)


def test_duress_code_opens_as_any_other_and_the_hub_is_told(world: World, bench: Bench) -> None:
    master = world.master_pin
    mark = world.bridge.mark()
    bench.ask(press=f"{master}#9#736450#1#736451#*")
    told(world, "doorpad.programming", mark)
    world.bridge.event("access_code.unmanaged.created", after=mark)
    mark = world.bridge.mark()
    assert bench.opens("736450")
    assert told(world, "lock.unlocked", mark)["doorpad"] == {"duress": True}
    mark = world.bridge.mark()
    assert bench.opens("736451")
    assert "doorpad" not in told(world, "lock.unlocked", mark)


def test_duress_code_that_is_taken_over_and_changed_is_one_still(world: World, bench: Bench) -> None:
    codes = world.seam.access_codes
    [found] = [it for it in codes.unmanaged.list(device_id=world.device_id) if it.code == "736450"]
    mark = world.bridge.mark()
    codes.unmanaged.convert_to_managed(access_code_id=found.access_code_id)
    world.bridge.event("access_code.unmanaged.converted_to_managed", found.access_code_id, after=mark)
    mark = world.bridge.mark()
    codes.update(access_code_id=found.access_code_id, code="736452")
    world.bridge.event("access_code.set_on_device", found.access_code_id, after=mark)
    mark = world.bridge.mark()
    assert bench.opens("736452")
    assert told(world, "lock.unlocked", mark)["doorpad"] == {"duress": True}


def test_stuck_key_lockout_and_new_master_pin_are_told_by_the_hub(world: World, bench: Bench) -> None:
    """A key takes 30 s to be stuck: what is told of the others happens meanwhile, without that key."""
    master = world.master_pin
    stuck = next(key for key in "012346789" if key not in master)
    pin = master[:6]
    code = world.create(code=pin)
    start = world.bridge.mark()
    bench.ask(switch=stuck, down=True)
    bench.ask(press=f"*{master}#5#{master}{master[0]}#{master}{master[0]}#*")
    told(world, "doorpad.master_pin_changed", start)
    bench.ask(press=f"{pin[0]}{pin}#" * 3)
    told(world, "doorpad.lockout", start)
    told(world, "doorpad.lockout_ended", start)
    mark = world.bridge.mark()
    bench.ask(press=f"{master}{master[0]}#*")
    told(world, "doorpad.programming", mark)
    told(world, "doorpad.key_stuck", start)
    for health in (["key_stuck"], []):
        mark = world.bridge.mark()
        assert bench.opens(pin)
        world.bridge.event("lock.unlocked", code, after=mark)  # with it the keypad's state was read anew
        assert world.own_fields()["health"] == health
        if health:
            bench.ask(switch=stuck, down=False)
            told(world, "doorpad.key_freed", mark)


def test_name_that_an_installer_gives_an_input_is_what_the_hub_says_from_then_on(
    world: World, bench: Bench
) -> None:
    before = {"request_to_exit": "Taster im Flur", "door_contact": "Tür zum Hof"}
    assert world.own_fields()["input_names"] == before
    assert world.bridge.stop() == 0
    changes = ["tamper_name=Gehäuse", "door_name="]
    command = [sys.executable, "-m", "doorpad", "configure", world.keypad.serial, *changes]
    subprocess.run([*command, "--config", str(world.config)], check=True, capture_output=True)
    world.start_bridge()
    assert world.own_fields()["input_names"] == {"request_to_exit": "Taster im Flur", "tamper": "Gehäuse"}
    mark = world.bridge.mark()
    bench.ask(contact="tamper", active=True)
    assert told(world, "device.tampered", mark)["doorpad"] == {"input_name": "Gehäuse"}
    bench.ask(contact="tamper", active=False)
    assert told(world, "doorpad.tamper_ended", mark)["doorpad"] == {"input_name": "Gehäuse"}
