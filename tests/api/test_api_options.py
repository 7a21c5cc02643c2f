"""Each parameter of the calls that make, change and take over codes does what it says, or is refused by its name.

The contract's own lists of names are the parameter of the test: none can be forgotten.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from api_world import HUB, World, check_refused
from doorpad.store.schema import AccessCode, Device
from doorpad.sync.plan import Write
from doorpad_link.messages import ENABLED, MANAGED
from sqlalchemy import select

CONTRACT = json.loads((Path(__file__).parent / "seam_contract.json").read_text())
CREATE, UPDATE = "/access_codes/create", "/access_codes/update"
CREATE_MULTIPLE, UPDATE_MULTIPLE = "/access_codes/create_multiple", "/access_codes/update_multiple"
CONVERT = "/access_codes/unmanaged/convert_to_managed"
TAKE = "/access_codes/unmanaged/update"
NEW = (CREATE, CREATE_MULTIPLE)
MANAGED_ALONE = (*NEW, UPDATE)  # calls about managed codes, one by one
WITH_TIMES = (*NEW, UPDATE, UPDATE_MULTIPLE)
UNMANAGED = (CONVERT, TAKE)

PIN, KEY = "482913", "booking 2041"
STARTS, ENDS = "2027-01-20T10:07:13Z", "2027-01-22T09:52:47Z"
STARTS_S, ENDS_S = 1_800_439_633, 1_800_611_567
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@dataclass
class Asking:
    """A client of one path, and two doors. What is there to be changed has the PIN `PIN`, at the first door.

    `name`: the parameter to be proven.
    """

    world: World
    http: httpx.AsyncClient
    path: str
    name: str
    door: str
    other_door: str

    async def post(self, path: str | None = None, **body: object) -> httpx.Response:
        return await self.http.post(path or self.path, json=body)

    async def subject(self) -> dict[str, object]:
        """Bring about what the path is about; return the parameters that name it."""
        if self.path == CREATE:
            return {"device_id": self.door}
        if self.path == CREATE_MULTIPLE:
            return {"device_ids": [self.door]}
        if self.path == UPDATE_MULTIPLE:
            await self.post(CREATE, device_id=self.door, code=PIN, common_code_key=KEY)
            return {"common_code_key": KEY}
        await self.world.add_code(self.door, UNKNOWN, code=PIN, managed=self.path == UPDATE)
        await self.world.put_on_keypad(UNKNOWN, slot=1)
        named: dict[str, object] = {"access_code_id": UNKNOWN}
        return named | ({"is_managed": True} if self.path == TAKE else {})

    async def done(self, **fields: object) -> AccessCode:
        """Ask for these; return the code that this is about."""
        response = await self.post(**await self.subject() | fields)
        assert response.status_code == 200, response.text
        return await self.code()

    async def code(self) -> AccessCode:
        """The newest code at the first door."""
        async with self.world.database.read() as session:
            query = select(AccessCode).where(AccessCode.device_id == self.door)
            found = (await session.scalars(query)).all()
        assert len(found) == 1
        return found[0]

    async def refused(self, *values: object, **fields: object) -> None:
        """Each of these values of the parameter is refused by its name, and changes nothing."""
        subject = await self.subject()
        before = await self.writes()
        for value in values:
            response = await self.post(**subject | fields | {self.name: value})
            check_refused(response, 400, "invalid_input", self.name)
            assert await self.writes() == before

    async def writes(self) -> list[Write]:
        """What is to be written to the first door's keypad now."""
        todo = await self.world.planned(self.door)
        return [action for action in todo.actions if isinstance(action, Write)]

    async def written(self, **fields: object) -> Write:
        """Ask for these; return what is to be written for the code."""
        await self.done(**fields)
        (write,) = await self.writes()
        return write


Case = Callable[[Asking], Awaitable[None]]
CASES: dict[tuple[str, str], Case] = {}


def on(paths: tuple[str, ...], *names: str) -> Callable[[Case], Case]:
    """The case proves these parameters on these paths."""

    def note(case: Case) -> Case:
        for path in paths:
            for name in names:
                assert (path, name) not in CASES
                CASES[path, name] = case
        return case

    return note


@on((CREATE,), "device_id")
async def _is_made_at_the_door(asking: Asking) -> None:
    response = await asking.post(device_id=asking.other_door)
    assert response.json()["access_code"]["device_id"] == asking.other_door
    assert (await asking.post(device_id=UNKNOWN)).status_code == 404


@on((CREATE_MULTIPLE,), "device_ids")
async def _is_made_at_the_doors(asking: Asking) -> None:
    doors = [asking.door, asking.other_door]
    response = await asking.post(device_ids=doors)
    assert [it["device_id"] for it in response.json()["access_codes"]] == doors
    assert (await asking.post(device_ids=[asking.door, UNKNOWN])).status_code == 404


