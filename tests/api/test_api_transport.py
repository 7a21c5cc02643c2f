"""What holds on every path: the key, the envelope, the encodings, and no PIN or key where none belongs."""

import asyncio
import logging
import socket
import sqlite3
from contextlib import closing

import httpx
import pytest
from api_world import World, check_refused
from doorpad.api.app import OPERATIONS
from doorpad.api.server import PortInUse, Server
from doorpad.store import sqlite
from doorpad.store.database import FILE_NAME
from doorpad.store.schema import Device
from seam import AsyncSeam

UNKNOWN = "00000000-0000-4000-8000-000000000000"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer seam_doorpad_" + "0" * 32,
        "Bearer seam_doorpad_\u00e9",
        "Bearer seam_at_" + "0" * 32,
        "Basic {key}",
        "{key}",
        "Bearer {key}x",
    ],
)
@pytest.mark.parametrize("path", ["/devices/list", "/no/such/path"])
async def test_stranger_learns_nothing(world: World, authorization: str | None, path: str) -> None:
    headers = {}
    if authorization is not None:
        headers["authorization"] = authorization.format(key=world.key).encode("latin-1")
    async with httpx.AsyncClient(base_url=world.server.url, headers=headers) as stranger:
        for response in [await stranger.get(path), await stranger.post(path, content=b"{")]:
            check_refused(response, 401, "unauthorized")
            assert world.key not in response.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.path)
async def test_path_answers_to_its_verbs_and_refuses_the_others(http: httpx.AsyncClient, operation) -> None:
    for verb in VERBS:
        response = await http.request(verb, operation.path)
        if verb in operation.verbs:
            assert response.status_code in (200, 400)
            assert response.json()["ok"] is (response.status_code == 200)
            assert response.headers["seam-request-id"]
        else:
            check_refused(response, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/", "/no", "/access_codes", "/devices/list/x", "/acs/users/list", "/schema"]
)
async def test_unknown_path_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    check_refused(await http.get(path), 404, "not_found")
    check_refused(await http.post(path, json={}), 404, "not_found")


async def test_trailing_slash_is_the_same_path(http: httpx.AsyncClient) -> None:
    assert (await http.get("/devices/list/")).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b'{"device_id":"\xff"}',
        b'{"device_id":"\\ud800"}',
        b"{} {}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"limit":1e999}',
    ],
    ids=lambda content: repr(content[:16]),
)
async def test_malformed_body_is_refused_as_a_whole(http: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    check_refused(await http.post("/devices/list", content=content, headers=headers), 400, "invalid_input")


async def test_body_of_10_mb_is_refused(http: httpx.AsyncClient) -> None:
    body = b'{"name":"' + b"x" * 10_000_000 + b'"}'
    check_refused(await http.post("/access_codes/create", content=body), 413, "payload_too_large")

    async def chunks():
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    response = await http.post("/access_codes/create", content=chunks())
    check_refused(response, 413, "payload_too_large")


async def test_query_encodings_of_the_sdks_are_read(http: httpx.AsyncClient, device_id: str) -> None:
    for query, count in [
        (f"device_ids={device_id}&_strict=true", 1),
        (f"device_ids={device_id}&device_ids={UNKNOWN}", 1),
        (f"device_ids[]={device_id}", 1),
        ("device_ids=", 0),
        ("device_ids=&_strict=true", 0),
        ("limit=2.0&_strict=true", 1),
        ("search=&page_cursor=&_strict=true", 1),
        ("unheard_of=1", 1),
    ]:
        response = await http.get(f"/devices/list?{query}")
        assert response.status_code == 200, response.text
        assert len(response.json()["devices"]) == count, query


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("unheard_of=1&_strict=true", ()),
        (f"device_ids[]={UNKNOWN}&_strict=true", ()),
        ("device_ids=x", ("device_ids",)),
        ("limit=0", ("limit",)),
        ("limit=-1", ("limit",)),
        ("limit=1.5", ("limit",)),
        ("limit=nan", ("limit",)),
        ("limit=inf", ("limit",)),
        ("limit=many", ("limit",)),
        ("search=a&search=b", ("search",)),
        ("search=" + "x" * 256, ("search",)),
        ("page_cursor=%E2%82%AC", ("page_cursor",)),
        ("search=%FF", ()),
        ("%C3=1", ()),
    ],
)
async def test_query_is_refused(http: httpx.AsyncClient, query: str, fields: tuple[str, ...]) -> None:
    check_refused(await http.get(f"/devices/list?{query}"), 400, "invalid_input", *fields)


