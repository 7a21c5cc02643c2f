"""Codes that were made at the keypad: seen, adopted or deleted when asked, and otherwise left alone."""

import pytest
from hil_world import World
from seam import SeamHttpApiError


@pytest.fixture(scope="module")
def world(shared: World) -> World:
    return shared


def program(world: World, code: str) -> str:
    """Make a code with the master PIN at the keypad; returns its id once the bridge has seen it."""
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        bench.ask(program=code)
    return str(world.bridge.event("access_code.unmanaged.created", after=mark)["access_code_id"])


def test_code_made_through_the_simulation_is_a_code_of_the_keypad(world: World) -> None:
    made = world.seam.access_codes.simulate.create_unmanaged_access_code(
        device_id=world.device_id, name="Spare key", code="4829"
    )
    assert (made.name, made.code, made.status, made.is_managed) == ("Spare key", "4829", "set", False)
    assert world.seam.access_codes.unmanaged.get(access_code_id=made.access_code_id).code == "4829"
    with world.keypad.bench() as bench:
        assert bench.opens("4829")
    with pytest.raises(SeamHttpApiError) as caught:  # the two kinds do not see each other
        world.seam.access_codes.get(access_code_id=made.access_code_id)
    assert caught.value.code == "access_code_not_found"


def test_code_made_with_the_master_pin_is_listed_until_it_is_taken_off_there(world: World) -> None:
    code_id = program(world, "736450")
    code = world.seam.access_codes.unmanaged.get(access_code_id=code_id)
    assert (code.code, code.type, code.status, code.errors) == ("736450", "ongoing", "set", [])
    assert world.unmanaged_place(code_id)["maker"] == "keypad"
    assert code in world.seam.access_codes.unmanaged.list(device_id=world.device_id)
    with world.keypad.bench() as bench:
        bench.ask(unprogram="736450")
    world.bridge.event("access_code.unmanaged.removed", code_id)
    with pytest.raises(SeamHttpApiError) as caught:
        world.seam.access_codes.unmanaged.get(access_code_id=code_id)
    assert caught.value.status_code == 404


def test_converted_code_keeps_its_id_slot_and_pin(world: World) -> None:
    code_id = program(world, "864213")
    world.seam.access_codes.unmanaged.convert_to_managed(access_code_id=code_id)
    world.bridge.event("access_code.unmanaged.converted_to_managed", code_id)
    code = world.seam.access_codes.get(access_code_id=code_id)
    assert (code.code, code.status, code.is_managed, code.errors) == ("864213", "set", True, [])
    listed = world.seam.access_codes.unmanaged.list(device_id=world.device_id)
    assert code_id not in {it.access_code_id for it in listed}
    with world.keypad.bench() as bench:
        assert bench.opens("864213")
        world.seam.access_codes.delete(access_code_id=code_id)
        world.bridge.event("access_code.deleted", code_id)
        assert not bench.opens("864213")


def test_deleted_unmanaged_code_opens_no_more(world: World) -> None:
    code_id = program(world, "975318")
    with world.keypad.bench() as bench:
        assert bench.opens("975318")
        world.seam.access_codes.unmanaged.delete(access_code_id=code_id)
        world.bridge.event("access_code.unmanaged.removed", code_id)
        assert not bench.opens("975318")


def test_unmanaged_code_is_never_touched_unasked(world: World) -> None:
    code_id = program(world, "1472583690")
    keep = world.seam.access_codes.unmanaged.get(access_code_id=code_id)
    slot = world.unmanaged_place(code_id)
    before, after = world.create(code="258036"), world.create(code="369147")
    world.seam.access_codes.delete(access_code_id=before)
    world.bridge.event("access_code.deleted", before)
    world.restart_bridge()
    world.create(code="258036")
    world.seam.access_codes.delete(access_code_id=after)
    world.bridge.event("access_code.deleted", after)
    assert world.seam.access_codes.unmanaged.get(access_code_id=code_id) == keep
    assert world.unmanaged_place(code_id) == slot  # the generation too: not one write went to it
    with world.keypad.bench() as bench:
        assert bench.opens("1472583690")


