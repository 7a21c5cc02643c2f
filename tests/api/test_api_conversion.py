"""Taking over a code of another hand while others are at it: done as it was seen, or failed with nothing lost."""

import asyncio
from typing import Any

import httpx
import pytest
from api_world import HUB, KEYPAD, NOW_MS, NOW_S, OTHER_HOST, World
from doorpad.store.profile_names import ProfileName
from doorpad.store.schema import Event
from doorpad.sync.plan import Adopt
from doorpad_link.messages import COUNTED, DURESS, ENABLED, FROM_KEYPAD, MANAGED, SPENT
from seam import AsyncSeam, SeamHttpApiError
from sqlalchemy import select

ID = "00000000-0000-4000-8000-000000000001"
THEIR_ID = "00000000-0000-4000-8000-0000000000ff"
FAILED = "access_code.unmanaged.failed_to_convert_to_managed"
CONVERTED = "access_code.unmanaged.converted_to_managed"
REMOVED = "access_code.unmanaged.removed"
MADE_THERE, THEIRS, OURS = ENABLED | FROM_KEYPAD, ENABLED | MANAGED, ENABLED | MANAGED
MODIFIED, NOT_SET = "code_modified_external_to_seam", "failed_to_set_on_device"
WINDOW = {"from_s": NOW_S - 60, "until_s": NOW_S + 86_400}


async def told(world: World, access_code_id: str) -> list[str]:
    async with world.database.read() as session:
        events = await session.scalars(
            select(Event.event_type).where(Event.access_code_id == access_code_id).order_by(Event.seq)
        )
        return list(events)


@pytest.fixture
async def code_id(world: World, device_id: str) -> str:
    await world.add_code(device_id, ID, managed=False)
    await world.put_on_keypad(ID, slot=3)
    return ID


async def convert(http: httpx.AsyncClient, **fields: object) -> str:
    """Ask for the conversion; returns the id of its attempt, which is pending."""
    reply = await http.patch(
        "/access_codes/unmanaged/convert_to_managed", json={"access_code_id": ID, **fields}
    )
    assert reply.status_code == 200, reply.text
    attempt = reply.json()["action_attempt"]
    assert attempt["status"] == "pending"
    return str(attempt["action_attempt_id"])


async def outcome(http: httpx.AsyncClient, attempt_id: str) -> tuple[str, str | None]:
    """Status of an attempt, and the name of its error."""
    reply = await http.get(f"/action_attempts/get?action_attempt_id={attempt_id}")
    attempt = reply.json()["action_attempt"]
    return attempt["status"], attempt["error"] and attempt["error"]["type"]


@pytest.mark.parametrize(
    "now",
    [
        {"code": "4711", **WINDOW, "flags": ENABLED},
        {"code": "4711", "flags": ENABLED | COUNTED},
        {"code": "4711", "flags": ENABLED | DURESS},
    ],
    ids=["other window", "for one time", "for duress"],
)
async def test_code_that_is_changed_meanwhile_stays_as_it_was_changed(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str, now: dict[str, Any]
) -> None:
    attempt_id = await convert(http)
    await world.keypad_shows(device_id, 3, maker=OTHER_HOST, **now)
    assert await outcome(http, attempt_id) == ("error", MODIFIED)
    assert await told(world, code_id) == [FAILED]
    code = await seam.access_codes.unmanaged.get(access_code_id=code_id)
    assert (code.code, code.type) == ("4711", "time_bound" if "from_s" in now else "ongoing")
    (error,) = code.errors
    assert (error.error_code, error.change_type) == (MODIFIED, "modified")
    assert "was not taken over" in error.message
    (event,) = await seam.events.list(since="2027-01-01T00:00:00Z", event_type=FAILED)
    assert [it.error_code for it in event.access_code_errors] == [MODIFIED]
    row = await world.code(code_id)
    assert row is not None
    assert (row.managed, row.conversion, row.state) == (False, None, "active")

    # Whoever has looked at it asks again: it is taken over as it is now, and nothing stands on it.
    attempt_id = await convert(http)
    assert (await seam.access_codes.unmanaged.get(access_code_id=code_id)).errors == []
    adopted = {**now, "flags": now["flags"] | MANAGED}
    await world.keypad_shows(device_id, 3, maker=HUB, access_code_id=code_id, **adopted)
    assert await outcome(http, attempt_id) == ("success", None)
    assert await told(world, code_id) == [FAILED, CONVERTED]
    assert (await seam.access_codes.get(access_code_id=code_id)).errors == []


