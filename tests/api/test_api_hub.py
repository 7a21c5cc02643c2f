"""Devices, locks, events, the workspace and the hub's account, through the official SDK."""

from typing import Any

import httpx
import pytest
from api_world import NOW_MS, World, check_refused
from doorpad.api.events import ListParams
from doorpad.events.log import record
from seam import AsyncSeam

ID = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"


async def log(world: World, event_id: str, event_type: str, at_ms: int, **subject: Any) -> None:
    async with world.database.write() as session:
        await record(
            session,
            event_id=event_id,
            event_type=event_type,
            device_id=subject.get("device_id"),
            access_code_id=subject.get("access_code_id"),
            occurred_at_ms=at_ms,
            created_at_ms=at_ms + 1,
            payload=subject.get("payload", {}),
        )


async def test_device_says_what_it_can_do(world: World, seam: AsyncSeam) -> None:
    device_id = await world.add_device(pin_min=4, pin_max=6, capacity=30)
    device = await seam.devices.get(device_id=device_id)
    assert (device.device_type, device.display_name) == ("doorpad_keypad", "Keypad 66aa")
    assert device.properties.online
    assert device.properties.supported_code_lengths == [4, 5, 6]
    assert device.properties.max_active_codes_supported == 30
    assert device.can_simulate_disconnection
    assert device.can_remotely_unlock and device.can_remotely_lock
    assert device.errors == []
    assert await seam.devices.get(name="Keypad 66aa") == device
    assert await seam.locks.get(device_id=device_id) == device
    assert await seam.devices.list() == await seam.locks.list() == [device]


@pytest.mark.parametrize("is_managed", [True, False])
async def test_device_shows_of_its_place_what_is_known(
    world: World, http: httpx.AsyncClient, *, is_managed: bool
) -> None:
    path = "/devices/get" if is_managed else "/devices/unmanaged/get"
    zone = {"timezone": "Europe/Paris", "time_zone": "Europe/Paris"}
    for number, (row, shown) in enumerate(
        [
            ({}, {}),
            ({"location_name": "Mill Lane 4"}, {"location_name": "Mill Lane 4"}),
            ({"time_zone": "Europe/Paris"}, zone),
            (
                {"location_name": "Mill Lane 4", "time_zone": "Europe/Paris"},
                zone | {"location_name": "Mill Lane 4"},
            ),
        ]
    ):
        device_id = await world.add_device(f"00112233445566a{number}", managed=is_managed, **row)
        device = (await http.get(f"{path}?device_id={device_id}")).json()["device"]
        assert device["location"] == shown


@pytest.mark.parametrize(
    ("link_state", "online", "errors"),
    [
        ("new", False, []),
        ("online", True, []),
        ("resuming", False, []),
        ("disconnected", False, ["device_disconnected"]),
        ("offline", False, ["device_offline"]),
    ],
)
async def test_device_shows_the_state_of_its_link(
    world: World, seam: AsyncSeam, link_state: str, online: bool, errors: list[str]
) -> None:
    device = await seam.devices.get(device_id=await world.add_device(link_state=link_state))
    assert device.properties.online is online
    assert [error.error_code for error in device.errors] == errors


async def test_device_lists_are_filtered(world: World, seam: AsyncSeam, http: httpx.AsyncClient) -> None:
    first = await world.add_device("00112233445566aa", name="Front")
    second = await world.add_device("00112233445566bb", name="Back", created_at_ms=NOW_MS)
    account = (await seam.connected_accounts.list())[0].connected_account_id
    for filters, expected in [
        ({}, [first, second]),
        ({"device_ids": [second]}, [second]),
        ({"device_ids": []}, []),
        ({"search": "fro"}, [first]),
        ({"created_before": "2027-01-15T08:00:00Z"}, [first]),
        ({"connected_account_id": account}, [first, second]),
        ({"connected_account_ids": [ID]}, []),
        ({"device_type": "august_lock"}, []),
        ({"space_id": ID}, []),
    ]:
        listed = await seam.devices.list(**filters)
        assert [device.device_id for device in listed] == expected, filters
    pages = seam.create_paginator(seam.devices.list, {"limit": 1})
    assert [device.device_id for device in await pages.flatten_to_list()] == [first, second]
    reply = (await http.post("/locks/list")).json()
    assert reply["devices"] == reply["locks"]


