"""A managed code that is let go: it stays on the keypad under its id, and becomes an unmanaged one."""

from typing import Any

import httpx
import pytest
from api_world import HUB, NOW_S, World, check_refused
from doorpad.sync.plan import Clear, Write
from doorpad_link.messages import ENABLED
from seam import AsyncSeam

ID = "00000000-0000-4000-8000-000000000001"
SINCE = "2000-01-01T00:00:00Z"


@pytest.fixture
async def code_id(world: World, device_id: str) -> str:
    """A code that its keypad holds."""
    await world.add_code(device_id, ID, announced="set", name="Ann", common_code_key="stay")
    await world.put_on_keypad(ID, slot=3)
    return ID


async def let_go(http: httpx.AsyncClient) -> Any:
    response = await http.patch("/access_codes/update", json={"access_code_id": ID, "is_managed": False})
    assert response.status_code == 200, response.text
    return response.json()["action_attempt"]


async def outcome(http: httpx.AsyncClient, attempt: Any) -> Any:
    query = {"action_attempt_id": attempt["action_attempt_id"]}
    return (await http.get("/action_attempts/get", params=query)).json()["action_attempt"]


async def keypad_lets_go(world: World, device_id: str) -> None:
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", flags=ENABLED, access_code_id=ID)


async def test_code_is_managed_until_the_keypad_has_let_it_go(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    attempt = await let_go(http)
    assert attempt["status"] == "pending"
    assert world.wakes.device_ids == [device_id]
    assert (await seam.access_codes.get(access_code_id=ID)).status == "set"
    (write,) = (await world.planned(device_id)).actions
    assert write == Write(ID, 3, 103, "4711", None, None, managed=False)
    assert (await outcome(http, attempt))["status"] == "pending"

    await keypad_lets_go(world, device_id)
    code = await seam.access_codes.unmanaged.get(access_code_id=ID)
    assert (code.code, code.name, code.is_managed) == ("4711", "Ann", False)
    assert await seam.access_codes.list(device_id=device_id) == []
    done = await outcome(http, attempt)
    assert (done["status"], done["result"]["access_code"]["is_managed"]) == ("success", False)
    assert (await world.planned(device_id)).actions == []
    told = await seam.events.list(since=SINCE, access_code_id=ID)
    assert [it.event_type for it in told] == ["access_code.deleted", "access_code.unmanaged.created"]


async def test_code_that_is_let_go_can_be_taken_again(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    await let_go(http)
    await keypad_lets_go(world, device_id)
    await seam.access_codes.unmanaged.convert_to_managed(access_code_id=ID)
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=ID)
    assert (await seam.access_codes.get(access_code_id=ID)).status == "set"


async def test_code_that_is_taken_back_before_the_keypad_let_it_go_stays(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    await let_go(http)
    await seam.access_codes.unmanaged.convert_to_managed(access_code_id=ID)
    assert (await world.planned(device_id)).actions == []
    assert (await seam.access_codes.get(access_code_id=ID)).status == "set"


async def test_code_that_is_deleted_while_the_keypad_lets_it_go_is_taken_off(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    await let_go(http)
    await seam.access_codes.delete(access_code_id=ID)
    await keypad_lets_go(world, device_id)  # it was under way
    (clear,) = (await world.planned(device_id)).actions
    assert isinstance(clear, Clear) and clear.slot == 3
    await world.keypad_shows(device_id, 3, maker=HUB)
    told = await seam.events.list(since=SINCE, access_code_id=ID)
    assert [it.event_type for it in told] == ["access_code.removed_from_device", "access_code.deleted"]


async def test_code_is_changed_on_the_keypad_before_it_is_let_go(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    await let_go(http)
    await seam.access_codes.update(access_code_id=ID, code="59102")
    (write,) = (await world.planned(device_id)).actions
    assert write == Write(ID, 3, 103, "59102", None, None)
    await world.keypad_shows(device_id, 3, maker=HUB, code="59102", access_code_id=ID)
    (write,) = (await world.planned(device_id)).actions
    assert isinstance(write, Write) and not write.managed


async def test_code_that_is_changed_while_the_keypad_lets_it_go_is_changed_and_let_go_then(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    await let_go(http)
    await seam.access_codes.update(access_code_id=ID, code="59102")
    await keypad_lets_go(world, device_id)  # it was under way
    assert (await seam.access_codes.get(access_code_id=ID)).status == "setting"
    (write,) = (await world.planned(device_id)).actions
    assert isinstance(write, Write) and (write.code, write.managed) == ("59102", True)
    await world.keypad_shows(device_id, 3, maker=HUB, code="59102", access_code_id=ID)
    (write,) = (await world.planned(device_id)).actions
    assert isinstance(write, Write) and not write.managed


@pytest.mark.parametrize(
    "known",
    [None, {"slot": None}, {"slot": None, "managed": False, "announced": None}],
    ids=repr,
)
async def test_hub_whose_database_is_older_than_the_letting_go_finds_the_code_unmanaged(
    world: World, seam: AsyncSeam, device_id: str, known: dict[str, Any] | None
) -> None:
    """Lost, or put back from a copy: the keypad's word counts."""
    if known is not None:
        await world.add_code(device_id, ID, announced="set", name="Ann")
        await world.change(ID, **known)
    await keypad_lets_go(world, device_id)
    (code,) = await seam.access_codes.unmanaged.list(device_id=device_id)
    assert (code.access_code_id, code.code) == (ID, "4711")
    assert (await world.planned(device_id)).actions == []


@pytest.mark.parametrize(
    "fields",
    [{"name": "Bob"}, {"code": "59102"}, {"type": "ongoing"}, {"is_external_modification_allowed": True}],
    ids=repr,
)
async def test_code_is_not_changed_and_let_go_in_one(
    http: httpx.AsyncClient, code_id: str, fields: dict[str, Any]
) -> None:
    asked = {"access_code_id": ID, "is_managed": False, **fields}
    check_refused(await http.patch("/access_codes/update", json=asked), 400, "invalid_input", "is_managed")


@pytest.mark.parametrize(
    "fields",
    [{"code": "59102"}, {"state": "removing"}, {"starts_at_s": NOW_S - 200, "ends_at_s": NOW_S - 100}],
    ids=repr,
)
async def test_code_that_the_keypad_does_not_hold_is_not_let_go(
    world: World, http: httpx.AsyncClient, code_id: str, fields: dict[str, Any]
) -> None:
    await world.change(ID, **fields)
    response = await http.patch("/access_codes/update", json={"access_code_id": ID, "is_managed": False})
    check_refused(response, 400, "invalid_input", "is_managed")