@pytest.mark.parametrize("disabled_first", [True, False], ids=["before", "meanwhile"])
async def test_code_that_somebody_has_disabled_is_not_taken_over_until_it_is_enabled(
    world: World,
    seam: AsyncSeam,
    http: httpx.AsyncClient,
    device_id: str,
    code_id: str,
    disabled_first: bool,
) -> None:
    """Goal: nobody is let in again by the way, also by `force`, which is for codes of other hubs."""
    if not disabled_first:
        attempt_id = await convert(http)
    await world.keypad_shows(device_id, 3, maker=OTHER_HOST, code="4711", flags=0)
    if not disabled_first:
        assert await outcome(http, attempt_id) == ("error", MODIFIED)
    shown = (await http.get("/access_codes/unmanaged/get", params={"access_code_id": code_id})).json()
    assert shown["access_code"]["doorpad"]["enabled"] is False
    for force in (False, True):
        world.now_ms += 1_000
        attempt_id = await convert(http, force=force)
        await world.pass_time(device_id, world.now_ms)
        assert await outcome(http, attempt_id) == ("error", NOT_SET)
        (error,) = (await seam.access_codes.unmanaged.get(access_code_id=code_id)).errors
        assert error.error_code == NOT_SET and "It is disabled on the keypad" in error.message
        assert (await world.planned(device_id)).actions == []
    assert await told(world, code_id) == [FAILED] * (2 if disabled_first else 3)
    await world.keypad_shows(device_id, 3, maker=OTHER_HOST, code="4711", flags=ENABLED)
    attempt_id = await convert(http)
    await world.pass_time(device_id, world.now_ms)
    assert [type(it) for it in (await world.planned(device_id)).actions] == [Adopt]
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=code_id, flags=OURS)
    assert await outcome(http, attempt_id) == ("success", None)
    assert (await seam.access_codes.get(access_code_id=code_id)).errors == []


@pytest.mark.parametrize("done_there", [False, True], ids=["before", "its answer was lost"])
async def test_code_that_gets_another_pin_meanwhile_is_left_to_whoever_gave_it(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str, done_there: bool
) -> None:
    attempt_id = await convert(http)
    # The keypad keeps flags and id of the slot whose PIN is changed there.
    kept = {"flags": OURS | FROM_KEYPAD, "access_code_id": code_id} if done_there else {"flags": MADE_THERE}
    for _ in range(2):  # read twice, as after a restart
        await world.keypad_shows(device_id, 3, maker=KEYPAD, code="9911", **kept)
        assert await outcome(http, attempt_id) == ("error", MODIFIED)
        assert await told(world, code_id) == [FAILED, REMOVED]
        (now,) = await seam.access_codes.unmanaged.list(device_id=device_id)
        assert (now.code, now.errors, now.access_code_id != code_id) == ("9911", [], True)
        assert await told(world, now.access_code_id) == ["access_code.unmanaged.created"]
        assert await seam.access_codes.list(device_id=device_id) == []
    row = await world.code(code_id)
    assert row is not None
    assert (row.managed, row.state, row.conversion) == (False, "deleted", None)


