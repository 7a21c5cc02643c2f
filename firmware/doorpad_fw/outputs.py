"""Strike, LEDs and buzzer.

The strike's pulse is played by the RMT peripheral, which falls back to idle without the interpreter: whatever the
program does, the strike cannot stay energised longer than what the peripheral was last given, 5 s at most. A
longer pulse is given to it in parts, each once the one before is over: if the program hangs, there is no next part.
"""

import asyncio
import sys

from doorpad_link import messages
from esp32 import RMT
from machine import Pin
from micropython import const
from time import ticks_add, ticks_diff, ticks_ms

from doorpad_fw import health, pins

_RMT_CHANNEL = const(0)
_CLOCK_DIVIDER = const(255)
_RMT_KHZ = const(80_000)  # before the divider
_TICKS_MAX = const(32_767)  # of one RMT half-word
# Of one load. The channel's memory takes 128. With fewer a program that hangs keeps a door open for a shorter time,
# and lists of this length find room on a heap that is nearly full.
_HALF_WORDS_MAX = const(48)
LOAD_MS_MAX = _HALF_WORDS_MAX * _TICKS_MAX * _CLOCK_DIVIDER // _RMT_KHZ  # of one load
STRIKE_MS_MAX = const(60_000)
# Between two parts the strike is at rest for so long: shorter than any strike or magnet needs.
_LOOK_MS = const(2)
_ROUNDING_MS = const(20)  # of a pulse: no part is played for so little


def pulse_ticks(duration_ms):
    """Split a pulse of 1 ms or more into RMT half-words: a list of tick counts, each 1 to 32,767.

    Never shorter than asked, for a strike's time is promised; by less than a tick (3.2 us) longer.
    """
    ticks = (duration_ms * _RMT_KHZ + _CLOCK_DIVIDER - 1) // _CLOCK_DIVIDER
    pieces = (ticks + _TICKS_MAX - 1) // _TICKS_MAX
    # Of its size at once: a list that grows needs more room than may be there.
    split = [ticks // pieces] * pieces
    for n in range(ticks % pieces):
        split[n] += 1
    return split


class _Level:
    def __init__(self, pin, active):
        self._active = active
        self._pin = Pin(pin, Pin.OUT, value=1 - active)

    def set(self, on):
        self._pin.value(self._active if on else 1 - self._active)


class Outputs:
    """`settings`: "strike_ms", how long a granted entry energises the strike, 100 to STRIKE_MS_MAX, and "quiet".

    A magnet that holds the door by its current is a strike that is active at level 0.
    """

    strike_active = pins.STRIKE_ACTIVE

    def __init__(self, settings):
        self._settings = settings
        self.take_strike()
        self._green = _Level(pins.LED_GREEN, pins.LED_GREEN_ACTIVE)
        self._red = _Level(pins.LED_RED, pins.LED_RED_ACTIVE)
        self._buzzer = _Level(pins.BUZZER, pins.BUZZER_ACTIVE)
        self.pulse = None  # the task that sees it to its end
        self._until_ms = ticks_ms()  # of that end
        self._part_ms = 0  # of what the peripheral plays
        self._programming = False
        self._signal = None  # the running feedback task

    def take_strike(self):
        """Let it rest: as a plain output before the peripheral has it, and after it let go of it."""
        idle = 1 - self.strike_active
        pin = Pin(pins.STRIKE, Pin.OUT, value=idle)
        self.strike = RMT(_RMT_CHANNEL, pin=pin, clock_div=_CLOCK_DIVIDER, idle_level=bool(idle))

    @property
    def is_unlocked(self):
        """Whether the strike's time runs."""
        return self.pulse is not None

    def open_strike(self, on_rest):
        """Energise the strike for its time from now on, also during a pulse. MemoryError: it stays as it is.

        `on_rest()` is called when that pulse has come to its end; of one that goes on, the first one's is.
        """
        now_ms = ticks_ms()
        duration_ms = self._settings["strike_ms"]
        if self.pulse is None:
            self._until_ms = now_ms
            self.pulse = asyncio.create_task(self._see_to_its_end(on_rest))  # it runs later
        if self.strike.wait_done():
            self._play_part(duration_ms)
        self._until_ms = ticks_add(now_ms, duration_ms)

    def _play_part(self, left_ms):
        self._part_ms = left_ms // ((left_ms + LOAD_MS_MAX - 1) // LOAD_MS_MAX)
        pieces = pulse_ticks(self._part_ms)
        self.strike.write_pulses(pieces, [bool(self.strike_active)] * len(pieces))

    async def _see_to_its_end(self, on_rest):
        try:
            while True:
                await asyncio.sleep_ms(self._part_ms)
                while not self.strike.wait_done():
                    await asyncio.sleep_ms(_LOOK_MS)
                left_ms = ticks_diff(self._until_ms, ticks_ms())
                if left_ms < _ROUNDING_MS:
                    break
                self._play_part(left_ms)
        except MemoryError as error:  # the strike is at rest too early, and the program goes on
            health.report(messages.HEALTH_MEMORY)
            sys.print_exception(error)
        self.pulse = None
        on_rest()

    # Feedback. Refusals look and sound alike: they must not tell which PIN exists.

    def key_pressed(self):
        if not self._settings["quiet"]:
            self._play(((self._buzzer, 20),))

    def granted(self):
        self._play(((self._green, 1000),))

    def refused(self):
        between = None if self._settings["quiet"] else self._buzzer
        self._play(((self._red, 150), (between, 150), (self._red, 150)))

    def programming(self, active):
        self._programming = active
        self._green.set(active)

    def accepted(self):
        sound = self._green if self._settings["quiet"] else self._buzzer
        self._play(((sound, 100), (None, 100), (sound, 100)))

    def count(self, number):
        """Beep the decimal digits of a number, the highest first: as many beeps as it says, one long one for 0.

        In quiet mode the red light flashes instead.
        """
        steps = []
        sound = self._red if self._settings["quiet"] else self._buzzer
        for digit in str(number):
            for _ in range(int(digit)):
                steps += [(sound, 100), (None, 200)]
            if digit == "0":
                steps.append((sound, 600))
            steps.append((None, 700))
        self._play(steps)

    def _play(self, steps):
        if self._signal is not None:
            self._signal.cancel()
        self._rest()
        self._signal = asyncio.create_task(self._play_steps(steps))

    def _rest(self):
        self._green.set(self._programming)
        self._red.set(False)
        self._buzzer.set(False)

    async def _play_steps(self, steps):
        for output, duration_ms in steps:
            if output is not None:
                output.set(True)
            await asyncio.sleep_ms(duration_ms)
            if output is not None:
                output.set(False)
        self._rest()
        self._signal = None