@on((UPDATE, *UNMANAGED), "access_code_id")
async def _is_about_the_code(asking: Asking) -> None:
    subject = await asking.subject()
    assert (await asking.post(**subject)).status_code == 200
    assert (await asking.post(**subject | {"access_code_id": asking.door})).status_code == 404


@on((UPDATE,), "device_id")
async def _names_the_door_of_the_code(asking: Asking) -> None:
    subject = await asking.subject()
    assert (await asking.post(**subject, device_id=asking.door)).status_code == 200
    assert (await asking.post(**subject, device_id=asking.other_door)).status_code == 404


@on(WITH_TIMES, "name")
async def _names_the_code(asking: Asking) -> None:
    assert (await asking.done(name="Zoë")).name == "Zoë"


@on(MANAGED_ALONE, "code")
async def _is_the_pin(asking: Asking) -> None:
    assert (await asking.written(code="591024")).code == "591024"


@on(WITH_TIMES, "starts_at", "ends_at")
async def _is_the_window(asking: Asking) -> None:
    write = await asking.written(starts_at=STARTS, ends_at=ENDS)
    assert (write.from_s, write.until_s) == (STARTS_S, ENDS_S)


@on((UPDATE,), "type")
async def _makes_it_ongoing_or_time_bound(asking: Asking) -> None:
    write = await asking.written(type="time_bound", starts_at=STARTS, ends_at=ENDS)
    assert (write.from_s, write.until_s) == (STARTS_S, ENDS_S)
    assert (await asking.post(access_code_id=UNKNOWN, type="ongoing")).status_code == 200
    assert (await asking.code()).starts_at_s is None
    response = await asking.post(access_code_id=UNKNOWN, type="time_bound")
    check_refused(response, 400, "invalid_input", "type")


@on((*MANAGED_ALONE, *UNMANAGED), "allow_external_modification", "is_external_modification_allowed")
async def _lets_other_hands_change_it(asking: Asking) -> None:
    """Two names for one thing; the new one counts where both are given."""
    old = {"allow_external_modification": asking.name == "allow_external_modification"}
    assert (await asking.done(**old | {asking.name: True})).external_modification_allowed


@on(MANAGED_ALONE, "attempt_for_offline_device")
async def _does_or_does_not_wait_for_a_keypad_that_is_away(asking: Asking) -> None:
    async with asking.world.database.write() as session:
        (await session.get_one(Device, asking.door)).link_state = "disconnected"
    await asking.refused(False, code="591024")
    subject = {"device_id": asking.door, "device_ids": [asking.door], "access_code_id": UNKNOWN}
    await asking.post(**subject, code="591024", attempt_for_offline_device=True)
    assert (await asking.code()).code == "591024"


@on((CREATE, UPDATE), "is_one_time_use")
async def _opens_once(asking: Asking) -> None:
    assert (await asking.written(is_one_time_use=True)).uses_left == 1


@on((CREATE, UPDATE), "is_offline_access_code", "use_offline_access_code")
async def _no_keypad_makes_up_a_pin(asking: Asking) -> None:
    """A brand's lock may: test_api_offline_codes.py."""
    await asking.refused(True)
    response = await asking.post(device_id=asking.door, access_code_id=UNKNOWN, **{asking.name: False})
    assert response.status_code == 200, response.text


@on((CREATE, UPDATE), "use_backup_access_code_pool")
async def _has_spare_codes_kept(asking: Asking) -> None:
    async def keeps() -> bool:
        async with asking.world.database.read() as session:
            return (await session.get_one(Device, asking.door)).backup_pool

    await asking.refused(True)  # an ongoing code has no backup
    subject = {"device_id": asking.door, "access_code_id": UNKNOWN, "starts_at": STARTS, "ends_at": ENDS}
    for wanted in (False, True):
        await asking.post(**subject, use_backup_access_code_pool=wanted)
        assert await keeps() is wanted


@on((CREATE, UPDATE), "max_time_rounding")
async def _rounds_no_time_to_hours_or_days(asking: Asking) -> None:
    subject = await asking.subject()
    for rounding in ("1hour", "1day", "1h", "1d"):
        times = {"starts_at": STARTS, "ends_at": ENDS, "max_time_rounding": rounding}
        response = await asking.post(**subject, **times)
        assert response.status_code == 200, response.text
    windows = [(write.from_s, write.until_s) for write in await asking.writes()]
    assert windows == [(STARTS_S, ENDS_S)] * (4 if asking.path == CREATE else 1)
    response = await asking.post(**subject, max_time_rounding="1week")
    check_refused(response, 400, "invalid_input", "max_time_rounding")