@pytest.mark.parametrize("path", ["/devices/list", "/locks/list", "/devices/unmanaged/list"])
@pytest.mark.parametrize(
    "body",
    [{"device_type": "nuki_lokc"}, {"device_types": ["nuki_lokc"]}, {"manufacturer": "Nuki"}],
    ids=repr,
)
async def test_device_lists_refuse_kinds_that_there_are_not(
    http: httpx.AsyncClient, path: str, body: dict[str, object]
) -> None:
    check_refused(await http.post(path, json=body), 400, "invalid_input", *body)


async def test_event_is_not_looked_for_by_a_type_that_there_is_not(
    http: httpx.AsyncClient, device_id: str
) -> None:
    response = await http.get(f"/events/get?device_id={device_id}&event_type=lock.opened")
    check_refused(response, 400, "invalid_input", "event_type")


async def test_workspace_is_a_sandbox_only_while_all_keypads_are_emulated(
    world: World, seam: AsyncSeam
) -> None:
    await world.add_device()
    assert (await seam.workspaces.get()).is_sandbox
    await world.add_device("00112233445566bb", simulated=False)
    (workspace,) = await seam.workspaces.list()
    assert not workspace.is_sandbox
    assert workspace.workspace_id == (await world.database.hub()).workspace_id


async def test_hub_is_the_one_connected_account(seam: AsyncSeam, http: httpx.AsyncClient) -> None:
    (account,) = await seam.connected_accounts.list()
    assert await seam.connected_accounts.get(connected_account_id=account.connected_account_id) == account
    check_refused(await http.get("/connected_accounts/get"), 400, "invalid_input")
    response = await http.get("/connected_accounts/get?email=a%40b.c")
    check_refused(response, 404, "connected_account_not_found")


