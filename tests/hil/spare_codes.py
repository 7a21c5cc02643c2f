"""Spare codes of a keypad, as a test asks for them and looks at them."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from hil_world import WAIT_S, Bench, World

HOUR_S = 3_600


@contextmanager
def unplugged(world: World, bench: Bench) -> Iterator[None]:
    mark = world.bridge.mark()
    bench.ask(cable="out")
    world.bridge.link("disconnected", world.device_id, after=mark)
    yield
    mark = world.bridge.mark()
    bench.ask(cable="in")
    world.bridge.link("online", world.device_id, after=mark)


def booking(world: World, from_s: int = -60, until_s: int = HOUR_S) -> Any:
    """Ask for a code of a device that keeps spare ones, with a window from now; returns it at once."""
    now_s = world.clock.now_s()
    starts_at, ends_at = (datetime.fromtimestamp(now_s + it, UTC).isoformat() for it in (from_s, until_s))
    return world.seam.access_codes.create(
        device_id=world.device_id, starts_at=starts_at, ends_at=ends_at, use_backup_access_code_pool=True
    )


def pull(world: World, original: Any) -> Any:
    return world.seam.access_codes.pull_backup_access_code(access_code_id=original.access_code_id)


def pool(world: World) -> dict[str, str]:
    """PIN by id of the spare codes that are in a slot: nothing but the hub's own file tells them."""
    with closing(sqlite3.connect(world.data / "doorpad.sqlite3")) as file:
        rows = file.execute(
            "SELECT access_code_id, slots.code FROM access_codes JOIN slots USING (access_code_id, device_id)"
            " WHERE backup = 'pooled' AND state = 'active'"
        )
        return dict(rows.fetchall())


def until(is_so: Callable[[], bool]) -> None:
    """Look until it is so: of spare codes no event tells."""
    deadline_s = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline_s


def full_pool(world: World) -> dict[str, str]:
    until(lambda: len(pool(world)) == 3)
    return pool(world)
