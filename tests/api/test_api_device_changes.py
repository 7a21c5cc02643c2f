"""What clients set on devices and on the hub, through the official SDK."""

import json
from pathlib import Path

import httpx
import pytest
from api_world import World, check_refused
from seam import NULL, AsyncSeam, SeamHttpApiError

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SINCE = "2027-01-01T00:00:00Z"
CONTRACT = json.loads((Path(__file__).parent / "seam_contract.json").read_text())


async def test_named_device_goes_by_its_new_name_until_it_is_taken_back(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient
) -> None:
    device_id = await world.add_device(name="Front")
    before = (await http.get(f"/devices/get?device_id={device_id}")).json()["device"]
    assert "nickname" not in before
    await seam.devices.update(device_id=device_id, name="Main gate")
    device = await seam.devices.get(name="Main gate")
    assert (device.device_id, device.display_name, device.nickname) == (device_id, "Main gate", "Main gate")
    assert [it.device_id for it in await seam.devices.list(search="gate")] == [device_id]
    with pytest.raises(SeamHttpApiError):
        await seam.devices.get(name="Front")
    await seam.devices.update(device_id=device_id, name="Main gate")  # the same again is no event
    await seam.devices.update(device_id=device_id, properties={"name": "Side gate"})  # the old spelling
    await seam.devices.update(device_id=device_id, name=NULL)
    assert (await http.get(f"/devices/get?device_id={device_id}")).json()["device"] == before
    told = await seam.events.list(since=SINCE, event_type="device.name_changed")
    assert [event.device_name for event in told] == ["Main gate", "Side gate", "Front"]


async def test_metadata_is_merged_filtered_for_and_taken_away(world: World, seam: AsyncSeam) -> None:
    first = await world.add_device("00112233445566aa")
    second = await world.add_device("00112233445566bb")
    odd = "a.b\"c'$[0]"
    await seam.devices.update(device_id=first, custom_metadata={"unit": "12", "vip": True, odd: "1"})
    await seam.devices.update(device_id=first, custom_metadata={"floor": "3"})
    await seam.devices.update(device_id=second, custom_metadata={"unit": "12", "vip": False})
    assert dict((await seam.devices.get(device_id=first)).custom_metadata) == {
        "unit": "12",
        "vip": True,
        odd: "1",
        "floor": "3",
    }
    for wanted, expected in [
        ({"unit": "12"}, [first, second]),
        ({"unit": "12", "vip": True}, [first]),
        ({"vip": False}, [second]),
        ({"unit": "1"}, []),
        ({"nothing": "12"}, []),
        ({}, [first, second]),
    ]:
        listed = await seam.devices.list(custom_metadata_has=wanted)
        assert [device.device_id for device in listed] == expected, wanted
    await seam.devices.update(device_id=first, custom_metadata={"vip": None, odd: None, "floor": None})
    assert dict((await seam.devices.get(device_id=first)).custom_metadata) == {"unit": "12"}


async def test_metadata_that_is_too_much_is_refused(http: httpx.AsyncClient, device_id: str) -> None:
    full = {f"key {number}": "x" for number in range(50)}
    update = {"device_id": device_id, "custom_metadata": full}
    assert (await http.patch("/devices/update", json=update)).status_code == 200
    for change in ({"one more": True}, {"key 1": "x" * 501}, {"key 1": 5}, {"x" * 256: "y"}):
        response = await http.patch("/devices/update", json={**update, "custom_metadata": change})
        check_refused(response, 400, "invalid_input", "custom_metadata")
    assert (await http.get(f"/devices/get?device_id={device_id}")).json()["device"]["custom_metadata"] == full


def can_do(device: object) -> dict[str, bool]:
    """What a keypad says that it can do: all that the contract asks for of one."""
    wanted = [it for it in CONTRACT["schemas"]["unmanaged_device"]["properties"] if it.startswith("can_")]
    told = {it: getattr(device, it) for it in wanted if "hvac" not in it and "thermostat" not in it}
    assert len(told) == 11 and {type(it) for it in told.values()} == {bool}
    return told