async def test_events_come_oldest_first_and_filtered(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    await log(world, ID, "device.connected", NOW_MS + 5, device_id=device_id)
    await log(world, OTHER, "lock.unlocked", NOW_MS, device_id=device_id, access_code_id=ID)
    account = (await world.database.hub()).connected_account_id
    since = {"since": "2027-01-15T08:00:00Z"}
    asked = [
        (since, [OTHER, ID]),
        ({**since, "limit": 1}, [OTHER]),
        ({**since, "unstable_offset": 1}, [ID]),
        ({**since, "unstable_offset": 1, "limit": 1}, [ID]),
        ({**since, "unstable_offset": 2}, []),
        ({"since": "2027-01-15T08:00:00.005Z"}, [ID]),
        ({"between": ["2027-01-15T08:00:00Z", "2027-01-15T08:00:00.004Z"]}, [OTHER]),
        ({**since, "event_type": "device.connected"}, [ID]),
        ({**since, "event_types": ["device.connected", "lock.unlocked"]}, [OTHER, ID]),
        ({**since, "event_type": "device.connected", "event_types": ["lock.unlocked"]}, []),
        ({**since, "access_code_id": ID}, [OTHER]),
        ({**since, "access_code_id": OTHER}, []),
        ({**since, "access_code_ids": [ID]}, [OTHER]),
        ({**since, "access_code_ids": []}, []),
        ({**since, "device_id": device_id}, [OTHER, ID]),
        ({**since, "device_id": ID}, []),
        ({**since, "device_ids": [device_id]}, [OTHER, ID]),
        ({**since, "device_ids": [ID]}, []),
        ({**since, "event_ids": [ID]}, [ID]),
        ({**since, "connected_account_id": account}, [OTHER, ID]),
        ({**since, "connected_account_id": ID}, []),
        ({**since, "customer_key": "anybody"}, [OTHER, ID]),  # no customers here: without effect
    ]
    of_others = ("acs_", "access_grant", "access_method", "connect_webview", "space", "user_identity")
    foreign = [it for it in ListParams.__struct_fields__ if it.startswith(of_others)]
    asked += [({**since, name: [ID] if name.endswith("s") else ID}, []) for name in foreign]
    assert {name for filters, _ in asked for name in filters} == set(ListParams.__struct_fields__)
    for filters, expected in asked:
        for reply in (
            await http.post("/events/list", json=filters),
            await http.get(
                "/events/list", params={**{k: v or "" for k, v in filters.items()}, "_strict": "true"}
            ),
        ):
            assert reply.status_code == 200, reply.text
            assert [event["event_id"] for event in reply.json()["events"]] == expected, filters
    newest = await http.get(f"/events/get?device_id={device_id}&event_type=lock.unlocked")
    assert newest.json()["event"] == {
        "event_id": OTHER,
        "event_type": "lock.unlocked",
        "workspace_id": (await world.database.hub()).workspace_id,
        "connected_account_id": (await world.database.hub()).connected_account_id,
        "device_id": device_id,
        "access_code_id": ID,
        "occurred_at": "2027-01-15T08:00:00.000Z",
        "created_at": "2027-01-15T08:00:00.001Z",
    }


async def test_events_of_one_moment_stay_in_the_order_of_their_log(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in (7, 1, 5, 3, 2)]
    for id_ in ids:
        await log(world, id_, "device.connected", NOW_MS, device_id=device_id)
    await log(world, ID, "device.connected", NOW_MS - 1, device_id=device_id)  # told late
    listed = []
    for offset in range(0, 8, 2):
        asked = {"since": "2000-01-01T00:00:00Z", "unstable_offset": offset, "limit": 2}
        listed += (await http.post("/events/list", json=asked)).json()["events"]
    assert [it["event_id"] for it in listed] == [ID, *ids]
    newest = await http.get(f"/events/get?device_id={device_id}&event_type=device.connected")
    assert newest.json()["event"]["event_id"] == ids[-1]


async def test_events_that_need_a_code_carry_none(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    await log(world, ID, "access_code.set_on_device", NOW_MS, device_id=device_id, access_code_id=ID)
    await log(world, OTHER, "access_code.deleted", NOW_MS, device_id=device_id, access_code_id=ID)
    placed, deleted = await seam.events.list(since="2027-01-15T00:00:00Z", device_id=device_id)
    assert (placed.code, deleted.code) == ("", None)
    between = ["2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z"]
    assert await seam.events.list(between=between, access_code_ids=[ID]) == [placed, deleted]
    assert "code" in (await http.get(f"/events/get?event_id={OTHER}")).json()["event"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ()),
        ({"since": "yesterday"}, ("since",)),
        ({"since": "2027-01-15T08:00:00"}, ("since",)),
        ({"between": ["2027-01-15T08:00:00Z"]}, ("between",)),
        ({"between": ["2027-01-15T08:00:00Z", "x"]}, ("between",)),
        ({"since": "2027-01-15T08:00:00Z", "limit": 0}, ("limit",)),
        ({"since": "2027-01-15T08:00:00Z", "limit": 1.5}, ("limit",)),
        ({"since": "2027-01-15T08:00:00Z", "device_ids": ["x"]}, ("device_ids",)),
        ({"since": "2027-01-15T08:00:00Z", "event_types": ["x"] * 1_001}, ("event_types",)),
        ({"since": "2027-01-15T08:00:00Z", "event_types": ["lock.locked", "lock.loked"]}, ("event_types",)),
        ({"since": "2027-01-15T08:00:00Z", "event_type": "*"}, ("event_type",)),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_event_list_refuses(
    http: httpx.AsyncClient, body: dict[str, object], fields: tuple[str, ...]
) -> None:
    check_refused(await http.post("/events/list", json=body), 400, "invalid_input", *fields)
