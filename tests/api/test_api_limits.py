"""What a device says of the codes that it takes is what it takes: held against it at the edges, for each brand."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
from api_world import World, check_refused
from doorpad.store.brands import PROFILES
from doorpad.store.profile_names import ProfileName
from doorpad.sync.plan import NO_SPACE, Write

DIGITS = "5910283746592"
BRANDS = sorted(name for name, profile in PROFILES.items() if profile.takes_codes)


async def properties(http: httpx.AsyncClient, device_id: str) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = (await http.get(f"/devices/get?device_id={device_id}")).json()["device"]
    return dict(shown["properties"])


async def create(http: httpx.AsyncClient, device_id: str, **fields: object) -> httpx.Response:
    return await http.post("/access_codes/create", json={"device_id": device_id, **fields})


async def device_of(world: World, profile: ProfileName, **fields: Any) -> str:
    """A keypad that plays the brand, with what its firmware tells then."""
    least, most = PROFILES[profile].digits
    limits = {"pin_min": least, "pin_max": most, "capacity": PROFILES[profile].slots}
    return await world.add_device(profile=profile, **limits | fields)


@pytest.mark.parametrize("profile", BRANDS)
async def test_lengths_are_those_that_are_taken(
    world: World, http: httpx.AsyncClient, profile: ProfileName
) -> None:
    device_id = await device_of(world, profile)
    told = (await properties(http, device_id))["supported_code_lengths"]
    for length in range(3, len(DIGITS) + 1):
        chosen = await create(http, device_id, code=DIGITS[:length])
        may_be_chosen = length in told and not PROFILES[profile].chooses_codes
        assert chosen.status_code == (200 if may_be_chosen else 400), (length, chosen.text)
        made_up = await create(http, device_id, preferred_code_length=length)
        digits = len(made_up.json()["access_code"]["code"])
        assert digits in told
        assert (digits == length) == (length in told)


async def test_as_many_codes_as_are_told_of_get_a_slot(world: World, http: httpx.AsyncClient) -> None:
    device_id = await world.add_device(capacity=3)
    most = (await properties(http, device_id))["max_active_codes_supported"]
    codes = [
        (await create(http, device_id, code=f"48291{n}")).json()["access_code"]["access_code_id"]
        for n in range(most + 1)
    ]
    todo = await world.planned(device_id)
    writes = [it.access_code_id for it in todo.actions if isinstance(it, Write)]
    assert sorted(writes + list(todo.problems)) == sorted(codes)
    assert (len(writes), [it.error_code for it in todo.problems.values()]) == (most, [NO_SPACE])


async def test_nothing_is_made_for_a_device_that_takes_no_codes(
    world: World, http: httpx.AsyncClient
) -> None:
    device_id = await device_of(world, "ecobee")
    shown = (await http.get(f"/devices/get?device_id={device_id}")).json()["device"]
    assert shown["capabilities_supported"] == ["lock"]
    assert not shown["can_program_online_access_codes"]
    assert not shown["properties"]["online_access_codes_enabled"]
    check_refused(await create(http, device_id), 400, "invalid_input", "device_id")
    reply = await http.put("/access_codes/create_multiple", json={"device_ids": [device_id]})
    check_refused(reply, 400, "invalid_input", "device_ids")


async def no_pin_can_be_chosen(http: httpx.AsyncClient, device_id: str, _: Mapping[str, Any]) -> None:
    told = await properties(http, device_id)
    refused = await create(http, device_id, code=DIGITS[: told["supported_code_lengths"][0]])
    assert refused.json()["error"]["validation_errors"]["code"]["_errors"]
    made_up = (await create(http, device_id)).json()["access_code"]["access_code_id"]
    changed = await http.post("/access_codes/update", json={"access_code_id": made_up, "code": "591028"})
    assert changed.json()["error"]["validation_errors"]["code"]["_errors"]


async def no_two_have_one_name(http: httpx.AsyncClient, device_id: str, _: Mapping[str, Any]) -> None:
    first = (await create(http, device_id, name="Ann")).json()["access_code"]
    second = (await create(http, device_id, name="Ann")).json()["access_code"]
    assert (first["errors"], [it["error_code"] for it in second["errors"]]) == (
        [],
        ["wyze_duplicate_code_name"],
    )


async def shows_so_much_of_a_name(http: httpx.AsyncClient, device_id: str, rule: Mapping[str, Any]) -> None:
    most = rule["max_length"]
    assert rule["min_length"] == 1
    for name in ("A" * most, "A" * (most + 1)):
        code = (await create(http, device_id, name=name)).json()["access_code"]
        assert (code["name"], code["appearance"]["name"]) == (name, "A" * most)


ENFORCED: Mapping[str, Callable[[httpx.AsyncClient, str, Mapping[str, Any]], Awaitable[None]]] = {
    "cannot_specify_pin_code": no_pin_can_be_chosen,
    "name_must_be_unique": no_two_have_one_name,
    "name_length": shows_so_much_of_a_name,
}


@pytest.mark.parametrize("profile", BRANDS)
async def test_constraints_are_those_that_codes_are_kept_to(
    world: World, http: httpx.AsyncClient, profile: ProfileName
) -> None:
    device_id = await device_of(world, profile)
    told = {it["constraint_type"]: it for it in (await properties(http, device_id))["code_constraints"]}
    for name, rule in told.items():
        await ENFORCED[name](http, device_id, rule)
    # What is not told of is not kept to.
    if "cannot_specify_pin_code" not in told:
        pin = DIGITS[1 : 1 + PROFILES[profile].digits[0]]
        assert (await create(http, device_id, code=pin)).status_code == 200
    if told.keys().isdisjoint({"name_length", "name_must_be_unique"}):
        codes = [(await create(http, device_id, name="A" * 40)).json()["access_code"] for _ in range(2)]
        assert {it["appearance"]["name"] for it in codes} == {"A" * 40}
        assert codes[0]["errors"] == codes[1]["errors"]


@pytest.mark.parametrize("pin", ["1984", "2041", "198403", "24121984"])
@pytest.mark.parametrize("weak_years", [True, False])
async def test_year_in_a_pin_is_weak_where_that_is_asked_for(
    world: World, http: httpx.AsyncClient, pin: str, weak_years: bool
) -> None:
    device_id = await world.add_device(weak_years=weak_years)
    code = (await create(http, device_id, code=pin)).json()["access_code"]
    assert (code["code"], code["doorpad"]["is_weak_code"]) == (pin, weak_years)


async def test_no_pin_with_a_year_is_made_up_where_that_is_asked_for(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two doors that share a PIN, one asks for it."""
    drawn = iter([1984, 4820, 1984])
    monkeypatch.setattr("doorpad.store.pins.secrets.randbelow", lambda _: next(drawn))
    doors = [
        await world.add_device("00112233445566aa", weak_years=True, pin_max=4),
        await world.add_device("00112233445566bb", pin_max=4),
    ]
    reply = await http.put("/access_codes/create_multiple", json={"device_ids": doors})
    assert {it["code"] for it in reply.json()["access_codes"]} == {"4820"}
    assert (await create(http, doors[1])).json()["access_code"]["code"] == "1984"
