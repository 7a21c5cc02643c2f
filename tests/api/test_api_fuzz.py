"""Any JSON to any path: an envelope comes back, never a 5xx, and nothing is stored that was refused."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from api_world import World
from doorpad.api import waiting
from doorpad.api.app import OPERATIONS
from doorpad.api.service import AnyOperation
from doorpad.store.identity import device_id_for
from doorpad.store.schema import AccessCode, ActionAttempt, Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields
from sqlalchemy import func, select

DEVICE_ID = device_id_for("00112233445566aa")
CODE_ID = "00000000-0000-4000-8000-000000000001"

# Of these, half are right somewhere: pure noise would stop at the first check.
LIKELY = st.sampled_from(
    [
        DEVICE_ID,
        CODE_ID,
        "4711",
        "123456",
        "2027-01-15T10:00:00Z",
        "2027-01-16T10:00:00+02:00",
        "2027-01-15T10:00:00",
        "ongoing",
        "time_bound",
        True,
        False,
        None,
        [DEVICE_ID],
        [],
        1,
        10**400,
        -0.0,
    ]
)
NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(autouse=True, scope="module")
def held_for_no_time() -> Iterator[None]:
    """No keypad is here to finish what a `sync` waits for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "_HOLD_S", 0.0)
        yield


def bodies(operation: AnyOperation) -> st.SearchStrategy[Any]:
    names = [field.name for field in fields(operation.params)]
    names_likely = st.sampled_from(names) if names else st.text()
    return st.dictionaries(names_likely | st.text(max_size=5), LIKELY | NOISE, max_size=6) | NOISE


# The one path left out waits 10 s for a keypad when its body is right.
FUZZED = [it for it in OPERATIONS if not it.path.endswith("create_unmanaged_access_code")]


@pytest.mark.parametrize("operation", FUZZED, ids=lambda operation: operation.path)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_any_json_gets_an_envelope(
    world: World, http: httpx.AsyncClient, operation: AnyOperation, data: st.DataObject
) -> None:
    async with world.database.read() as session:
        known = await session.get(AccessCode, CODE_ID) is not None
    if not known:
        await world.add_device()
        await world.add_code(DEVICE_ID, CODE_ID)
    body = data.draw(bodies(operation), label="body")
    before = await stored(world)
    response = await http.post(operation.path, content=json.dumps(body).encode())
    reply = response.json()
    assert response.headers["seam-request-id"]
    if response.status_code == 200:
        assert reply["ok"] is True
        return
    assert 400 <= response.status_code < 500
    assert reply["ok"] is False
    assert reply["error"].keys() >= {"type", "message", "data", "request_id"}
    assert await stored(world) == before


async def stored(world: World) -> list[int | None]:
    async with world.database.read() as session:
        return [
            await session.scalar(select(func.count()).select_from(table))
            for table in (AccessCode, Event, ActionAttempt)
        ]
