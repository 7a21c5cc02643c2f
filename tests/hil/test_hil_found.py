"""A hub and codes that it does not know of: its own from before it lost its database, and those of another hub."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import life_look
import pytest
from doorpad import keyring
from doorpad.store.database import FILE_NAME
from doorpad_link import identity
from doorpad_link.handshake import key_id
from hil_world import Doorpad, World, running
from seam import Seam, SeamHttpApiError

THIRD_PARTY = "third_party_integration_detected"
HOUR_S, DAY_S = 3_600, 86_400
OURS, THEIRS = ("482913", "736450", "591024"), ("271828", "314159", "161803")


@contextmanager
def small_world(folder: Path, slots: int) -> Iterator[World]:
    with running(folder, "--slots", str(slots), timing="poll_s = 0.2") as world:
        yield world


def shown(seam: Seam, device_id: str, kind: str = "") -> dict[str, tuple[Any, ...]]:
    """By id: the codes of a kind as the API shows them. The name is at the hub alone."""
    reply = seam.client.post(f"/access_codes{kind}/list", json={"device_id": device_id})
    names = ("code", "type", "status", "starts_at", "ends_at", "doorpad")
    return {code["access_code_id"]: tuple(code[name] for name in names) for code in reply["access_codes"]}


def test_hub_with_an_empty_database_finds_all_of_a_full_keypad_again(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    with small_world(tmp_path_factory.mktemp("found"), 5) as world, world.keypad.bench() as bench:
        now_s = world.clock.now_s()
        now, later = (
            {
                "starts_at": datetime.fromtimestamp(now_s + first * HOUR_S, UTC).isoformat(),
                "ends_at": datetime.fromtimestamp(now_s + last * HOUR_S, UTC).isoformat(),
            }
            for first, last in ((-1, 1), (2, 3))
        )
        gone = world.create(code=THEIRS[2])
        world.seam.access_codes.delete(access_code_id=gone)
        world.bridge.event("access_code.deleted", gone)
        world.create(code=OURS[0])
        changed = world.create(code=OURS[1], **now)
        ahead = world.seam.access_codes.create(device_id=world.device_id, code=OURS[2], **later)
        world.bridge.event("access_code.scheduled_on_device", ahead.access_code_id)
        for pin in THEIRS[:2]:
            mark = world.bridge.mark()
            bench.ask(program=pin)
            world.bridge.event("access_code.unmanaged.created", after=mark)
        table = life_look.flash(world, world.keypad, tmp_path / "flash")
        before = [shown(world.seam, world.device_id, kind) for kind in ("", "/unmanaged")]
        assert [len(it) for it in before] == [3, 2]
        world.bridge.kill()
        for file in world.data.glob(f"{FILE_NAME}*"):
            file.unlink()
        world.start_bridge()
        assert [shown(world.seam, world.device_id, kind) for kind in ("", "/unmanaged")] == before
        assert life_look.flash(world, world.keypad, tmp_path / "flash") == table, (
            "the keypad is left as it is"
        )
        assert [bench.opens(pin) for pin in (*OURS, *THEIRS)] == [True, True, False, True, True, False]
        assert "access_code.unmanaged.created" not in world.event_types(changed)
        with pytest.raises(SeamHttpApiError) as refused:
            world.seam.access_codes.create(device_id=world.device_id, code=THEIRS[0])
        assert refused.value.code == "duplicate_access_code"
        mark = world.bridge.mark()
        world.seam.access_codes.update(access_code_id=changed, code=THEIRS[2])
        world.bridge.event("access_code.set_on_device", changed, after=mark)
        world.seam.access_codes.delete(access_code_id=ahead.access_code_id)
        world.bridge.event("access_code.deleted", ahead.access_code_id)
        assert [bench.opens(pin) for pin in (OURS[1], THEIRS[2])] == [False, True]


def enrol_second_hub(world: World) -> keyring.LinkKey:
    """Give the keypad, which has no power, the key of a second hub, as commissioning for two does."""
    key = keyring.LinkKey(b"otherhub", secrets.token_bytes(32))
    copies = [world.folder / "identity.bin", world.folder / "nvs-doorpad" / "identity"]
    known = identity.unpack(copies[0].read_bytes())
    assert known is not None
    known.hosts.append((key.host_id, key.psk))
    for copy in copies:
        copy.write_bytes(identity.pack(known))
    return key


@contextmanager
def second_hub(world: World, key: keyring.LinkKey, folder: Path) -> Iterator[tuple[Doorpad, Seam]]:
    """A hub with a database, a key and an API of its own, which has the line of the first one's keypad meanwhile."""
    keyring.save(folder / "keys", world.keypad.serial, key)
    config = folder / "doorpad.toml"
    config.write_text(world.config.read_text())
    bridge = Doorpad(["run", "--config", str(config), "--json"], folder / "stderr", world.clock.arguments)
    try:
        ready = bridge.ready()
        bridge.link("online", world.device_id)
        yield bridge, Seam(api_key=ready["api_key"], endpoint=ready["endpoint"])
        assert bridge.stop() == 0
    finally:
        if bridge.process.poll() is None:
            bridge.kill()


