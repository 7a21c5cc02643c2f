"""Stand-in for the ESP32 port's `time`: whole seconds since 2000, and a clock that the bench can move.

After power-up the clock stands at 2000-01-01, as an ESP32's does.
"""

import sys

_path = sys.path
sys.path = ()
try:
    from time import *  # noqa: F403
    from time import gmtime as _unix_gmtime
    from time import mktime as _unix_mktime
    from time import sleep_ms as _sleep_ms
    from time import ticks_ms as _ticks_ms
finally:
    sys.path = _path

_UNIX_OF_2000 = 946_684_800

_ROUND_MS = 997
_base_ms = 0  # clock at _base_ticks, milliseconds since 2000
_base_ticks = _ticks_ms()
_skew_s = 0  # what the bench added
_frozen_s = None
_on_stall = None


def stall(ms):
    """The board stands still: no code of the firmware runs, and no interrupt is seen before the end."""
    _sleep_ms(ms)
    if _on_stall:
        _on_stall(ms)


def on_stall(callback):
    """Have `callback(ms)` called at the end of each stall, until None takes its place."""
    global _on_stall
    _on_stall = callback


def _elapsed_ms():
    return _base_ms + (_ticks_ms() - _base_ticks)  # the unix port's ticks do not wrap in a lifetime


def time():
    if _frozen_s is not None:
        return _frozen_s
    return _elapsed_ms() // 1000 + _skew_s


def millisecond():
    """The part of the clock below the second, for the RTC."""
    return _elapsed_ms() % (1000 if _frozen_s is None else _ROUND_MS)


def gmtime(seconds=None):
    # The port's tuple has no flag for daylight saving time.
    return _unix_gmtime((time() if seconds is None else seconds) + _UNIX_OF_2000)[:8]


def mktime(fields):
    # The unix port takes local time; the process runs with TZ=UTC.
    return int(_unix_mktime(fields)) - _UNIX_OF_2000


def set_clock(seconds, ms):
    """What the RTC does when it is set. It does not undo what the bench did to the clock."""
    global _base_ms, _base_ticks, _skew_s
    _base_ms = seconds * 1000 + ms
    _base_ticks = _ticks_ms()
    _skew_s = 0


def skew(seconds):
    """The bench moves the clock by whole seconds."""
    global _skew_s
    _skew_s += seconds


def freeze(unix_s):
    """The bench holds the clock within a Unix second, or lets it run on (None).

    For tests that need their time to judge that second: its milliseconds go round, so it does not stand still, and
    in a time of their own, so that who looks at it every second sees that.
    """
    global _frozen_s
    _frozen_s = None if unix_s is None else unix_s - _UNIX_OF_2000


def stop():
    """What counts the clock's time stands still from now on, as a broken oscillator does."""
    global _ticks_ms
    stopped_ms = _ticks_ms()
    _ticks_ms = lambda: stopped_ms  # noqa: E731
