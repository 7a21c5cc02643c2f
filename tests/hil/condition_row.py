"""One condition of the catalogue under test: the keypad that it is raised at, and the waits for it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from doorpad.store.catalogue import Condition
from doorpad.store.profile_names import ProfileName
from hil_world import WAIT_S, Bench, Keypad, World

FLAGS = {
    "access_code": {"is_access_code_error": True},
    "device": {"is_device_error": True},
    "connected_account": {"is_connected_account_error": True, "is_device_error": False},
    "bridge": {"is_bridge_error": True, "is_connected_account_error": True},
}


NAMES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True)
class Door:
    """One keypad of the world: what is asked about it, and hands on it."""

    world: World
    keypad: Keypad

    @property
    def device_id(self) -> str:
        return self.keypad.device_id

    def ask(self, path: str, **body: object) -> dict[str, Any]:
        reply: dict[str, Any] = self.world.seam.client.post(path, json=body)
        return reply

    def code(self, **fields: object) -> str:
        """Ask for a code; returns its id at once."""
        created = self.ask("/access_codes/create", device_id=self.device_id, **fields)
        id_: str = created["access_code"]["access_code_id"]
        return id_

    def set_code(self, **fields: object) -> str:
        """Ask for a code; returns its id once the keypad holds it."""
        id_ = self.code(**fields)
        self.world.bridge.event("access_code.set_on_device", id_)
        return id_

    def of_code(self, id_: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.ask("/access_codes/get", access_code_id=id_)["access_code"]
        return shown

    def of_device(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.ask("/devices/get", device_id=self.device_id)["device"]
        return shown

    def delete(self, id_: str) -> None:
        self.ask("/access_codes/delete", access_code_id=id_)
        self.world.bridge.event("access_code.deleted", id_)

    def wake(self) -> None:
        """Have the hub try at once what it would try later."""
        account = self.ask("/connected_accounts/list")["connected_accounts"][0]
        self.ask("/connected_accounts/sync", connected_account_id=account["connected_account_id"])

    @contextmanager
    def bench(self) -> Iterator[Bench]:
        with self.keypad.bench() as bench:
            yield bench

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        with self.bench() as bench:
            mark = self.world.bridge.mark()
            bench.ask(cable="out")
            self.world.bridge.link("disconnected", self.device_id, after=mark)
            yield
            self.plug_in(bench)

    def plug_in(self, bench: Bench) -> None:
        mark = self.world.bridge.mark()
        bench.ask(cable="in")
        self.world.bridge.link("online", self.device_id, after=mark)

    @contextmanager
    def worn_out(self) -> Iterator[Bench]:
        """Flash that takes nothing: each write is refused by the keypad."""
        with self.bench() as bench:
            bench.ask(worn=True)
            yield bench
            bench.ask(worn=False)

    def about(self) -> Path:
        """The file in the keypad's folder that says which it is."""
        (found,) = (
            it
            for it in self.world.data.glob("keypads/*/keypad.json")
            if json.loads(it.read_text())["serial"] == self.keypad.serial
        )
        return found

    def master_pin(self) -> str:
        pin: str = json.loads(self.about().read_text())["master_pin"]
        return pin


def standing(shown: dict[str, Any], row: Condition, name: str, *, is_warning: bool) -> dict[str, Any] | None:
    """The row as an object shows it, checked in full, or None."""
    key = "warning_code" if is_warning else "error_code"
    found = [it for it in shown["warnings" if is_warning else "errors"] if it[key] == name]
    if not found:
        return None
    (one,) = found
    assert one["message"].startswith(row.message)
    created = datetime.fromisoformat(one["created_at"])
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=30)
    if not is_warning:
        assert {flag: one[flag] for flag in one if flag.startswith("is_")} == FLAGS[row.subject]
    return one


class Row:
    """One row under test: the door that it is raised at, and the waits for it."""

    def __init__(
        self, world: World, still: World, name: str, condition: Condition, *, is_warning: bool
    ) -> None:
        self.world, self.still = world, still
        self.name, self.condition, self.is_warning = name, condition, is_warning

    def door(self, profile: ProfileName) -> Door:
        return Door(self.world, self.world.keypads[NAMES.index(profile)])

    def appears(self, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Ask until it stands on what is looked at; returns it."""
        return self.until(lambda: self._standing(look), lambda found: found is not None)

    def goes(self, look: Callable[[], dict[str, Any]]) -> None:
        self.until(lambda: self._standing(look), lambda found: found is None)

    def _standing(self, look: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        return standing(look(), self.condition, self.name, is_warning=self.is_warning)

    def until(self, look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
        """Ask until it is so: the API has no event for most of these edges, and clients ask again too."""
        deadline_s = time.monotonic() + WAIT_S
        while not enough(found := look()):
            assert time.monotonic() < deadline_s, (self.name, found)
        return found


Scenario = Callable[[Row], None]
