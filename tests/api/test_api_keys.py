"""API keys: kept as digests, revoked while the bridge runs, read-only ones, and the log of who changed what."""

import json
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_world import HUB, NOW_MS, World
from doorpad.api import app
from doorpad.api.failures import Failures
from doorpad.api.keys import (
    FILE_NAME,
    ApiKeys,
    ApiKeysDamaged,
    KeyNameUnusable,
    NoSuchKey,
    add_key,
    generate_key,
    read_keys,
    revoke_key,
)
from doorpad.api.service import READ
from doorpad.store import database as database_module
from doorpad.store.audit import NoAuditLog, read_entries
from doorpad.store.schema import Webhook
from seam import AsyncSeam
from seam.exceptions import SeamHttpApiError

SECRET_PIN = "48291357"


@pytest.fixture
async def reader(world: World) -> AsyncIterator[httpx.AsyncClient]:
    key = generate_key()
    add_key(world.database.data_dir, key, "reader", read_only=True)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=world.server.url, headers=headers, timeout=30) as client:
        yield client


def entries(world: World) -> list[dict[str, Any]]:
    return list(read_entries(world.database.data_dir / database_module.FILE_NAME))


def test_key_file_holds_digests_only_and_is_for_its_owner(tmp_path: Path) -> None:
    live = ApiKeys(tmp_path)
    assert not live
    keys = {name: generate_key() for name in ("one", "two")}
    for name, key in keys.items():
        add_key(tmp_path, key, name)
    path = tmp_path / FILE_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert all(key not in path.read_text() for key in keys.values())
    for known in (live, ApiKeys(tmp_path)):
        assert {known.accept(key).name for key in keys.values()} == {"one", "two"}
        assert known.accept(generate_key()) is None
        assert known.accept("") is None


def test_revoked_key_is_refused_at_once_and_keeps_its_line(tmp_path: Path) -> None:
    first, second = generate_key(), generate_key()
    add_key(tmp_path, first, "desk")
    live = ApiKeys(tmp_path)
    assert live.accept(first)
    revoke_key(tmp_path, "desk")
    assert live.accept(first) is None
    with pytest.raises(NoSuchKey):
        revoke_key(tmp_path, "desk")
    added = add_key(tmp_path, second, "desk")  # the name is free again
    assert live.accept(second) == added
    assert revoke_key(tmp_path, added.key_id).key_id == added.key_id
    assert not live
    assert [(it.name, it.revoked_at is None) for it in read_keys(tmp_path)] == [("desk", False)] * 2


@pytest.mark.parametrize("name", ["", "x" * 65, "line\nbreak", "desk"])
def test_unusable_name_of_a_key_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    add_key(tmp_path, generate_key(), "desk")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(KeyNameUnusable):
        add_key(tmp_path, generate_key(), name)
    assert (tmp_path / FILE_NAME).read_bytes() == before


@pytest.mark.parametrize("line", ["", "{}", "A" * 64, "é", '{"sha256":"' + "g" * 64 + '"}'])
def test_damaged_key_file_names_its_line(tmp_path: Path, line: str) -> None:
    add_key(tmp_path, generate_key(), "desk")
    with (tmp_path / FILE_NAME).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(ApiKeysDamaged) as caught:
        ApiKeys(tmp_path)
    assert caught.value.line == 2


def test_file_that_is_damaged_while_the_bridge_runs_accepts_no_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = generate_key()
    add_key(tmp_path, key, "desk")
    live = ApiKeys(tmp_path)
    whole = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(whole + b"x\n")
    with caplog.at_level(logging.ERROR):
        assert live.accept(key) is None
    assert "line 2" in caplog.text
    (tmp_path / FILE_NAME).write_bytes(whole)
    assert live.accept(key)
    os.remove(tmp_path / FILE_NAME)
    assert live.accept(key) is None


