"""What is old leaves the database, a part at a time, and nothing else does; the API serves meanwhile."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from api_world import NOW_MS, World
from doorpad.events.log import record
from doorpad.store.audit import read_entries
from doorpad.store.database import FILE_NAME
from doorpad.store.retention import ACTION_ATTEMPTS, AUDIT_LOG, EVENTS, PART
from doorpad.store.schema import ActionAttempt, AuditEntry, Delivery, Event, Webhook
from doorpad.store.statements import NewRow
from seam import AsyncSeam
from sqlalchemy import delete, select

DAY_MS = 86_400_000
SINCE = "2000-01-01T00:00:00Z"
WEBHOOK_ID = "00000000-0000-4000-8000-000000000003"

_ENTRY = NewRow(AuditEntry, gives=AuditEntry.seq)
_ATTEMPT = NewRow(ActionAttempt)


async def log_events(world: World, device_id: str | None, *created_at_ms: int) -> None:
    """Events of a door that were learned of at these times, and had happened just when the test's clock began."""
    async with world.database.write() as session:
        for at_ms in created_at_ms:
            await record(
                session,
                event_id=str(uuid4()),
                event_type="device.connected" if device_id else "connected_account.connected",
                device_id=device_id,
                access_code_id=None,
                occurred_at_ms=NOW_MS,
                created_at_ms=at_ms,
                payload={},
            )


async def rows(world: World, model: Any) -> list[int]:
    """When the events or attempts that are there were written, in the order of their writing."""
    async with world.database.read() as session:
        order = Event.seq if model is Event else ActionAttempt.created_at_ms
        return list(await session.scalars(select(model.created_at_ms).order_by(order)))


async def forget(world: World, kept: Any, days: int) -> int:
    deleted: int = await kept.forget(world.database, world.now_ms - days * DAY_MS, world.now_ms)
    return deleted


async def test_old_events_go_and_young_ones_those_of_the_hub_and_those_that_are_owed_stay(
    world: World, device_id: str
) -> None:
    await log_events(world, None, NOW_MS)
    await log_events(world, device_id, *range(NOW_MS, NOW_MS + PART + 10))
    async with world.database.write() as session:
        session.add(Webhook(webhook_id=WEBHOOK_ID, url="-", secret="-", event_types=["*"], created_at_ms=0))
    await log_events(world, device_id, NOW_MS + PART + 10)  # for the webhook
    world.now_ms += 400 * DAY_MS
    await log_events(world, device_id, world.now_ms)
    assert await forget(world, EVENTS, 401) == 0
    assert await forget(world, EVENTS, 399) == PART + 10
    assert await rows(world, Event) == [NOW_MS, NOW_MS + PART + 10, world.now_ms]
    async with world.database.write() as session:  # as the deliverer does when it is told
        await session.execute(delete(Delivery))
    assert await forget(world, EVENTS, 399) == 1
    assert await rows(world, Event) == [NOW_MS, world.now_ms]


async def test_age_of_an_event_is_from_when_the_hub_learned_of_it(world: World, device_id: str) -> None:
    """Goal: what a keypad tells after years without a hub, or by a clock that is wrong, can be read."""
    world.now_ms += 1_000 * DAY_MS
    await log_events(world, device_id, world.now_ms)
    assert await forget(world, EVENTS, 1) == 0
    assert await rows(world, Event) == [world.now_ms]


async def test_events_of_a_time_when_the_clock_was_ahead_do_not_keep_later_ones_for_ever(
    world: World, device_id: str
) -> None:
    ahead = [NOW_MS + 30_000 * DAY_MS] * (2 * PART)
    await log_events(world, device_id, *ahead, NOW_MS)
    world.now_ms += 10 * DAY_MS
    assert await forget(world, EVENTS, 5) == 1
    assert await rows(world, Event) == ahead


