"""Each row of the catalogue of errors and warnings: raised by its cause on a running keypad, seen, and gone with it.

The catalogue is the parameter: a row without a scenario fails, and so does a scenario that no row asks for.
"""

import asyncio
import contextlib
import json
import os
import pty
import secrets
import threading
import time
import tty
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.slot_writes import SlotWrite
from doorpad.store.brands import PROFILES
from doorpad.store.catalogue import CODE_WARNINGS, DEVICE_WARNINGS, ERRORS, Condition
from doorpad.store.profile_names import ProfileName
from doorpad_link import cbor, frame, handshake, identity
from doorpad_link.messages import MANAGED
from hil_world import WAIT_S, Bench, Keypad, World, running
from other_firmware import build, update
from seam import Seam, SeamHttpApiError

TIMING = """offline_s = 1.0
poll_s = 0.2
handshake_s = 1.0
set_slow_s = 0.5
set_failed_s = 2.5
remove_slow_s = 0.5
remove_failed_s = 1.0
flaky_s = 20.0
backup_short_s = 0.5
"""
FLAGS = {
    "access_code": {"is_access_code_error": True},
    "device": {"is_device_error": True},
    "connected_account": {"is_connected_account_error": True, "is_device_error": False},
    "bridge": {"is_bridge_error": True, "is_connected_account_error": True},
}
PAID = "paid_subscription"
NAMES: tuple[ProfileName, ...] = get_args(ProfileName)


# No byte on the line but for what a test has asked for.
STILL = """poll_s = 600.0
set_slow_s = 0.5
set_failed_s = 2.5
"""


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


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    options = [word for name in (*NAMES, "august") for word in ("--profile", name)]
    with running(
        tmp_path_factory.mktemp("catalogue"), *options, keypads=len(NAMES) + 1, timing=TIMING
    ) as world:
        world.wears_out = True
        with world.keypads[-1].bench() as bench:
            bench.ask(switch="5", down=True)  # for so long that it is stuck, while other rows are tested
        yield world


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    brands = ("--profile", "kwikset", "--profile", "august")
    with running(tmp_path_factory.mktemp("still"), *brands, keypads=2, timing=STILL) as world:
        yield world


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


