"""Which of the two applications runs, folder `a` or `b`: the file `selector` says so. No update replaces this file.

    b       b is in use
    b3      b is on trial: it may be started three times more, then a runs again
    a!      b was on trial and did not prove itself; a runs again, and has not told so yet

A trial is counted here, before anything of the application is loaded, and on flash: so a version that fails before
it can tell, or whose power is cut again and again, is left all the same.
"""

import os

_FILE = "selector"
_FOLDERS = "ab"
TRIAL_STARTS = 3


def other(folder):
    return "b" if folder == "a" else "a"


def read():
    """Return (folder, starts left of its trial or None, whether it is back after a trial of the other)."""
    try:
        with open(_FILE) as file:
            text = file.read()
    except OSError:
        text = ""
    folder, rest = text[:1], text[1:]
    if not folder or folder not in _FOLDERS:
        folder, rest = "a", ""
    return folder, int(rest) if rest.isdigit() else None, rest == "!"


def _write(text):
    with open(_FILE + ".new", "w") as file:
        file.write(text)
    os.rename(_FILE + ".new", _FILE)  # all or nothing, also when power is cut


def use(folder):
    """From now on, and for good."""
    _write(folder)


def put_on_trial(folder):
    """From the next start on, as long as it proves itself within TRIAL_STARTS starts."""
    _write(folder + str(TRIAL_STARTS))


def leave_trial(folder):
    """`folder` has failed its trial: the other one is in use from the next start on, and is to tell so."""
    _write(other(folder) + "!")


def choose():
    """Return the folder to start from; counts the start if that is on trial. Call it once at a start."""
    folder, starts_left, _ = read()
    if starts_left is not None:
        try:
            if starts_left:
                _write(folder + str(starts_left - 1))
                return folder
            leave_trial(folder)
        except OSError:
            pass  # a trial that cannot be counted might never end
        return other(folder)
    return folder if folder in os.listdir() else other(folder)