def test_two_hubs_see_each_others_codes_as_unmanaged_and_warn_of_each_other(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    def sees(seam: Seam, bridge: Doorpad, own: tuple[str, ...], others: tuple[str, ...], key: bytes) -> None:
        """All codes, who made them, and the warning with its event."""
        bridge.event(f"device.{THIRD_PARTY}")
        assert warned(seam) == [THIRD_PARTY]
        managed, unmanaged = (shown(seam, world.device_id, kind) for kind in ("", "/unmanaged"))
        assert sorted(code for code, *_ in managed.values()) == sorted(own)
        assert sorted(code for code, *_ in unmanaged.values()) == sorted(others)
        assert {place["maker"] for *_, place in unmanaged.values()} == {f"host:{key_id(key).hex()}"}
        for code in seam.access_codes.unmanaged.list(device_id=world.device_id):
            assert [it.warning_code for it in code.warnings] == [THIRD_PARTY]
        for code in seam.access_codes.list(device_id=world.device_id):
            assert (code.status, code.errors, code.warnings) == ("set", [], [])

    def warned(seam: Seam) -> list[str]:
        return [it.warning_code for it in seam.devices.get(device_id=world.device_id).warnings]

    def make(create: Callable[..., Any], bridge: Doorpad, pins: tuple[str, ...]) -> None:
        for pin in pins:
            code = create(device_id=world.device_id, code=pin)
            bridge.event("access_code.set_on_device", code.access_code_id)

    with small_world(tmp_path_factory.mktemp("two"), 8) as world, world.keypad.bench() as bench:
        first_key = keyring.load(world.data / "keys", world.keypad.serial).psk
        make(world.seam.access_codes.create, world.bridge, OURS)
        assert warned(world.seam) == []
        assert world.bridge.stop() == 0
        bench.ask(power="off")
        second_key = enrol_second_hub(world)
        bench.ask(power="on")
        with second_hub(world, second_key, tmp_path) as (bridge, seam):
            make(seam.access_codes.create, bridge, THEIRS)
            sees(seam, bridge, THEIRS, OURS, first_key)
        world.start_bridge()
        sees(world.seam, world.bridge, OURS, THEIRS, second_key.psk)
        assert all(bench.opens(pin) for pin in (*OURS, *THEIRS))
        mark = world.bridge.mark()
        world.clock.move(DAY_S + HOUR_S)
        world.bridge.event("device.third_party_integration_no_longer_detected", after=mark)
        assert warned(world.seam) == []
        for code in world.seam.access_codes.unmanaged.list(device_id=world.device_id):
            assert code.warnings == []