def full_table(profile: ProfileName) -> Scenario:
    """One code more than the brand's keypad takes; then one is deleted."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        held = [door.code(code=f"{8_0000 + 7 * n:05}"[-5:]) for n in range(PROFILES[profile].slots)]
        for id_ in held:
            row.world.bridge.event("access_code.set_on_device", id_)
        more = door.code(code="59317")
        row.appears(lambda: door.of_code(more))
        for id_ in held:
            door.ask("/access_codes/delete", access_code_id=id_)
        row.goes(lambda: door.of_code(more))
        for id_ in held:
            row.world.bridge.event("access_code.deleted", id_)
        door.delete(more)

    return scenario


def refused_by_flash(profile: ProfileName, times: int) -> Scenario:
    """The keypad refuses the code so often, because its flash takes nothing; then it takes it."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        with door.worn_out():
            id_ = door.code(code="482913")
            row.world.bridge.event("access_code.failed_to_set_on_device", id_)
            for told in range(2, times + 1):
                door.wake()
                row.until(
                    lambda: row.world.said.count(f"refused access code {id_}"),
                    lambda now, least=told: now >= least,
                )
            row.appears(lambda: door.of_code(id_))
        door.wake()
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def away(profile: ProfileName) -> Scenario:
    """A code is asked for while the keypad is unplugged."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        with door.unplugged():
            id_ = door.code(code="482913")
            row.appears(lambda: door.of_code(id_))
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def device_away(profile: ProfileName) -> Scenario:
    def scenario(row: Row) -> None:
        door = row.door(profile)
        id_ = door.set_code(code="482913")
        with door.unplugged():
            row.appears(door.of_device)
            row.appears(lambda: door.of_code(id_))  # inherited
        row.goes(door.of_device)
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def twenty_waiting(row: Row) -> None:
    door = row.door("igloohome")
    with door.unplugged():
        ids = [door.code(code=f"{7_0000 + 11 * n}") for n in range(20)]
        row.appears(lambda: door.of_code(ids[0]))
    for id_ in ids:
        row.world.bridge.event("access_code.set_on_device", id_)
    row.goes(lambda: door.of_code(ids[0]))
    for id_ in ids:
        door.delete(id_)


def same_name(row: Row) -> None:
    door = row.door("wyze")
    first = door.set_code(code="482913", name="Cleaner")
    second = door.set_code(code="591024", name="Cleaner")
    row.appears(lambda: door.of_code(second))
    door.ask("/access_codes/update", access_code_id=first, name="Cleaner 1")
    row.goes(lambda: door.of_code(second))
    door.delete(first)
    door.delete(second)


def pin_of_the_master(profile: ProfileName) -> Scenario:
    """The PIN is one that the keypad knows and the hub cannot: its master PIN."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        id_ = door.code(code=door.master_pin())
        row.world.bridge.event("access_code.failed_to_set_on_device", id_)
        row.appears(lambda: door.of_code(id_))
        door.ask("/access_codes/update", access_code_id=id_, code="482913")
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def pin_made_at_the_keypad(row: Row) -> None:
    """Somebody gave the PIN at the keypad while it was unplugged; the hub learns of it when it writes its own."""
    door = row.door("august")
    with door.bench() as bench:
        with door.unplugged():
            bench.ask(program="5823")
            id_ = door.code(code="5823")
        row.appears(lambda: door.of_code(id_))
        bench.ask(unprogram="5823")
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def no_level(row: Row) -> None:
    door = row.door("dormakaba_oracode")
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    end = start + timedelta(days=31)
    id_ = door.set_code(starts_at=start.isoformat(), ends_at=end.isoformat())
    row.appears(lambda: door.of_code(id_))
    door.ask("/access_codes/update", access_code_id=id_, ends_at=(start + timedelta(days=30)).isoformat())
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def length_outside(row: Row) -> None:
    door = row.door("august")
    id_ = door.set_code(code="4829")
    report = "/access_codes/report_device_constraints"
    door.ask(report, device_id=door.device_id, supported_code_lengths=[6])
    row.appears(lambda: door.of_code(id_))
    door.ask("/access_codes/update", access_code_id=id_, code="482913")
    row.goes(lambda: door.of_code(id_))
    door.ask(report, device_id=door.device_id, supported_code_lengths=[4, 5, 6])
    door.delete(id_)


def answer_lost(row: Row) -> None:
    """The keypad has the code, and the cable is pulled within its answer."""
    door = Door(row.still, row.still.keypad)
    with door.bench() as bench:

        def carried() -> int:
            count: int = bench.ask(about=True)["carried"][1]
            return count

        def look() -> int:
            before = carried()
            door.wake()
            answer_bytes: int = row.until(carried, lambda now: now > before) - before
            for _ in range(50):  # the hub, which does one thing at a time, has come to rest meanwhile
                door.of_device()
            return answer_bytes

        look_bytes, before = look(), 0
        while look_bytes != before:  # until nothing but that is on the line
            look_bytes, before = look(), look_bytes
        mark = row.still.bridge.mark()
        # The hub looks at the keypad, and then writes to it: the second answer is the one that is lost.
        bench.ask(cut_after=look_bytes + 6, to="hub")
        id_ = door.code(code="482913")
        row.still.bridge.link("disconnected", door.device_id, after=mark)
        assert bench.opens("482913")
        row.appears(lambda: door.of_code(id_))
        door.plug_in(bench)
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def silent(row: Row) -> None:
    door = row.door("generic")
    with door.bench() as bench:
        bench.ask(cable="silent")
        row.appears(door.of_device)
        bench.ask(cable="in")
    row.goes(door.of_device)