async def test_code_that_goes_before_its_conversion_fails_to_convert(
    world: World, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    attempt_id = await convert(http)
    await world.keypad_shows(device_id, 3, maker=KEYPAD)
    assert await outcome(http, attempt_id) == ("error", MODIFIED)
    assert await told(world, code_id) == [FAILED, REMOVED]


async def test_code_that_is_made_anew_meanwhile_is_another_one(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    """Taken off and made again with the same PIN: whether the hub looked in between makes no difference."""
    attempt_id = await convert(http)
    await world.keypad_shows(device_id, 3, maker=KEYPAD, code="4711", flags=MADE_THERE, made_anew=True)
    assert await outcome(http, attempt_id) == ("error", MODIFIED)
    assert await told(world, code_id) == [FAILED, REMOVED]
    (now,) = await seam.access_codes.unmanaged.list(device_id=device_id)
    assert (now.code, now.access_code_id != code_id) == ("4711", True)


async def test_use_of_a_code_is_no_change(
    world: World, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    once = {"code": "4711", "flags": MADE_THERE | COUNTED}
    await world.keypad_shows(device_id, 3, maker=KEYPAD, **once)
    attempt_id = await convert(http)
    await world.keypad_shows(device_id, 3, maker=KEYPAD, **once | {"flags": once["flags"] | SPENT})
    assert await outcome(http, attempt_id) == ("pending", None)
    assert await told(world, code_id) == []


async def test_conversion_that_does_not_reach_the_keypad_fails_after_ten_minutes(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    for times in (1, 2):
        attempt_id = await convert(http)
        asked_ms = world.now_ms
        await world.pass_time(device_id, asked_ms + 599_999)
        assert (await told(world, code_id)).count(FAILED) == times - 1
        await world.pass_time(device_id, asked_ms + 600_000)
        assert await told(world, code_id) == [FAILED] * times
        assert await outcome(http, attempt_id) == ("error", NOT_SET)
        (error,) = (await seam.access_codes.unmanaged.get(access_code_id=code_id)).errors
        assert (error.error_code, "in time" in error.message) == (NOT_SET, True)


@pytest.mark.parametrize(
    ("slot", "is_theirs"),
    [
        ({"maker": OTHER_HOST, "flags": THEIRS, "access_code_id": THEIR_ID}, True),
        ({"maker": KEYPAD, "flags": THEIRS | FROM_KEYPAD, "access_code_id": THEIR_ID}, True),
        ({"maker": OTHER_HOST, "flags": MADE_THERE}, False),
        ({"maker": KEYPAD, "flags": MADE_THERE}, False),
    ],
    ids=[
        "made by another hub",
        "of another hub, changed at the keypad",
        "only written by it",
        "of the keypad",
    ],
)
@pytest.mark.parametrize("force", [None, False, True])
async def test_code_that_another_hub_manages_is_taken_over_by_force_alone(
    world: World,
    seam: AsyncSeam,
    http: httpx.AsyncClient,
    device_id: str,
    code_id: str,
    slot: dict[str, Any],
    is_theirs: bool,
    force: bool | None,
) -> None:
    await world.keypad_shows(device_id, 3, code="4711", **slot)
    attempt_id = await convert(http, force=force)
    await world.pass_time(device_id, NOW_MS + 1)
    if force or not is_theirs:
        assert await outcome(http, attempt_id) == ("pending", None)
        assert await told(world, code_id) == []
        return
    assert await outcome(http, attempt_id) == ("error", NOT_SET)
    assert await told(world, code_id) == [FAILED]
    (error,) = (await seam.access_codes.unmanaged.get(access_code_id=code_id)).errors
    assert "force: true" in error.message


async def test_force_that_comes_later_counts(
    world: World, http: httpx.AsyncClient, device_id: str, code_id: str
) -> None:
    for force, conversion, wakes in [(False, "requested", 1), (True, "forced", 2), (False, "forced", 2)]:
        await convert(http, force=force)
        row = await world.code(code_id)
        assert row is not None
        assert (row.conversion, len(world.wakes.device_ids)) == (conversion, wakes)


@pytest.mark.parametrize("profile", ["smartthings", "kwikset", "igloohome"])
async def test_brand_that_gives_no_codes_away_says_so(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, profile: ProfileName
) -> None:
    device_id = await world.add_device("00112233445566bb", profile=profile)
    await world.add_code(device_id, ID, managed=False)
    await world.put_on_keypad(ID, slot=3)
    attempt_id = await convert(http)
    await world.pass_time(device_id, NOW_MS + 1)
    assert await outcome(http, attempt_id) == ("error", NOT_SET)
    code = await seam.access_codes.unmanaged.get(access_code_id=ID)
    assert [(it.error_code, profile in it.message) for it in code.errors] == [(NOT_SET, True)]
    assert code.cannot_be_managed is True  # so that a client need not try
    other_id = await world.add_code(await world.add_device(), THEIR_ID, managed=False)
    assert (await seam.access_codes.unmanaged.get(access_code_id=other_id)).cannot_be_managed is None


async def test_reply_that_waits_for_a_conversion_tells_that_it_failed(
    world: World, http: httpx.AsyncClient
) -> None:
    device_id = await world.add_device("00112233445566bb", profile="kwikset")
    await world.add_code(device_id, ID, managed=False)
    await world.put_on_keypad(ID, slot=3)
    asked = {"access_code_id": ID, "sync": True}
    asking = asyncio.create_task(http.patch("/access_codes/unmanaged/convert_to_managed", json=asked))
    await world.wakes.woken.wait()
    await world.pass_time(device_id, NOW_MS + 1)
    attempt = (await asking).json()["action_attempt"]
    assert (attempt["status"], attempt["error"]["type"]) == ("error", NOT_SET)


async def test_code_that_another_hub_takes_over_is_unmanaged_here_until_it_is_taken_back(
    world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    await world.add_code(device_id, ID, announced="set", name="Ann")
    await world.put_on_keypad(ID, slot=3)
    for times in (1, 2):
        await world.keypad_shows(
            device_id, 3, maker=OTHER_HOST, code="4711", flags=THEIRS, access_code_id=THEIR_ID
        )
        with pytest.raises(SeamHttpApiError):
            await seam.access_codes.get(access_code_id=ID)
        (code,) = await seam.access_codes.unmanaged.list(device_id=device_id)
        assert (code.access_code_id, code.name, code.code) == (ID, "Ann", "4711")
        assert [it.warning_code for it in code.warnings] == ["management_transferred"]
        lost = ["access_code.deleted", "access_code.unmanaged.created"]
        assert (await told(world, ID))[-2:] == lost
        attempt_id = await convert(http, force=True)
        await world.keypad_shows(device_id, 3, maker=HUB, code="4711", flags=OURS, access_code_id=ID)
        assert await outcome(http, attempt_id) == ("success", None)
        assert await told(world, ID) == [*lost, CONVERTED] * times
        assert (await seam.access_codes.get(access_code_id=ID)).warnings == []


async def test_one_time_code_of_a_keypad_stays_one_when_it_is_taken_over(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    once = ENABLED | COUNTED
    await world.keypad_shows(device_id, 3, maker=KEYPAD, code="4711", flags=once)
    (unmanaged,) = await seam.access_codes.unmanaged.list(device_id=device_id)
    id_ = unmanaged.access_code_id
    await seam.access_codes.unmanaged.convert_to_managed(access_code_id=id_)
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=id_, flags=once | MANAGED)
    code = await seam.access_codes.get(access_code_id=id_)
    assert (code.status, code.is_one_time_use) == ("set", True)
