"""What is wrong between keypad, hub and account: keys, other hubs, what the API simulates."""

import asyncio
import contextlib
import os
import pty
import secrets
import threading
import tty
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from condition_row import Door, Row, Scenario
from doorpad import keyring
from doorpad.link import operations
from doorpad.link.connection import Connection
from doorpad.link.slot_writes import SlotWrite
from doorpad.store.brands import PROFILES
from doorpad.store.profile_names import ProfileName
from doorpad_link import cbor, frame, handshake, identity
from doorpad_link.messages import MANAGED
from seam import Seam

PAID = "paid_subscription"


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
