"""What is asked while a keypad is away waits in the database: as it stands in the end, and written once."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

import pytest
from doorpad.sync.breaker import REFUSED_MIN
from hil_world import World, running
from on_the_wire import Frame, frames, slots

CHANGES = 30
COUNT = 100
A_FRAME = 16  # slots at most


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("coalescing"), timing="poll_s = 600.0") as world:
        yield world


@contextmanager
def away(world: World) -> Iterator[list[Frame]]:
    """The keypad is unplugged as long as the block lasts; then the list holds what was written once it was back."""
    sent: list[Frame] = []
    before = len(frames(world))
    with world.keypad.bench() as bench:
        mark = world.bridge.mark()
        bench.ask(cable="out")
        world.bridge.link("disconnected", world.device_id, after=mark)
        yield sent
        bench.ask(cable="in")
    # Asked for last, so that it is planned last or with the others.
    last = world.create(code="999182")
    world.seam.access_codes.delete(access_code_id=last)
    world.bridge.event("access_code.deleted", last)
    sent += [
        (operation, kept)
        for operation, items in frames(world)[before:-1]
        if (kept := [it for it in items if operation == "delete" or it[2] != b"999182"])
    ]


def test_new_code_that_is_changed_again_and_again_is_written_once_as_it_is_in_the_end(world: World) -> None:
    with away(world) as sent:
        code = world.seam.access_codes.create(device_id=world.device_id, code="100000")
        for n in range(1, CHANGES):
            world.seam.access_codes.update(access_code_id=code.access_code_id, code=f"{100_000 + n}")
    [(operation, [put])] = sent
    assert (operation, put[2]) == ("put", f"{100_000 + CHANGES - 1}".encode())


def test_code_on_the_keypad_that_is_changed_again_and_again_is_written_once_and_not_if_it_is_as_before(
    world: World,
) -> None:
    changed, same = world.create(code="200000"), world.create(code="300000")
    with away(world) as sent:
        for n in range(1, CHANGES):
            world.seam.access_codes.update(access_code_id=changed, code=f"{200_000 + n}")
            world.seam.access_codes.update(access_code_id=same, code=f"{300_000 + n}")
        world.seam.access_codes.update(access_code_id=same, code="300000")
    [(operation, [put])] = sent
    assert (operation, put[2]) == ("put", f"{200_000 + CHANGES - 1}".encode())


def test_code_that_is_made_and_deleted_meanwhile_is_not_written_and_one_on_the_keypad_only_deleted(
    world: World,
) -> None:
    there = world.create(code="400000")
    slot = world.place(there)["slot"]
    with away(world) as sent:
        code = world.seam.access_codes.create(device_id=world.device_id, code="500000")
        world.seam.access_codes.delete(access_code_id=code.access_code_id)
        for n in range(1, CHANGES):
            world.seam.access_codes.update(access_code_id=there, code=f"{400_000 + n}")
        world.seam.access_codes.delete(access_code_id=there)
    [(operation, [cleared])] = sent
    assert (operation, cleared[1]) == ("delete", slot)


def test_many_codes_go_out_together_each_once(world: World) -> None:
    with away(world) as sent:
        ids = [
            world.seam.access_codes.create(
                device_id=world.device_id, code=f"{600_000 + 13 * n}"
            ).access_code_id
            for n in range(COUNT)
        ]
        for n, id_ in enumerate(ids):
            world.seam.access_codes.update(access_code_id=id_, code=f"{700_000 + 13 * n}")
    for id_ in ids:
        world.bridge.event("access_code.set_on_device", id_)
    assert slots(sent) == COUNT
    assert {put[2] for _, items in sent for put in items} == {
        f"{700_000 + 13 * n}".encode() for n in range(COUNT)
    }
    assert len(sent) <= 1 + ceil((COUNT - REFUSED_MIN) / A_FRAME) + 1, "the first few, then full frames"
