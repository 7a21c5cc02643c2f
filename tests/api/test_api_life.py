"""The life of a code while time passes and other hands are at the keypad. The clock is the test's."""

from datetime import UTC, datetime
from typing import Any

import pytest
from api_world import HUB, KEYPAD, NOW_MS, NOW_S, OTHER_HOST, World
from doorpad.store.schema import Event
from doorpad.sync import external
from doorpad.sync.plan import Clear, Write
from doorpad_link import messages
from seam import AsyncSeam, SeamHttpApiError
from sqlalchemy import select

ID = "00000000-0000-4000-8000-000000000001"
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
SLOW, FAILED = "access_code.delay_in_setting_on_device", "access_code.failed_to_set_on_device"
SLOW_GOING = "access_code.delay_in_removing_from_device"
FAILED_GOING = "access_code.failed_to_remove_from_device"
MODIFIED = "code_modified_external_to_seam"
ONCE = messages.MANAGED | messages.ENABLED | messages.COUNTED
SPENT = messages.SPENT


async def told(world: World, access_code_id: str) -> list[str]:
    async with world.database.read() as session:
        events = await session.scalars(
            select(Event.event_type).where(Event.access_code_id == access_code_id).order_by(Event.seq)
        )
        return list(events)


async def conditions(seam: AsyncSeam, access_code_id: str) -> tuple[list[str], list[str]]:
    code = await seam.access_codes.get(access_code_id=access_code_id)
    return [it.error_code for it in code.errors], [it.warning_code for it in code.warnings]


@pytest.mark.parametrize(
    ("window", "slow_after_s", "failed_after_s"),
    [
        ((None, None), 5 * MINUTE_S, 15 * MINUTE_S),
        ((NOW_S - HOUR_S, NOW_S + DAY_S), 5 * MINUTE_S, 15 * MINUTE_S),
        ((NOW_S + 10 * HOUR_S, NOW_S + DAY_S), 9 * HOUR_S, 10 * HOUR_S + 15 * MINUTE_S),
        ((NOW_S + 20 * MINUTE_S, NOW_S + DAY_S), 5 * MINUTE_S, 35 * MINUTE_S),
    ],
    ids=["ongoing", "began before", "begins in 10 h", "begins in 20 min"],
)
async def test_code_that_does_not_reach_the_keypad_is_late_then_failed_and_then_set(
    world: World,
    seam: AsyncSeam,
    device_id: str,
    window: tuple[int | None, int | None],
    slow_after_s: int,
    failed_after_s: int,
) -> None:
    await world.add_code(device_id, ID, starts_at_s=window[0], ends_at_s=window[1])
    slow_ms, failed_ms = (NOW_MS + after_s * 1_000 for after_s in (slow_after_s, failed_after_s))
    for until_ms, errors, warnings, events in [
        (slow_ms - 1, [], [], []),
        (slow_ms, [], ["delay_in_setting_on_device"], [SLOW]),
        (failed_ms - 1, [], ["delay_in_setting_on_device"], [SLOW]),
        (failed_ms, ["failed_to_set_on_device"], ["delay_in_setting_on_device"], [SLOW, FAILED]),
        (failed_ms + 1, ["failed_to_set_on_device"], ["delay_in_setting_on_device"], [SLOW, FAILED]),
    ]:
        await world.pass_time(device_id, until_ms)
        assert await conditions(seam, ID) == (errors, warnings), until_ms
        assert await told(world, ID) == events
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.warnings[0].message, code.errors[0].message) == (
        "Delay in setting code on device.",
        "Failed to set code on device.",
    )
    await world.keypad_shows(
        device_id, 3, maker=HUB, code="4711", from_s=window[0], until_s=window[1], access_code_id=ID
    )
    assert await conditions(seam, ID) == ([], [])
    assert (await told(world, ID))[2:] == ["access_code.set_on_device"]


