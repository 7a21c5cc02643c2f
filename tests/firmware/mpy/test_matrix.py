"""The key matrix on the stand-in board: bounce, two keys at once, ghosts, holding, stalls and fast typing.

A script is a list of (virtual ms, key, down). Nothing waits for real: time jumps from one event to the next.
"""

import esp32_time

import asyncio
import random

import board
from doorpad_fw import pins
from doorpad_fw.matrix import Matrix
from doorpad_fw.presses import FREED, LONG, PRESSED, STUCK, Presses

from cases import cases, equal

KEYS = "123456789*0#"


def _play(script, on_key=None, rest_ms=100):
    """Play a script to its end and `rest_ms` beyond; return [(key, virtual ms since the start)] as told."""
    pressed = []
    start_ms = esp32_time.now_ms()

    def note(kind, key):
        if kind != PRESSED:
            return
        pressed.append((key, esp32_time.now_ms() - start_ms))
        if on_key is not None:
            on_key(key)

    async def play():
        matrix = Matrix(pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS)
        scanning = asyncio.create_task(matrix.run(note))
        await asyncio.sleep_ms(0)
        for at_ms, key, down in script:
            await asyncio.sleep_ms(max(start_ms + at_ms - esp32_time.now_ms(), 0))
            board.switch(key, down)
        await asyncio.sleep_ms(rest_ms)
        scanning.cancel()

    esp32_time.run(play())
    for key in KEYS:
        board.switch(key, False)
    return pressed


def _keys(script, **options):
    return "".join(key for key, _ in _play(script, **options))


def _press(key, at_ms, hold_ms=40, bounce_ms=0):
    """A press whose contacts bounce for `bounce_ms` at either end: random, a few tenths of a period each."""
    script = []
    for edge_ms, level in ((at_ms, True), (at_ms + hold_ms, False)):
        t = edge_ms
        while t < edge_ms + bounce_ms:
            script.append((t, key, random.randrange(2) == 0))
            t += random.randrange(1, 3)
        script.append((edge_ms + bounce_ms, key, level))
    return script


def test_every_key_is_told_once_by_its_own_name():
    for key in KEYS:
        equal(_keys(_press(key, 0)), key)


@cases(1, 2, 3, 4, 5, 6, 7, 8)
def test_contacts_that_bounce_for_5_ms_are_one_press(seed):
    random.seed(seed)
    script = []
    for n in range(20):
        script += _press(KEYS[n % 12], n * 80, bounce_ms=5)
    equal(_keys(script), "".join(KEYS[n % 12] for n in range(20)))


@cases(1, 2, 3, 4, 5, 6, 7)
def test_contact_shorter_than_8_ms_is_no_press(length_ms):
    equal(_keys([(0, "5", True), (length_ms, "5", False)]), "")


def test_press_is_told_within_30_ms_and_while_the_key_is_still_down():
    [(key, told_ms)] = _play([(0, "7", True)])
    equal(key, "7")
    assert 8 <= told_ms <= 30, told_ms


def test_key_held_for_15_s_is_told_once():
    equal(_keys(_press("5", 0, hold_ms=15_000)), "5")


def test_two_keys_at_once_are_no_entry_and_the_next_press_is():
    script = [(0, "1", True), (0, "9", True), (50, "1", False), (60, "9", False)]
    equal(_keys(script + _press("4", 200)), "4")


def test_second_key_pressed_before_the_first_is_released_is_told():
    script = [(0, "1", True), (40, "2", True), (80, "1", False), (120, "2", False)]
    equal(_keys(script), "12")


def test_ghost_of_three_keys_tells_nothing_more():
    # With 1 and 2 down, 4 also connects the column of 5: electrically both appear in the same instant.
    script = [(0, "1", True), (40, "2", True), (80, "4", True), (80, "5", True)]
    script += [(120, key, False) for key in "1245"]
    equal(_keys(script + _press("0", 300)), "120")


def test_same_key_twice_is_told_twice():
    equal(_keys(_press("8", 0) + _press("8", 80)), "88")


def test_ten_digits_of_24_ms_with_24_ms_between_them_all_arrive_in_order():
    random.seed(9)
    script = []
    for n, key in enumerate("3141592653#"):
        script += _press(key, n * 56, hold_ms=28, bounce_ms=4)
    equal(_keys(script), "3141592653#")