def asked_for_twice(row: Row) -> None:
    """Another code is refused the PIN of this one."""
    door = row.door("generic")
    id_ = door.set_code(code="482913")
    with pytest.raises(SeamHttpApiError):
        door.code(code="482913")
    row.appears(lambda: door.of_code(id_))
    door.ask("/access_codes/update", access_code_id=id_, code="591024")
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def taken_off_at_the_keypad(*, allowed: bool) -> Scenario:
    def scenario(row: Row) -> None:
        door = row.door("generic")
        id_ = door.set_code(code="591024", is_external_modification_allowed=allowed)
        with door.bench() as bench:
            bench.ask(unprogram="591024")
        row.appears(lambda: door.of_code(id_))
        door.ask("/access_codes/update", access_code_id=id_, code="482913")
        row.goes(lambda: door.of_code(id_))
        door.delete(id_)

    return scenario


def taken_off_again_and_again(row: Row) -> None:
    door = row.door("generic")
    id_ = door.set_code(code="591024")
    with door.bench() as bench:
        for is_first in (True, False):
            mark = row.world.bridge.mark()
            bench.ask(unprogram="591024")
            row.world.bridge.event("access_code.deleted_external_to_seam", id_, after=mark)
            if is_first:
                row.world.bridge.event("access_code.set_on_device", id_, after=mark)
    row.appears(lambda: door.of_code(id_))
    row.appears(door.of_device)
    row.world.bridge.event("device.third_party_integration_detected")
    door.ask("/access_codes/update", access_code_id=id_, code="482913")
    row.goes(lambda: door.of_code(id_))
    row.goes(door.of_device)
    row.world.bridge.event("device.third_party_integration_no_longer_detected")
    door.delete(id_)


def simulated(cause: str, end: str) -> Scenario:
    """A condition that the API itself can bring about on emulated keypads."""

    def scenario(row: Row) -> None:
        door = row.door("generic")
        id_ = door.set_code(code="482913")
        door.ask(f"/devices/simulate/{cause}", device_id=door.device_id, is_expired=True)
        row.appears(door.of_device)
        row.appears(lambda: door.of_code(id_))  # inherited
        mark = row.world.bridge.mark()
        door.ask(f"/devices/simulate/{end}", device_id=door.device_id, is_expired=False)
        row.goes(door.of_device)
        if cause != PAID:
            row.world.bridge.link("online", door.device_id, after=mark)
        door.delete(id_)

    return scenario


def account_cut_off(row: Row) -> None:
    door = row.door("generic")
    account = door.ask("/connected_accounts/list")["connected_accounts"][0]["connected_account_id"]
    id_ = door.set_code(code="482913")
    door.ask("/connected_accounts/simulate/disconnect", connected_account_id=account)
    row.appears(lambda: door.of_code(id_))
    mark = row.world.bridge.mark()
    door.wake()
    row.goes(lambda: door.of_code(id_))
    for keypad in row.world.keypads:
        row.world.bridge.link("online", keypad.device_id, after=mark)
    door.delete(id_)


def wrong_key(profile: ProfileName) -> Scenario:
    """The hub's key file holds another key than the keypad."""

    def scenario(row: Row) -> None:
        door = row.door(profile)
        keys, serial = row.world.data / "keys", door.keypad.serial
        right = keyring.load(keys, serial)
        keyring.save(keys, serial, keyring.LinkKey(right.host_id, secrets.token_bytes(32)))
        with door.bench() as bench:
            mark = row.world.bridge.mark()
            bench.ask(cable="out")
            row.world.bridge.link("disconnected", door.device_id, after=mark)
            bench.ask(cable="in")
            row.appears(door.of_device)
            keyring.save(keys, serial, right)
            mark = row.world.bridge.mark()
            door.wake()
            row.goes(door.of_device)
            row.world.bridge.link("online", door.device_id, after=mark)

    return scenario


