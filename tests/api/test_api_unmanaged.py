"""Codes that another hand put on the keypad, through the official SDK."""

import asyncio

import httpx
import pytest
from api_world import NOW_MS, World, check_refused
from doorpad.api import simulate
from doorpad.events.log import record
from doorpad.store.schema import AccessCode
from seam import AsyncSeam, SeamHttpApiError

ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
async def code_id(world: World, device_id: str) -> str:
    await world.add_code(device_id, ID, managed=False, code="4711")
    await world.put_on_keypad(ID, slot=7)
    return ID


async def test_unmanaged_code_is_seen_by_its_own_paths_only(
    seam: AsyncSeam, device_id: str, code_id: str
) -> None:
    (code,) = await seam.access_codes.unmanaged.list(device_id=device_id)
    assert (code.access_code_id, code.code, code.status, code.name) == (
        code_id,
        "4711",
        "set",
        "Keypad code 7",
    )
    assert code.is_managed is False
    assert code == await seam.access_codes.unmanaged.get(access_code_id=code_id)
    assert code == await seam.access_codes.unmanaged.get(device_id=device_id, code="4711")
    assert await seam.access_codes.list(device_id=device_id) == []
    for method in (seam.access_codes.get, seam.access_codes.delete):
        with pytest.raises(SeamHttpApiError) as caught:
            await method(access_code_id=code_id)
        assert caught.value.code == "access_code_not_found"


@pytest.mark.parametrize("verb", ["convert", "update"])
async def test_conversion_is_asked_for_once_and_keeps_the_id(
    world: World, seam: AsyncSeam, device_id: str, code_id: str, verb: str
) -> None:
    async def convert() -> None:
        if verb == "convert":
            await seam.access_codes.unmanaged.convert_to_managed(
                access_code_id=code_id, is_external_modification_allowed=True
            )
        else:
            await seam.access_codes.unmanaged.update(
                access_code_id=code_id, is_managed=True, allow_external_modification=True
            )

    await convert()
    row = await world.code(code_id)
    assert row is not None
    assert (row.conversion, row.managed, row.external_modification_allowed) == ("requested", False, True)
    await convert()
    assert world.wakes.device_ids == [device_id]

    await world.change(code_id, managed=True, conversion=None)
    await convert()  # of a managed code: nothing to do
    assert world.wakes.device_ids == [device_id]
    managed = await seam.access_codes.get(access_code_id=code_id)
    assert (managed.status, managed.is_managed) == ("set", True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "is_managed"),
        ({"is_managed": False}, "is_managed"),
        ({"is_managed": None}, "is_managed"),
        ({"is_managed": True, "name": "Ann"}, "name"),
    ],
    ids=repr,
)
async def test_update_to_anything_but_managed_is_refused(
    world: World, http: httpx.AsyncClient, code_id: str, body: dict[str, object], field: str
) -> None:
    response = await http.patch("/access_codes/unmanaged/update", json={"access_code_id": code_id, **body})
    check_refused(response, 400, "invalid_input", field)
    row = await world.code(code_id)
    assert row is not None
    assert row.conversion is None


