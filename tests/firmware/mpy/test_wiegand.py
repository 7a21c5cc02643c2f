"""A Wiegand keypad on the stand-in board: its keys as the makers print them, their timing, and noise."""

import esp32_time

import asyncio

import board
from doorpad_fw import pins
from doorpad_fw.wiegand import Wiegand, key_of

from cases import cases, equal

# HID, PINpad 8-bit Wiegand Reader, installation guide 7393760, table 1.
BITS_8 = {
    "0": "11110000",
    "1": "11100001",
    "2": "11010010",
    "3": "11000011",
    "4": "10110100",
    "5": "10100101",
    "6": "10010110",
    "7": "10000111",
    "8": "01111000",
    "9": "01101001",
    "*": "01011010",
    "#": "01001011",
}
# Rosslare, AYC-Q family, section 4.2.3.9.
BITS_4 = {
    "0": "0000",
    "1": "0001",
    "2": "0010",
    "3": "0011",
    "4": "0100",
    "5": "0101",
    "6": "0110",
    "7": "0111",
    "8": "1000",
    "9": "1001",
    "*": "1010",
    "#": "1011",
}
KEYS = "0123456789*#"


class _Line:
    """The firmware's end of the line, in virtual time. `told`: the keys; `touches`: how many pulses it counted."""

    def __init__(self, bits):
        self._bits = bits
        self.told = ""
        self.touches = 0

    def _touch(self):
        self.touches += 1

    def _key(self, key):
        self.told += key

    def play(self, act):
        """Run the coroutine function `act` with the line taken, and 100 ms more."""

        async def play():
            wiegand = Wiegand(pins.WIEGAND, self._bits, self._touch)
            taking = asyncio.create_task(wiegand.run(self._key))
            await asyncio.sleep_ms(0)
            await act()
            await asyncio.sleep_ms(100)
            taking.cancel()

        esp32_time.run(play())
        return self.told

    def send(self, script):
        """Send [(virtual ms, bits, ms between them), ...]; return the keys that were told."""
        start_ms = esp32_time.now_ms()

        async def act():
            for at_ms, bits, apart_ms in script:
                await asyncio.sleep_ms(max(start_ms + at_ms - esp32_time.now_ms(), 0))
                for bit in bits:
                    board.pulse(int(bit))
                    await asyncio.sleep_ms(apart_ms)

        return self.play(act)


def _typed(table, keys, apart_ms=2, period_ms=66):
    return [(n * period_ms, table[key], apart_ms) for n, key in enumerate(keys)]


@cases(0, 1, 2)
def test_keys_of_both_forms_are_told_in_order_at_15_a_second(apart_ms):
    equal(_Line(8).send(_typed(BITS_8, KEYS * 2, apart_ms)), KEYS * 2)
    equal(_Line(4).send(_typed(BITS_4, KEYS * 2, apart_ms)), KEYS * 2)


def test_bits_as_far_apart_as_the_convention_allows_are_one_key():
    equal(_Line(8).send(_typed(BITS_8, KEYS, apart_ms=20, period_ms=250)), KEYS)


def test_every_pulse_is_a_touch():
    line = _Line(8)
    line.send(_typed(BITS_8, "12"))
    equal(line.touches, 16)


def test_no_other_word_of_any_length_is_a_key():
    tables = {
        int(bits, 2) + (1 << len(bits)): key for table in (BITS_4, BITS_8) for key, bits in table.items()
    }
    for bits in range(33):
        for word in range(min(1 << bits, 256)):
            equal(key_of(word, bits), tables.get(word + (1 << bits), ""), (word, bits))


@cases(
    "1",
    "0111",
    "11110",
    "1111000",
    "111100001",
    "11111111",
    "00000000",
    "11110001",
    "11111111111111111111111111",
    "0101010101010101010101010101010101010101010101010101010101010101",
)
def test_burst_that_is_no_key_tells_nothing_and_the_next_one_is_told(noise):
    equal(_Line(8).send([(0, noise, 1), (200, BITS_8["7"], 2)]), "7")


def test_key_of_the_other_form_tells_nothing():
    equal(_Line(8).send(_typed(BITS_4, KEYS)), "")
    equal(_Line(4).send(_typed(BITS_8, KEYS)), "")


def test_pulse_of_noise_within_a_burst_spoils_that_key_alone():
    spoiled = BITS_8["3"][:4] + "1" + BITS_8["3"][4:]
    equal(_Line(8).send([(0, BITS_8["1"], 2), (66, spoiled, 2), (132, BITS_8["2"], 2)]), "12")


def test_keys_that_come_while_the_program_does_something_else_are_told_one_by_one():
    # Handlers run, tasks do not: as while a frame of the link is opened. 5 and * together would be eight bits of *.
    async def act():
        for key in "5*12":
            for bit in BITS_4[key]:
                board.pulse(int(bit))
                esp32_time.advance(2)
            esp32_time.advance(58)

    equal(_Line(4).play(act), "5*12")


def test_stall_that_hides_some_bits_of_a_key_tells_no_other_key():
    for key, bits in BITS_8.items():
        for hidden in range(1, 8):
            for first in range(9 - hidden):
                equal(
                    _Line(8).send([(0, bits[:first] + bits[first + hidden :], 2)]), "", (key, first, hidden)
                )


def test_more_pulses_than_are_kept_cost_keys_and_nothing_else():
    async def act():
        for _ in range(1000):
            board.pulse(1)
        await asyncio.sleep_ms(100)
        for bit in BITS_8["9"]:
            board.pulse(int(bit))

    equal(_Line(8).play(act), "9")


def test_keys_arrive_across_the_wrap_of_ticks():
    esp32_time.set_ticks(esp32_time.PERIOD_MS - 70)
    equal(_Line(8).send(_typed(BITS_8, "1470#")), "1470#")
    assert esp32_time.ticks_ms() < 1000, "ticks did not wrap"
