"""Managed codes through the official SDK: create, read, update, delete."""

from collections.abc import Sequence

import httpx
import pytest
from api_world import HUB, NOW_MS, NOW_S, World, check_refused
from doorpad.store.pins import is_weak
from doorpad.store.schema import CodeError, Event
from seam import NULL, AsyncSeam, SeamHttpApiError, SeamHttpInvalidInputError, SeamHttpUnauthorizedError
from sqlalchemy import select

UNKNOWN = "00000000-0000-4000-8000-000000000000"
STARTS, ENDS = "2027-01-15T10:00:00Z", "2027-01-16T10:00:00Z"


async def event_types(world: World, access_code_id: str) -> Sequence[str]:
    async with world.database.read() as session:
        return (
            await session.scalars(
                select(Event.event_type).where(Event.access_code_id == access_code_id).order_by(Event.seq)
            )
        ).all()


async def test_created_code_is_stored_logged_and_told_to_the_synchronisation(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    created = await seam.access_codes.create(device_id=device_id, code="482913", name="Ann")
    assert (created.code, created.name, created.type, created.status) == (
        "482913",
        "Ann",
        "ongoing",
        "setting",
    )
    assert created.created_at == "2027-01-15T08:00:00.000Z"
    assert created.is_managed
    assert created.errors == created.warnings == []
    assert [it.mutation_code for it in created.pending_mutations] == ["creating"]
    assert world.wakes.device_ids == [device_id]
    assert await event_types(world, created.access_code_id) == ["access_code.created"]
    assert await seam.access_codes.get(access_code_id=created.access_code_id) == created
    assert await seam.access_codes.get(device_id=device_id, code="482913") == created
    assert await seam.access_codes.list(device_id=device_id) == [created]


async def test_status_follows_the_keypad(world: World, seam: AsyncSeam, device_id: str) -> None:
    created = await seam.access_codes.create(device_id=device_id, code="4829", starts_at=STARTS, ends_at=ENDS)
    assert (created.status, created.is_scheduled_on_device) == ("unset", False)
    await world.put_on_keypad(created.access_code_id, slot=3)
    scheduled = await seam.access_codes.get(access_code_id=created.access_code_id)
    assert (scheduled.status, scheduled.is_scheduled_on_device) == ("unset", True)
    assert scheduled.pending_mutations == []
    world.now_ms += 3 * 3_600_000
    due = await seam.access_codes.get(access_code_id=created.access_code_id)
    assert (due.status, due.display_status) == ("set", "Active")
    world.now_ms += 48 * 3_600_000
    over = await seam.access_codes.get(access_code_id=created.access_code_id)
    assert over.status == "removing"


async def test_generated_pin_has_six_digits_and_is_not_weak(seam: AsyncSeam, device_id: str) -> None:
    pins = [(await seam.access_codes.create(device_id=device_id)).code for _ in range(5)]
    assert len(set(pins)) == 5
    assert all(len(pin) == 6 and not is_weak(pin) for pin in pins)


async def test_generated_pin_keeps_to_the_length_of_the_device(world: World, seam: AsyncSeam) -> None:
    short = await world.add_device("00112233445566bb", pin_min=4, pin_max=5)
    assert len((await seam.access_codes.create(device_id=short)).code) == 5
    assert len((await seam.access_codes.create(device_id=short, preferred_code_length=4)).code) == 4
    assert len((await seam.access_codes.create(device_id=short, preferred_code_length=9)).code) == 5


@pytest.mark.parametrize("pin", ["0000", "1234", "987654", "111111"])
def test_weak_pins_are_known(pin: str) -> None:
    assert is_weak(pin)


async def test_window_is_never_wider_than_asked(seam: AsyncSeam, device_id: str) -> None:
    created = await seam.access_codes.create(
        device_id=device_id, starts_at="2027-01-15T12:00:00.001+02:00", ends_at="2027-01-15T11:00:00.999Z"
    )
    assert created.starts_at == "2027-01-15T10:00:01.000Z"
    assert created.ends_at == "2027-01-15T11:00:00.000Z"


async def test_window_that_began_in_the_past_is_accepted(seam: AsyncSeam, device_id: str) -> None:
    created = await seam.access_codes.create(
        device_id=device_id, starts_at="2027-01-01T00:00:00Z", ends_at=ENDS
    )
    assert created.status == "setting"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"code": "12a4"}, "code"),
        ({"code": "١٢٣٤"}, "code"),
        ({"code": ""}, "code"),
        ({"code": "123"}, "code"),
        ({"code": "1234567890123"}, "code"),
        ({"code": 4711}, "code"),
        ({"name": 5}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"starts_at": STARTS}, "ends_at"),
        ({"ends_at": ENDS}, "starts_at"),
        ({"starts_at": ENDS, "ends_at": STARTS}, "ends_at"),
        ({"starts_at": STARTS, "ends_at": STARTS}, "ends_at"),
        ({"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}, "ends_at"),
        ({"starts_at": "2027-01-15T10:00:00", "ends_at": ENDS}, "starts_at"),
        ({"starts_at": STARTS, "ends_at": "2027-01-16"}, "ends_at"),
        ({"starts_at": STARTS, "ends_at": "tomorrow"}, "ends_at"),
        ({"starts_at": STARTS, "ends_at": "9999-12-31T23:59:59Z"}, "ends_at"),
        ({"starts_at": "0001-01-01T00:00:00+23:59", "ends_at": ENDS}, "starts_at"),
        ({"starts_at": 1_800_000_000, "ends_at": ENDS}, "starts_at"),
        ({"is_offline_access_code": True}, "is_offline_access_code"),
        ({"use_offline_access_code": True}, "use_offline_access_code"),
        ({"use_backup_access_code_pool": True}, "use_backup_access_code_pool"),
        ({"is_one_time_use": "once"}, "is_one_time_use"),
        ({"prefer_native_scheduling": False}, "prefer_native_scheduling"),
        ({"max_time_rounding": "2hours"}, "max_time_rounding"),
        ({"common_code_key": "x" * 256}, "common_code_key"),
        ({"is_external_modification_allowed": "yes"}, "is_external_modification_allowed"),
        ({"sync": 1}, "sync"),
        ({"device_id": "door"}, "device_id"),
        ({"device_id": None}, "device_id"),
    ],
    ids=repr,
)
async def test_create_refuses_and_stores_nothing(
    world: World, http: httpx.AsyncClient, device_id: str, body: dict[str, object], field: str
) -> None:
    response = await http.post("/access_codes/create", json={"device_id": device_id, **body})
    error = check_refused(response, 400, "invalid_input", field)
    if isinstance(body.get("code"), str) and body["code"]:
        assert str(body["code"]) not in response.text
    assert error["data"] == {}
    assert (await http.get(f"/access_codes/list?device_id={device_id}")).json()["access_codes"] == []
    assert world.wakes.device_ids == []


