"""What ended the program: its newest crashes, and how many there were in a row, in the file `crash.log`.

    [row, was alone, number told, newest number]
    number version "text"                               of each crash that is kept, the newest last

A door must not wait for a link that ends the program at every start: after ALONE_AT crashes in a row the keypad
runs without it. Once it has run so for ten minutes, or after a power cut, it tries the link again; one more crash,
and it is alone as before. A start with the link that lasts for a minute ends the row.

Imported when there is something to write or to read: it does not stay on the heap.
"""

import io
import json
import os
import sys

from doorpad_link import messages
from machine import PWRON_RESET, WDT_RESET
from micropython import const

from doorpad_fw import health, seldom
from doorpad_fw.version import VERSION

ALONE_AT = const(5)
FILE = "crash.log"
_KEPT = const(4)
_TEXT_CHARS_MAX = const(400)  # so that one fits a frame of the link, and what may be left of the heap
_LINE_CHARS_MAX = const(600)  # the text with its escapes, number and version
_PIN_DIGITS_MIN = const(4)


def _without_pins(text):
    # What an exception says may hold what somebody entered. Numbers of lines are shorter. ASCII, so that a line of
    # the file keeps its length.
    out = digits = ""
    for char in text + "\n":
        if char.isdigit():
            digits += char
            continue
        if char != "\n" and not " " <= char <= "~":
            char = "?"
        out += "#" if len(digits) >= _PIN_DIGITS_MIN else digits
        out += char
        digits = ""
    return out[:-1]


class CrashLog:
    """The file as it is now. A damaged one counts as none, and nothing here raises for a file system that fails.

    No more than one crash is in memory at a time: when the program ends of a lack of it, this has to work.
    """

    def __init__(self):
        self.row = 0
        self.was_alone = False  # before this start, or before one in the present row
        self._told = 0  # number of the newest crash that the journal has
        self._newest = 0
        try:
            with open(FILE) as file:
                row, was_alone, told, newest = json.loads(file.readline(_LINE_CHARS_MAX))
            self.row, self.was_alone, self._told, self._newest = (
                int(row),
                bool(was_alone),
                int(told),
                int(newest),
            )
        except (OSError, ValueError, TypeError):
            pass

    def _kept(self):
        """Yield (number, line) of each crash, oldest first."""
        try:
            with open(FILE) as file:
                line = file.readline(_LINE_CHARS_MAX)
                while line:
                    line = file.readline(_LINE_CHARS_MAX)
                    number = line.split(" ", 1)[0]
                    if number.isdigit():
                        yield int(number), line
        except (OSError, ValueError):
            pass

    def _write(self, line=""):
        try:
            with open(FILE + ".new", "w") as file:
                file.write(json.dumps([self.row, self.was_alone, self._told, self._newest]) + "\n")
                for number, kept in self._kept():
                    if self._newest - _KEPT < number <= self._newest - bool(line):
                        file.write(kept)
                file.write(line)
            os.rename(FILE + ".new", FILE)
        except OSError as error:
            sys.print_exception(error)  # a full file system must not keep the keypad from starting anew

    def note(self, error):
        """Keep what an exception says, and count it. A restart has to follow."""
        text = io.StringIO()
        sys.print_exception(error, text)
        self.note_text(text.getvalue())
        seldom.call("doorpad_fw.restart", "mark")

    def note_text(self, text):
        self.row += 1
        self._newest += 1
        text = json.dumps(_without_pins(text[-_TEXT_CHARS_MAX:]))
        self._write("%d %s %s\n" % (self._newest, VERSION, text))

    @property
    def untold(self):
        """How many crashes the journal does not have yet."""
        return self._newest - self._told

    def told(self):
        self._told = self._newest
        self._write()

    def try_again(self):
        """The next start is to try the link; one more crash, and it is the last that does."""
        self.row = ALONE_AT - 1
        self.was_alone = True
        self._write()

    def settled(self):
        """The program has run well for a while: the row is over. What the crashes said stays."""
        self.row = 0
        self.was_alone = False
        self._write()

    @property
    def is_alone(self):
        """Whether the keypad is to do without its link."""
        return self.row >= ALONE_AT

    def crash(self, place):
        """Return [number, version, text] of a crash, place 0 for the newest, or None."""
        for number, line in self._kept():
            if number == self._newest - place:
                try:
                    _, version, text = line.split(" ", 2)
                    return [number, version, json.loads(text)]
                except ValueError:
                    return None
        return None


# What the rest of the keypad asks for, each time with the file as it is then.


def at_start(cause, was_panic):
    """Return (crashes in a row, whether to do without the link, crashes that the journal does not have yet).

    `cause`: of the reset. After the watchdog had to bite, or a panic, there is one crash more.
    """
    log = CrashLog()
    if cause == WDT_RESET:
        log.note_text("the watchdog ended the program")
    elif was_panic:
        log.note_text("the chip reset itself: a panic")
    elif cause == PWRON_RESET and log.is_alone:
        log.try_again()
    if log.row:
        health.report(messages.HEALTH_CRASHED)
    if log.was_alone:
        health.report(messages.HEALTH_SAFE_MODE)
    return log.row, log.is_alone, log.untold


def told():
    CrashLog().told()


def settled():
    CrashLog().settled()


def try_again():
    CrashLog().try_again()


def read(place):
    return CrashLog().crash(place)