async def test_action_attempts_go_by_age_and_a_list_goes_on_where_they_were(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    async with world.database.write() as session:
        for day in range(6):
            _ATTEMPT.made(
                session,
                action_attempt_id=str(uuid4()),
                action_type="UNLOCK_DOOR",
                device_id=device_id,
                created_at_ms=NOW_MS + day * DAY_MS,
                finished="success",
            )
    world.now_ms += 5 * DAY_MS
    asked = {"device_id": device_id, "limit": 2}
    shown = (await http.get("/action_attempts/list", params=asked)).json()
    assert len(shown["action_attempts"]) == 2
    assert await forget(world, ACTION_ATTEMPTS, 2) == 3  # also the two of the first page, and one beyond
    ids = []
    while True:
        cursor = shown["pagination"]["next_page_cursor"]
        shown = (await http.get("/action_attempts/list", params={**asked, "page_cursor": cursor})).json()
        ids += [it["action_attempt_id"] for it in shown["action_attempts"]]
        if not shown["pagination"]["has_next_page"]:
            break
    left = (await http.get("/action_attempts/list", params={"device_id": device_id})).json()
    assert ids == [it["action_attempt_id"] for it in left["action_attempts"]]
    assert await rows(world, ActionAttempt) == [NOW_MS + day * DAY_MS for day in (3, 4, 5)]


async def test_list_of_events_goes_on_in_its_order_where_some_have_gone(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    await log_events(world, device_id, *(NOW_MS + day * DAY_MS for day in range(6)))
    world.now_ms += 5 * DAY_MS
    before = [it.event_id for it in await seam.events.list(since=SINCE, device_id=device_id)]
    assert await forget(world, EVENTS, 2) == 3
    pages = [
        await seam.events.list(since=SINCE, device_id=device_id, limit=2, unstable_offset=offset)
        for offset in (0, 2)
    ]
    assert [it.event_id for page in pages for it in page] == before[3:]
    found = await seam.events.get(event_id=before[3])
    assert found.event_id == before[3]


async def test_entries_that_are_too_old_leave_the_audit_log_and_no_others(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    def entries() -> list[dict[str, Any]]:
        return list(read_entries(world.database.data_dir / FILE_NAME))

    await http.patch("/devices/update", json={"device_id": device_id, "name": "Front"})
    (old,) = entries()
    async with world.database.write() as session:
        for _ in range(2 * PART):
            _ENTRY.add(session, old | {"seq": None})
    world.now_ms += DAY_MS + 1
    await http.patch("/devices/update", json={"device_id": device_id, "name": "Back"})
    young = entries()[-1]
    assert await forget(world, AUDIT_LOG, 1) == 2 * PART + 1
    assert entries() == [young]


@pytest.mark.parametrize("kept", [EVENTS, AUDIT_LOG, ACTION_ATTEMPTS])
async def test_api_changes_and_answers_while_much_is_forgotten(
    world: World, http: httpx.AsyncClient, device_id: str, kept: Any
) -> None:
    await log_events(world, device_id, *([NOW_MS] * (40 * PART)))
    await http.post("/locks/unlock_door", json={"device_id": device_id})
    entry = next(read_entries(world.database.data_dir / FILE_NAME))
    attempt = {"action_type": "UNLOCK_DOOR", "device_id": device_id, "created_at_ms": NOW_MS}
    async with world.database.write() as session:
        for _ in range(40 * PART):
            _ENTRY.add(session, entry | {"seq": None})
            _ATTEMPT.made(session, action_attempt_id=str(uuid4()), **attempt)
    world.now_ms += DAY_MS + 1
    forgetting = asyncio.create_task(forget(world, kept, 1))
    created = await http.post("/access_codes/create", json={"device_id": device_id})
    assert created.status_code == 200
    assert (await http.get("/access_codes/list", params={"device_id": device_id})).status_code == 200
    assert not forgetting.done()
    assert await forgetting >= 40 * PART