def key_file_lost(row: Row) -> None:
    """What keeps the keypad in step cannot go on: others may read the key of its keypad."""
    door = row.door("generic")
    key = row.world.data / "keys" / f"{door.keypad.serial}.key"
    with door.bench() as bench:
        key.chmod(0o644)
        bench.ask(cable="out")
        bench.ask(cable="in")
        row.appears(door.of_device)
        key.chmod(0o600)
        row.goes(door.of_device)


def lost_three_times(row: Row) -> None:
    door = row.door("generic")
    for _ in range(3):
        with door.unplugged():
            pass
    row.appears(door.of_device)
    row.world.bridge.event("device.connection_became_flaky")
    row.goes(door.of_device)
    row.world.bridge.event("device.connection_stabilized")


def stuck_key(row: Row) -> None:
    door = Door(row.world, row.world.keypads[-1])
    id_ = door.set_code(code="482913")
    row.appears(lambda: door.of_code(id_))
    with door.bench() as bench:
        bench.ask(switch="5", down=False)
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def clock_ahead(row: Row) -> None:
    """The keypad has seen a later time than the hub's, and lost it with its power: it trusts neither."""
    door = row.door("generic")
    start = datetime.now(UTC) - timedelta(hours=1)
    id_ = door.set_code(starts_at=start.isoformat(), ends_at=(start + timedelta(days=1)).isoformat())
    with door.bench() as bench:
        bench.ask(skew_s=66)
        assert not bench.opens("0000")  # the journal has the time now
        bench.ask(power="off")
        bench.ask(power="on")
        row.appears(door.of_device)
        row.world.clock.move(10)  # near enough: the keypad's journal is less than a minute ahead now
        bench.ask(power="off")
        bench.ask(power="on")
    row.goes(door.of_device)
    row.world.clock.move(0)
    door.delete(id_)


def never_seen(row: Row) -> None:
    """The hub's database is new, and a keypad that the configuration names has not been there yet."""
    world = row.still
    door = Door(world, world.keypads[1])
    assert world.bridge.stop() == 0
    for file in world.data.glob("doorpad.sqlite3*"):
        file.unlink()
    with door.bench() as bench:
        bench.ask(cable="out")
        world.bridge = world.launch()
        world.seam = Seam(api_key=world.api_key, endpoint=world.bridge.ready()["endpoint"])
        row.appears(door.of_device)
        door.plug_in(bench)
    row.goes(door.of_device)


def on_the_account(row: Row) -> None:
    door = row.door("salto_ks")

    def account() -> dict[str, Any]:
        shown: dict[str, Any] = door.ask("/connected_accounts/list")["connected_accounts"][0]
        for error in shown["errors"]:
            assert error.pop("is_bridge_error") is False  # on the account itself
        return shown

    held = [door.set_code(code=f"{8_0000 + n}") for n in range(PROFILES["salto_ks"].slots)]
    row.appears(account)
    row.appears(lambda: door.of_code(held[0]))
    for id_ in held:
        door.delete(id_)
    row.goes(account)


class Impostor:
    """Somebody who sits on the cable in the keypad's place, and knows everything about it but the key itself."""

    def __init__(self, serial: str, key_id: bytes) -> None:
        self._about = [1, secrets.token_bytes(16), bytes.fromhex(serial), secrets.token_bytes(8), key_id]
        self._hub, self._port = pty.openpty()
        tty.setraw(self._port)
        self.name = os.ttyname(self._port)
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        splitter = frame.Splitter()
        with contextlib.suppress(OSError):  # that is how it ends
            while True:
                for header, _ in splitter.feed(os.read(self._hub, 4096)):
                    if header.kind == frame.HELLO:
                        body = cbor.encode([*self._about, secrets.token_bytes(16)])
                        answer = frame.Header(frame.HELLO_R, 0, 0, True)
                        os.write(self._hub, frame.pack(answer, body))

    def leave(self) -> None:
        os.close(self._port)
        os.close(self._hub)
        self._thread.join()


