"""/locks unlock_door and lock_door where no keypad answers; with one that does: hil/test_hil_strike.py."""

import httpx
import pytest
from api_world import NOW_MS, World, check_refused
from doorpad.store.schema import ActionAttempt, Event
from doorpad.sync.strike import WITHIN_MS, Strike
from seam import AsyncSeam, SeamActionAttemptFailedError
from sqlalchemy import select

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
PATHS = ("/locks/unlock_door", "/locks/lock_door")


@pytest.mark.parametrize("path", PATHS)
async def test_keypad_without_a_session_fails_at_once_and_says_why(
    world: World, http: httpx.AsyncClient, device_id: str, path: str
) -> None:
    reply = (await http.post(path, json={"device_id": device_id})).json()
    attempt = reply["action_attempt"]
    assert (attempt["status"], attempt["result"], attempt["error"]["type"]) == (
        "error",
        None,
        "uncategorized_error",
    )
    assert "device_disconnected" in attempt["error"]["message"]
    name = path.rpartition("/")[2]
    async with world.database.read() as session:
        (event,) = (await session.scalars(select(Event).where(Event.device_id == device_id))).all()
    assert event.event_type == f"action_attempt.{name}.failed"
    assert event.payload == {
        "action_attempt_id": attempt["action_attempt_id"],
        "action_type": name.upper(),
        "status": "error",
    }


@pytest.mark.parametrize("path", PATHS)
async def test_door_that_is_not_there_is_refused(http: httpx.AsyncClient, path: str) -> None:
    check_refused(await http.post(path, json={"device_id": UNKNOWN}), 404, "device_not_found")
    check_refused(await http.post(path, json={}), 400, "invalid_input", "device_id")
    check_refused(await http.get(path), 405, "method_not_allowed")


async def test_attempt_that_a_killed_hub_left_is_decided_by_the_next_one_and_once(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    """Its journal has been read, and says nothing of it."""
    async with world.database.write() as session:
        session.add(
            ActionAttempt(
                action_attempt_id=UNKNOWN,
                action_type="UNLOCK_DOOR",
                device_id=device_id,
                created_at_ms=NOW_MS,
            )
        )
    strike = Strike(world.database, device_id, lambda: world.now_ms)
    await strike.settle()
    assert strike.decided_s == WITHIN_MS / 1_000, "it may just be on its way"
    world.now_ms += WITHIN_MS
    for _ in range(2):
        await strike.settle()
    with pytest.raises(SeamActionAttemptFailedError, match="was not done"):
        await seam.action_attempts.get(action_attempt_id=UNKNOWN)
    async with world.database.read() as session:
        events = (await session.scalars(select(Event.event_type))).all()
    assert events == ["action_attempt.unlock_door.failed"]