@on(MANAGED_ALONE, "prefer_native_scheduling")
async def _keeps_the_window_at_the_keypad(asking: Asking) -> None:
    await asking.refused(False, starts_at=STARTS, ends_at=ENDS)
    subject = {"device_id": asking.door, "device_ids": [asking.door], "access_code_id": UNKNOWN}
    times = {"starts_at": STARTS, "ends_at": ENDS, "prefer_native_scheduling": True}
    assert (await asking.post(**subject, **times)).status_code == 200
    (write,) = await asking.writes()  # days ahead
    assert (write.from_s, write.until_s) == (STARTS_S, ENDS_S)


@on(NEW, "preferred_code_length")
async def _has_so_many_digits(asking: Asking) -> None:
    assert len((await asking.written(preferred_code_length=8)).code) == 8


@on((UPDATE,), "preferred_code_length")
async def _changes_no_pin_by_itself(asking: Asking) -> None:
    await asking.refused(4, 8, 5.5)
    for fields in ({"preferred_code_length": len(PIN)}, {"preferred_code_length": 4, "code": "59102"}):
        assert (await asking.post(access_code_id=UNKNOWN, **fields)).status_code == 200
    assert (await asking.code()).code == "59102"  # only of a code that is made up can a length be preferred


@on((CREATE,), "common_code_key")
async def _shares_its_pin_with_the_group(asking: Asking) -> None:
    code = await asking.done(common_code_key=KEY)
    response = await asking.post(device_id=asking.other_door, common_code_key=KEY)
    assert response.json()["access_code"]["code"] == code.code
    response = await asking.post(device_id=asking.other_door, common_code_key=KEY, code="59102")
    check_refused(response, 400, "invalid_input", "code")


@on((UPDATE_MULTIPLE,), "common_code_key")
async def _is_about_the_group(asking: Asking) -> None:
    assert (await asking.done(name="Zoë")).common_code_key == KEY
    assert (await asking.post(common_code_key="another", name="Zoë")).status_code == 404


@on((CREATE_MULTIPLE,), "behavior_when_code_cannot_be_shared")
async def _makes_up_another_pin_or_none(asking: Asking) -> None:
    await asking.post(CREATE, device_id=asking.other_door, code=PIN)
    shared = {"device_ids": [asking.door, asking.other_door], "code": PIN}
    response = await asking.post(**shared, behavior_when_code_cannot_be_shared="throw")
    check_refused(response, 409, "duplicate_access_code")
    assert await asking.writes() == []
    response = await asking.post(**shared, behavior_when_code_cannot_be_shared="create_random_code")
    first, second = (it["code"] for it in response.json()["access_codes"])
    assert first == PIN != second


@on((UPDATE,), "is_managed")
async def _is_managed_no_longer(asking: Asking) -> None:
    assert not (await asking.written(is_managed=False)).managed
    assert (await asking.post(access_code_id=UNKNOWN, is_managed=True)).status_code == 200
    assert await asking.writes() == []


@on((TAKE,), "is_managed")
async def _is_taken_over(asking: Asking) -> None:
    await asking.refused(False)
    assert (await asking.post(access_code_id=UNKNOWN, is_managed=True)).status_code == 200
    assert (await asking.code()).conversion == "requested"


@on(UNMANAGED, "force")
async def _is_taken_from_another_hub(asking: Asking) -> None:
    assert (await asking.done(force=True)).conversion == "forced"


@on((CREATE, UPDATE, CONVERT), "sync")
async def _answers_when_the_keypad_has_done_it(asking: Asking) -> None:
    subject = await asking.subject()
    changed = {} if asking.path == CONVERT else {"code": "591024"}
    asked = asyncio.create_task(asking.post(**subject, **changed, sync=True))
    await asking.world.wakes.woken.wait()
    code = await asking.code()
    await asking.world.keypad_shows(
        asking.door,
        1,
        maker=HUB,
        code=code.code,
        flags=MANAGED | ENABLED,
        access_code_id=code.access_code_id,
    )
    assert (await asked).json()["action_attempt"]["status"] == "success"


def _names() -> Iterator[tuple[str, str]]:
    for path in (*WITH_TIMES, *UNMANAGED):
        body = CONTRACT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        yield from ((path, name) for name in sorted(body["properties"]))


NAMES = list(_names())


@pytest.fixture
async def asking(world: World, http: httpx.AsyncClient, request: pytest.FixtureRequest) -> Asking:
    doors = [await world.add_device(serial) for serial in ("00112233445566aa", "00112233445566bb")]
    wanted = request.node.callspec.params
    return Asking(world, http, wanted["path"], wanted["name"], *doors)


@pytest.mark.parametrize(("path", "name"), NAMES)
async def test_parameter_does_what_it_says_or_is_refused(asking: Asking, path: str, name: str) -> None:
    assert (path, name) in CASES, "the contract has it, and no case says what it does here"
    await CASES[path, name](asking)


def test_no_case_is_about_what_the_contract_has_not() -> None:
    assert CASES.keys() == set(NAMES)