def impostor(row: Row) -> None:
    world = row.still
    door = Door(world, world.keypads[1])
    key = keyring.load(world.data / "keys", door.keypad.serial)
    config = world.config.read_text()
    assert world.bridge.stop() == 0
    somebody = Impostor(door.keypad.serial, handshake.key_id(key.psk))
    world.config.write_text(config.replace(str(door.keypad.link), somebody.name))
    world.bridge = world.launch()
    world.seam = Seam(api_key=world.api_key, endpoint=world.bridge.ready()["endpoint"])
    row.appears(door.of_device)
    assert world.bridge.stop() == 0
    somebody.leave()
    world.config.write_text(config)
    world.start_bridge()
    row.goes(door.of_device)


@dataclass(frozen=True)
class Disabled(SlotWrite):
    """As another hub writes a code that it does not want to open for now."""

    @property
    def flags(self) -> int:
        return MANAGED


Work = Callable[[Connection], Awaitable[None]]


def another_hub(door: Door) -> Callable[[Work], None]:
    """Commission the keypad for a second hub; return what lets it work there in place of the first.

    The first one is stopped before, and back and in step with the keypad when that returns.
    """
    other = keyring.LinkKey(b"otherhub", secrets.token_bytes(32))
    folder = door.about().parent
    known = identity.unpack((folder / "identity.bin").read_bytes())
    assert known is not None
    known.hosts.append((other.host_id, other.psk))

    async def work(of_other: Work) -> None:
        connection, _ = await Connection.open(str(door.keypad.link), 115_200, other, door.keypad.serial)
        await of_other(connection)
        connection.close()

    def in_place_of_the_first(of_other: Work) -> None:
        asyncio.run(work(of_other))
        door.world.start_bridge()

    with door.bench() as bench:
        assert door.world.bridge.stop() == 0
        bench.ask(power="off")
        for copy in ("identity.bin", "nvs-doorpad/identity"):
            (folder / copy).write_bytes(identity.pack(known))
        bench.ask(power="on")
    return in_place_of_the_first


def taken_over_by_another_hub(row: Row) -> None:
    door = row.door("generic")
    id_ = door.set_code(code="482913")

    async def adopt(connection: Connection) -> None:
        (ours,) = (await operations.changed_since(connection, 0, 1)).slots
        taken = await operations.adopt(connection, ours.slot, ours.version, secrets.token_bytes(8), "0f" * 16)
        assert taken.done

    def unmanaged() -> dict[str, Any]:
        return dict(door.ask("/access_codes/unmanaged/get", access_code_id=id_)["access_code"])

    def convert(**fields: object) -> None:
        door.ask("/access_codes/unmanaged/convert_to_managed", access_code_id=id_, **fields)

    another_hub(door)(adopt)
    row.appears(unmanaged)
    convert()
    row.world.bridge.event("access_code.unmanaged.failed_to_convert_to_managed", id_)
    row.appears(unmanaged)  # still
    convert(force=True)
    row.world.bridge.event("access_code.unmanaged.converted_to_managed", id_)
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)


def disabled_by_another_hub(row: Row) -> None:
    door = row.door("ultraloq")

    def write(kind: type[SlotWrite], if_version: int) -> Work:
        async def work(connection: Connection) -> None:
            change = kind(9, if_version, "736450", None, None, "0f" * 16, secrets.token_bytes(8))
            (result,) = await operations.put(connection, [change])
            assert result.done

        return work

    def unmanaged() -> dict[str, Any]:
        (shown,) = door.ask("/access_codes/unmanaged/list", device_id=door.device_id)["access_codes"]
        return dict(shown)

    as_other = another_hub(door)
    with door.bench() as bench:
        as_other(write(Disabled, 0))
        row.appears(unmanaged)
        assert not bench.opens("736450")
        assert row.world.bridge.stop() == 0
        as_other(write(SlotWrite, 1))
        row.goes(unmanaged)
        assert bench.opens("736450")


