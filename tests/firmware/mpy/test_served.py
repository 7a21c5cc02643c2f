"""What is left of a lockout after a power cut: as much as there was, where a clock chip has seen the time pass."""

import esp32_time  # isort: skip - before anything takes hold of the time

import random

import ds3231
import time
from doorpad_fw import clock_chip, config, served
from doorpad_fw.lockout import Lockout
from doorpad_link import messages

from cases import cases, equal
from chip_world import NOW_S, NOW_UNIX, World
from keypad_parts import Keypad
from ram_flash import Flash
from whole_keypad import Whole

HEAP = "700K"
_FLASH = Flash(8)  # one for all cases: more would not fit
HOST = 1
UNTOLD_MS = 3_000  # of served.py


def _true_ms():
    return ds3231.now_ms() - NOW_UNIX * 1000


class _Door:
    """A keypad with a clock chip that is locked out, wrong by so many milliseconds, and starts again and again."""

    def __init__(self, drift_ppb=0, late_ms=0):
        for block in range(8):
            _FLASH.ioctl(6, block)
        self.world = World(drift_ppb=drift_ppb)
        self._wrong_ms = late_ms
        self.keypad = Keypad(_FLASH)
        self.set_time(50 + abs(late_ms))
        self.shut_ms = 0  # when the entry was shut, by the time outside

    def set_time(self, error_ms):
        """A host sets clock and chip, as clock_setting.py does; return whether it may."""
        clock = self.keypad.clock
        at_ms = _true_ms() + self._wrong_ms
        wanted = NOW_S + at_ms // 1000, at_ms % 1000
        was_trusted = clock.trusted
        moved_s = clock.move(wanted, self.keypad.journal.floor, HOST, error_ms)
        clock_chip.store(clock)
        if moved_s is None:
            return False
        if not was_trusted or abs(moved_s) > 2:
            self.keypad.door.note(messages.EV_CLOCK_SET, 0, None, HOST)
        return True

    def step(self, by_ms):
        """The host was wrong, and sets the clock by so much."""
        self._wrong_ms += by_ms
        if not self.set_time(100):  # too far behind the journal
            self._wrong_ms -= by_ms

    def lock_out(self):
        while not self.lockout.shut:
            self.keypad.enter("0000#")
        self.shut_ms = _true_ms()

    @property
    def lockout(self):
        return self.keypad.door._lockout

    def start(self, off_ms, with_chip=True):
        """Take the power away for so long; the parts then come together as parts.py has it."""
        clock = self.world.power_cut(off_ms)
        self.keypad = Keypad(_FLASH)
        self.keypad.clock = self.keypad.door._clock = clock
        if with_chip:
            equal(clock_chip.restore(clock, self.keypad.journal.floor), True)
        if clock.trusted:
            began_ms = time.ticks_add(time.ticks_ms(), -served.ms(self.keypad.journal, clock))
            self.keypad.door._lockout = Lockout(self.keypad.journal.lockout, began_ms, self.keypad.settings)
        self.keypad.door.note(messages.EV_BOOT)
        if clock.trusted:
            self.keypad.door.note(messages.EV_CLOCK_SET)

    def left_ms(self):
        """What the keypad has left of its lockout, and what the time outside has."""
        truly_ms = self.shut_ms + self.lockout._duration_ms() - _true_ms()
        left_ms = time.ticks_diff(self.lockout._until_ms, time.ticks_ms())
        return max(left_ms, 0), truly_ms


@cases(0, 10_000, 25_000, 60_000, 86_400_000)
def test_time_without_power_counts_where_a_chip_has_seen_it(off_ms):
    def play():
        door = _Door()
        door.lock_out()
        door.start(off_ms)
        left_ms, truly_ms = door.left_ms()
        late_ms = 2 * door.keypad.clock.error_ms() + UNTOLD_MS
        assert max(truly_ms, 0) <= left_ms <= max(truly_ms + late_ms, 0) + 1000, (left_ms, truly_ms)
        esp32_time.advance(left_ms)
        door.keypad.door.tick()
        equal(door.lockout.shut, False)

    esp32_time.call(play)


