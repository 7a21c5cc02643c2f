"""Keypads that go for good, and the hub's account: disconnected, connected again, and not to be deleted."""

import os
import pwd
from pathlib import Path

import httpx
from api_world import NOW_MS, World, check_refused
from doorpad.store.audit import read_entries
from doorpad.store.database import FILE_NAME
from doorpad.store.identity import device_id_for
from doorpad.sync.enrolled import enrol
from doorpad.sync.finding import Ports
from doorpad.sync.hub import Hub
from doorpad.sync.keypad_port import KeypadPort
from seam import AsyncSeam

ID = "00000000-0000-4000-8000-000000000001"
OTHER_ID = "00000000-0000-4000-8000-000000000002"
SINCE = "2000-01-01T00:00:00Z"
OTHER_SERIAL = "00112233445566bb"


async def start_without_keypads(world: World) -> None:
    """What a hub does first whose configuration names no keypad."""
    hub = Hub(
        world.database, [], Ports([]), world.timing, lambda: world.now_ms, lambda *_: None, lambda *_: None
    )
    await hub.enrol()


async def test_keypad_that_the_configuration_names_is_not_deleted(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    for verb in ("DELETE", "POST"):
        check_refused(
            await http.request(verb, "/devices/delete", params={"device_id": device_id}),
            409,
            "device_is_configured",
        )
    assert [it.device_id for it in await seam.devices.list()] == [device_id]


async def test_keypad_that_the_configuration_no_longer_names_is_deleted_with_its_codes(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    other = await world.add_device(OTHER_SERIAL)
    await world.add_code(device_id, ID)
    await world.put_on_keypad(ID, 3)
    await world.add_code(other, OTHER_ID)
    world.wakes.retired.add(device_id)
    named = {"device_id": device_id}
    for _ in range(2):  # the second is what the SDK sends when the first answer is lost
        assert (await http.delete("/devices/delete", params=named)).json() == {"ok": True}
    check_refused(await http.post("/devices/delete", json=named), 404, "device_not_found")
    check_refused(await http.get("/devices/get", params=named), 404, "device_not_found")
    check_refused(await http.get("/access_codes/list", params=named), 404, "device_not_found")
    check_refused(
        await http.get("/access_codes/get", params={"access_code_id": ID}), 404, "access_code_not_found"
    )
    assert [it.device_id for it in await seam.devices.list()] == [other]
    assert [it.access_code_id for it in await seam.access_codes.list(device_id=other)] == [OTHER_ID]
    told = await seam.events.list(since=SINCE, device_id=device_id)
    assert [it.event_type for it in told] == ["device.deleted"]


async def test_keypad_that_the_configuration_no_longer_names_is_shown_as_removed_until_it_does(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await start_without_keypads(world)
    device = await seam.devices.get(device_id=device_id)
    assert not device.properties.online
    assert {it.error_code for it in device.errors} == {"device_disconnected", "device_removed"}
    assert not device.can_program_online_access_codes
    world.now_ms += 1_000
    await start_without_keypads(world)
    told = await seam.events.list(since=SINCE, device_id=device_id)
    assert [it.event_type for it in told] == ["device.removed"]
    async with world.database.write() as session:
        await enrol(session, configured("00112233445566aa", "Keypad 66aa"), world.now_ms)
    device = await seam.devices.get(device_id=device_id)
    assert {it.error_code for it in device.errors} == {"device_disconnected"}
    assert device.can_program_online_access_codes


async def test_keypad_that_was_removed_gets_no_new_code(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    other = await world.add_device(OTHER_SERIAL)
    await http.post("/devices/simulate/remove", json={"device_id": device_id})
    for path, named in (
        ("create", {"device_id": device_id}),
        ("create_multiple", {"device_ids": [other, device_id]}),
    ):
        response = await http.post(f"/access_codes/{path}", json=named)
        error = check_refused(response, 400, "invalid_input", *named)
        assert device_id in error["message"]
    for id_ in (device_id, other):
        assert await seam.access_codes.list(device_id=id_) == []
    await http.post("/devices/simulate/connect", json={"device_id": device_id})
    assert (await seam.access_codes.create(device_id=device_id)).status == "setting"


def configured(serial: str, name: str) -> KeypadPort:
    """A keypad as the configuration has it."""
    return KeypadPort(serial, name, None, 115_200, None, False, True, Path("keys"), Path("consoles"))


async def test_what_a_changed_configuration_changes_is_logged_with_who_started_the_bridge_on_it(
    world: World,
) -> None:
    async def started(name: str) -> None:
        async with world.database.write() as session:
            await enrol(session, configured(OTHER_SERIAL, name), world.now_ms)

    await started("Front")
    await started("Front")  # started again, and nothing has changed
    await started("Back")
    await start_without_keypads(world)
    await start_without_keypads(world)
    await started("Back")
    log = list(read_entries(world.database.data_dir / FILE_NAME))
    assert [(it["did"], it["subject"], it["fields"]) for it in log] == [
        ("created", "device", []),
        ("changed", "device", ["name"]),
        ("changed", "device", ["conditions"]),  # it is no longer named
        ("changed", "device", ["conditions"]),  # it is again
    ]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert {(it["key_name"], it["path"], it["subject_id"]) for it in log} == {
        (f"user {user}", "doorpad run", device_id_for(OTHER_SERIAL))
    }


async def test_account_that_is_disconnected_is_told_everywhere_until_it_is_synchronised(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    await world.add_code(device_id, ID)
    await world.put_on_keypad(ID, slot=3)
    (account,) = await seam.connected_accounts.list()
    named = {"connected_account_id": account.connected_account_id}

    async def status() -> str:
        return (await seam.access_codes.get(access_code_id=ID)).status

    async def told() -> list[set[str]]:
        accounts = await seam.connected_accounts.list()
        code = await seam.access_codes.get(access_code_id=ID)
        return [
            {it.error_code for it in shown.errors}
            for shown in (*accounts, await seam.devices.get(device_id=device_id), code)
        ]

    assert await told() == [set()] * 3
    assert await status() == "set"
    for _ in range(2):
        await seam.connected_accounts.simulate.disconnect(**named)
    assert await told() == [{"account_disconnected"}] * 3
    assert await status() == "unknown"
    (error,) = (await http.get("/connected_accounts/get", params=named)).json()["connected_account"]["errors"]
    flags = {name: value for name, value in error.items() if name.startswith("is_")}
    assert flags == {
        "is_connected_account_error": True,
        "is_device_error": False,
        "is_bridge_error": False,
    }
    await seam.connected_accounts.sync(**named)
    assert await told() == [set()] * 3
    assert await status() == "set"
    assert world.hands.done == [("cable", device_id, connected) for connected in (False, False, True)]
    assert world.wakes.device_ids == [device_id]
    lost, found = await seam.events.list(since=SINCE)
    assert (lost.event_type, found.event_type) == (
        "connected_account.disconnected",
        "connected_account.connected",
    )
    assert [it.error_code for it in lost.connected_account_errors] == ["account_disconnected"]


async def test_account_with_a_real_keypad_is_not_simulated(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    await world.add_device(OTHER_SERIAL, simulated=False, created_at_ms=NOW_MS)
    (account,) = await seam.connected_accounts.list()
    named = {"connected_account_id": account.connected_account_id}
    response = await http.post("/connected_accounts/simulate/disconnect", json=named)
    check_refused(response, 400, "device_not_simulated")
    assert world.hands.done == []
    assert [it.errors for it in await seam.devices.list()] == [[], []]


async def test_account_of_the_hub_that_answers_is_not_deleted(http: httpx.AsyncClient) -> None:
    (account,) = (await http.get("/connected_accounts/list")).json()["connected_accounts"]
    named = {"connected_account_id": account["connected_account_id"]}
    response = await http.delete("/connected_accounts/delete", params=named)
    check_refused(response, 409, "connected_account_is_connected")


async def test_account_of_another_hub_is_unknown(http: httpx.AsyncClient) -> None:
    for path in ("delete", "simulate/disconnect", "sync"):
        response = await http.post(f"/connected_accounts/{path}", json={"connected_account_id": ID})
        check_refused(response, 404, "connected_account_not_found")
