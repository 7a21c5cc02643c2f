"""The pool of spare codes by the API: who may have one, and that one is nobody's until then."""

import uuid
from typing import Any

import httpx
import pytest
from api_world import HUB, KEYPAD, NOW_MS, NOW_S, OTHER_HOST, World, check_refused
from doorpad.store.schema import POOLED, AccessCode, Device, Slot
from doorpad.sync import backups
from doorpad_link.messages import ENABLED, MANAGED
from seam import AsyncSeam
from sqlalchemy import func, select

STARTS, ENDS = "2027-01-15T07:00:00Z", "2027-01-16T10:00:00Z"  # an hour before NOW_S, and a day after
POOL = {"starts_at": STARTS, "ends_at": ENDS, "use_backup_access_code_pool": True}
PULL = "/access_codes/pull_backup_access_code"


async def keypad_takes_them(world: World, device_id: str) -> list[AccessCode]:
    """What the synchronisation does with a keypad that is there; returns the spare codes, each in a slot."""
    async with world.database.write() as session:
        device = await session.get_one(Device, device_id)
        await backups.fill(session, device, world.now_ms, world.timing)
        spare = await session.scalars(select(AccessCode).where(AccessCode.backup == POOLED))
        new = [it for it in spare.all() if it.slot is None and it.state == "active"]
        used = await session.scalar(select(func.max(Slot.slot)).where(Slot.device_id == device_id))
    for number, code in enumerate(new, (used or 0) + 1):
        await world.keypad_shows(
            device_id,
            number,
            maker=HUB,
            code=code.code,
            from_s=code.starts_at_s,
            until_s=code.ends_at_s,
            access_code_id=code.access_code_id,
        )
    await review(world, device_id)
    return new


async def review(world: World, device_id: str) -> dict[str, Any]:
    """What stands on the keypad once the synchronisation has looked."""
    async with world.database.write() as session:
        device = await session.get_one(Device, device_id)
        await backups.review(session, device, world.now_ms, world.timing)
        return {name: it for name, it in device.conditions.items() if "backup" in name}