async def test_delete_hides_the_code_and_is_repeatable(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    await seam.access_codes.unmanaged.delete(access_code_id=code_id)
    again = await http.delete(f"/access_codes/unmanaged/delete?access_code_id={code_id}")
    assert again.json()["action_attempt"]["action_type"] == "DELETE_ACCESS_CODE"
    row = await world.code(code_id)
    assert row is not None
    assert row.state == "removing"
    assert world.wakes.device_ids == [device_id]
    assert await seam.access_codes.unmanaged.list(device_id=device_id) == []
    response = await http.patch(
        "/access_codes/unmanaged/convert_to_managed", json={"access_code_id": code_id}
    )
    check_refused(response, 404, "access_code_not_found")


async def test_list_needs_a_device(http: httpx.AsyncClient) -> None:
    check_refused(await http.get("/access_codes/unmanaged/list"), 400, "invalid_input", "device_id")


async def test_simulated_code_is_typed_and_answered_once_it_was_read_back(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    async def read_back() -> None:
        """The synchronisation sees another code first, and then the one that was typed."""
        for number, pin in [(1, "4711"), (2, "4829")]:
            id_ = ID[:-1] + str(number)
            async with world.database.write() as session:
                session.add(
                    AccessCode(
                        access_code_id=id_, device_id=device_id, managed=False, code=pin, created_at_ms=NOW_MS
                    )
                )
                await record(
                    session,
                    event_id=id_,
                    event_type="access_code.unmanaged.created",
                    device_id=device_id,
                    access_code_id=id_,
                    occurred_at_ms=NOW_MS,
                    payload={},
                )

    world.hands.then = read_back
    code = await seam.access_codes.simulate.create_unmanaged_access_code(
        device_id=device_id, name="Cleaner", code="4829"
    )
    assert (code.access_code_id, code.code, code.name) == (ID[:-1] + "2", "4829", "Cleaner")
    assert world.hands.done == [("program", device_id, "4829")]
    assert await seam.access_codes.unmanaged.get(access_code_id=code.access_code_id) == code


@pytest.mark.parametrize(
    ("link_state", "wait_s", "word"),
    [
        ("online", 0.0, "refused"),
        ("resuming", 0.0, "not connected"),
        ("disconnected", 3_600.0, "not connected"),  # answered at once: nothing could come
        ("offline", 3_600.0, "not connected"),
    ],
)
async def test_simulated_code_that_does_not_appear_says_why(
    world: World,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    link_state: str,
    wait_s: float,
    word: str,
) -> None:
    monkeypatch.setattr(simulate, "_APPEARS_S", wait_s)
    device_id = await world.add_device(link_state=link_state)
    response = await http.post(
        "/access_codes/simulate/create_unmanaged_access_code",
        json={"device_id": device_id, "name": "Cleaner", "code": "4829"},
    )
    error = check_refused(response, 503, "service_unavailable")
    assert word in error["message"]
    assert "4829" not in response.text


async def test_simulated_code_with_a_taken_pin_is_a_duplicate(
    world: World, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    response = await http.post(
        "/access_codes/simulate/create_unmanaged_access_code",
        json={"device_id": device_id, "name": "Cleaner", "code": "4711"},
    )
    assert check_refused(response, 409, "duplicate_access_code")["data"] == {"access_code_id": code_id}
    assert world.hands.done == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({"code": "123"}, "code"), ({"code": "123456789"}, "code"), ({"code": "12#4"}, "code"), ({}, "code")],
    ids=repr,
)
async def test_simulated_code_out_of_bounds_is_refused(
    world: World, http: httpx.AsyncClient, device_id: str, body: dict[str, object], field: str
) -> None:
    response = await http.post(
        "/access_codes/simulate/create_unmanaged_access_code",
        json={"device_id": device_id, "name": "Cleaner", **body},
    )
    check_refused(response, 400, "invalid_input", field)
    assert world.hands.done == []


async def test_code_entry_presses_the_keys_and_succeeds(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    attempt = await seam.locks.simulate.keypad_code_entry(device_id=device_id, code="99")
    assert (attempt.status, attempt.action_type) == ("success", "SIMULATE_KEYPAD_CODE_ENTRY")
    assert world.hands.done == [("keys", device_id, "99#")]


@pytest.mark.parametrize("code", ["", "12345678901234567", "12a", "１２"])
async def test_code_entry_of_what_has_no_keys_is_refused(
    http: httpx.AsyncClient, device_id: str, code: str
) -> None:
    response = await http.post(
        "/locks/simulate/keypad_code_entry", json={"device_id": device_id, "code": code}
    )
    check_refused(response, 400, "invalid_input", "code")


async def test_cable_is_pulled_and_plugged_in(world: World, seam: AsyncSeam, device_id: str) -> None:
    await seam.devices.simulate.disconnect(device_id=device_id)
    await seam.devices.simulate.connect(device_id=device_id)
    assert world.hands.done == [("cable", device_id, False), ("cable", device_id, True)]


@pytest.mark.parametrize("simulated", [False, True], ids=["real keypad", "bench without this keypad"])
async def test_simulation_of_a_real_keypad_is_refused(
    world: World, http: httpx.AsyncClient, simulated: bool
) -> None:
    world.hands.available = False
    device_id = await world.add_device(simulated=simulated)
    typed = {"device_id": device_id, "code": "4829", "name": "Cleaner"}
    paths = [
        "/locks/simulate/keypad_code_entry",
        "/devices/simulate/connect",
        "/devices/simulate/disconnect",
        "/access_codes/simulate/create_unmanaged_access_code",
    ]
    for response in await asyncio.gather(*(http.post(path, json=typed) for path in paths)):
        check_refused(response, 400, "device_not_simulated")
    assert world.hands.done == []