def unplugged_removal(profile: ProfileName) -> Scenario:
    def scenario(row: Row) -> None:
        door = row.door(profile)
        id_ = door.set_code(code="482913")
        with door.unplugged():
            door.ask("/access_codes/delete", access_code_id=id_)
            row.appears(lambda: door.of_code(id_))
        row.world.bridge.event("access_code.deleted", id_)

    return scenario


def stay() -> dict[str, str]:
    """The window of a code that has begun and ends in an hour, on a device that shall keep spare ones."""
    now = datetime.now(UTC)
    return {
        "starts_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(hours=1)).isoformat(),
    }


def keep_no_spares(door: Door) -> None:
    """The pool of a device ends with its management."""
    door.ask("/devices/update", device_id=door.device_id, is_managed=False)
    door.ask("/devices/unmanaged/update", device_id=door.device_id, is_managed=True)


def no_spare_code_yet(row: Row) -> None:
    door = row.door("lockly")
    with door.unplugged():
        id_ = door.code(use_backup_access_code_pool=True, **stay())
        row.appears(door.of_device)
        row.appears(lambda: door.of_code(id_))  # inherited
    row.goes(door.of_device)
    row.goes(lambda: door.of_code(id_))
    door.delete(id_)
    keep_no_spares(door)


def room_for_one_spare_code(row: Row) -> None:
    door = row.door("salto_ks")
    held = [door.set_code(**stay()) for _ in range(PROFILES["salto_ks"].slots - 2)]
    id_ = door.set_code(use_backup_access_code_pool=True, **stay())
    row.appears(door.of_device)
    door.delete(held.pop())
    door.delete(held.pop())
    row.goes(door.of_device)
    for it in (*held, id_):
        door.delete(it)
    keep_no_spares(door)


def three_pulled(row: Row) -> None:
    door = row.door("dormakaba_oracode")
    ids = [door.set_code(use_backup_access_code_pool=True, **stay()) for _ in range(3)]
    for id_ in ids:
        row.until(lambda id_=id_: door.of_code(id_)["is_backup_access_code_available"], bool)
        door.ask("/access_codes/pull_backup_access_code", access_code_id=id_)
    row.appears(door.of_device)
    for id_ in ids:
        door.delete(id_)  # with what was pulled for it
    row.goes(door.of_device)
    keep_no_spares(door)


def other_firmware(row: Row) -> None:
    """Somebody brings other firmware onto the keypad, and thinks better of it."""
    door = row.door("generic")
    command = update(row.world, build(row.world, "9.8.7"), door.keypad)
    row.appears(door.of_device)
    command.kill()
    row.goes(door.of_device)