def test_all_that_is_told_of_a_code_that_opened_once_is_told_once_by_the_id_that_it_was_made_by(
    world: World,
) -> None:
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        bench.ask(press=f"{world.master_pin}#7#836294#*")
        world.bridge.event("access_code.unmanaged.created", after=mark)
        assert bench.opens("836294"), "its use is a change of its slot"
        assert not bench.opens("836294")
        denied = world.bridge.event("lock.access_denied", after=mark)
        bench.ask(unprogram="836294")
        world.bridge.event("access_code.unmanaged.removed", after=mark)
        assert not bench.opens("836294"), "what follows in the journal"
        world.bridge.message(
            lambda it: it["type"] == "event" and it["event_type"] == denied["event_type"],
            after=world.bridge.heard().index(denied) + 1,
        )
    assert told(world, mark) == [
        ("access_code.unmanaged.created", True),
        ("lock.unlocked", True),
        ("lock.access_denied", True),
        ("access_code.unmanaged.removed", True),
        ("lock.access_denied", False),
    ]


def test_code_that_was_made_used_and_deleted_while_the_keypad_was_away_is_told_of_by_one_id(
    world: World,
) -> None:
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        bench.ask(cable="out")
        world.bridge.link("disconnected", world.device_id, after=mark)
        bench.ask(press=f"{world.master_pin}#7#836294#*")
        assert bench.opens("836294")
        bench.ask(unprogram="836294")
        assert not bench.opens("836294")
        bench.ask(cable="in")
        world.bridge.event("lock.access_denied", after=mark)
    assert told(world, mark) == [
        ("access_code.unmanaged.created", True),
        ("lock.unlocked", True),
        ("access_code.unmanaged.removed", True),
        ("lock.access_denied", False),
    ]


def test_code_that_was_made_and_used_while_the_keypad_was_away_is_one_code(world: World) -> None:
    mark = world.bridge.mark()
    with world.keypad.bench() as bench:
        bench.ask(cable="out")
        world.bridge.link("disconnected", world.device_id, after=mark)
        bench.ask(press=f"{world.master_pin}#7#836294#*")
        assert [bench.opens("836294"), bench.opens("836294")] == [True, False]
        bench.ask(cable="in")
        world.bridge.event("lock.access_denied", after=mark)
    assert told(world, mark) == [
        ("access_code.unmanaged.created", True),
        ("lock.unlocked", True),
        ("lock.access_denied", True),
    ]
    code_id = world.bridge.event("access_code.unmanaged.created", after=mark)["access_code_id"]
    world.seam.access_codes.unmanaged.delete(access_code_id=code_id)
    world.bridge.event("access_code.unmanaged.removed", code_id)


@pytest.mark.parametrize("cable", ["in", "out"])
def test_code_of_the_keypad_with_another_pin_is_another_code(world: World, cable: str) -> None:
    mark, master = world.bridge.mark(), world.master_pin
    with world.keypad.bench() as bench:
        bench.ask(cable=cable)
        bench.ask(press=f"{master}#1#571904#3#571904#640217#2#640217#*")
        bench.ask(cable="in")
    ids = []
    for _ in range(2):
        made = world.bridge.event("access_code.unmanaged.created", after=mark)
        mark = world.bridge.heard().index(made, mark) + 1
        ids.append(str(made["access_code_id"]))
        world.bridge.event("access_code.unmanaged.removed", ids[-1])
    assert len(set(ids)) == 2


def told(world: World, mark: int) -> list[tuple[str, bool]]:
    """The events about codes and entries since then, and whether each names the code that was made first."""
    found = [
        (it["event_type"], it["access_code_id"])
        for it in world.bridge.heard()[mark:]
        if it["type"] == "event"
        and it["event_type"].startswith(("access_code.", "lock.unlocked", "lock.access"))
    ]
    return [(event_type, code_id == found[0][1]) for event_type, code_id in found]