async def test_reads_and_deletes_take_a_json_body_too(http: httpx.AsyncClient, device_id: str) -> None:
    response = await http.request("GET", "/devices/get", json={"device_id": device_id})
    assert response.json()["device"]["device_id"] == device_id
    response = await http.request("DELETE", "/access_codes/delete", json={"access_code_id": UNKNOWN})
    check_refused(response, 404, "access_code_not_found")


async def test_refused_parameter_is_told_with_those_that_there_are(http: httpx.AsyncClient) -> None:
    response = await http.get("/access_codes/get", params={"acess_code_id": UNKNOWN, "_strict": "true"})
    error = check_refused(response, 400, "invalid_input")
    assert "access_code_id, code, device_id" in error["message"]
    assert "acess" not in error["message"]  # the name may be a value that slipped out of its place


async def test_each_answer_has_an_id_of_its_own(http: httpx.AsyncClient) -> None:
    ids = {(await http.get("/workspaces/get")).headers["seam-request-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_fault_inside_is_an_envelope_and_no_pin_reaches_the_log(
    world: World, http: httpx.AsyncClient, device_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Goal: nothing secret is logged, even on a fault. Method: log all there is, then break the bench."""

    async def fail() -> None:
        raise RuntimeError("the bench fell over")

    world.hands.then = fail
    with caplog.at_level(logging.DEBUG):
        body = {"device_id": device_id, "code": "48291357"}
        broken = await http.post("/locks/simulate/keypad_code_entry", json=body)
        await http.get(f"/access_codes/get?device_id={device_id}&code=48291357")
        await http.post("/access_codes/create", json=body)
        await http.post("/access_codes/create", json=body)
    check_refused(broken, 500, "internal_server_error")
    assert "the bench fell over" not in broken.text
    assert "the bench fell over" in caplog.text
    # The test's own client logs the addresses it asks for.
    ours = [it for it in caplog.records if not it.name.startswith(("httpx", "httpcore"))]
    text = "\n".join(logging.Formatter().format(record) for record in ours)
    assert "48291357" not in text
    assert world.key not in text


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is opened from now on waits 1 ms for another program, and not 5 s."""
    monkeypatch.setattr(sqlite, "_BUSY_MS", 1)


async def test_database_that_another_program_holds_is_worth_asking_again(
    impatient: None, world: World, seam: AsyncSeam, http: httpx.AsyncClient, device_id: str
) -> None:
    code = await seam.access_codes.create(device_id=device_id)
    with closing(sqlite3.connect(world.database.data_dir / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = await http.post("/access_codes/create", json={"device_id": device_id})
        error = check_refused(refused, 503, "service_unavailable")
        assert "another program" in error["message"]
        deleting = asyncio.create_task(seam.access_codes.delete(access_code_id=code.access_code_id))
        assert await seam.access_codes.list(device_id=device_id) == [code]  # whoever only looks does not wait
        other.execute("ROLLBACK")
    await deleting  # the SDK asks again by itself
    assert (await seam.access_codes.get(access_code_id=code.access_code_id)).status == "removing"


async def test_values_in_statements_are_kept_out_of_exceptions(world: World) -> None:
    async def add_twice() -> None:
        for _ in range(2):
            async with world.database.write() as session:
                row = {"device_id": "d", "serial": "s", "name": "48291357", "simulated": True}
                session.add(Device(**row, created_at_ms=1, link_changed_at_ms=1))

    with pytest.raises(Exception, match="UNIQUE") as caught:
        await add_twice()
    assert "48291357" not in str(caught.value)


def test_port_in_use_is_told_before_anything_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortInUse) as caught:
            Server(lambda *_: None, port=other.getsockname()[1])
    assert str(caught.value.port) in str(caught.value)
