"""Codes that open so many times: how the hub follows a keypad's count. What another hand does is played here."""

import httpx
import pytest
from api_world import HUB, KEYPAD, NOW_S, OTHER_HOST, World
from doorpad.sync import unsettled
from doorpad.sync.plan import Write, plan
from doorpad_link import messages
from seam import AsyncSeam

ID = "00000000-0000-4000-8000-000000000001"
ONCE = messages.MANAGED | messages.ENABLED | messages.COUNTED
SPENT, MORE = messages.SPENT, messages.ONE_MORE_USE
WRITING = {"code": "4711", "op_id": "11" * 8}  # what a use at the keypad leaves as it was
CAPACITY = 30


async def uses_left(http: httpx.AsyncClient, code_id: str, kind: str = "") -> int | None:
    shown = await http.post(f"/access_codes{kind}/get", json={"access_code_id": code_id})
    left: int | None = shown.json()["access_code"]["doorpad"]["uses_left"]
    return left


async def planned(world: World, device_id: str) -> list[Write]:
    """What the hub would write to the keypad now."""
    async with world.database.read() as session:
        found = await unsettled.read(session, device_id, CAPACITY, NOW_S, 10, frozenset())
        todo = plan(
            found.codes,
            found.held,
            orphans=found.orphans,
            used=found.used,
            capacity=CAPACITY,
            slot_max=4096,
            now_s=NOW_S,
            ahead_s=3_600,
        )
    assert all(isinstance(action, Write) for action in todo.actions)
    return [action for action in todo.actions if isinstance(action, Write)]


async def test_counted_code_of_another_hand_is_shown_and_keeps_its_count_when_it_is_taken_over(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    await world.keypad_shows(device_id, 3, maker=OTHER_HOST, **WRITING, flags=ONCE + 4 * MORE)
    (unmanaged,) = await seam.access_codes.unmanaged.list(device_id=device_id)
    id_ = unmanaged.access_code_id
    assert await uses_left(http, id_, "/unmanaged") == 5
    await world.keypad_shows(device_id, 3, maker=OTHER_HOST, **WRITING, flags=ONCE + 3 * MORE)
    assert await uses_left(http, id_, "/unmanaged") == 4
    await seam.access_codes.unmanaged.convert_to_managed(access_code_id=id_)
    await world.keypad_shows(
        device_id, 3, maker=HUB, code="4711", access_code_id=id_, flags=ONCE + 3 * MORE, op_id="22" * 8
    )
    code = await seam.access_codes.get(access_code_id=id_)
    assert (code.status, code.is_one_time_use, await uses_left(http, id_)) == ("set", False, 4)


@pytest.mark.parametrize("maker", [HUB, KEYPAD], ids=["told as ours", "told as the keypad's"])
async def test_use_of_a_counted_code_is_no_change_by_another_hand(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, maker: int
) -> None:
    await world.add_code(device_id, ID, uses_left=3)
    place = {"access_code_id": ID, **WRITING}
    await world.keypad_shows(device_id, 3, maker=HUB, **place, flags=ONCE + 2 * MORE)
    for left in (2, 1):
        await world.keypad_shows(device_id, 3, maker=maker, **place, flags=ONCE + (left - 1) * MORE)
        code = await seam.access_codes.get(access_code_id=ID)
        assert (code.status, code.errors, code.warnings) == ("set", [], [])
        assert (code.is_one_time_use, await uses_left(http, ID)) == (left == 1, left)
    await world.keypad_shows(device_id, 3, maker=maker, **place, flags=ONCE | SPENT)
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, code.is_one_time_use, await uses_left(http, ID)) == ("removing", True, 0)


async def test_counted_code_keeps_what_is_left_over_a_change_of_its_pin_and_over_a_loss(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    await world.add_code(device_id, ID, uses_left=5)
    place = {"access_code_id": ID, **WRITING}
    await world.keypad_shows(device_id, 3, maker=HUB, **place, flags=ONCE + 4 * MORE)
    await seam.access_codes.update(access_code_id=ID, code="482913")
    # It was used while the change was on its way.
    await world.keypad_shows(device_id, 3, maker=HUB, **place, flags=ONCE + 3 * MORE)
    assert (await seam.access_codes.get(access_code_id=ID)).status == "setting"
    [write] = await planned(world, device_id)
    assert (write.code, write.uses_left) == ("482913", 4)
    await world.keypad_shows(
        device_id, 3, maker=HUB, code="482913", access_code_id=ID, flags=ONCE + 3 * MORE, op_id="22" * 8
    )
    assert await planned(world, device_id) == []
    await world.keypad_shows(device_id, 3, maker=KEYPAD, flags=messages.LOST)
    [write] = await planned(world, device_id)
    assert (write.if_version, write.uses_left) == (0, 4)


async def test_count_that_another_hand_raised_is_set_right_again(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    await world.add_code(device_id, ID, uses_left=2)
    await world.keypad_shows(device_id, 3, maker=HUB, access_code_id=ID, **WRITING, flags=ONCE + MORE)
    await world.keypad_shows(
        device_id, 3, maker=OTHER_HOST, access_code_id=ID, code="4711", flags=ONCE + 9 * MORE
    )
    code = await seam.access_codes.get(access_code_id=ID)
    assert [it.error_code for it in code.errors] == ["code_modified_external_to_seam"]
    [write] = await planned(world, device_id)
    assert (write.code, write.uses_left) == ("4711", 2)


@pytest.mark.parametrize(("asked", "left"), [(True, 1), (False, 3), (None, 3)])
async def test_one_time_use_is_asked_for_of_a_counted_code(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, asked: bool | None, left: int
) -> None:
    await world.add_code(device_id, ID, uses_left=3)
    asked_of = {"access_code_id": ID, "code": "482913", "is_one_time_use": asked}
    assert (await http.post("/access_codes/update", json=asked_of)).is_success
    assert await uses_left(http, ID) == left