async def test_key_that_is_revoked_while_the_bridge_runs_opens_nothing_more(
    world: World, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/devices/list")).status_code == 200
    revoke_key(world.database.data_dir, "test")
    refused = await http.get("/devices/list")
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "unauthorized")


async def test_read_only_key_sees_no_pin_and_no_secret(
    world: World, http: httpx.AsyncClient, reader: httpx.AsyncClient, device_id: str
) -> None:
    created = await http.post("/access_codes/create", json={"device_id": device_id, "code": SECRET_PIN})
    id_ = created.json()["access_code"]["access_code_id"]
    await world.add_code(device_id, "11111111-2222-4333-8444-555555555555", managed=False, code="71934826")
    webhook = await http.post("/webhooks/create", json={"url": "https://example.org/"})
    webhook_id = webhook.json()["webhook"]["webhook_id"]
    reads = [
        ("/access_codes/get", {"access_code_id": id_}),
        ("/access_codes/list", {"device_id": device_id}),
        ("/access_codes/unmanaged/list", {"device_id": device_id}),
        ("/action_attempts/list", {"device_id": device_id}),
        ("/events/list", {"since": "2000-01-01T00:00:00Z"}),
        ("/webhooks/get", {"webhook_id": webhook_id}),
        ("/webhooks/list", {}),
    ]
    for path, query in reads:
        # With the other key first: its reply is kept, and must not be given to this one.
        full = await http.get(path, params=query)
        shown = await reader.get(path, params=query)
        assert shown.status_code == 200, path
        for secret in (SECRET_PIN, "71934826", webhook.json()["webhook"]["secret"]):
            assert secret not in shown.text, path
        assert (await http.get(path, params=query)).text == full.text
    await world.keypad_shows(device_id, 3, maker=HUB, code=SECRET_PIN, access_code_id=id_)
    asked = {"since": "2000-01-01T00:00:00Z", "event_type": "access_code.set_on_device"}
    (event,) = (await reader.get("/events/list", params=asked)).json()["events"]
    assert event["code"] == ""  # not null: strict clients need a text
    await world.change(id_, code=OTHER_PIN)
    one = await reader.get("/access_codes/get", params={"access_code_id": id_})
    assert one.json()["access_code"]["code"] is None
    assert one.json()["access_code"]["status"] == "setting"
    assert one.json()["access_code"]["doorpad"]["is_weak_code"] is None


OTHER_PIN, THIRD_PIN = "71934826", "60418273"


@pytest.fixture
async def ids(world: World, http: httpx.AsyncClient, device_id: str) -> dict[str, Any]:
    """Of one of each thing that there is, with PINs and a secret wherever they may be."""
    created = await http.post("/access_codes/create", json={"device_id": device_id, "code": SECRET_PIN})
    code_id = created.json()["access_code"]["access_code_id"]
    await http.patch("/access_codes/update", json={"access_code_id": code_id, "code": OTHER_PIN})
    unmanaged_id = "11111111-2222-4333-8444-555555555555"
    await world.add_code(device_id, unmanaged_id, managed=False, code=THIRD_PIN)
    taken = {"access_code_id": code_id, "code": THIRD_PIN}
    refused = await http.patch("/access_codes/update", json=taken)
    assert refused.status_code == 409 and THIRD_PIN not in refused.text
    await world.put_on_keypad(code_id, slot=1)
    webhook = (await http.post("/webhooks/create", json={"url": "https://example.org/"})).json()["webhook"]
    hub = await world.database.hub()
    events = await http.get("/events/list?since=2000-01-01T00:00:00Z")
    return {
        "access_code_id": [code_id, unmanaged_id],
        "access_code_ids": [[code_id, unmanaged_id]],
        "action_attempt_id": [created.json()["action_attempt"]["action_attempt_id"]],
        "connected_account_id": [hub.connected_account_id],
        "device_id": [device_id],
        "event_id": [it["event_id"] for it in events.json()["events"]],
        "since": ["2000-01-01T00:00:00Z"],
        "webhook_id": [webhook["webhook_id"]],
        "secret": webhook["secret"],
    }


