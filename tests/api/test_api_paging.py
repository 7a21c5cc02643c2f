"""Pages of a list: by the SDK's paginator, by URL, and with rows that come and go meanwhile."""

import httpx
import pytest
from api_world import NOW_MS, World, check_refused
from seam import AsyncSeam

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_25_codes_come_in_three_pages_though_rows_come_and_go(
    world: World, seam: AsyncSeam, device_id: str
) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(25)]
    for number, id_ in enumerate(ids):  # three at a time were made within one millisecond
        await world.add_code(device_id, id_, code=f"{5000 + number}", created_at_ms=NOW_MS + number // 3)
    pages = seam.create_paginator(seam.access_codes.list, {"device_id": device_id, "limit": 10})
    assert [code.access_code_id for code in await pages.flatten_to_list()] == ids

    first, pagination = await pages.first_page()
    assert pagination is not None
    await world.change(ids[3], state="deleted")  # before the cursor
    await world.add_code(device_id, ids[0][:-3] + "999", code="6000", created_at_ms=NOW_MS + 4)
    second, _ = await pages.next_page(pagination.next_page_cursor)
    got = [code.access_code_id for code in first + second]
    assert len(got) == len(set(got)) == 20
    assert len(await seam.access_codes.list(device_id=device_id)) == 25


@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_url_of_the_next_page_leads_through_the_list(
    world: World, http: httpx.AsyncClient, device_id: str, verb: str
) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(5)]
    for number, id_ in enumerate(ids):
        await world.add_code(device_id, id_, name="a&b=ü", code=f"{5000 + number}")
    asked = {"access_code_ids": ids, "search": "&b=ü", "limit": 2}
    how = {"params": asked} if verb == "GET" else {"json": asked}
    page = (await http.request(verb, "/access_codes/list", **how)).json()
    got = page["access_codes"]
    while (url := page["pagination"]["next_page_url"]) is not None:
        assert url.startswith(f"{world.server.url}/access_codes/list?")
        page = (await http.get(url)).json()
        got += page["access_codes"]
    assert [code["access_code_id"] for code in got] == ids


async def test_cursor_of_another_list_is_refused(
    world: World, http: httpx.AsyncClient, device_id: str
) -> None:
    for number in range(2):
        await world.add_code(device_id, UNKNOWN[:-1] + str(number), code=f"471{number}")
    page = (await http.post("/access_codes/list", json={"device_id": device_id, "limit": 1})).json()
    cursor = page["pagination"]["next_page_cursor"]
    assert page["pagination"]["has_next_page"]
    other = await world.add_device("00112233445566bb")
    for body in [
        {"device_id": other, "page_cursor": cursor},
        {"device_id": device_id, "page_cursor": cursor[:-4]},
        {"device_id": device_id, "page_cursor": "WzEsIiIsMSwiIl0="},
        {"device_id": device_id, "page_cursor": "[]"},
    ]:
        check_refused(await http.post("/access_codes/list", json=body), 400, "invalid_input", "page_cursor")