async def test_create_lists_every_wrong_field_at_once(http: httpx.AsyncClient) -> None:
    response = await http.post("/access_codes/create", json={"name": 1, "code": 2})
    check_refused(response, 400, "invalid_input", "name", "code", "device_id")


async def test_sdk_sees_the_findings(seam: AsyncSeam, device_id: str) -> None:
    with pytest.raises(SeamHttpInvalidInputError) as caught:
        await seam.access_codes.create(device_id=device_id, code="12")
    assert caught.value.get_validation_error_messages("code") == ["must have 4 to 12 digits on this device"]


async def test_unknown_ids_are_not_found(http: httpx.AsyncClient, device_id: str) -> None:
    for path, body, type_ in [
        ("/access_codes/create", {"device_id": UNKNOWN}, "device_not_found"),
        ("/access_codes/get", {"access_code_id": UNKNOWN}, "access_code_not_found"),
        ("/access_codes/get", {"device_id": UNKNOWN, "code": "1234"}, "device_not_found"),
        ("/access_codes/get", {"device_id": device_id, "code": "1234"}, "access_code_not_found"),
        ("/access_codes/list", {"device_id": UNKNOWN}, "device_not_found"),
        ("/access_codes/update", {"access_code_id": UNKNOWN}, "access_code_not_found"),
        ("/access_codes/delete", {"access_code_id": UNKNOWN}, "access_code_not_found"),
        ("/action_attempts/get", {"action_attempt_id": UNKNOWN}, "action_attempt_not_found"),
        ("/events/get", {"event_id": UNKNOWN}, "event_not_found"),
        ("/connected_accounts/get", {"connected_account_id": UNKNOWN}, "connected_account_not_found"),
    ]:
        check_refused(await http.post(path, json=body), 404, type_)