async def test_pool_is_empty_until_the_keypad_holds_one(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    device = await seam.devices.get(device_id=device_id)
    assert device.properties.supports_backup_access_code_pool
    assert device.errors == []
    code = await seam.access_codes.create(device_id=device_id, **POOL)
    (error,) = code.errors
    assert (error.error_code, error.is_device_error) == (backups.EMPTY, True)
    assert not code.is_backup_access_code_available
    assert world.wakes.device_ids == [device_id]
    await keypad_takes_them(world, device_id)
    code = await seam.access_codes.get(access_code_id=code.access_code_id)
    assert (code.errors, code.is_backup_access_code_available) == ([], True)


async def test_spare_code_is_shown_nowhere_and_cannot_be_touched(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str
) -> None:
    first = await seam.access_codes.create(device_id=device_id, **POOL)
    spare = (await keypad_takes_them(world, device_id))[0]
    listed = await seam.access_codes.list(device_id=device_id)
    assert [it.access_code_id for it in listed] == [first.access_code_id]
    assert await seam.access_codes.list(access_code_ids=[spare.access_code_id]) == []
    assert await seam.access_codes.unmanaged.list(device_id=device_id) == []
    asked = {"access_code_id": spare.access_code_id}
    for path in (
        "get",
        "delete",
        "update",
        "pull_backup_access_code",
        "unmanaged/get",
        "unmanaged/delete",
        "unmanaged/convert_to_managed",
    ):
        response = await http.post(f"/access_codes/{path}", json=asked)
        check_refused(response, 404, "access_code_not_found")
    by_pin = await http.post("/access_codes/get", json={"device_id": device_id, "code": spare.code})
    check_refused(by_pin, 404, "access_code_not_found")
    events = await seam.events.list(since=STARTS, device_id=device_id)
    assert {getattr(it, "access_code_id", None) for it in events} <= {None, first.access_code_id}


async def test_pulled_code_is_an_access_code_with_the_window_of_its_original(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    first = await seam.access_codes.create(device_id=device_id, **POOL)
    await keypad_takes_them(world, device_id)
    world.now_ms += 5_000
    backup = await seam.access_codes.pull_backup_access_code(access_code_id=first.access_code_id)
    assert (backup.is_backup, backup.starts_at, backup.ends_at) == (True, first.starts_at, first.ends_at)
    assert backup.status == "set", "by the window that it had in the pool"
    assert backup.created_at == "2027-01-15T08:00:05.000Z", "a page of a list goes on from there"
    assert len(await seam.access_codes.list(device_id=device_id)) == 2

    await seam.access_codes.update(access_code_id=first.access_code_id, ends_at="2027-01-15T12:00:00Z")
    backup = await seam.access_codes.get(access_code_id=backup.access_code_id)
    assert backup.ends_at == "2027-01-15T12:00:00.000Z"
    told = await seam.events.list(since=STARTS, access_code_id=backup.access_code_id)
    assert [it.event_type for it in told] == ["access_code.created", "access_code.changed"]
    await seam.access_codes.delete(access_code_id=first.access_code_id)
    backup = await seam.access_codes.get(access_code_id=backup.access_code_id)
    assert backup.status == "removing"


async def test_code_whose_uses_are_counted_from_now_on_loses_its_backup(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str
) -> None:
    code = await seam.access_codes.create(device_id=device_id, **POOL)
    await keypad_takes_them(world, device_id)
    backup = await seam.access_codes.pull_backup_access_code(access_code_id=code.access_code_id)
    asked = {"access_code_id": code.access_code_id, "is_one_time_use": True}
    assert (await http.patch("/access_codes/update", json=asked)).status_code == 200
    assert (await seam.access_codes.get(access_code_id=backup.access_code_id)).status == "removing"


async def test_backup_that_was_deleted_makes_room_for_another(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    first = await seam.access_codes.create(device_id=device_id, **POOL)
    await keypad_takes_them(world, device_id)
    backup = await seam.access_codes.pull_backup_access_code(access_code_id=first.access_code_id)
    await seam.access_codes.delete(access_code_id=backup.access_code_id)
    code = await seam.access_codes.get(access_code_id=first.access_code_id)
    assert (code.pulled_backup_access_code_id, code.is_backup_access_code_available) == (None, True)
    other = await seam.access_codes.pull_backup_access_code(access_code_id=first.access_code_id)
    assert other.access_code_id != backup.access_code_id


async def test_pool_says_what_it_lacks(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str
) -> None:
    codes = [await seam.access_codes.create(device_id=device_id, **POOL) for _ in range(4)]
    assert (await review(world, device_id)).keys() == {backups.EMPTY}
    await keypad_takes_them(world, device_id)
    assert await review(world, device_id) == {}
    pulled = []
    for number, code in enumerate(codes[:3], 1):
        pulled.append(await seam.access_codes.pull_backup_access_code(access_code_id=code.access_code_id))
        stands = await review(world, device_id)
        assert (backups.EMPTY in stands, backups.MANY_PULLED in stands) == (number == 3, number == 3)
        world.now_ms += 300_000
    response = await http.post(PULL, json={"access_code_id": codes[3].access_code_id})
    check_refused(response, 400, "no_backup_access_code_available")
    await seam.access_codes.delete(access_code_id=pulled[0].access_code_id)
    assert backups.MANY_PULLED not in await review(world, device_id)


async def test_pool_that_lacks_codes_for_long_is_warned_of(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    code = await seam.access_codes.create(device_id=device_id, **POOL)
    await keypad_takes_them(world, device_id)
    await seam.access_codes.pull_backup_access_code(access_code_id=code.access_code_id)
    assert await review(world, device_id) == {}
    world.now_ms += 599_999
    assert await review(world, device_id) == {}
    world.now_ms += 1
    assert (await review(world, device_id)).keys() == {backups.PARTIAL}
    await keypad_takes_them(world, device_id)
    assert await review(world, device_id) == {}


async def test_lease_is_renewed_at_half_time_and_ends_where_it_is_not(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str
) -> None:
    await seam.access_codes.create(device_id=device_id, starts_at=STARTS, ends_at="2028-01-01T00:00:00Z")
    code = await seam.access_codes.create(
        device_id=device_id, **POOL | {"ends_at": "2028-01-01T00:00:00Z", "code": "482913"}
    )
    spare = (await keypad_takes_them(world, device_id))[0]
    lease_s = int(world.timing.backup_lease_s)
    assert spare.starts_at_s < NOW_S
    assert spare.ends_at_s == NOW_S + lease_s
    world.now_ms = NOW_MS + lease_s * 500
    await keypad_takes_them(world, device_id)
    assert (await world.code(spare.access_code_id)).ends_at_s == NOW_S + lease_s
    world.now_ms += 1_000
    await keypad_takes_them(world, device_id)
    assert (await world.code(spare.access_code_id)).ends_at_s == world.now_ms // 1_000 + lease_s
    # The keypad has not taken that.
    world.now_ms = NOW_MS + lease_s * 1_000
    assert (await review(world, device_id)).keys() == {backups.EMPTY}
    response = await http.post(PULL, json={"access_code_id": code.access_code_id})
    check_refused(response, 400, "no_backup_access_code_available")


async def test_none_is_given_where_it_would_open_too_early(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str
) -> None:
    later = POOL | {"starts_at": "2027-01-15T08:00:01Z"}
    code = await seam.access_codes.create(device_id=device_id, **later)
    await keypad_takes_them(world, device_id)
    async with world.database.write() as session:
        (await session.get_one(Device, device_id)).link_state = "offline"
    assert not (
        await seam.access_codes.get(access_code_id=code.access_code_id)
    ).is_backup_access_code_available
    asked = {"access_code_id": code.access_code_id}
    error = check_refused(await http.post(PULL, json=asked), 400, "no_backup_access_code_available")
    assert "2027-01-15T08:00:01" in error["message"]
    world.now_ms += 1_000
    assert (await seam.access_codes.get(access_code_id=code.access_code_id)).is_backup_access_code_available
    assert (await http.post(PULL, json=asked)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "type_"),
    [
        ({"starts_at_s": None, "ends_at_s": None}, 400, "access_code_not_time_bound"),
        ({"state": "removing"}, 409, "access_code_is_being_removed"),
        ({"ends_at_s": NOW_S}, 400, "invalid_input"),
        ({"uses_left": 1}, 400, "no_backup_access_code_available"),
        ({"state": "deleted"}, 404, "access_code_not_found"),
        ({"managed": False}, 404, "access_code_not_found"),
        ({}, 200, ""),
    ],
    ids=repr,
)
async def test_only_a_code_that_needs_one_gets_a_backup(
    world: World,
    http: httpx.AsyncClient,
    seam: AsyncSeam,
    device_id: str,
    change: dict[str, Any],
    status: int,
    type_: str,
) -> None:
    code = await seam.access_codes.create(device_id=device_id, **POOL)
    await keypad_takes_them(world, device_id)
    await world.change(code.access_code_id, **change)
    response = await http.post(PULL, json={"access_code_id": code.access_code_id})
    if status == 200:
        assert response.json()["access_code"] == response.json()["backup_access_code"]
    else:
        fields = ["access_code_id"] if type_ == "invalid_input" else []
        check_refused(response, status, type_, *fields)


async def test_pool_can_be_asked_for_later_but_not_for_an_ongoing_code(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str
) -> None:
    code = await seam.access_codes.create(device_id=device_id)
    change = {"access_code_id": code.access_code_id, "use_backup_access_code_pool": True}
    response = await http.patch("/access_codes/update", json=change)
    check_refused(response, 400, "invalid_input", "use_backup_access_code_pool")
    assert await review(world, device_id) == {}
    world.wakes.device_ids.clear()
    assert (await http.patch("/access_codes/update", json=POOL | change)).status_code == 200
    assert world.wakes.device_ids == [device_id]
    assert (await review(world, device_id)).keys() == {backups.EMPTY}
    await seam.access_codes.create(device_id=device_id, **POOL | {"use_backup_access_code_pool": False})
    assert (await review(world, device_id)).keys() == {backups.EMPTY}, "it is there for good"


async def test_device_that_is_left_alone_keeps_no_pool(world: World, seam: AsyncSeam, device_id: str) -> None:
    code = await seam.access_codes.create(device_id=device_id, **POOL)
    spare = await keypad_takes_them(world, device_id)
    await world.change(code.access_code_id, state="deleted", deleted_at_ms=NOW_MS)
    world.wakes.device_ids.clear()
    await seam.devices.update(device_id=device_id, is_managed=False)
    assert world.wakes.device_ids == [device_id]
    states = [(await world.code(it.access_code_id)).state for it in spare]
    assert states == ["removing"] * 3
    assert await review(world, device_id) == {}


@pytest.mark.parametrize("by", ["another hand took it off", "another hand changed it", "it is asked for"])
async def test_spare_code_that_somebody_may_know_is_thrown_away(
    world: World, http: httpx.AsyncClient, seam: AsyncSeam, device_id: str, by: str
) -> None:
    await seam.access_codes.create(device_id=device_id, **POOL)
    spare = (await keypad_takes_them(world, device_id))[0]  # in slot 1
    if by == "it is asked for":
        for starts_at, ends_at in ((STARTS, ENDS), ("2028-01-01T00:00:00Z", "2028-01-02T00:00:00Z")):
            asked = {"device_id": device_id, "code": spare.code, "starts_at": starts_at, "ends_at": ends_at}
            check_refused(await http.post("/access_codes/create", json=asked), 409, "duplicate_access_code")
    else:
        changed = {"code": "918273"} if by == "another hand changed it" else {}
        if changed:
            changed |= {"access_code_id": spare.access_code_id}
        await world.keypad_shows(device_id, 1, maker=KEYPAD, **changed)
    state = (await world.code(spare.access_code_id)).state
    assert state == ("deleted" if by == "another hand took it off" else "removing")
    assert await seam.events.list(since=STARTS, access_code_id=spare.access_code_id) == []
    assert spare.access_code_id not in {it.access_code_id for it in await keypad_takes_them(world, device_id)}


async def test_pin_that_is_on_the_keypad_for_another_is_not_kept_as_a_spare_one(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await seam.access_codes.create(device_id=device_id, **POOL)
    await world.keypad_shows(device_id, 7, maker=KEYPAD, code="918273")
    lease = {"starts_at_s": NOW_S, "ends_at_s": NOW_S + 500_000}
    held = await world.add_code(device_id, str(uuid.uuid4()), code="918273", backup=POOLED, **lease)
    assert len(await keypad_takes_them(world, device_id)) == 3
    assert (await world.code(held)).state == "removing"


async def test_spare_code_that_another_hub_takes_over_is_an_unmanaged_one(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await seam.access_codes.create(device_id=device_id, **POOL)
    spare = (await keypad_takes_them(world, device_id))[0]
    await world.keypad_shows(
        device_id,
        1,
        maker=OTHER_HOST,
        code=spare.code,
        flags=ENABLED | MANAGED,
        access_code_id=str(uuid.uuid4()),
    )
    (shown,) = await seam.access_codes.unmanaged.list(device_id=device_id)
    assert shown.access_code_id == spare.access_code_id
    assert [it.warning_code for it in shown.warnings] == ["management_transferred"]
    assert len(await keypad_takes_them(world, device_id)) == 1, "another is kept in its place"


async def test_spare_code_that_the_database_has_lost_is_a_spare_one_again_and_no_persons(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await seam.access_codes.create(device_id=device_id, **POOL)
    first, *_ = await keypad_takes_them(world, device_id)
    window = {"from_s": first.starts_at_s, "until_s": first.ends_at_s}
    other = await world.add_device("00112233445566ab", table_epoch="ab")
    ids = [str(uuid.uuid4()) for _ in range(2)]
    await world.keypad_shows(other, 1, maker=HUB, code="736452", access_code_id=ids[0], **window)
    window["from_s"] = NOW_S
    await world.keypad_shows(other, 2, maker=HUB, code="736453", access_code_id=ids[1], **window)
    (shown,) = await seam.access_codes.list(device_id=other)
    assert (shown.access_code_id, shown.name) == (ids[1], "Restored code 2")
    assert await seam.events.list(since=STARTS, access_code_id=ids[0]) == []
    new = await keypad_takes_them(world, other)
    assert len([it for it in new if it.device_id == other]) == 2, "it is one of the three"
    spare = await world.code(ids[0])
    assert (spare.backup, spare.state, spare.name) == (POOLED, "active", f"Backup {ids[0]}")


async def test_spare_code_of_an_earlier_release_gets_a_window_that_tells_it_when_its_lease_is_renewed(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await seam.access_codes.create(device_id=device_id, **POOL)
    lease = {"starts_at_s": NOW_S, "ends_at_s": NOW_S + int(world.timing.backup_lease_s) // 2 - 1}
    old = await world.add_code(device_id, str(uuid.uuid4()), code="918273", backup=POOLED, **lease)
    new, *_ = [it for it in await keypad_takes_them(world, device_id) if it.access_code_id != old]
    assert (await world.code(old)).starts_at_s == new.starts_at_s
