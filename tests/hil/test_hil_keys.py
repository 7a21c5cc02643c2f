"""A keypad that was commissioned with another key than this hub holds: told as that, and healed by the right key."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from doorpad import keyring
from doorpad.keyring import LinkKey
from hil_world import World, running
from seam import Seam

# Long enough for three attempts to be what makes it offline, and not silence.
PATIENT = "offline_s = 600.0\npoll_s = 0.2"


@pytest.fixture(params=["--baud=115200", "--console"])
def world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("keys"), request.param, timing=PATIENT) as world:
        yield world


def _keys(world: World) -> Path:
    return world.data / "keys"


def test_keypad_whose_key_is_not_ours_is_told_as_a_device_error_until_the_keys_fit(world: World) -> None:
    words = "the keypad holds another key than this hub"
    serial = world.keypad.serial
    right = keyring.load(_keys(world), serial)
    code_id = world.create()
    assert world.bridge.stop() == 0
    wrong = LinkKey(right.host_id, secrets.token_bytes(32))
    keyring.save(_keys(world), serial, wrong)
    bridge = world.launch()
    seam = Seam(api_key=world.api_key, endpoint=bridge.ready()["endpoint"])
    bridge.link("offline", world.device_id)
    bridge.event("device.disconnected")
    device = seam.devices.get(device_id=world.device_id)
    assert [(it.error_code, it.is_device_error) for it in device.errors] == [
        ("device_offline", True),
        ("missing_device_credentials", True),
    ]
    message = device.errors[1].message
    assert serial in message and words in message and "commission it" in message
    shown = seam.access_codes.get(access_code_id=code_id)
    assert [it.error_code for it in shown.errors] == ["device_offline", "missing_device_credentials"]
    assert not device.properties.online
    # The right key is put there: the next attempt takes it, nothing has to be started again.
    keyring.save(_keys(world), serial, right)
    mark = bridge.mark()
    seam.access_codes.update(access_code_id=code_id, name="Wakes the keeper")
    other = seam.access_codes.create(device_id=world.device_id)
    bridge.event("access_code.set_on_device", other.access_code_id, after=mark)
    assert seam.devices.get(device_id=world.device_id).errors == []
    assert seam.access_codes.get(access_code_id=code_id).errors == []
    world.start_bridge(bridge)
    told = [line for line in world.said.splitlines() if "ERROR" in line]
    assert sum(words in line for line in told) == 1, told
    for secret in (right.psk.hex(), wrong.psk.hex()):
        assert secret not in world.said