async def test_pin_of_an_overlapping_window_is_refused_with_its_holder(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    first = await seam.access_codes.create(device_id=device_id, code="482913", starts_at=STARTS, ends_at=ENDS)
    for window in [{}, {"starts_at": "2027-01-16T09:59:59Z", "ends_at": "2027-02-01T00:00:00Z"}]:
        with pytest.raises(SeamHttpApiError) as caught:
            await seam.access_codes.create(device_id=device_id, code="482913", **window)
        assert (caught.value.status_code, caught.value.code) == (409, "duplicate_access_code")
        assert caught.value.data == {"access_code_id": first.access_code_id}
        assert "482913" not in str(caught.value)
    after = {"starts_at": ENDS, "ends_at": "2027-02-01T00:00:00Z"}
    await seam.access_codes.create(device_id=device_id, code="482913", **after)
    other = await world.add_device("00112233445566bb")
    await seam.access_codes.create(device_id=other, code="482913")


@pytest.mark.parametrize(
    ("fields", "advice"),
    [({"managed": False}, "choose another code"), ({"state": "removing"}, "ask again once that is done")],
    ids=repr,
)
async def test_pin_that_the_keypad_may_still_hold_is_refused_with_what_to_do(
    world: World, http: httpx.AsyncClient, device_id: str, fields: dict[str, object], advice: str
) -> None:
    await world.add_code(device_id, UNKNOWN, code="4711", **fields)
    response = await http.post("/access_codes/create", json={"device_id": device_id, "code": "4711"})
    error = check_refused(response, 409, "duplicate_access_code")
    assert UNKNOWN in error["message"] and advice in error["message"]


async def test_pin_of_an_expired_or_deleted_code_is_free(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await world.add_code(device_id, UNKNOWN, code="4711", state="deleted", deleted_at_ms=NOW_MS)
    await world.add_code(
        device_id, UNKNOWN[:-1] + "1", code="4711", starts_at_s=NOW_S - 200, ends_at_s=NOW_S - 100
    )
    created = await seam.access_codes.create(
        device_id=device_id, code="4711", starts_at="2027-01-01T00:00:00Z", ends_at=ENDS
    )
    assert (await seam.access_codes.get(device_id=device_id, code="4711")) == created


async def test_update_of_pin_and_window_starts_setting_anew(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    created = await seam.access_codes.create(device_id=device_id, code="482913", name="Ann")
    id_ = created.access_code_id
    await world.put_on_keypad(id_, slot=1)
    await world.change(id_, announced="set")
    async with world.database.write() as session:
        session.add(
            CodeError(
                access_code_id=id_,
                error_code="failed_to_set_on_device",
                created_at_ms=NOW_MS,
                message="Failed to set code on device.",
                detail={},
            )
        )
    (error,) = (await seam.access_codes.get(access_code_id=id_)).errors
    assert (error.error_code, error.is_access_code_error) == ("failed_to_set_on_device", True)
    world.wakes.device_ids.clear()

    await seam.access_codes.update(access_code_id=id_, code="59102", starts_at=STARTS, ends_at=ENDS)
    updated = await seam.access_codes.get(access_code_id=id_)
    assert (updated.code, updated.name, updated.type) == ("59102", "Ann", "time_bound")
    assert updated.errors == []
    assert [it.mutation_code for it in updated.pending_mutations] == ["updating_code", "updating_time_frame"]
    row = await world.code(id_)
    assert row is not None
    assert row.announced is None
    assert world.wakes.device_ids == [device_id]
    event = (await seam.events.list(since="2027-01-01T00:00:00Z", event_type="access_code.changed"))[0]
    assert [(it.property, it.to) for it in event.changed_properties] == [
        ("code", None),
        ("starts_at", "2027-01-15T10:00:00.000Z"),
        ("ends_at", "2027-01-16T10:00:00.000Z"),
    ]


async def test_update_of_the_name_does_not_touch_the_keypad(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    created = await seam.access_codes.create(device_id=device_id, code="482913", name="Ann")
    await world.change(created.access_code_id, announced="set")
    world.wakes.device_ids.clear()
    await seam.access_codes.update(access_code_id=created.access_code_id, name="Bob")
    assert (await seam.access_codes.get(access_code_id=created.access_code_id)).name == "Bob"
    await seam.access_codes.update(access_code_id=created.access_code_id, name=NULL)
    assert (await seam.access_codes.get(access_code_id=created.access_code_id)).name is None
    row = await world.code(created.access_code_id)
    assert row is not None
    assert row.announced == "set"
    assert world.wakes.device_ids == []


async def test_update_of_the_name_does_not_wait_for_the_keypad(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    await world.add_code(device_id, UNKNOWN, starts_at_s=NOW_S - 200, ends_at_s=NOW_S - 100)
    made = (await http.post("/access_codes/create", json={"device_id": device_id, "code": "482913"})).json()
    for id_ in (UNKNOWN, made["access_code"]["access_code_id"]):  # one is over, one is on its way
        asked = {"access_code_id": id_, "name": "Bob", "is_external_modification_allowed": True}
        renamed = (await http.patch("/access_codes/update", json=asked)).json()["action_attempt"]
        assert (renamed["status"], renamed["result"]["access_code"]["name"]) == ("success", "Bob")
    # The same PIN as before is asked of the keypad, which does not have it yet.
    again = (await http.patch("/access_codes/update", json={**asked, "code": "482913"})).json()
    assert again["action_attempt"]["status"] == "pending"


async def test_update_that_changes_nothing_is_no_event(world: World, seam: AsyncSeam, device_id: str) -> None:
    created = await seam.access_codes.create(device_id=device_id, code="482913", name="Ann")
    await seam.access_codes.update(access_code_id=created.access_code_id, code="482913", name="Ann")
    await seam.access_codes.update(access_code_id=created.access_code_id)
    assert await event_types(world, created.access_code_id) == ["access_code.created"]


async def test_update_changes_the_type_both_ways(seam: AsyncSeam, device_id: str) -> None:
    created = await seam.access_codes.create(device_id=device_id, code="4829", starts_at=STARTS, ends_at=ENDS)
    id_ = created.access_code_id
    await seam.access_codes.update(access_code_id=id_, ends_at="2027-01-20T00:00:00Z")
    await seam.access_codes.update(access_code_id=id_, type="ongoing")
    assert (await seam.access_codes.get(access_code_id=id_)).starts_at is None
    await seam.access_codes.update(access_code_id=id_, type="time_bound", starts_at=STARTS, ends_at=ENDS)
    await seam.access_codes.update(access_code_id=id_, starts_at=NULL, ends_at=NULL)
    assert (await seam.access_codes.get(access_code_id=id_)).type == "ongoing"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"code": None}, "code"),
        ({"code": "1"}, "code"),
        ({"type": "weekly"}, "type"),
        ({"type": "time_bound"}, "type"),
        ({"type": "ongoing", "starts_at": STARTS, "ends_at": ENDS}, "type"),
        ({"starts_at": STARTS}, "ends_at"),
        ({"starts_at": ENDS, "ends_at": STARTS}, "ends_at"),
        ({"is_managed": False}, "is_managed"),
        ({"is_offline_access_code": True}, "is_offline_access_code"),
    ],
    ids=repr,
)
async def test_update_refuses_and_changes_nothing(
    world: World, http: httpx.AsyncClient, device_id: str, body: dict[str, object], field: str
) -> None:
    await world.add_code(device_id, UNKNOWN, name="Ann")
    before = (await http.get(f"/access_codes/get?access_code_id={UNKNOWN}")).json()
    response = await http.patch("/access_codes/update", json={"access_code_id": UNKNOWN, "name": "B", **body})
    check_refused(response, 400, "invalid_input", field)
    assert (await http.get(f"/access_codes/get?access_code_id={UNKNOWN}")).json() == before


async def test_update_to_the_pin_of_another_is_refused(seam: AsyncSeam, device_id: str) -> None:
    first = await seam.access_codes.create(device_id=device_id, code="482913")
    second = await seam.access_codes.create(device_id=device_id, code="591024")
    with pytest.raises(SeamHttpApiError) as caught:
        await seam.access_codes.update(access_code_id=second.access_code_id, code="482913")
    assert caught.value.data == {"access_code_id": first.access_code_id}
    assert (await seam.access_codes.get(access_code_id=second.access_code_id)).code == "591024"


async def test_expired_code_comes_back_only_with_a_future_window(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await world.add_code(device_id, UNKNOWN, starts_at_s=NOW_S - 200, ends_at_s=NOW_S - 100)
    with pytest.raises(SeamHttpInvalidInputError) as caught:
        await seam.access_codes.update(access_code_id=UNKNOWN, code="591024")
    assert caught.value.get_validation_error_messages("ends_at")
    await seam.access_codes.update(access_code_id=UNKNOWN, ends_at=ENDS)
    assert (await seam.access_codes.get(access_code_id=UNKNOWN)).status == "setting"


async def test_delete_is_repeatable_until_ten_minutes_after_the_deletion(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str
) -> None:
    created = await seam.access_codes.create(device_id=device_id, code="482913")
    url = f"/access_codes/delete?access_code_id={created.access_code_id}&_strict=true"
    world.wakes.device_ids.clear()
    first = (await http.delete(url)).json()
    assert (first["ok"], first["action_attempt"]["status"]) == (True, "pending")
    assert (await http.delete(url)).json() == first
    assert world.wakes.device_ids == [device_id]
    assert (await seam.access_codes.get(access_code_id=created.access_code_id)).status == "removing"
    with pytest.raises(SeamHttpApiError) as caught:
        await seam.access_codes.update(access_code_id=created.access_code_id, name="Bob")
    assert caught.value.status_code == 409

    await world.change(created.access_code_id, state="deleted", deleted_at_ms=world.now_ms)
    again = (await http.delete(url)).json()["action_attempt"]
    assert again["action_attempt_id"] == first["action_attempt"]["action_attempt_id"]
    assert (again["status"], again["result"], again["error"]) == ("success", {}, None)
    with pytest.raises(SeamHttpApiError) as caught:
        await seam.access_codes.get(access_code_id=created.access_code_id)
    assert caught.value.code == "access_code_not_found"
    assert await seam.access_codes.list(device_id=device_id) == []
    world.now_ms += 600_000
    check_refused(await http.delete(url), 404, "access_code_not_found")


async def test_delete_through_the_sdk(world: World, seam: AsyncSeam, device_id: str) -> None:
    created = await seam.access_codes.create(device_id=device_id)
    await seam.access_codes.delete(access_code_id=created.access_code_id)
    await seam.access_codes.delete(access_code_id=created.access_code_id, device_id=device_id)
    row = await world.code(created.access_code_id)
    assert row is not None
    assert row.state == "removing"


async def test_attempt_follows_the_keypad_and_expires(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    reply = (await http.post("/access_codes/create", json={"device_id": device_id})).json()
    attempt_id = reply["action_attempt"]["action_attempt_id"]
    assert reply["action_attempt"]["status"] == "pending"
    world.now_ms += 600_000
    expired = await seam.action_attempts.get(action_attempt_id=attempt_id, wait_for_action_attempt=False)
    assert (expired.status, expired.error.type) == ("error", "action_attempt_expired")
    await world.put_on_keypad(reply["access_code"]["access_code_id"], slot=1)
    done = await seam.action_attempts.get(action_attempt_id=attempt_id)
    assert done.status == "success"
    (listed,) = (await http.get(f"/action_attempts/list?device_id={device_id}")).json()["action_attempts"]
    assert listed["result"]["access_code"]["status"] == "set"
    assert listed["error"] is None


async def test_outcome_of_an_attempt_stays_when_the_code_is_changed_and_removed(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    asked = {"device_id": device_id, "code": "4711"}
    created = (await http.post("/access_codes/create", json=asked)).json()
    named = {"access_code_id": created["access_code"]["access_code_id"]}
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", **named)
    renamed = (await http.patch("/access_codes/update", json=named | {"name": "Ann"})).json()
    world.now_ms += 1
    changed = (await http.patch("/access_codes/update", json=named | {"code": "4712"})).json()

    async def outcomes() -> list[str]:
        shown = []
        for reply in (created, renamed, changed):
            id_ = reply["action_attempt"]["action_attempt_id"]
            attempt = (await http.get("/action_attempts/get", params={"action_attempt_id": id_})).json()
            shown.append(attempt["action_attempt"]["status"])
        return shown

    assert await outcomes() == ["success", "success", "pending"]
    await http.delete("/access_codes/delete", params=named)
    assert await outcomes() == ["success", "success", "pending"]
    await world.keypad_shows(device_id, 3, maker=HUB)
    assert await outcomes() == ["success", "success", "error"]


async def test_device_errors_are_inherited(world: World, seam: AsyncSeam) -> None:
    device_id = await world.add_device(link_state="disconnected")
    created = await seam.access_codes.create(device_id=device_id)
    (error,) = created.errors
    assert (error.error_code, error.is_device_error) == ("device_disconnected", True)
    assert error.created_at == "2027-01-15T07:59:10.000Z"


async def test_list_finds_by_ids_and_by_search(seam: AsyncSeam, device_id: str) -> None:
    ann = await seam.access_codes.create(device_id=device_id, code="482913", name="Ann 100%")
    bob = await seam.access_codes.create(device_id=device_id, code="591024", name="Bob")
    assert await seam.access_codes.list(access_code_ids=[bob.access_code_id, UNKNOWN]) == [bob]
    assert await seam.access_codes.list(access_code_ids=[]) == []
    assert await seam.access_codes.list(device_id=device_id, search="nn 100%") == [ann]
    assert await seam.access_codes.list(device_id=device_id, search="%") == [ann]
    assert await seam.access_codes.list(device_id=device_id, search="591024") == [bob]
    assert await seam.access_codes.list(device_id=device_id, search="59102") == []


async def test_wrong_key_is_an_sdk_exception(world: World) -> None:
    async with AsyncSeam(api_key="seam_doorpad_" + "0" * 32, endpoint=world.server.url) as stranger:
        with pytest.raises(SeamHttpUnauthorizedError):
            await stranger.devices.list()
