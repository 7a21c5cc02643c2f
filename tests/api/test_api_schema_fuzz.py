"""Requests that schemathesis makes from the API's own description: what is right in it, and what is wrong somewhere.

None may end in a 500, one that is refused may change nothing in the database, and each answer must be what the
description says of it. `--long` makes 200 requests for each path and verb instead of 4; the seed is fixed.
"""

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from api_world import World
from doorpad.api import simulate, waiting
from doorpad.api.app import OPERATIONS
from doorpad.api.keys import ApiKeys, add_key, generate_key
from doorpad.api.openapi import document
from doorpad.store.database import FILE_NAME, Database
from doorpad.store.identity import device_id_for
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)


def wrong_body_is_refused(context: Any, response: Any, case: schemathesis.Case) -> bool | None:
    """Of a query this cannot be asked: `key=` is null there, and names that nobody knows are ignored."""
    if case.method in ("GET", "DELETE") or response.status_code == 413:
        return None
    return negative_data_rejection(context, response, case)


CHECKS = [
    not_a_server_error,
    content_type_conformance,
    wrong_body_is_refused,
    response_schema_conformance,
    status_code_conformance,
]

DEVICE_ID = device_id_for("00112233445566aa")
CODE_ID = "00000000-0000-4000-8000-000000000001"
UNMANAGED_ID = "00000000-0000-4000-8000-000000000002"

UNKNOWN_ID = "00000000-0000-4000-8000-0000000000ff"

# Ids that are there, as often as others: else nearly every request would end at a 404.
KNOWN = {
    "device_id": [DEVICE_ID, UNKNOWN_ID],
    "access_code_id": [CODE_ID, UNMANAGED_ID, UNKNOWN_ID],
}


def with_known_ids(value: Any) -> Any:
    """The description, with these ids as the only ones that it allows."""
    if isinstance(value, list):
        return [with_known_ids(it) for it in value]
    if not isinstance(value, dict):
        return value
    if value.get("in") == "query" and value["name"] in KNOWN:
        return {**value, "schema": {"type": "string", "enum": KNOWN[value["name"]]}}
    changed = {name: with_known_ids(it) for name, it in value.items()}
    for name in KNOWN.keys() & changed.keys():
        if isinstance(changed[name], dict) and changed[name].get("format") == "uuid":
            changed[name] = {"type": "string", "enum": KNOWN[name]}
    return changed


SCHEMA = schemathesis.openapi.from_dict(with_known_ids(json.loads(json.dumps(document(OPERATIONS)))))
ASKED = [it.ok() for it in SCHEMA.get_all_operations()]


@dataclass
class Running:
    """An API in a thread of its own, for clients that block."""

    url: str
    key: str
    file: Path

    def stored(self) -> list[object]:
        """Every row of every table."""
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as database:
            names = [
                name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            ]
            return [(name, database.execute(f'SELECT * FROM "{name}"').fetchall()) for name in sorted(names)]


@pytest.fixture(scope="module")
def running(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("fuzzed") / "data"
    shutil.copytree(migrated, folder)
    started: list[Running] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        database = await Database.open(folder)
        key = generate_key()
        add_key(folder, key, "test")
        world = World(database, key, ApiKeys(folder))
        await world.add_device(pin_min=4, pin_max=12)
        await world.add_code(DEVICE_ID, CODE_ID)
        await world.add_code(DEVICE_ID, UNMANAGED_ID, code="591024", managed=False, name="Keypad code 2")
        await world.server.start()
        started.append(Running(world.server.url, key, folder / FILE_NAME))
        loops.append(asyncio.get_running_loop())
        ready.set()
        await stop.wait()
        await world.server.stop()
        await database.close()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    with pytest.MonkeyPatch.context() as patch:
        # No keypad is here to finish what these wait for.
        patch.setattr(waiting, "_HOLD_S", 0.0)
        patch.setattr(simulate, "_APPEARS_S", 0.0)
        thread.start()
        assert ready.wait(60)
        yield started[0]
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("operation", ASKED, ids=lambda it: it.label.replace(" ", ""))
def test_answer_is_as_described_and_a_refusal_changes_nothing(
    running: Running, long: bool, operation: APIOperation, mode: GenerationMode
) -> None:
    @settings(
        max_examples=100 if long else 2,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def ask(case: schemathesis.Case) -> None:
        before = running.stored()
        response = case.call(running.url, headers={"authorization": f"Bearer {running.key}"})
        case.validate_response(response, checks=CHECKS)
        if response.status_code != 200:
            assert running.stored() == before

    ask()