class Life:
    """A code of the API's on slot 3 of its keypad, one second after the other, and all that is told of it."""

    def __init__(self, world: World, seam: AsyncSeam, device_id: str) -> None:
        self.world, self.seam, self.device_id = world, seam, device_id
        self.code_id = ""
        self.told: list[str] = []

    async def begin(self, starts_s: int, ends_s: int) -> None:
        window = {"starts_at": iso(starts_s), "ends_at": iso(ends_s)}
        code = await self.seam.access_codes.create(device_id=self.device_id, code="482913", **window)
        self.code_id = code.access_code_id
        await self.tells("access_code.created")

    async def keypad_holds(self, code: str, from_s: int, until_s: int) -> None:
        held: dict[str, Any] = {"code": code, "from_s": from_s, "until_s": until_s}
        await self.world.keypad_shows(self.device_id, 3, maker=HUB, access_code_id=self.code_id, **held)

    async def reaches(self, at_s: int, *events: str) -> None:
        """Nothing is told until the last millisecond before, and at the second these."""
        await self.world.pass_time(self.device_id, at_s * 1_000 - 1)
        await self.tells()
        await self.world.pass_time(self.device_id, at_s * 1_000)
        await self.tells(*events)

    async def tells(self, *events: str) -> None:
        """These events are new, in this order, and no other, however often it is asked whether there are any."""
        self.told += events
        await self.world.pass_time(self.device_id, self.world.now_ms)
        assert await told(self.world, self.code_id) == self.told

    async def status(self) -> tuple[str, bool | None]:
        code = await self.seam.access_codes.get(access_code_id=self.code_id)
        return code.status, code.is_scheduled_on_device


