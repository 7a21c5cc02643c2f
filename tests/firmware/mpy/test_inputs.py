"""Contacts on the stand-in board, bounce and all, and what the door makes of them."""

import esp32_time

import asyncio

import board
from doorpad_fw import inputs
from doorpad_fw.inputs import Inputs
from doorpad_link import messages

from cases import cases, equal
from keypad_parts import Keypad
from strike_watch import strike

HEAP = "400K"
LOCKED = (messages.EV_LOCKED, 0, 0)
NAMES = {"request_to_exit": inputs.EXIT, "door_contact": inputs.DOOR, "tamper": inputs.TAMPER}


def _rest():
    board._changing.clear()  # those of the keypad before
    for name in NAMES:
        board.contact(name, False)
    strike.clear()


def _play(script, fitted=(1, 1), on_input=None, looking=False):
    """Play [(virtual ms, contact, active)]; return [(which, active, virtual ms)] as told.

    A closed door that is told at the start is left out.
    """
    told = []
    _rest()
    start_ms = esp32_time.now_ms()

    def note(which, active):
        told.append((which, active, esp32_time.now_ms() - start_ms))
        if on_input is not None:
            on_input(which, active)

    async def play():
        contacts = Inputs(dict(zip(("door_contact", "tamper"), fitted)))
        watching = asyncio.create_task(contacts.run(note))
        for at_ms, name, active in script:
            await asyncio.sleep_ms(max(start_ms + at_ms - esp32_time.now_ms(), 0))
            board.contact(name, active)
        await asyncio.sleep_ms(500)
        if looking:
            contacts.look()
            await asyncio.sleep_ms(500)
        watching.cancel()

    esp32_time.run(play())
    return [it for it in told if it != (inputs.DOOR, False, 0)]


@cases("request_to_exit", "door_contact", "tamper")
def test_contact_is_told_once_when_it_closes_and_once_when_it_opens(name):
    told = _play([(100, name, True), (500, name, False)])
    equal([(which, active) for which, active, _ in told], [(NAMES[name], True), (NAMES[name], False)])
    # 400 ms is what EN 60839-11-1 wants to be seen; debouncing takes 30 ms and a step of 5.
    for (_, _, at_ms), changed_ms in zip(told, (100, 500)):
        assert 30 <= at_ms - changed_ms <= 45, told


def test_bouncing_contact_is_told_once():
    script = [(100 + 3 * n, "door_contact", n % 2 == 0) for n in range(9)]
    equal([(which, active) for which, active, _ in _play(script)], [(inputs.DOOR, True)])


def test_spike_shorter_than_the_debouncing_is_not_told():
    equal(
        _play([(100, "tamper", True), (120, "tamper", False), (300, "tamper", True), (325, "tamper", False)]),
        [],
    )


def test_contacts_that_change_together_are_all_told():
    told = _play([(100, "tamper", True), (100, "door_contact", True), (110, "request_to_exit", True)])
    equal(
        sorted((which, active) for which, active, _ in told),
        [(inputs.EXIT, True), (inputs.DOOR, True), (inputs.TAMPER, True)],
    )


def test_contact_that_is_not_fitted_is_never_told():
    script = [(100, "tamper", True), (200, "door_contact", True), (300, "request_to_exit", True)]
    equal([which for which, _, _ in _play(script, fitted=(0, 0))], [inputs.EXIT])


def test_door_that_is_open_at_the_start_is_told():
    told = _play([(0, "door_contact", True)])
    equal([(which, active) for which, active, _ in told], [(inputs.DOOR, True)])


def test_change_without_an_interrupt_is_found_at_the_next_look():
    on_change = board.on_change
    board.on_change = lambda pin, handler: None  # every interrupt is lost
    try:
        told = _play([(100, "tamper", True)], looking=True)
        unseen = _play([(100, "tamper", True)])
    finally:
        board.on_change = on_change
    equal([(which, active) for which, active, _ in told], [(inputs.TAMPER, True)])
    equal(unseen, [])


def _with_door(script, prepare=None):
    """The same with a whole keypad behind the contacts; returns its journal's (kind, reason, slot)."""
    keypads = []

    def on_input(which, active):
        if not keypads:
            keypads.append(Keypad())
            if prepare is not None:
                prepare(keypads[0])
        keypads[0].door.input(which, active)

    _play(script + [(20_000, "reset_jumper", False)], on_input=on_input)
    return keypads[0].entries()


def test_exit_button_opens_and_is_journaled():
    equal(_with_door([(100, "request_to_exit", True)]), [(messages.EV_EXIT, 0, 0), LOCKED])
    equal(strike, [1, 0])


def test_exit_button_in_the_pulse_is_journaled_and_lets_its_time_begin_anew():
    script = [(at_ms, "request_to_exit", at_ms % 2000 == 0) for at_ms in range(2000, 8000, 1000)]
    script += [(9500, "door_contact", True), (9600, "door_contact", False)]  # within the time of the last one
    equal(_with_door(script), [(messages.EV_EXIT, 0, 0)] * 3 + [LOCKED])
    equal(strike, [1, 0] * 3)  # 3 s from each: with hardly a rest between the parts


def test_exit_button_that_flutters_is_journaled_once_a_second():
    script = [(100 + 50 * n, "request_to_exit", n % 2 == 0) for n in range(100)]
    exits = [entry for entry in _with_door(script) if entry == (messages.EV_EXIT, 0, 0)]
    equal(len(exits), 5)


def test_exit_button_held_for_ever_opens_once():
    _with_door([(100, "request_to_exit", True)])
    equal(strike, [1, 0])


def test_exit_button_opens_during_a_lockout():
    def lock_out(keypad):
        for _ in range(5):
            keypad.enter("0000#")

    entries = _with_door([(100, "request_to_exit", True)], lock_out)
    equal(entries[-3:], [(messages.EV_LOCKOUT, 1, 0), (messages.EV_EXIT, 0, 0), LOCKED])
    equal(strike, [1, 0])


def test_exit_button_opens_though_flash_is_worn_out():
    def wear_out(keypad):
        for address in range(4 * 4096, 8 * 4096, 16):
            keypad.flash.stuck[address] = 0xFF

    equal(_with_door([(100, "request_to_exit", True)], wear_out), [])
    equal(strike, [1, 0])


def test_door_opened_after_the_exit_button_is_no_alarm_and_without_it_is_one():
    script = [(100, "request_to_exit", True), (200, "request_to_exit", False)]
    script += [(1000, "door_contact", True), (3000, "door_contact", False)]
    script += [(9000, "door_contact", True), (9500, "door_contact", False)]
    wanted = [(messages.EV_EXIT, 0, 0), LOCKED, (messages.EV_FORCED, 0, 0), (messages.EV_DOOR_CLOSED, 0, 0)]
    equal(_with_door(script), wanted)


def test_first_opening_of_a_door_that_was_shut_at_the_start_is_an_alarm():
    script = [(500, "door_contact", True), (900, "door_contact", False)]
    equal(_with_door(script), [(messages.EV_FORCED, 0, 0), (messages.EV_DOOR_CLOSED, 0, 0)])
    equal(strike, [])


def test_opened_case_is_journaled_with_its_end():
    equal(
        _with_door([(100, "tamper", True), (200, "tamper", False)]),
        [(messages.EV_TAMPER, 0, 0), (messages.EV_TAMPER_END, 0, 0)],
    )
