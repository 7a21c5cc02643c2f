"""Contacts around the door: request-to-exit, door contact, tamper switch. Debounced by time stamps.

Asleep until a pin changes, as the key matrix is. Every second all are looked at as well, so that a lost interrupt
costs a second and not an alarm.
"""

import asyncio

from machine import Pin
from micropython import const
from time import ticks_diff, ticks_ms

from doorpad_fw import pins

EXIT = const(0)
DOOR = const(1)
TAMPER = const(2)

_STABLE_MS = const(30)  # far below the 400 ms that EN 60839-11-1 wants to be seen
_LOOK_MS = const(5)


class Inputs:
    """`settings`: "door_contact" and "tamper", whether these are fitted; an open pin would be an alarm."""

    def __init__(self, settings):
        self._settings = settings
        self._wake = asyncio.ThreadSafeFlag()
        self._pins = []
        for number, pull_up in (
            (pins.REQUEST_TO_EXIT, pins.REQUEST_TO_EXIT_PULL_UP),
            (pins.DOOR_CONTACT, pins.DOOR_CONTACT_PULL_UP),
            (pins.TAMPER, pins.TAMPER_PULL_UP),
        ):
            pin = Pin(number, Pin.IN, Pin.PULL_UP if pull_up else -1)
            pin.irq(self._changed, Pin.IRQ_RISING | Pin.IRQ_FALLING)
            self._pins.append(pin)
        self._stable = 0  # a bit for each input that is active, debounced
        self._door_told = False  # whether it was told since the contact is fitted

    def _changed(self, _pin):
        self._wake.set()

    def look(self):
        """Have every contact looked at. Call it about every second."""
        self._wake.set()

    def _read(self):
        active = int(self._pins[EXIT].value() == pins.REQUEST_TO_EXIT_ACTIVE)
        if self._settings["door_contact"]:
            active |= (self._pins[DOOR].value() == pins.DOOR_CONTACT_ACTIVE) << DOOR
        if self._settings["tamper"]:
            active |= (self._pins[TAMPER].value() == pins.TAMPER_ACTIVE) << TAMPER
        return active

    async def run(self, on_input):
        """Call `on_input(which, active)` for what is active now, then for every change. Never returns.

        A closed door is told at first as well: only then is the first opening one of a door that was shut.
        """
        self._wake.set()
        while True:
            await self._wake.wait()
            seen = self._read()
            since_ms = ticks_ms()
            while seen != self._stable and ticks_diff(ticks_ms(), since_ms) < _STABLE_MS:
                await asyncio.sleep_ms(_LOOK_MS)
                now = self._read()
                if now != seen:
                    seen, since_ms = now, ticks_ms()
            changed = seen ^ self._stable
            if self._settings["door_contact"] and not self._door_told:
                changed |= 1 << DOOR
            self._door_told = bool(self._settings["door_contact"])
            self._stable = seen
            for which in (EXIT, DOOR, TAMPER):
                if changed >> which & 1:
                    on_input(which, bool(seen >> which & 1))