def iso(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


async def test_whole_life_of_a_time_bound_code_tells_each_of_its_edges_once(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    life = Life(world, seam, device_id)
    starts_s, ends_s = NOW_S + DAY_S, NOW_S + 3 * DAY_S
    await life.begin(starts_s, ends_s)
    assert await life.status() == ("unset", False)
    await life.keypad_holds("482913", starts_s, ends_s)
    await life.tells("access_code.scheduled_on_device")
    assert await life.status() == ("unset", True)
    await life.reaches(starts_s, "access_code.set_on_device")
    assert await life.status() == ("set", False)
    await seam.access_codes.update(access_code_id=life.code_id, name="Ann")
    await life.tells("access_code.changed")
    assert await life.status() == ("set", False)
    await seam.access_codes.update(access_code_id=life.code_id, code="736450", ends_at=iso(ends_s - DAY_S))
    await life.tells("access_code.changed")
    assert await life.status() == ("setting", False)
    await life.keypad_holds("736450", starts_s, ends_s - DAY_S)
    await life.tells("access_code.set_on_device")
    await life.reaches(ends_s - DAY_S)
    assert await life.status() == ("removing", False)
    await world.keypad_shows(device_id, 3, maker=HUB)
    await life.tells("access_code.removed_from_device")
    assert await life.status() == ("unset", False)
    await life.reaches(ends_s + 6 * DAY_S, "access_code.deleted")
    await world.pass_time(device_id, (ends_s + 30 * DAY_S) * 1_000)
    await life.tells()


async def test_whole_life_of_a_code_that_fails_on_its_way_and_again_on_its_way_back(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    life = Life(world, seam, device_id)
    starts_s, ends_s = NOW_S + DAY_S, NOW_S + 3 * DAY_S
    await life.begin(starts_s, ends_s)
    await life.reaches(starts_s - HOUR_S, SLOW)
    await life.reaches(starts_s + 15 * MINUTE_S, FAILED)
    assert await life.status() == ("setting", False)
    await life.keypad_holds("482913", starts_s, ends_s)
    await life.tells("access_code.set_on_device")
    assert await life.status() == ("set", False)
    await seam.access_codes.update(access_code_id=life.code_id, code="736450")
    asked_s = world.now_ms // 1_000
    await life.tells("access_code.changed")
    await life.reaches(asked_s + 5 * MINUTE_S, SLOW)
    await life.reaches(asked_s + 15 * MINUTE_S, FAILED)
    await life.keypad_holds("736450", starts_s, ends_s)
    await life.tells("access_code.set_on_device")
    await seam.access_codes.delete(access_code_id=life.code_id)
    asked_s = world.now_ms // 1_000
    assert await life.status() == ("removing", False)
    await life.reaches(asked_s + 5 * MINUTE_S, SLOW_GOING)
    await life.reaches(asked_s + HOUR_S, FAILED_GOING)
    await world.keypad_shows(device_id, 3, maker=HUB)
    await life.tells("access_code.removed_from_device", "access_code.deleted")
    await world.pass_time(device_id, (ends_s + 30 * DAY_S) * 1_000)
    await life.tells()


async def test_code_that_is_changed_back_before_the_keypad_saw_it_is_told_to_be_set_again(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    life = Life(world, seam, device_id)
    window = (NOW_S - DAY_S, NOW_S + DAY_S)
    await life.begin(*window)
    await life.keypad_holds("482913", *window)
    await life.tells("access_code.set_on_device")
    await life.reaches(NOW_S + HOUR_S)
    for code in ("736450", "482913"):
        await seam.access_codes.update(access_code_id=life.code_id, code=code)
    await life.tells("access_code.changed", "access_code.changed", "access_code.set_on_device")
    assert await life.status() == ("set", False)


async def test_changed_code_waits_anew(world: World, seam: AsyncSeam, device_id: str) -> None:
    await world.add_code(device_id, ID)
    await world.pass_time(device_id, NOW_MS + 20 * MINUTE_S * 1_000)
    await seam.access_codes.update(access_code_id=ID, code="482913")
    assert await conditions(seam, ID) == ([], [])
    asked_ms = world.now_ms
    await world.pass_time(device_id, asked_ms + 5 * MINUTE_S * 1_000 - 1)
    assert await conditions(seam, ID) == ([], [])
    await world.pass_time(device_id, asked_ms + 5 * MINUTE_S * 1_000)
    assert await conditions(seam, ID) == ([], ["delay_in_setting_on_device"])
    assert (await told(world, ID)).count(SLOW) == 2


async def test_deletion_that_does_not_reach_the_keypad_is_late_then_failed(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await world.add_code(device_id, ID, announced="set")
    await world.put_on_keypad(ID, slot=3)
    await world.pass_time(device_id, NOW_MS + DAY_S * 1_000)
    assert await told(world, ID) == []
    await seam.access_codes.delete(access_code_id=ID)
    asked_ms = world.now_ms
    for after_s, errors, warnings, events in [
        (5 * MINUTE_S - 1, [], [], []),
        (5 * MINUTE_S, [], ["delay_in_removing_from_device"], [SLOW_GOING]),
        (
            HOUR_S,
            ["failed_to_remove_from_device"],
            ["delay_in_removing_from_device"],
            [SLOW_GOING, FAILED_GOING],
        ),
        (
            2 * HOUR_S,
            ["failed_to_remove_from_device"],
            ["delay_in_removing_from_device"],
            [SLOW_GOING, FAILED_GOING],
        ),
    ]:
        await world.pass_time(device_id, asked_ms + after_s * 1_000)
        assert await conditions(seam, ID) == (errors, warnings), after_s
        assert await told(world, ID) == events
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, "still opens" in code.errors[0].message) == ("removing", True)
    await world.keypad_shows(device_id, 3, maker=HUB)
    assert (await told(world, ID))[2:] == ["access_code.removed_from_device", "access_code.deleted"]
    with pytest.raises(SeamHttpApiError):
        await seam.access_codes.get(access_code_id=ID)


async def test_code_that_ended_is_refused_removed_kept_a_week_and_deleted(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    ends_s = NOW_S + DAY_S
    await world.add_code(device_id, ID, starts_at_s=NOW_S - 60, ends_at_s=ends_s, announced="set")
    await world.put_on_keypad(ID, slot=3)
    await world.pass_time(device_id, (ends_s + 5 * MINUTE_S) * 1_000 - 1)
    assert await conditions(seam, ID) == ([], [])
    await world.pass_time(device_id, (ends_s + 5 * MINUTE_S) * 1_000)
    (warning,) = (await seam.access_codes.get(access_code_id=ID)).warnings
    assert warning.warning_code == "delay_in_removing_from_device"
    assert "refuses" in warning.message
    await world.keypad_shows(device_id, 3, maker=HUB)
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, code.display_status, code.warnings) == ("unset", "Expired", [])
    await world.pass_time(device_id, (ends_s + 7 * DAY_S) * 1_000 - 1)
    assert (await seam.access_codes.get(access_code_id=ID)).display_status == "Expired"
    await world.pass_time(device_id, (ends_s + 7 * DAY_S) * 1_000)
    assert await told(world, ID) == [SLOW_GOING, "access_code.removed_from_device", "access_code.deleted"]
    with pytest.raises(SeamHttpApiError) as caught:
        await seam.access_codes.get(access_code_id=ID)
    assert caught.value.code == "access_code_not_found"


async def on_keypad(world: World, device_id: str, **fields: Any) -> None:
    await world.add_code(device_id, ID, announced="set", **fields)
    await world.put_on_keypad(ID, slot=3)


async def test_code_that_another_hand_took_off_is_marked_and_wanted_back(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await on_keypad(world, device_id)
    await world.keypad_shows(device_id, 3, maker=KEYPAD)
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, [it.error_code for it in code.errors]) == ("setting", [MODIFIED])
    await world.keypad_shows(device_id, 5, maker=HUB, code="4711", access_code_id=ID)
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, [it.error_code for it in code.errors]) == ("set", [MODIFIED])
    assert await told(world, ID) == ["access_code.deleted_external_to_seam", "access_code.set_on_device"]
    await world.pass_time(device_id, NOW_MS + DAY_S * 1_000 - 1)
    assert await conditions(seam, ID) == ([MODIFIED], [])
    await world.pass_time(device_id, NOW_MS + DAY_S * 1_000)
    assert await conditions(seam, ID) == ([], [])


async def test_code_that_may_be_taken_off_stays_off_until_it_is_changed(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await on_keypad(world, device_id, external_modification_allowed=True)
    await world.keypad_shows(device_id, 3, maker=KEYPAD)
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, code.errors, code.pending_mutations) == ("unset", [], [])
    assert [it.warning_code for it in code.warnings] == [MODIFIED]
    await world.pass_time(device_id, NOW_MS + HOUR_S * 1_000)
    assert await conditions(seam, ID) == ([], [MODIFIED])  # nothing waits for the keypad
    await seam.access_codes.update(access_code_id=ID, code="482913")
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, code.warnings) == ("setting", [])


@pytest.mark.parametrize("allowed", [True, False])
async def test_code_that_another_host_rewrote_is_followed_if_that_is_allowed(
    world: World, seam: AsyncSeam, device_id: str, allowed: bool
) -> None:
    await on_keypad(world, device_id, external_modification_allowed=allowed)
    window = {"from_s": NOW_S - 60, "until_s": NOW_S + DAY_S}
    await world.keypad_shows(device_id, 3, maker=OTHER_HOST, code="9911", access_code_id=ID, **window)
    code = await seam.access_codes.get(access_code_id=ID)
    shown = (code.code, code.type, code.status)
    if allowed:
        assert shown == ("9911", "time_bound", "set")
        assert await conditions(seam, ID) == ([], [MODIFIED])
    else:
        assert shown == ("4711", "ongoing", "setting")
        assert await conditions(seam, ID) == ([MODIFIED], [])
    assert await told(world, ID) == ["access_code.modified_external_to_seam"]
    if not allowed:
        await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=ID)
        assert (await told(world, ID))[1:] == ["access_code.set_on_device"]
        assert await conditions(seam, ID) == ([MODIFIED], [])


@pytest.mark.parametrize("allowed", [True, False])
async def test_code_that_another_hub_disabled_opens_again_only_where_that_was_not_allowed(
    world: World, seam: AsyncSeam, device_id: str, allowed: bool
) -> None:
    """Goal: whoever may change the code may shut it, and the hub does not open it again behind his back."""
    await on_keypad(world, device_id, external_modification_allowed=allowed)
    await world.keypad_shows(
        device_id, 3, maker=OTHER_HOST, code="4711", access_code_id=ID, flags=messages.MANAGED
    )
    (action,) = (await world.planned(device_id)).actions
    assert await told(world, ID) == ["access_code.modified_external_to_seam"]
    if not allowed:
        assert isinstance(action, Write)
        assert await conditions(seam, ID) == ([MODIFIED], [])
        return
    assert isinstance(action, Clear)
    assert await conditions(seam, ID) == ([], [MODIFIED])
    await world.keypad_shows(device_id, 3, maker=HUB)
    assert (await told(world, ID))[1:] == ["access_code.removed_from_device"]
    assert (await seam.access_codes.get(access_code_id=ID)).status == "unset"
    assert (await world.planned(device_id)).actions == []
    await seam.access_codes.update(access_code_id=ID, code="482913")  # it is wanted again
    (action,) = (await world.planned(device_id)).actions
    assert isinstance(action, Write)


async def test_code_that_is_taken_off_again_and_again_asks_for_a_person(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await on_keypad(world, device_id)
    for times in range(1, 4):
        await world.keypad_shows(device_id, 3, maker=KEYPAD)
        await world.pass_time(device_id, world.now_ms + MINUTE_S * 1_000)
        errors, warnings = await conditions(seam, ID)
        assert errors == [MODIFIED]
        assert warnings == ([] if times == 1 else ["third_party_integration_detected"])
        await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=ID)
    await world.pass_time(device_id, world.now_ms + DAY_S * 1_000 - 2 * MINUTE_S * 1_000)
    assert await conditions(seam, ID) == ([MODIFIED], ["third_party_integration_detected"])
    await world.pass_time(device_id, world.now_ms + DAY_S * 1_000)
    assert await conditions(seam, ID) == ([], [])


async def test_code_that_was_set_again_in_vain_is_left_until_a_person_changes_it(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await on_keypad(world, device_id)
    for shown in (KEYPAD, HUB, KEYPAD):
        back = {"code": "4711", "access_code_id": ID} if shown == HUB else {}
        await world.keypad_shows(device_id, 3, maker=shown, **back)

    async def stopped() -> set[str]:
        async with world.database.write() as session:
            return (await external.review(session, device_id, world.now_ms, world.timing))[0]

    assert await stopped() == {ID}
    world.now_ms += 5 * HOUR_S * 1_000
    assert await stopped() == {ID}, "an hour is no person"
    await seam.access_codes.update(access_code_id=ID, code="482913")
    assert await stopped() == set()


async def test_used_one_time_code_is_kept_for_a_week_from_its_use(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await world.add_code(device_id, ID, uses_left=1)
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=ID, flags=ONCE)
    used_ms = NOW_MS + 60_000
    await world.pass_time(device_id, used_ms)
    await world.keypad_shows(device_id, 3, maker=KEYPAD, code="4711", access_code_id=ID, flags=ONCE | SPENT)
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, code.errors, code.warnings) == ("removing", [], [])
    with pytest.raises(SeamHttpApiError):  # the keypad still has it
        await seam.access_codes.create(device_id=device_id, code="4711")
    await world.keypad_shows(device_id, 3, maker=HUB)
    code = await seam.access_codes.get(access_code_id=ID)
    assert (code.status, code.display_status) == ("unset", "Expired")
    await seam.access_codes.create(device_id=device_id, code="4711")
    await world.pass_time(device_id, used_ms + 7 * DAY_S * 1_000 - 1)
    assert (await world.code(ID)).state == "active"
    await world.pass_time(device_id, used_ms + 7 * DAY_S * 1_000)
    assert (await world.code(ID)).state == "deleted"
    assert await told(world, ID) == [
        "access_code.set_on_device",
        "access_code.removed_from_device",
        "access_code.deleted",
    ]


async def test_use_of_the_old_pin_does_not_use_up_the_new_one(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await world.add_code(device_id, ID, uses_left=1)
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=ID, flags=ONCE)
    await seam.access_codes.update(access_code_id=ID, code="482913")
    await world.keypad_shows(device_id, 3, maker=KEYPAD, code="4711", access_code_id=ID, flags=ONCE | SPENT)
    assert (await seam.access_codes.get(access_code_id=ID)).status == "setting"
    await world.keypad_shows(device_id, 3, maker=HUB, code="482913", access_code_id=ID, flags=ONCE)
    assert (await seam.access_codes.get(access_code_id=ID)).status == "set"
