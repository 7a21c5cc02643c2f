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
from seam import AsyncSeam, SeamHttpInvalidInputError
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


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.path)
async def test_wrong_type_is_a_typed_error_that_names_each_field(
    world: World, seam: AsyncSeam, operation: AnyOperation
) -> None:
    names = [field.name for field in fields(operation.params)]
    wrong = {name: [[0]] for name in names}  # of no field's type: lists are of texts, ids or objects
    if not names:
        return
    before = await stored(world)
    with pytest.raises(SeamHttpInvalidInputError) as refused:
        await seam.client.post(operation.path, json=wrong)
    assert [name for name in names if not refused.value.get_validation_error_messages(name)] == []
    assert await stored(world) == before


# All are texts that JSON allows; none may reach a statement or a log as anything but a text.
TRICKS = {
    "NUL, quote, pattern, digits": "47\x0011'; DROP TABLE access_codes; -- %_\\[*] \u202e\u0664\u202c e\u0301",
    "half a pair": "\ud83d",
    "long": "4" * 70_000,
}


@pytest.mark.parametrize("trick", TRICKS)
async def test_trick_in_each_text_is_refused_or_kept_as_it_is(
    world: World, http: httpx.AsyncClient, device_id: str, trick: str
) -> None:
    """With each field in turn, and the ids of what is there in the others."""
    await world.add_code(DEVICE_ID, CODE_ID)
    text = json.dumps(TRICKS[trick])
    for operation in FUZZED:
        known = {"device_id": DEVICE_ID, "access_code_id": CODE_ID, "since": "2000-01-01T00:00:00Z"}
        names = [field.name for field in fields(operation.params)]
        for name in names:
            body = {key: value for key, value in known.items() if key in names and key != name}
            content = json.dumps({**body, name: "?"}).replace('"?"', text)
            before = await stored(world)
            response = await http.post(operation.path, content=content.encode())
            assert response.status_code == 200 or 400 <= response.status_code < 500, (operation.path, name)
            if response.status_code != 200:
                assert await stored(world) == before, (operation.path, name)
    named = await http.get("/devices/get", params={"device_id": DEVICE_ID})
    assert named.status_code == 200


async def stored(world: World) -> list[int | None]:
    async with world.database.read() as session:
        return [
            await session.scalar(select(func.count()).select_from(table))
            for table in (AccessCode, Event, ActionAttempt)
        ]