SCENARIOS: dict[tuple[str, bool], Scenario] = {
    ("failed_to_set_on_device", False): refused_by_flash("generic", 1),
    ("failed_to_remove_from_device", False): unplugged_removal("generic"),
    ("duplicate_code_on_device", False): pin_of_the_master("generic"),
    ("no_space_for_access_code_on_device", False): full_table("salto_ks"),
    ("smartthings_failed_to_set_access_code", False): refused_by_flash("smartthings", 2),
    ("smartthings_failed_to_set_access_code", True): refused_by_flash("smartthings", 1),
    ("smartthings_failed_to_set_after_multiple_retries", False): refused_by_flash("smartthings", 5),
    ("smartthings_no_free_slots_available", False): full_table("smartthings"),
    ("igloohome_bridge_too_many_pending_jobs", False): twenty_waiting,
    ("igloohome_bridge_offline", False): away("igloohome"),
    ("kwikset_unable_to_confirm_code", True): answer_lost,
    ("kwikset_unable_to_confirm_code", False): answer_lost,
    ("kwikset_unable_to_confirm_deletion", False): unplugged_removal("kwikset"),
    ("august_lock_invalid_code_length", False): length_outside,
    ("august_device_programming_delay", True): pin_made_at_the_keypad,
    ("august_device_programming_delay", False): refused_by_flash("august", 1),
    ("august_device_slots_full", False): full_table("august"),
    ("august_lock_temporarily_offline", True): away("august"),
    ("august_lock_temporarily_offline", False): away("august"),
    ("salto_ks_user_not_subscribed", False): full_table("salto_ks"),
    ("hubitat_device_programming_delay", False): pin_of_the_master("hubitat"),
    ("hubitat_no_free_positions_available", False): full_table("hubitat"),
    ("wyze_duplicate_code_name", False): same_name,
    ("wyze_potential_duplicate_code", False): pin_of_the_master("wyze"),
    ("dormakaba_oracode_no_valid_user_level", False): no_level,
    ("device_disconnected", False): device_away("generic"),
    ("ttlock_lock_not_paired_to_gateway", False): device_away("ttlock"),
    ("lockly_missing_wifi_bridge", False): device_away("lockly"),
    ("delay_in_setting_on_device", True): away("generic"),
    ("delay_in_removing_from_device", True): unplugged_removal("generic"),
    ("device_offline", False): silent,
    ("duplicate_code_attempt_prevented", False): asked_for_twice,
    ("code_modified_external_to_seam", False): taken_off_at_the_keypad(allowed=False),
    ("code_modified_external_to_seam", True): taken_off_at_the_keypad(allowed=True),
    ("third_party_integration_detected", True): taken_off_again_and_again,
    ("hub_disconnected", False): simulated("disconnect_from_hub", "connect_to_hub"),
    ("device_removed", False): simulated("remove", "connect"),
    ("subscription_required", False): simulated(PAID, PAID),
    ("account_disconnected", False): account_cut_off,
    ("missing_device_credentials", False): wrong_key("generic"),
    ("august_lock_not_authorized", False): wrong_key("august"),
    ("bridge_disconnected", False): key_file_lost,
    ("device_has_flaky_connection", True): lost_three_times,
    ("august_lock_missing_keypad", False): stuck_key,
    ("august_lock_missing_bridge", False): never_seen,
    ("salto_ks_subscription_limit_exceeded", False): on_the_account,
    ("device_communication_degraded", True): clock_ahead,
    ("invalid_credentials", False): impostor,
    ("ultraloq_access_code_disabled", True): disabled_by_another_hub,
    ("management_transferred", True): taken_over_by_another_hub,
    ("schlage_detected_duplicate", True): pin_of_the_master("schlage"),
    ("schlage_creation_outage", True): refused_by_flash("schlage", 1),
    ("empty_backup_access_code_pool", False): no_spare_code_yet,
    ("partial_backup_access_code_pool", True): room_for_one_spare_code,
    ("many_active_backup_codes", True): three_pulled,
    ("scheduled_maintenance_window", True): other_firmware,
}

# No keypad and no hub of this kind can have them; docs/conditions.md says why.
WITHOUT_CAUSE = {
    ("auxiliary_heat_running", False),
    ("igloo_algopin_must_be_used_within_24_hours", True),
    ("power_saving_mode", True),
}

ROWS = {
    **{(name, False): row for name, row in ERRORS.items()},
    **{(name, True): row for name, row in (CODE_WARNINGS | DEVICE_WARNINGS).items()},
}


@pytest.mark.parametrize(
    "key", sorted(ROWS.keys() - WITHOUT_CAUSE), ids=lambda key: f"{key[0]}{'-warning' if key[1] else ''}"
)
def test_condition_appears_with_its_cause_and_goes_with_it(
    world: World, still: World, key: tuple[str, bool]
) -> None:
    name, is_warning = key
    SCENARIOS[key](Row(world, still, name, ROWS[key], is_warning=is_warning))


def test_every_row_has_a_scenario_or_no_cause() -> None:
    assert SCENARIOS.keys() | WITHOUT_CAUSE == ROWS.keys()
    assert not SCENARIOS.keys() & WITHOUT_CAUSE
