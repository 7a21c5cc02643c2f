"""The factory reset: asked for on purpose only, and whole whatever cuts it off."""

import os

import board
from doorpad_fw import config, factory, keys
from doorpad_fw.log import Log
from doorpad_fw.slots import LAYOUT, Slot, Slots
from doorpad_link import identity as identities
from doorpad_link import messages

from cases import equal
from ram_flash import TEARS, Flash, PowerCut

HEAP = "400K"
SEGMENTS = 4
HOSTS = [(b"hosthost", bytes(range(32)))]
KEY = bytes(range(32))


def _mount(flash):
    return Slots(Log(flash, 0, SEGMENTS, LAYOUT, lambda: os.urandom(4)), 4096, KEY)


def _used_keypad():
    identity = identities.Identity(b"devicedv", KEY, bytes(range(1, 33)), HOSTS)
    keys.store(identities.pack(identity))
    with open("config.json", "w") as file:
        file.write('{"strike_ms": 3000}')
    flash = Flash(2 * SEGMENTS)
    slots = _mount(flash)
    for number in range(1, 101):
        slots.put(0, Slot(number, 0, messages.ENABLED, 0, 0, 1, bytes(8), bytes(16), b"%04d" % number))
    flash.writeblocks(SEGMENTS, b"the journal stays", 0)
    return flash, slots.epoch


def _restart(flash):
    """What main.py does first; returns the table."""
    if factory.is_due():
        factory.work(flash, SEGMENTS, keys.load(), lambda: None)
        factory.done()
    return _mount(flash)


def test_long_press_asks_only_for_the_star_and_with_the_jumper():
    asked = []
    for jumper in (False, True):
        board.contact("reset_jumper", jumper)
        asked += [(key, jumper) for key in "0123456789*#" if factory.asked(key)]
    board.contact("reset_jumper", False)
    equal(asked, [("*", True)])


def test_reset_keypad_has_no_code_no_settings_no_master_pin_but_its_hosts_and_journal():
    flash, epoch = _used_keypad()
    equal(_restart(flash).used, 100, "a start without a reset that is due")
    factory.begin()
    slots = _restart(flash)
    identity = keys.load()
    equal((slots.used, slots.generation, slots.find(b"0001")), (0, 0, None))
    assert slots.epoch != epoch
    equal((identity.master_tag, identity.hosts, identity.device_id), (bytes(32), HOSTS, b"devicedv"))
    equal(config.load()[0]["strike_ms"], 5000)
    equal(bytes(flash.image[SEGMENTS * 4096 :][:17]), b"the journal stays")
    equal(factory.is_due(), False)


def test_power_cut_at_any_erase_has_the_reset_begun_again():
    cuts = 0
    for tear in TEARS:
        for operation in range(1, SEGMENTS + 1):
            flash, epoch = _used_keypad()
            factory.begin()
            flash.cut_at(operation, tear)
            try:
                _restart(flash)
                raise AssertionError("the power did not go")
            except PowerCut:
                cuts += 1
            flash.power_up()
            slots = _restart(flash)
            equal((slots.used, keys.load().master_tag), (0, bytes(32)))
            assert slots.epoch != epoch
    equal(cuts, 3 * SEGMENTS)
