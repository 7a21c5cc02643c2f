"""No PIN can be read off a keypad's flash, its identity or what its program prints, in any form."""

import esp32_time  # isort: skip - before anything takes hold of the time

import asyncio
import io
import os
import sys

from doorpad_fw.crash import CrashLog
from doorpad_fw.log import FlashError
from doorpad_link import identity, messages

from cases import cases, equal
from keypad_parts import MASTER, Keypad, put_body
from whole_keypad import Whole

HEAP = "700K"
# 8 digits and more: four bytes of them are not on flash by chance.
FROM_HOST, REPLACED, LOCAL, CHANGED, WRONG, NEW_MASTER = (
    b"52907316",
    b"730418256901",
    b"9152637408",
    b"40815927",
    b"61729450",
    b"84620593",
)
PINS = (FROM_HOST, REPLACED, LOCAL, CHANGED, WRONG, NEW_MASTER, MASTER)


def _forms(pin):
    """(name, bytes) of each form in which a PIN could be read."""
    digits = [digit - 48 for digit in pin]
    number = int(pin)
    yield "ASCII", pin
    yield "a digit a byte", bytes(digits)
    yield "UTF-16", b"".join(bytes((digit, 0)) for digit in pin)
    for shift, padded in (("", digits), ("shifted ", [0] + digits)):
        whole = padded[: len(padded) // 2 * 2]
        pairs = [(whole[n], whole[n + 1]) for n in range(0, len(whole), 2)][bool(shift) :]
        yield shift + "BCD", bytes(high << 4 | low for high, low in pairs)[:4]
        yield shift + "BCD, low digit first", bytes(low << 4 | high for high, low in pairs)[:4]
    size = (len(hex(number)) - 1) // 2
    for order in ("big", "little"):
        yield order + "-endian number", number.to_bytes(size, order)
    yield "backwards", bytes(reversed(pin))


def _check(what, data):
    for place, pin in enumerate(PINS):
        for name, form in _forms(pin):
            assert len(form) >= 3, name
            equal(data.find(form), -1, "PIN %d as %s in %s" % (place, name, what))


def _used():
    # A keypad to which each of the PINs has been given, in every way that there is.
    keypad = Keypad()
    keypad.operations.serve(1, messages.OP_PUT, put_body(7, FROM_HOST))
    keypad.operations.serve(1, messages.OP_PUT, put_body(8, REPLACED, 0, b"op-id--2"))
    keypad.operations.serve(1, messages.OP_PUT, put_body(8, CHANGED, 2, b"op-id--3"))
    keypad.enter(MASTER.decode() + "#1#" + LOCAL.decode() + "#*")
    equal(keypad.slots.find(LOCAL).number, 1)
    for pin in (FROM_HOST, CHANGED, LOCAL, REPLACED, WRONG):
        keypad.enter(pin.decode() + "#")
    return keypad


def _run(play):
    async def run():
        play()
        await asyncio.sleep_ms(10_000)

    esp32_time.run(run())


def test_every_form_would_be_found():
    for name, form in _forms(FROM_HOST):
        try:
            _check("a trap", b"\xff" * 10 + form + b"\xff" * 10)
        except AssertionError:
            continue
        raise AssertionError(name)


def test_flash_and_identity_tell_no_pin():
    def play():
        keypad = _used()
        kinds = [kind for kind, _, _ in keypad.entries()]
        equal(kinds.count(messages.EV_GRANTED), 3)
        equal(kinds.count(messages.EV_DENIED), 2)
        _check("flash", bytes(keypad.flash.image))
        _check("the identity", identity.pack(keypad.identity))

    _run(play)


def test_no_file_of_the_keypad_tells_a_pin():
    def play():
        keypad = Whole()
        try:
            keypad.ask(messages.OP_PUT, put_body(7, FROM_HOST))
            keypad.ask(messages.OP_PUT, put_body(8, REPLACED, 0, b"op-id--2"))
            keypad.ask(messages.OP_PUT, put_body(8, CHANGED, 2, b"op-id--3"))
            version, _ = keypad.ask(messages.OP_CONFIG)[1]
            keypad.ask(messages.OP_CONFIG, [version, [["lockout_s", 60]]])
            said = "%s#1#%s#5#%s#%s#*%s#" % tuple(
                it.decode() for it in (MASTER, LOCAL, NEW_MASTER, NEW_MASTER, WRONG)
            )
            for key in said:
                keypad.door.key(key)
            assert keypad.door.is_master(NEW_MASTER)
            try:
                raise ValueError("entered: " + FROM_HOST.decode())
            except ValueError as error:
                CrashLog().note(error)
            assert "crash.log" in os.listdir()
        finally:
            keypad.unmount()
        _check("table and journal", bytes(keypad.flash.image))
        _check("the file system", bytes(keypad.files.image))

    _run(play)


@cases("slot", "terms", "traceback")
def test_what_is_printed_tells_no_pin(what):
    def play():
        keypad = _used()
        if what == "slot":
            text = repr(keypad.slots.get(7)) + str(keypad.slots.get(7))
        elif what == "terms":
            text = repr(keypad.slots.find(FROM_HOST))
        else:
            for place in range(1, 64):
                keypad.flash.stuck[place * 64 + 30] = 0xFF
            slot = keypad.slots.get(7)
            slot.pin = WRONG
            slot.op_id = b"op-id--9"
            try:
                keypad.slots.put(slot.version, slot)
                raise AssertionError("flash took it")
            except FlashError as error:
                told = io.StringIO()
                sys.print_exception(error, told)
                text = told.getvalue() + repr(error)
        assert len(text) > 10, text
        _check(what, text.encode())

    _run(play)
