"""One code for several doors, generated codes, and what a device allows, through the official SDK."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from api_world import NOW_MS, NOW_S, World, check_refused
from doorpad.api import waiting
from doorpad.api.keys import ApiKeys, add_key, generate_key
from doorpad.events.log import record
from doorpad.store.database import Database
from doorpad.store.identity import effect_event_id
from doorpad.store.pins import is_weak
from doorpad.store.schema import Event
from seam import NULL, AsyncSeam, SeamHttpApiError, SeamHttpInvalidInputError
from sqlalchemy import select

UNKNOWN = "00000000-0000-4000-8000-000000000000"
STARTS, ENDS = "2027-01-15T10:00:00Z", "2027-01-16T10:00:00Z"


@pytest.fixture
async def doors(world: World) -> list[str]:
    return [
        await world.add_device("00112233445566aa", pin_min=4, pin_max=8),
        await world.add_device("00112233445566bb", pin_min=5, pin_max=12),
    ]


async def test_generated_code_of_several_doors_is_one_that_all_can_hold(
    world: World, seam: AsyncSeam, doors: list[str]
) -> None:
    codes = await seam.access_codes.create_multiple(device_ids=doors, name="Ann", preferred_code_length=8)
    assert [code.device_id for code in codes] == doors
    assert len({code.code for code in codes}) == 1
    assert len(codes[0].code) == 8
    (key,) = {code.common_code_key for code in codes}
    assert key.startswith("auto_set_by_create_multiple_")
    assert world.wakes.device_ids == doors

    # A third door joins the group by its key, and gets the PIN that the group has.
    third = await world.add_device("00112233445566cc")
    joined = await seam.access_codes.create(device_id=third, common_code_key=key)
    assert joined.code == codes[0].code
    with pytest.raises(SeamHttpInvalidInputError) as caught:
        await seam.access_codes.create(device_id=third, common_code_key=key, code="59102")
    assert caught.value.get_validation_error_messages("code")


async def test_creation_with_a_key_of_the_clients_own_is_repeatable(
    world: World, http: httpx.AsyncClient, doors: list[str]
) -> None:
    asked = {
        "device_id": doors[0],
        "name": "Booking 2041",
        "common_code_key": "booking-2041",
        "starts_at": STARTS,
        "ends_at": ENDS,
    }
    first = (await http.post("/access_codes/create", json=asked)).json()
    pin = first["access_code"]["code"]
    for again in ({}, {"code": pin}):  # as after an answer that was lost
        assert (await http.post("/access_codes/create", json=asked | again)).json() == first
    assert world.wakes.device_ids == [doors[0]]
    async with world.database.read() as session:
        events = (await session.scalars(select(Event.event_type))).all()
    assert events == ["access_code.created"]
    # Another request with the key is one for another code, and here the PIN is taken.
    for other in ({"name": "Ann"}, {"ends_at": "2027-01-17T10:00:00Z"}, {"is_one_time_use": True}):
        response = await http.post("/access_codes/create", json=asked | other)
        error = check_refused(response, 409, "duplicate_access_code")
        assert error["data"] == {"access_code_id": first["access_code"]["access_code_id"]}
    on_the_other = (await http.post("/access_codes/create", json=asked | {"device_id": doors[1]})).json()
    assert on_the_other["access_code"]["code"] == pin
    await http.delete(f"/access_codes/delete?access_code_id={first['access_code']['access_code_id']}")
    response = await http.post("/access_codes/create", json=asked)
    assert response.status_code == 409, "the keypad may still have the first"


@pytest.mark.parametrize(
    "over", [{"ends_at_s": NOW_S - 100}, {"used_at_ms": NOW_MS - 1, "uses_left": 0}], ids=repr
)
async def test_group_whose_codes_are_over_has_no_pin(
    world: World, seam: AsyncSeam, device_id: str, over: dict[str, int]
) -> None:
    """The guest before knows it; who comes next under the same key is another one."""
    window = {"starts_at_s": NOW_S - 200, "ends_at_s": NOW_S + 100}
    await world.add_code(device_id, UNKNOWN, code="482913", common_code_key="room 12", **(window | over))
    chosen = await seam.access_codes.create(device_id=device_id, common_code_key="room 12", code="59102")
    other = await world.add_device("00112233445566bb")
    joined = await seam.access_codes.create(device_id=other, common_code_key="room 12")
    assert (chosen.code, joined.code) == ("59102", "59102")


async def test_named_code_of_several_doors_has_no_key(seam: AsyncSeam, doors: list[str]) -> None:
    codes = await seam.access_codes.create_multiple(device_ids=doors, code="482913")
    assert [(code.code, code.common_code_key) for code in codes] == [("482913", None)] * 2


@pytest.mark.parametrize(
    ("code", "second", "status", "type_"),
    [
        ("4829", {}, 400, "invalid_input"),  # too short for the second door
        ("482913", {"code": "482913"}, 409, "duplicate_access_code"),
        (None, {"lengths": [12]}, 400, "invalid_input"),  # no length in common
    ],
    ids=["too short", "taken", "no common length"],
)
async def test_door_that_cannot_share_stops_all_or_gets_its_own_code(
    world: World,
    http: httpx.AsyncClient,
    seam: AsyncSeam,
    doors: list[str],
    code: str | None,
    second: dict[str, object],
    status: int,
    type_: str,
) -> None:
    if "code" in second:
        await seam.access_codes.create(device_id=doors[1], code=second["code"])
    if "lengths" in second:
        await seam.access_codes.report_device_constraints(
            device_id=doors[1], supported_code_lengths=second["lengths"]
        )
    asked = {"device_ids": doors} | ({} if code is None else {"code": code})
    response = await http.put("/access_codes/create_multiple", json=asked)
    assert response.status_code == status
    assert response.json()["error"]["type"] == type_
    assert await seam.access_codes.list(device_id=doors[0]) == []

    codes = await seam.access_codes.create_multiple(
        **asked, behavior_when_code_cannot_be_shared="create_random_code"
    )
    shared, alone = codes
    assert shared.code == code if code is not None else len(shared.code) <= 8
    assert alone.code != shared.code
    assert alone.common_code_key is None


async def test_put_that_is_sent_again_makes_the_codes_once(
    world: World, http: httpx.AsyncClient, doors: list[str]
) -> None:
    asked = {"device_ids": doors}
    replies = await asyncio.gather(*(http.put("/access_codes/create_multiple", json=asked) for _ in range(3)))
    first, *others = (reply.json() for reply in replies)
    assert others == [first, first]
    assert len((await http.get(f"/access_codes/list?device_id={doors[0]}")).json()["access_codes"]) == 1
    world.now_ms += 60_000
    later = (await http.put("/access_codes/create_multiple", json=asked)).json()
    assert later["access_codes"][0]["access_code_id"] != first["access_codes"][0]["access_code_id"]


@contextlib.asynccontextmanager
async def started(folder: Path, key: str) -> AsyncIterator[tuple[World, httpx.AsyncClient]]:
    """A hub on a data folder, and a client of its API, for as long as the block lasts."""
    database = await Database.open(folder)
    world = World(database, key, ApiKeys(folder))
    await world.server.start()
    headers = {"authorization": f"Bearer {key}"}
    try:
        async with httpx.AsyncClient(base_url=world.server.url, headers=headers) as client:
            yield world, client
    finally:
        await world.server.stop()
        await database.close()


async def test_put_and_delete_that_are_sent_again_to_a_hub_that_was_started_anew_take_effect_once(
    migrated: Path, tmp_path: Path
) -> None:
    """Goal: an SDK whose answer was lost with the hub itself does not make a guest two codes for each door."""
    folder = tmp_path / "restarted"
    shutil.copytree(migrated, folder)
    keys = [generate_key(), generate_key()]
    for key in keys:
        add_key(folder, key, key[-4:])
    async with started(folder, keys[0]) as (world, http):
        asked = {"device_ids": [await world.add_device(f"00112233445566{it:02x}") for it in (2, 1)]}
        first = (await http.put("/access_codes/create_multiple", json=asked)).json()
        webhook = (await http.post("/webhooks/create", json={"url": "https://example.org/"})).json()
        ended = {"webhook_id": webhook["webhook"]["webhook_id"]}
        assert (await http.delete("/webhooks/delete", params=ended)).status_code == 200
        retired = {"device_id": await world.add_device("00112233445566ff")}
        world.wakes.retired.add(retired["device_id"])
        assert (await http.delete("/devices/delete", params=retired)).status_code == 200
    async with started(folder, keys[0]) as (world, http):
        world.now_ms += 59_000
        world.wakes.retired.add(retired["device_id"])
        assert (await http.put("/access_codes/create_multiple", json=asked)).json() == first
        for path, named in (("/webhooks/delete", ended), ("/devices/delete", retired)):
            assert (await http.delete(path, params=named)).json() == {"ok": True}
        for method, words in (("POST", asked), ("PUT", asked | {"name": "Ann"})):  # these say something else
            other = await http.request(method, "/access_codes/create_multiple", json=words)
            assert {it["access_code_id"] for it in other.json()["access_codes"]}.isdisjoint(
                it["access_code_id"] for it in first["access_codes"]
            )
        events = await http.get("/events/list", params={"since": "2000-01-01T00:00:00Z"})
        told = [it["event_type"] for it in events.json()["events"]]
        assert (told.count("access_code.created"), told.count("device.deleted")) == (6, 1)
    async with started(folder, keys[1]) as (world, http):  # another client, who says the same
        world.now_ms += 59_000
        other = (await http.put("/access_codes/create_multiple", json=asked)).json()
        assert other["access_codes"][0]["access_code_id"] != first["access_codes"][0]["access_code_id"]
        check_refused(await http.delete("/webhooks/delete", params=ended), 404, "webhook_not_found")
    async with started(folder, keys[0]) as (world, http):
        world.now_ms += 61_000
        later = (await http.put("/access_codes/create_multiple", json=asked)).json()
        assert later["access_codes"][0]["access_code_id"] != first["access_codes"][0]["access_code_id"]
        check_refused(await http.delete("/webhooks/delete", params=ended), 404, "webhook_not_found")


async def test_put_whose_codes_are_gone_makes_new_ones(seam: AsyncSeam, doors: list[str]) -> None:
    first = await seam.access_codes.create_multiple(device_ids=doors, name="Ann")
    again = await seam.access_codes.create_multiple(device_ids=doors, name="Ann")
    assert [it.access_code_id for it in again] == [it.access_code_id for it in first]
    await seam.access_codes.delete(access_code_id=first[1].access_code_id)
    other = await seam.access_codes.create_multiple(device_ids=doors, name="Ann")
    assert not {it.access_code_id for it in other} & {it.access_code_id for it in first}


async def test_put_that_sets_a_value_sets_it_each_time(
    http: httpx.AsyncClient, seam: AsyncSeam, doors: list[str]
) -> None:
    """The same PUT within a minute is no repetition if another value was set in between."""
    id_ = (await seam.access_codes.create(device_id=doors[0])).access_code_id
    webhook = await seam.webhooks.create(url="https://example.org/")
    for name, kind in [("Ann", "device.connected"), ("Bob", "device.removed"), ("Ann", "device.connected")]:
        await http.put("/access_codes/update", json={"access_code_id": id_, "name": name})
        assert (await seam.access_codes.get(access_code_id=id_)).name == name
        await seam.webhooks.update(webhook_id=webhook.webhook_id, event_types=[kind])
        assert (await seam.webhooks.get(webhook_id=webhook.webhook_id)).event_types == [kind]


async def test_refused_put_is_tried_anew(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, doors: list[str]
) -> None:
    taken = await seam.access_codes.create(device_id=doors[1], code="482913")
    asked = {"device_ids": doors, "code": "482913"}
    check_refused(await http.put("/access_codes/create_multiple", json=asked), 409, "duplicate_access_code")
    await world.change(taken.access_code_id, state="deleted", deleted_at_ms=world.now_ms)
    assert (await http.put("/access_codes/create_multiple", json=asked)).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"device_ids": []}, "device_ids"),
        ({"device_ids": "twice"}, "device_ids"),
        ({"starts_at": STARTS}, "ends_at"),
        ({"behavior_when_code_cannot_be_shared": "guess"}, "behavior_when_code_cannot_be_shared"),
        ({"use_backup_access_code_pool": True}, "use_backup_access_code_pool"),
    ],
    ids=repr,
)
async def test_create_multiple_refuses(
    world: World, http: httpx.AsyncClient, doors: list[str], change: dict[str, object], field: str
) -> None:
    if change.get("device_ids") == "twice":
        change = {"device_ids": [doors[0], doors[0]]}
    response = await http.put("/access_codes/create_multiple", json={"device_ids": doors, **change})
    check_refused(response, 400, "invalid_input", field)
    assert world.wakes.device_ids == []


async def test_create_multiple_with_an_unknown_door_makes_nothing(
    http: httpx.AsyncClient, doors: list[str]
) -> None:
    asked = {"device_ids": [doors[0], UNKNOWN]}
    check_refused(await http.put("/access_codes/create_multiple", json=asked), 404, "device_not_found")
    assert (await http.get(f"/access_codes/list?device_id={doors[0]}")).json()["access_codes"] == []


async def test_group_is_changed_as_a_whole_or_not_at_all(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, doors: list[str]
) -> None:
    codes = await seam.access_codes.create_multiple(device_ids=doors, name="Ann")
    key = codes[0].common_code_key
    world.wakes.device_ids.clear()
    await seam.access_codes.update_multiple(common_code_key=key, name="Bob")
    assert world.wakes.device_ids == []  # the keypads do not know names
    await seam.access_codes.update_multiple(common_code_key=key, starts_at=STARTS, ends_at=ENDS)
    assert sorted(world.wakes.device_ids) == sorted(doors)  # made in one moment, they have no order
    for code in codes:
        now = await seam.access_codes.get(access_code_id=code.access_code_id)
        assert (now.name, now.ends_at, now.code) == ("Bob", "2027-01-16T10:00:00.000Z", code.code)

    # Another code at the second door has the PIN from the end of the group's time on.
    await seam.access_codes.create(
        device_id=doors[1], code=codes[1].code, starts_at=ENDS, ends_at="2027-02-01T00:00:00Z"
    )
    longer = {"common_code_key": key, "starts_at": STARTS, "ends_at": "2027-01-20T10:00:00Z"}
    response = await http.patch("/access_codes/update_multiple", json=longer)
    check_refused(response, 409, "duplicate_access_code")
    first = await seam.access_codes.get(access_code_id=codes[0].access_code_id)
    assert first.ends_at == "2027-01-16T10:00:00.000Z"

    response = await http.patch("/access_codes/update_multiple", json={"common_code_key": "nobody's"})
    check_refused(response, 404, "access_code_not_found")
    await seam.access_codes.update_multiple(common_code_key=key, name=NULL)
    assert (await seam.access_codes.get(access_code_id=codes[1].access_code_id)).name is None


async def test_code_is_generated_and_not_reserved(seam: AsyncSeam, doors: list[str]) -> None:
    generated = await seam.access_codes.generate_code(device_id=doors[0])
    assert generated.device_id == doors[0]
    assert len(generated.code) == 6 and not is_weak(generated.code)
    assert await seam.access_codes.list(device_id=doors[0]) == []
    await seam.access_codes.create(device_id=doors[0], code=generated.code)


async def test_generation_on_a_full_device_is_refused(world: World, http: httpx.AsyncClient) -> None:
    device_id = await world.add_device(pin_min=1, pin_max=1)
    for digit in range(10):
        await world.add_code(device_id, f"{UNKNOWN[:-1]}{digit}", code=str(digit))
    response = await http.get(f"/access_codes/generate_code?device_id={device_id}")
    check_refused(response, 409, "duplicate_access_code")


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"supported_code_lengths": [8, 6, 6]}, [6, 8]),
        ({"min_code_length": 6}, [6, 7, 8]),
        ({"max_code_length": 5}, [4, 5]),
        ({"min_code_length": 5, "max_code_length": 20}, [5, 6, 7, 8]),
    ],
    ids=repr,
)
async def test_reported_lengths_narrow_what_is_shown_and_what_is_taken(
    seam: AsyncSeam, doors: list[str], reported: dict[str, object], expected: list[int]
) -> None:
    kept = await seam.access_codes.create(device_id=doors[0], code="4829137")
    await seam.access_codes.report_device_constraints(device_id=doors[0], **reported)
    device = await seam.devices.get(device_id=doors[0])
    assert device.properties.supported_code_lengths == expected
    for digits in range(4, 9):
        pin = "59102837"[:digits]
        if digits in expected:
            await seam.access_codes.create(device_id=doors[0], code=pin)
        else:
            with pytest.raises(SeamHttpInvalidInputError):
                await seam.access_codes.create(device_id=doors[0], code=pin)
    # A code that was there stays as it is, and its name can still be changed.
    await seam.access_codes.update(access_code_id=kept.access_code_id, name="Ann")
    assert (await seam.access_codes.get(access_code_id=kept.access_code_id)).code == "4829137"


@pytest.mark.parametrize(
    ("reported", "fields"),
    [
        ({}, ()),
        ({"supported_code_lengths": []}, ("supported_code_lengths",)),
        ({"supported_code_lengths": [3]}, ("supported_code_lengths",)),
        ({"supported_code_lengths": [9, 20]}, ("supported_code_lengths",)),
        ({"min_code_length": 9}, ("min_code_length",)),
        ({"min_code_length": 7, "max_code_length": 6}, ("max_code_length",)),
        (
            {"supported_code_lengths": [4], "min_code_length": 4},
            ("supported_code_lengths", "min_code_length"),
        ),
    ],
    ids=repr,
)
async def test_reported_lengths_that_make_no_sense_are_refused(
    http: httpx.AsyncClient, doors: list[str], reported: dict[str, object], fields: tuple[str, ...]
) -> None:
    response = await http.post(
        "/access_codes/report_device_constraints", json={"device_id": doors[0], **reported}
    )
    check_refused(response, 400, "invalid_input", *fields)


async def test_backup_of_a_device_without_a_pool_is_refused(
    world: World, http: httpx.AsyncClient, doors: list[str]
) -> None:
    await world.add_code(doors[0], UNKNOWN)
    asked = {"access_code_id": UNKNOWN}
    response = await http.post("/access_codes/pull_backup_access_code", json=asked)
    check_refused(response, 400, "access_code_not_time_bound")
    await world.change(UNKNOWN, starts_at_s=NOW_S - 100, ends_at_s=NOW_S + 100)
    response = await http.post("/access_codes/pull_backup_access_code", json=asked)
    check_refused(response, 400, "no_backup_access_code_available")


@pytest.mark.parametrize("away", ["offline", "disconnected", "new", "resuming"])
async def test_code_that_may_not_wait_is_refused_while_the_keypad_is_away(
    world: World, http: httpx.AsyncClient, away: str
) -> None:
    device_id = await world.add_device(link_state=away)
    asked = {"device_id": device_id, "attempt_for_offline_device": False}
    field = "attempt_for_offline_device"
    check_refused(await http.post("/access_codes/create", json=asked), 400, "invalid_input", field)
    await world.add_code(device_id, UNKNOWN)
    changed = {"access_code_id": UNKNOWN, "attempt_for_offline_device": False}
    response = await http.patch("/access_codes/update", json={**changed, "code": "482913"})
    check_refused(response, 400, "invalid_input", field)
    response = await http.patch("/access_codes/update", json={**changed, "name": "Ann"})
    assert response.status_code == 200


async def test_synchronous_create_answers_when_the_keypad_has_it(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    with world.feed.subscribe() as events:
        asking = asyncio.create_task(
            http.post("/access_codes/create", json={"device_id": device_id, "sync": True})
        )
        created = await anext(events)
        assert created.access_code_id is not None
        await world.put_on_keypad(created.access_code_id, slot=1)
        async with world.database.write() as session:
            await record(
                session,
                event_id=effect_event_id(created.access_code_id, "access_code.set_on_device", 1),
                event_type="access_code.set_on_device",
                device_id=device_id,
                access_code_id=created.access_code_id,
                occurred_at_ms=world.now_ms,
                payload={},
            )
        reply = (await asking).json()
    assert reply["action_attempt"]["status"] == "success"
    assert reply["access_code"]["status"] == "set"


async def test_synchronous_calls_for_a_keypad_that_is_away_answer_that_they_are_pending(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the 10 s that a reply is held; what was asked for stands, and is done later."""
    monkeypatch.setattr(waiting, "_HOLD_S", 0.01)
    device_id = await world.add_device(link_state="disconnected")
    id_ = None
    for verb, path, asked in [
        ("POST", "create", {"device_id": device_id, "code": "482913"}),
        ("PATCH", "update", {"code": "591037"}),
        ("DELETE", "delete", {}),
    ]:
        about = {} if id_ is None else {"access_code_id": id_}
        reply = await http.request(verb, f"/access_codes/{path}", json={**asked, **about, "sync": True})
        assert reply.status_code == 200
        attempt = reply.json()["action_attempt"]
        assert (attempt["status"], attempt["result"], attempt["error"]) == ("pending", None, None)
        id_ = id_ or reply.json()["access_code"]["access_code_id"]
    world.now_ms += 600_000
    expired = await http.get(f"/action_attempts/get?action_attempt_id={attempt['action_attempt_id']}")
    assert expired.json()["action_attempt"]["error"]["type"] == "action_attempt_expired"


async def test_update_of_a_duplicate_of_the_group_names_the_holder(seam: AsyncSeam, doors: list[str]) -> None:
    codes = await seam.access_codes.create_multiple(device_ids=doors)
    with pytest.raises(SeamHttpApiError) as caught:
        await seam.access_codes.create(device_id=doors[0], code=codes[0].code)
    assert caught.value.data == {"access_code_id": codes[0].access_code_id}


async def test_weak_code_is_taken_and_marked(http: httpx.AsyncClient, device_id: str) -> None:
    for pin, weak in [("1234", True), ("0000", True), ("482913", False)]:
        reply = (await http.post("/access_codes/create", json={"device_id": device_id, "code": pin})).json()
        assert reply["access_code"]["doorpad"]["is_weak_code"] is weak