@pytest.mark.parametrize(
    "operation", [it for it in app.OPERATIONS if it.verbs == READ], ids=lambda it: it.path
)
async def test_no_path_shows_a_pin_or_a_secret_to_a_read_only_key(
    reader: httpx.AsyncClient, ids: dict[str, Any], operation: Any
) -> None:
    """With each parameter by which something is found, alone and with the device's id; new paths are among them."""
    names = [it for it in operation.params.__struct_fields__ if it in ids]
    asked = [{}, *({name: value} for name in names for value in ids[name])]
    asked += [{"device_id": ids["device_id"][0], **it} for it in asked if "device_id" in names]
    answered = 0
    for query in asked:
        for verb in operation.verbs:
            shown = await reader.request(
                verb, operation.path, **({"params": query} if verb == "GET" else {"json": query})
            )
            answered += shown.status_code == 200
            for secret in (SECRET_PIN, OTHER_PIN, THIRD_PIN, ids["secret"]):
                assert secret not in shown.text, query
    assert answered or operation.path in ("/bridges/get", "/devices/unmanaged/get")


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("/access_codes/get", {"code": SECRET_PIN}),
        ("/access_codes/unmanaged/get", {"code": SECRET_PIN}),
        ("/access_codes/list", {"search": SECRET_PIN}),
        ("/access_codes/unmanaged/list", {"search": SECRET_PIN}),
    ],
)
async def test_read_only_key_cannot_find_a_pin_out_by_asking(
    reader: httpx.AsyncClient, device_id: str, path: str, question: dict[str, str]
) -> None:
    refused = await reader.get(path, params={"device_id": device_id, **question})
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "forbidden")
    assert SECRET_PIN not in refused.text


@pytest.mark.parametrize(
    "operation", [it for it in app.OPERATIONS if it.verbs != READ], ids=lambda it: it.path
)
async def test_read_only_key_changes_nothing(reader: httpx.AsyncClient, operation: Any) -> None:
    for verb in operation.verbs:
        refused = await reader.request(verb, operation.path, json={})
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "forbidden")


async def test_sdk_tells_that_a_key_is_read_only(
    world: World, reader: httpx.AsyncClient, device_id: str
) -> None:
    key = reader.headers["authorization"].removeprefix("Bearer ")
    async with AsyncSeam(api_key=key, endpoint=world.server.url) as seam:
        with pytest.raises(SeamHttpApiError) as caught:
            await seam.access_codes.create(device_id=device_id)
    assert (caught.value.status_code, caught.value.code) == (403, "forbidden")


def test_failures_are_few_in_a_row_and_then_one_every_six_seconds() -> None:
    failures = Failures()
    assert [failures.count("a", 0) for _ in range(10)] == [0] * 10
    assert failures.count("a", 0) == 6_000
    assert failures.count("a", 2_000) == 4_000
    assert failures.count("b", 2_000) == 0
    assert [failures.count("a", 6_000), failures.count("a", 6_000)] == [0, 6_000]
    assert [failures.count("a", 66_000 + 1) for _ in range(10)] == [0] * 10


def test_failures_after_the_clock_went_back_are_not_punished_for_long() -> None:
    failures = Failures()
    for _ in range(10):
        failures.count("a", 10**12)
    assert failures.count("a", 0) <= 6_000


def test_failures_of_many_addresses_take_bounded_memory() -> None:
    failures = Failures()
    for number in range(5_000):
        failures.count(str(number), 0)
    assert len(failures._full_at_ms) <= 1_024


