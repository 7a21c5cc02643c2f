"""Replies that are kept: the same bytes while nothing has changed, the new ones at once when something has."""

import httpx
import pytest
from api_world import HUB, NOW_MS, NOW_S, World
from doorpad.api.kept import KeptReplies
from doorpad.store.schema import Device
from sqlalchemy import Engine, event

PATH = "/access_codes/get"


@pytest.fixture
def statements() -> list[str]:
    """The statements that the database was asked from here on."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield asked
    event.remove(Engine, "before_cursor_execute", note)


async def code_of(world: World, device_id: str, **fields: object) -> str:
    return await world.add_code(device_id, "00000000-0000-4000-8000-000000000001", **fields)


async def test_repeated_question_asks_the_database_once(
    world: World, http: httpx.AsyncClient, device_id: str, statements: list[str]
) -> None:
    id_ = await code_of(world, device_id)
    for question in (f"{PATH}?access_code_id={id_}", f"/access_codes/list?device_id={device_id}"):
        first = await http.get(question)
        asked = len(statements)
        again = await http.get(question)
        assert asked > 0 and len(statements) == asked
        assert again.content == first.content
        assert again.headers["seam-request-id"] != first.headers["seam-request-id"]


async def test_change_by_another_client_by_the_keypad_and_by_its_link_is_shown_at_once(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    id_ = await code_of(world, device_id)

    async def shown() -> tuple[object, ...]:
        code = (await http.get(PATH, params={"access_code_id": id_})).json()["access_code"]
        listed = (await http.get("/access_codes/list", params={"device_id": device_id})).json()
        assert listed["access_codes"] == [code]
        return code["name"], code["status"], [it["error_code"] for it in code["errors"]]

    assert await shown() == (None, "setting", [])
    await http.patch("/access_codes/update", json={"access_code_id": id_, "name": "Ann"})
    assert await shown() == ("Ann", "setting", [])
    await world.keypad_shows(device_id, 3, maker=HUB, code="4711", access_code_id=id_)
    assert await shown() == ("Ann", "set", [])
    async with world.database.write() as session:
        (await session.get_one(Device, device_id)).link_state = "offline"
    assert await shown() == ("Ann", "set", ["device_offline"])


async def test_clock_alone_changes_what_is_shown_at_both_edges_of_a_window_and_when_it_is_set_back(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    id_ = await code_of(world, device_id, starts_at_s=NOW_S + 60, ends_at_s=NOW_S + 120)
    await world.put_on_keypad(id_, 1)

    async def status(at_ms: int) -> tuple[str, bool]:
        world.now_ms = at_ms
        code = (await http.get(PATH, params={"access_code_id": id_})).json()["access_code"]
        return code["status"], code["is_scheduled_on_device"]

    waiting, open_, over = ("unset", True), ("set", False), ("removing", False)
    for at_ms, expected in [
        (NOW_MS, waiting),
        (NOW_MS + 59_999, waiting),
        (NOW_MS + 60_000, open_),
        (NOW_MS + 119_999, open_),
        (NOW_MS + 120_000, over),
        (NOW_MS + 90_000, open_),
        (NOW_MS + 59_000, waiting),
    ]:
        assert await status(at_ms) == expected, at_ms


async def test_refusal_is_not_kept(world: World, http: httpx.AsyncClient, device_id: str) -> None:
    question = {"access_code_id": "00000000-0000-4000-8000-000000000001"}
    assert (await http.get(PATH, params=question)).status_code == 404
    await code_of(world, device_id)
    assert (await http.get(PATH, params=question)).status_code == 200


async def test_page_with_an_address_of_the_next_one_is_made_for_each_name_of_the_hub(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    for number in range(2):
        await world.add_code(device_id, f"00000000-0000-4000-8000-00000000000{number}", code=f"471{number}")
    for host in ("hub.local", "10.0.0.7:8117"):
        reply = await http.get(f"/access_codes/list?device_id={device_id}&limit=1", headers={"host": host})
        assert reply.json()["pagination"]["next_page_url"].startswith(f"http://{host}/access_codes/list?")


async def test_reply_made_while_something_was_written_is_not_kept(world: World) -> None:
    kept = KeptReplies(world.database)
    question = ("/path", b"", b"")
    version = kept.version
    await world.add_device()
    kept.keep(question, b"old", version, 0, 10)
    assert kept.get(question, 5) is None
    kept.keep(question, b"new", kept.version, 0, 10)
    assert kept.get(question, 5) == b"new"


async def test_kept_replies_stay_within_64_mib(world: World) -> None:
    kept = KeptReplies(world.database)
    body = bytes(4 << 20)
    for number in range(100):
        kept.keep(("/path", b"%d" % number, b""), body, kept.version, 0, 10)
    held = [number for number in range(100) if kept.get(("/path", b"%d" % number, b""), 5)]
    assert 1 <= len(held) <= 16 and held[-1] == 99
    kept.keep(("/long", b"", b""), bytes(9 << 20), kept.version, 0, 10)
    assert kept.get(("/long", b"", b""), 5) is None