async def test_device_that_is_left_alone_is_seen_by_its_own_paths_only(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    code = await seam.access_codes.create(device_id=device_id)
    response = await http.patch("/devices/update", json={"device_id": device_id, "is_managed": False})
    check_refused(response, 409, "device_has_access_codes")
    await world.change(code.access_code_id, state="deleted", deleted_at_ms=world.now_ms)
    managed = await seam.devices.get(device_id=device_id)
    await seam.devices.update(device_id=device_id, is_managed=False)

    assert await seam.devices.list() == await seam.locks.list() == []
    (device,) = await seam.devices.unmanaged.list()
    assert (device.device_id, device.is_managed, device.properties.online) == (device_id, False, True)
    assert await seam.devices.unmanaged.get(device_id=device_id) == device
    assert can_do(device) == can_do(managed)
    for method in (seam.devices.get, seam.access_codes.create, seam.access_codes.unmanaged.list):
        with pytest.raises(SeamHttpApiError) as caught:
            await method(device_id=device_id)
        assert caught.value.code == "device_not_found"
    response = await http.patch(
        "/devices/unmanaged/update", json={"device_id": device_id, "is_managed": False}
    )
    check_refused(response, 400, "invalid_input", "is_managed")

    world.wakes.device_ids.clear()
    await seam.devices.unmanaged.update(device_id=device_id, is_managed=True, custom_metadata={"a": "b"})
    assert world.wakes.device_ids == [device_id]
    assert dict((await seam.devices.get(device_id=device_id)).custom_metadata) == {"a": "b"}
    assert await seam.devices.unmanaged.list() == []
    told = await seam.events.list(since=SINCE, device_id=device_id)
    assert [it.event_type for it in told if it.event_type.startswith("device.")] == [
        "device.converted_to_unmanaged",
        "device.unmanaged.converted_to_managed",
    ]


async def test_time_zone_is_reported_and_shown(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    assert (await http.get(f"/devices/get?device_id={device_id}")).json()["device"]["location"] == {}
    zone = {"device_id": device_id, "ultraloq_metadata": {"time_zone": "Europe/Berlin"}}
    await seam.devices.report_provider_metadata(devices=[zone])
    assert (await seam.devices.get(device_id=device_id)).location.timezone == "Europe/Berlin"
    for devices, status, type_, fields in [
        ([], 400, "invalid_input", ("devices",)),
        ([{**zone, "ultraloq_metadata": {"time_zone": "Mars/Olympus"}}], 400, "invalid_input", ("devices",)),
        (
            [{**zone, "ultraloq_metadata": {"time_zone": "../../etc/passwd"}}],
            400,
            "invalid_input",
            ("devices",),
        ),
        ([{**zone, "device_id": UNKNOWN}], 404, "device_not_found", ()),
    ]:
        response = await http.post("/devices/report_provider_metadata", json={"devices": devices})
        check_refused(response, status, type_, *fields)
    assert (await seam.devices.get(device_id=device_id)).location.timezone == "Europe/Berlin"


async def test_no_other_makers_are_listed(seam: AsyncSeam, http: httpx.AsyncClient) -> None:
    assert await seam.devices.list_device_providers() == []
    assert await seam.devices.list_device_providers(provider_category="stable") == []
    response = await http.get("/devices/list_device_providers?provider_category=all")
    check_refused(response, 400, "invalid_input", "provider_category")


async def test_hub_keeps_metadata_and_refuses_what_it_is_not(
    seam: AsyncSeam, http: httpx.AsyncClient
) -> None:
    (account,) = await seam.connected_accounts.list()
    id_ = account.connected_account_id
    await seam.connected_accounts.update(connected_account_id=id_, custom_metadata={"site": "7", "own": True})
    assert dict((await seam.connected_accounts.get(connected_account_id=id_)).custom_metadata) == {
        "site": "7",
        "own": True,
    }
    for wanted, count in [
        ({"site": "7"}, 1),
        ({"own": True}, 1),
        ({"site": "7", "own": True}, 1),
        ({"own": False}, 0),
        ({"site": "8"}, 0),
        ({"floor": "7"}, 0),
        ({"floor": True}, 0),
        ({"site": "7", "floor": "3"}, 0),
    ]:
        assert len(await seam.connected_accounts.list(custom_metadata_has=wanted)) == count, wanted
    for change, field in [
        ({"automatically_manage_new_devices": False}, "automatically_manage_new_devices"),
        ({"accepted_capabilities": ["lock", "thermostat"]}, "accepted_capabilities"),
        ({"custom_metadata": {"a": 1}}, "custom_metadata"),
    ]:
        response = await http.patch(
            "/connected_accounts/update", json={"connected_account_id": id_, **change}
        )
        check_refused(response, 400, "invalid_input", field)
    response = await http.patch("/connected_accounts/update", json={"connected_account_id": UNKNOWN})
    check_refused(response, 404, "connected_account_not_found")


async def test_sync_of_the_hub_looks_at_every_keypad(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient
) -> None:
    doors = {await world.add_device("00112233445566aa"), await world.add_device("00112233445566bb")}
    (account,) = await seam.connected_accounts.list()
    await seam.connected_accounts.sync(connected_account_id=account.connected_account_id)
    assert set(world.wakes.device_ids) == set(world.wakes.tried) == doors
    response = await http.post("/connected_accounts/sync", json={"connected_account_id": UNKNOWN})
    check_refused(response, 404, "connected_account_not_found")


async def test_bridge_is_listed_and_found_by_its_id(http: httpx.AsyncClient) -> None:
    (bridge,) = (await http.get("/bridges/list")).json()["bridges"]
    shown = (await http.get(f"/bridges/get?bridge_id={bridge['bridge_id']}")).json()
    assert shown == {"bridge": bridge, "ok": True}
    check_refused(await http.get(f"/bridges/get?bridge_id={UNKNOWN}"), 404, "bridge_not_found")


async def test_what_a_keypad_cannot_do_is_refused_with_the_reason(
    http: httpx.AsyncClient, device_id: str
) -> None:
    path, asked = "/locks/simulate/manual_lock_via_keypad", {"device_id": device_id}
    error = check_refused(await http.post(path, json=asked), 400, "device_type_not_supported")
    assert "keypad" in error["message"]
    check_refused(await http.post(path, json={**asked, "device_id": UNKNOWN}), 404, "device_not_found")