def test_stall_of_45_ms_at_each_key_loses_no_press():
    # A flash erase: nothing runs meanwhile, so debouncing must go by time and not by counted scans.
    script = []
    for n, key in enumerate("2580#"):
        script += _press(key, n * 160, hold_ms=90, bounce_ms=4)
    equal(_keys(script, on_key=lambda key: esp32_time.advance(45)), "2580#")


@cases(4, 7, 11)
def test_keys_pressed_while_the_program_is_at_work_are_told_when_that_is_done(held_up_ms):
    """A frame of the link takes longer than a finger. What it calls in C holds up what the timer calls."""
    told = []
    keys = "3152649785#" * 3
    random.seed(held_up_ms)
    script = []
    for n, key in enumerate(keys):
        script += _press(key, n * 66, hold_ms=33, bounce_ms=5)

    async def play():
        matrix = Matrix(pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS)
        scanning = asyncio.create_task(matrix.run(lambda kind, key: told.append(key)))
        await asyncio.sleep_ms(100)
        start_ms = esp32_time.now_ms()
        for at_ms in range(66 * len(keys)):  # without a pause: no other task runs
            while script and script[0][0] <= at_ms:
                board.switch(*script.pop(0)[1:])
            if at_ms % held_up_ms == 0 and matrix._is_scanning:
                matrix._scan_once(None)  # as the port does between two byte codes
            esp32_time.advance(1)
        equal((told, esp32_time.now_ms() - start_ms), ([], 66 * len(keys)))
        await asyncio.sleep_ms(50)
        scanning.cancel()

    esp32_time.run(play())
    equal("".join(told), keys)


def test_keys_arrive_across_the_wrap_of_ticks():
    esp32_time.set_ticks(esp32_time.PERIOD_MS - 130)
    script = []
    for n, key in enumerate("1470#"):
        script += _press(key, n * 60, bounce_ms=3)
    equal(_keys(script), "1470#")
    assert esp32_time.ticks_ms() < 1000, "ticks did not wrap"


def test_idle_matrix_sleeps_until_a_key_falls():
    before = esp32_time.waits
    equal(_keys(_press("1", 0), rest_ms=3_600_000), "1")
    assert esp32_time.waits - before < 60, "%d wake-ups in an idle hour" % (esp32_time.waits - before)