async def test_wrong_keys_are_slowed_down_and_right_ones_never(world: World, http: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=world.server.url) as stranger:
        statuses = [
            (await stranger.get("/devices/list", headers={"authorization": f"Bearer {generate_key()}"}))
            for _ in range(12)
        ]
        assert [it.status_code for it in statuses] == [401] * 10 + [429] * 2
        assert statuses[-1].headers["retry-after"] == "6"
        assert statuses[-1].json()["error"]["type"] == "too_many_requests"
        assert (await http.get("/devices/list")).status_code == 200
        world.now_ms += 6_000
        assert (await stranger.get("/devices/list")).status_code == 401


async def test_each_change_is_logged_with_the_key_that_made_it(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    (key,) = read_keys(world.database.data_dir)
    created = await http.post(
        "/access_codes//create/", json={"device_id": device_id, "code": SECRET_PIN, "name": "Guest"}
    )
    id_ = created.json()["access_code"]["access_code_id"]
    world.now_ms += 1_000
    changed = await http.patch("/access_codes/update", json={"access_code_id": id_, "code": "71934826"})
    assert changed.status_code == 200
    await http.patch("/devices/update", json={"device_id": device_id, "name": "Back door"})
    await http.get("/access_codes/get", params={"access_code_id": id_})
    refused = await http.post("/access_codes/create", json={"device_id": device_id, "code": "71934826"})
    assert refused.status_code == 409
    await http.request("DELETE", "/access_codes/delete", json={"access_code_id": id_})
    log = entries(world)
    assert [(it["did"], it["subject"], it["subject_id"], it["path"]) for it in log] == [
        ("created", "access_code", id_, "/access_codes/create"),
        ("changed", "access_code", id_, "/access_codes/update"),
        ("changed", "device", device_id, "/devices/update"),
        ("changed", "access_code", id_, "/access_codes/delete"),
    ]
    assert {(it["key_id"], it["key_name"]) for it in log} == {(key.key_id, "test")}
    assert [it["at_ms"] - NOW_MS for it in log] == [0, 1_000, 1_000, 1_000]
    assert log[0]["request_id"] == created.headers["seam-request-id"]
    assert "code" in log[1]["fields"]
    assert "name" not in log[1]["fields"]
    assert not {SECRET_PIN, "71934826"} & set(str(log).replace("'", " ").split())


CODE_ID, UNMANAGED_ID = (f"00000000-0000-4000-8000-00000000000{it}" for it in (1, 2))
WEBHOOK_ID = "00000000-0000-4000-8000-000000000003"
OF_CODE, OF_UNMANAGED, OF_WEBHOOK = (
    {"access_code_id": CODE_ID},
    {"access_code_id": UNMANAGED_ID},
    {"webhook_id": WEBHOOK_ID},
)
# A request that changes something, of each path that can; D is the device, H the hub's account.
CHANGES: dict[str, dict[str, Any]] = {
    "/access_codes/create": {"device_id": "D"},
    "/access_codes/create_multiple": {"device_ids": ["D"]},
    "/access_codes/update": {**OF_CODE, "name": "Ann"},
    "/access_codes/update_multiple": {"common_code_key": "group", "name": "Ann"},
    "/access_codes/delete": OF_CODE,
    "/access_codes/report_device_constraints": {"device_id": "D", "min_code_length": 5},
    "/access_codes/unmanaged/update": {**OF_UNMANAGED, "is_managed": True},
    "/access_codes/unmanaged/convert_to_managed": OF_UNMANAGED,
    "/access_codes/unmanaged/delete": OF_UNMANAGED,
    "/locks/simulate/keypad_code_entry": {"device_id": "D", "code": "4711"},
    "/locks/unlock_door": {"device_id": "D"},
    "/locks/lock_door": {"device_id": "D"},
    "/devices/update": {"device_id": "D", "name": "Back"},
    "/devices/report_provider_metadata": {
        "devices": [{"device_id": "D", "ultraloq_metadata": {"time_zone": "Asia/Tokyo"}}]
    },
    "/devices/unmanaged/update": {"device_id": "U", "is_managed": True},
    "/devices/delete": {"device_id": "D"},
    "/devices/simulate/disconnect_from_hub": {"device_id": "D"},
    "/devices/simulate/connect_to_hub": {"device_id": "D"},
    "/devices/simulate/remove": {"device_id": "D"},
    "/devices/simulate/paid_subscription": {"device_id": "D", "is_expired": True},
    "/webhooks/create": {"url": "https://example.org/"},
    "/webhooks/update": {**OF_WEBHOOK, "event_types": ["device.connected"]},
    "/webhooks/delete": OF_WEBHOOK,
    "/connected_accounts/update": {"connected_account_id": "H", "custom_metadata": {"a": "b"}},
    "/connected_accounts/simulate/disconnect": {"connected_account_id": "H"},
}
# What these do, they do to a keypad and not to what the hub has written down.
WITHOUT_A_TRACE = {
    "/access_codes/pull_backup_access_code",  # needs a pool that is filled: test_api_backup_codes.py
    "/access_codes/simulate/create_unmanaged_access_code",
    "/devices/simulate/connect",
    "/devices/simulate/disconnect",
    "/locks/simulate/manual_lock_via_keypad",
    "/connected_accounts/sync",
    "/connected_accounts/delete",  # refused while the hub answers
}


def test_each_path_that_changes_something_is_asked_whether_it_is_logged() -> None:
    assert CHANGES.keys() | WITHOUT_A_TRACE == {it.path for it in app.OPERATIONS if it.verbs != READ}


@pytest.mark.parametrize("path", CHANGES)
async def test_change_by_each_path_is_logged_with_its_key(
    world: World, http: httpx.AsyncClient, device_id: str, path: str
) -> None:
    left_alone = await world.add_device("00112233445566bb", managed=False)
    await world.add_code(device_id, CODE_ID, common_code_key="group")
    await world.add_code(device_id, UNMANAGED_ID, code="591024", managed=False, name="Keypad code 2")
    async with world.database.write() as session:
        session.add(Webhook(webhook_id=WEBHOOK_ID, url="-", secret="-", event_types=["*"], created_at_ms=0))
    if path == "/devices/delete":
        world.wakes.retired.add(device_id)
    hub_id = (await world.database.hub()).connected_account_id
    names = {"D": device_id, "U": left_alone, "H": hub_id}
    asked = json.dumps(CHANGES[path])
    for name, id_ in names.items():
        asked = asked.replace(f'"{name}"', f'"{id_}"')
    if path == "/devices/simulate/connect_to_hub":
        away = await http.post("/devices/simulate/disconnect_from_hub", content=asked)
        assert away.status_code == 200
    before = len(entries(world))
    response = await http.post(path, content=asked)
    assert response.status_code == 200, response.text
    logged = entries(world)[before:]
    assert logged
    request_id = response.headers["seam-request-id"]
    assert {(it["key_name"], it["path"], it["request_id"]) for it in logged} == {("test", path, request_id)}


async def test_what_the_hub_does_by_itself_is_nobodys_change(world: World, device_id: str) -> None:
    await world.add_code(device_id, "11111111-2222-4333-8444-555555555555")
    assert entries(world) == []


async def test_audit_log_of_a_refused_request_is_taken_back_with_it(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    await http.post("/access_codes/create", json={"device_id": device_id, "code": SECRET_PIN})
    before = entries(world)
    devices = [device_id, await world.add_device("00112233445566bb")]
    refused = await http.put(
        "/access_codes/create_multiple", json={"device_ids": devices, "code": SECRET_PIN}
    )
    assert refused.status_code == 409
    assert entries(world) == before


def test_audit_log_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(NoAuditLog, match=r"none\.sqlite3"):
        list(read_entries(tmp_path / "none.sqlite3"))
    sqlite3.connect(tmp_path / "other.sqlite3").close()
    with pytest.raises(NoAuditLog):
        list(read_entries(tmp_path / "other.sqlite3"))
