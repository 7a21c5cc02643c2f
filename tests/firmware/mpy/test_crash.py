"""The crash log: bounded, without a PIN, counted in a row, and never itself a reason to fail."""

import esp32_time

import asyncio
import os

import machine
from doorpad_fw import crash, main, restart

from cases import cases, equal


def _fresh():
    for name in (crash.FILE, crash.FILE + ".new"):
        if name in os.listdir():
            os.remove(name)


def _fail(depth, error):
    if depth:
        _fail(depth - 1, error)
    raise error


def _crash(error, depth=0):
    try:
        _fail(depth, error)
    except Exception as raised:
        crash.CrashLog().note(raised)


def _row():
    return crash.CrashLog().row


def test_crashes_are_numbered_and_the_newest_four_are_kept():
    _fresh()
    equal((_row(), crash.CrashLog().crash(0)), (0, None))
    for n in range(1, 7):
        _crash(ValueError("fault %d" % n))
        equal(_row(), n)
    log = crash.CrashLog()
    equal([log.crash(place)[0] for place in range(4)], [6, 5, 4, 3])
    equal((log.crash(4), log.crash(-1)), (None, None))
    for place in range(4):
        text = log.crash(place)[2]
        assert "ValueError: fault %d" % (6 - place) in text and "_fail" in text, text


def test_log_of_the_longest_crashes_stays_small_and_keeps_the_end_of_each():
    _fresh()
    for n in range(10):
        _crash(RuntimeError("wide %d " % n + "\u2026" * 1000 + "the end"), 40)
    log = crash.CrashLog()
    for place in range(4):
        text = log.crash(place)[2]
        assert len(text) <= 400 and text.rstrip().endswith("the end"), text
    assert os.stat(crash.FILE)[6] < 4096, os.stat(crash.FILE)[6]


@cases(
    ["PIN 4711", "PIN #"],
    ["b'0815'", "b'#'"],
    ["123456789012 and 99999", "# and #"],
    ["line 123, errno 116", "line 123, errno 116"],
    ["4711", "#"],
)
def test_what_may_be_a_pin_is_not_kept(case):
    said, kept = case
    _fresh()
    _crash(KeyError(said))
    with open(crash.FILE) as file:
        text = file.read()
    equal(crash.CrashLog().crash(0)[2].rstrip().endswith("KeyError: " + kept), True, text)
    for word in said.replace("'", " ").split():
        if word.isdigit() and len(word) >= 4:
            assert word not in text, text


@cases("", "five", "[]", "[1]", '[1, false, 0, "ab"]', "[[1]", "\x00\x01", "{}", "\n\n1 0.1.0")
def test_damaged_log_counts_as_none_and_is_written_anew(damage):
    _fresh()
    with open(crash.FILE, "w") as file:
        file.write(damage)
    log = crash.CrashLog()
    equal((log.row, log.untold, log.crash(0)), (0, 0, None))
    _crash(OSError(5))
    equal((_row(), crash.CrashLog().crash(0)[0]), (1, 1))


def test_full_file_system_keeps_no_crash_and_raises_nothing():
    _fresh()
    os.mkdir(crash.FILE + ".new")  # what makes the file cannot be opened
    try:
        _crash(OSError(5))
        equal(_row(), 0)
    finally:
        os.rmdir(crash.FILE + ".new")


def test_journal_is_told_of_each_crash_once():
    _fresh()
    equal(crash.CrashLog().untold, 0)
    _crash(OSError(5))
    _crash(OSError(5))
    log = crash.CrashLog()
    equal(log.untold, 2)
    log.told()
    equal((log.untold, crash.CrashLog().untold), (0, 0))
    _crash(OSError(5))
    equal(crash.CrashLog().untold, 1)


def _starts(cause):
    """What a start makes of its cause: the crashes in a row."""
    return crash.at_start(cause, restart.was_panic(cause))[0]


def test_panic_counts_as_a_crash_and_a_restart_that_was_asked_for_does_not():
    _fresh()
    equal(_starts(machine.PWRON_RESET), 0)
    try:
        restart.restart()
    except SystemExit as ended:
        equal(ended.args, (machine.EXIT_RESET,))
    equal(_starts(machine.HARD_RESET), 0)
    equal(_starts(machine.HARD_RESET), 1, "one restart is one")
    equal(crash.CrashLog().crash(0)[2], "the chip reset itself: a panic")
    _crash(OSError(5))
    equal(_starts(machine.HARD_RESET), 2, "counted by what it said")
    equal(_starts(machine.WDT_RESET), 3)
    equal(_starts(machine.SOFT_RESET), 3)


def _outlive(seconds, attended=False):
    """Let a start live for so long; returns whether it began anew."""

    async def play():
        is_alone = crash.CrashLog().is_alone
        task = asyncio.create_task(main.outlive_crashes(is_alone, lambda: attended))
        await asyncio.sleep(seconds)
        task.cancel()

    try:
        esp32_time.run(play())
    except SystemExit as ended:
        equal(ended.args, (machine.EXIT_RESET,))
        return True
    return False


def test_start_that_lasts_a_minute_ends_the_row_and_none_that_is_shorter():
    _fresh()
    _crash(OSError(5))
    equal(_outlive(59), False)
    equal(_row(), 1)
    equal(_outlive(61), False)
    equal((_row(), crash.CrashLog().crash(0)[0]), (0, 1))


def test_keypad_alone_tries_its_link_after_ten_minutes_and_not_under_somebodys_hands():
    _fresh()
    for n in range(1, 51):
        equal(crash.CrashLog().is_alone, n > crash.ALONE_AT)
        _crash(ValueError("fault %d" % n))
    log = crash.CrashLog()
    equal((log.row, log.is_alone, log.was_alone), (50, True, False))
    equal(_outlive(main.RETRY_S - 1), False)
    equal(_outlive(2 * main.RETRY_S, attended=True), False)
    equal(_row(), 50)
    equal(_outlive(main.RETRY_S + 1), True)
    log = crash.CrashLog()
    equal((log.is_alone, log.was_alone), (False, True), "the next start has its link")
    _crash(OSError(5))
    equal(crash.CrashLog().is_alone, True, "one more crash is enough")
    crash.CrashLog().try_again()
    equal(_outlive(main.SETTLED_S + 1), False)
    log = crash.CrashLog()
    equal((log.row, log.is_alone, log.was_alone), (0, False, False))