def test_without_a_chip_it_begins_anew():
    def play():
        door = _Door()
        door.lock_out()
        door.start(25_000, with_chip=False)
        equal(door.left_ms()[0], 30_000)
        door.start(0)  # the chip is there again, and has seen all of it
        assert door.left_ms()[0] < 10_000, door.left_ms()

    esp32_time.call(play)


def test_end_of_a_lockout_that_flash_lost_does_not_join_it_to_the_next():
    def play():
        door = _Door()
        for _ in range(8):  # from here on all lockouts are alike
            door.lock_out()
            esp32_time.advance(900_000)
            door.keypad.door.tick()
            equal(door.lockout.shut, False)
        newest = door.keypad.journal.head
        door.lock_out()
        door.start(0)
        # Of the lockout before: its end, and the wrong tries since, are lost.
        log = door.keypad.journal.log
        for number in range(newest, newest + 5):
            at = (4 + log.current) * 4096 + 48 * ((number - 1) % log.per_segment + 1)
            for place in range(at, at + 48):
                _FLASH.image[place] = 0
        door.start(0)
        left_ms, truly_ms = door.left_ms()
        assert truly_ms <= left_ms, (left_ms, truly_ms)

    esp32_time.call(play)


def _play_at_random(door, rng):
    # Returns how often the time that was left was known to some seconds.
    known = 0
    door.lock_out()
    undated = False  # the lockout began by another clock than the present one, or by none
    for _ in range(rng.randrange(1, 7)):
        did = rng.randrange(6)
        if did == 0:
            for _ in range(rng.randrange(1, 30)):
                door.keypad.enter("1111#")
        elif did == 1:
            door.step(rng.choice((-1, 1)) * rng.randrange(5_000, 3_600_000))
            undated = True
        elif did == 2:
            undated = undated or not door.keypad.clock.trusted
            door.set_time(rng.randrange(10, 400))
        else:
            with_chip = rng.random() < 0.8
            door.start(rng.choice((0, rng.randrange(100, 40_000), rng.randrange(1_000_000))), with_chip)
            left_ms, truly_ms = door.left_ms()
            if door.lockout.shut:
                assert left_ms >= truly_ms, (left_ms, truly_ms)
                late_ms = 2 * door.keypad.clock.error_ms() + UNTOLD_MS + 1000
                if with_chip and not undated:
                    assert left_ms <= max(truly_ms, 0) + late_ms, (left_ms, truly_ms, late_ms)
                    known += truly_ms > 0
        esp32_time.advance(rng.choice((0, rng.randrange(2_000), rng.randrange(100_000))))
        door.keypad.door.tick()
        if not door.lockout.shut:
            assert _true_ms() - door.shut_ms >= door.lockout._duration_ms(), "it ended too early"
            door.lock_out()
            undated = not door.keypad.clock.trusted
    return known


def test_no_sequence_of_cuts_and_clock_steps_shortens_it():
    rng = random
    rng.seed(4)
    known = 0
    for _ in range(40):

        def play():
            door = _Door(rng.randrange(-4_000, 4_000), rng.randrange(-2_000, 2_000))
            return _play_at_random(door, rng)

        known += esp32_time.call(play)
    assert known > 10, "what was left was known only %d times" % known


def test_keypad_that_starts_with_its_chip_takes_off_what_has_passed():
    def play():
        keypad = Whole()
        try:
            world = World()  # its file lies with the keypad's: there it is looked for
            config.change(config.load()[0], [["clock_chip", 1]])
            clock = keypad.door._clock
            clock.move((NOW_S, 0), (0, 0), HOST, 20)
            clock_chip.store(clock)
            while not keypad.door._lockout.shut:
                for key in "0000#":
                    keypad.door.key(key)
            world.power_cut(20_000)
            world.registers()  # before the file of the chip is out of reach
            keypad.unmount()
            keypad.start()
            left_ms = time.ticks_diff(keypad.door._lockout._until_ms, time.ticks_ms())
        finally:
            keypad.unmount()
        assert 10_000 <= left_ms <= 16_000, left_ms

    esp32_time.call(play)
