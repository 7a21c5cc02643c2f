"""Codes whose PIN a brand's lock makes up itself: what can be asked of them, and what is refused."""

from typing import Any

import httpx
import pytest
from api_world import World, check_refused

WARNING = "igloo_algopin_must_be_used_within_24_hours"


@pytest.fixture
async def lock(world: World) -> str:
    return await world.add_device(profile="igloohome", pin_min=4, pin_max=6, capacity=50)


async def made(http: httpx.AsyncClient, lock: str, **fields: object) -> dict[str, Any]:
    body = {"device_id": lock, "is_offline_access_code": True, **fields}
    response = await http.post("/access_codes/create", json=body)
    assert response.status_code == 200, response.text
    code: dict[str, Any] = response.json()["access_code"]
    return code


async def test_device_says_that_it_makes_them(http: httpx.AsyncClient, lock: str) -> None:
    device = (await http.get(f"/devices/get?device_id={lock}")).json()["device"]
    assert device["can_program_offline_access_codes"]
    assert device["properties"]["offline_access_codes_enabled"]


@pytest.mark.parametrize("name", ["is_offline_access_code", "use_offline_access_code"])
async def test_code_says_that_it_is_one(http: httpx.AsyncClient, lock: str, name: str) -> None:
    response = await http.post("/access_codes/create", json={"device_id": lock, name: True})
    code = response.json()["access_code"]
    assert code["is_offline_access_code"]
    assert [it["warning_code"] for it in code["warnings"]] == [WARNING]
    ordinary = (await http.post("/access_codes/create", json={"device_id": lock, name: False})).json()
    assert not ordinary["access_code"]["is_offline_access_code"]
    assert ordinary["access_code"]["warnings"] == []


async def test_new_spelling_counts_where_both_are_given(http: httpx.AsyncClient, lock: str) -> None:
    body = {"device_id": lock, "is_offline_access_code": False, "use_offline_access_code": True}
    code = (await http.post("/access_codes/create", json=body)).json()["access_code"]
    assert not code["is_offline_access_code"]


async def test_it_may_be_for_one_time(http: httpx.AsyncClient, lock: str) -> None:
    code = await made(http, lock, is_one_time_use=True)
    assert (code["is_offline_access_code"], code["is_one_time_use"]) == (True, True)


@pytest.mark.parametrize(
    ("field", "value"), [("code", "482913"), ("preferred_code_length", 6), ("common_code_key", "booking 7")]
)
async def test_its_pin_cannot_be_chosen(
    http: httpx.AsyncClient, lock: str, field: str, value: object
) -> None:
    body = {"device_id": lock, "is_offline_access_code": True, field: value}
    check_refused(await http.post("/access_codes/create", json=body), 400, "invalid_input", field)


async def test_several_doors_cannot_share_one(http: httpx.AsyncClient, lock: str) -> None:
    body = {"device_ids": [lock], "is_offline_access_code": True}
    response = await http.put("/access_codes/create_multiple", json=body)
    check_refused(response, 400, "invalid_input", "is_offline_access_code")


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"code": "591024"}, "access_code_id"),
        ({"starts_at": "2027-01-20T10:00:00Z", "ends_at": "2027-01-21T10:00:00Z"}, "access_code_id"),
        ({"is_one_time_use": True}, "access_code_id"),
        ({"is_offline_access_code": False}, "is_offline_access_code"),
        ({"use_offline_access_code": False}, "use_offline_access_code"),
        ({"is_managed": False}, "is_managed"),
    ],
    ids=repr,
)
async def test_no_more_than_its_name_can_be_changed(
    http: httpx.AsyncClient, lock: str, fields: dict[str, object], refused: str
) -> None:
    code = await made(http, lock, name="Guest")
    body = {"access_code_id": code["access_code_id"], "is_offline_access_code": True, "name": "Ann"}
    assert (await http.patch("/access_codes/update", json=body)).status_code == 200
    del body["is_offline_access_code"], body["name"]
    response = await http.patch("/access_codes/update", json=body | fields)
    check_refused(response, 400, "invalid_input", refused)
    shown = (await http.get(f"/access_codes/get?access_code_id={code['access_code_id']}")).json()
    assert shown["access_code"]["name"] == "Ann"
    assert shown["access_code"]["code"] == code["code"]


async def test_ordinary_code_does_not_become_one(http: httpx.AsyncClient, lock: str) -> None:
    code = (await http.post("/access_codes/create", json={"device_id": lock})).json()["access_code"]
    body = {"access_code_id": code["access_code_id"], "is_offline_access_code": True}
    response = await http.patch("/access_codes/update", json=body)
    check_refused(response, 400, "invalid_input", "is_offline_access_code")