def _others(script, rest_ms=9000):
    """Play a script; return what was told besides presses, [(kind, key, tenths of a second)]."""
    told = []
    start_ms = esp32_time.now_ms()

    def note(kind, key):
        if kind != PRESSED:
            told.append((kind, key, (esp32_time.now_ms() - start_ms) // 100))

    async def play():
        matrix = Matrix(pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS)
        scanning = asyncio.create_task(matrix.run(note))
        await asyncio.sleep_ms(0)
        for at_ms, key, down in script:
            await asyncio.sleep_ms(max(start_ms + at_ms - esp32_time.now_ms(), 0))
            board.switch(key, down)
        await asyncio.sleep_ms(rest_ms)
        for key in KEYS:
            board.switch(key, False)
        await asyncio.sleep_ms(100)
        scanning.cancel()

    esp32_time.run(play())
    return told


@cases(
    ("held", [(100, "*", True)], [("*", 81)]),
    ("held in the second try", [(100, "*", True), (7000, "*", False), (7100, "*", True)], [("*", 151)]),
    ("let go too early", [(100, "*", True), (8000, "*", False)], []),
    ("two keys", [(100, "*", True), (200, "#", True)], []),
    ("two keys, then one", [(100, "*", True), (200, "#", True), (5000, "#", False)], [("*", 130)]),
    (
        "bouncing once in between",
        [(100, "*", True), (5000, "*", False), (5030, "*", True)],
        [("*", 130)],
    ),
)
def test_key_held_alone_for_8_seconds_is_told_once(situation):
    _, script, told = situation
    equal(_others(script), [(LONG, key, tenths) for key, tenths in told])


def test_key_down_for_30_seconds_is_stuck_and_free_once_it_is_up():
    told = _others([(100, "5", True), (31_000, "5", False)], rest_ms=100)
    equal(told, [(LONG, "5", 81), (STUCK, "5", 301), (FREED, "5", 310)])


def test_other_keys_work_beside_a_stuck_one_and_it_is_not_told_again():
    random.seed(4)
    script = [(0, "5", True)]
    for n, key in enumerate("1234678#"):  # all rows and columns, those of the stuck key too
        script += _press(key, 31_000 + n * 80, hold_ms=40, bounce_ms=4)
    script += [(32_000, "5", False)] + _press("5", 32_100)
    equal(_keys(script), "51234678#5")


def test_long_press_is_told_beside_a_stuck_key():
    presses = Presses()
    presses.take("5", 0)
    presses.take("5", 8)
    equal(presses.take("5", 30_008), [(LONG, "5"), (STUCK, "5")])
    presses.take("5*", 31_000)
    equal(presses.take("5*", 31_008), [(PRESSED, "*")])
    equal(presses.take("5*", 38_999), [])
    equal(presses.take("5*", 39_000), [(LONG, "*")])


def test_key_that_bounces_when_it_is_scanned_is_told_as_soon_as_any_other():
    # Up at the second scan, after 4 ms, and down again: the scans that follow are as close as ever.
    [(key, told_ms)] = _play([(0, "7", True), (1, "7", False), (5, "7", True)])
    equal(key, "7")
    assert told_ms <= 16, told_ms


def test_keypad_that_nobody_touches_for_weeks_stays_idle():
    presses = Presses()
    presses.take("", 0)
    for second in range(600, 20 * 86_400, 600):  # 20 days, beyond a whole period of ticks
        now_ms = second * 1000 % esp32_time.PERIOD_MS
        equal((list(presses.take("", now_ms)), presses.idle(now_ms)), ([], True), second)


def test_key_pressed_again_and_again_is_not_stuck():
    presses = Presses()
    told = []
    for n in range(40):
        for down, at_ms in (("5", 0), ("5", 8), ("5", 899), ("", 900), ("", 908)):
            told += presses.take(down, n * 1000 + at_ms)
    equal(told, [(PRESSED, "5")] * 40)


# The 4x4 layout: the same rows and columns, and one column more.
ROWS_4X4 = (16, 17, 18, 19)
COLUMNS_4X4 = (21, 22, 23, 5)
KEYS_4X4 = ("123A", "456B", "789C", "*0#D")


def _with_layout(rows, columns, keys, script):
    kept = board.ROWS, board.COLUMNS, board.KEYS, pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS
    board.ROWS, board.COLUMNS, board.KEYS = rows, columns, keys
    pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS = rows, columns, keys
    try:
        told = _keys(script)
        for row in keys:
            for key in row:
                board.switch(key, False)
        return told
    finally:
        board.ROWS, board.COLUMNS, board.KEYS = kept[:3]
        pins.KEYPAD_ROWS, pins.KEYPAD_COLUMNS, pins.KEYPAD_KEYS = kept[3:]


def test_every_key_of_a_4x4_keypad_is_told_by_its_own_name():
    script = []
    for n, key in enumerate("".join(KEYS_4X4)):
        script += _press(key, n * 80)
    equal(_with_layout(ROWS_4X4, COLUMNS_4X4, KEYS_4X4, script), "".join(KEYS_4X4))


def _corners(keys):
    """Every rectangle of a layout, as its four keys: any three of them make a ghost of the fourth."""
    for top in range(len(keys)):
        for bottom in range(top + 1, len(keys)):
            for left in range(len(keys[0])):
                for right in range(left + 1, len(keys[0])):
                    yield keys[top][left], keys[top][right], keys[bottom][left], keys[bottom][right]


def _told_of(steps):
    """The keys told when the contacts that are seen closed go through these steps, 40 ms each."""
    presses = Presses()
    told = []
    for n, down in enumerate(steps):
        for at_ms in (n * 40, n * 40 + 8):
            told += [key for kind, key in presses.take(down, at_ms) if kind == PRESSED]
    return told


def test_no_ghost_is_ever_told_whichever_three_keys_are_down_in_whichever_order():
    tried = 0
    for corners in _corners(KEYS_4X4):
        every = "".join(corners)
        for first in corners:
            for second in corners:
                for third in corners:
                    if len({first, second, third}) < 3:
                        continue
                    [ghost] = [key for key in corners if key not in (first, second, third)]
                    told = _told_of([first, first + second, every, second + third, third, ""])
                    assert ghost not in told, (first, second, third, told)
                    tried += 1
    equal(tried, 36 * 24)  # rectangles of a 4x4 keypad, and orders of three of four corners
