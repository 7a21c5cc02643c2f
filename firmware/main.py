"""Runs after boot.py. Whatever happens to the program, the keypad starts anew and does not end at the prompt."""

import gc
import sys

from machine import reset

try:
    from doorpad_fw.main import start

    start()
except Exception as error:
    gc.collect()  # if it was memory that lacked
    sys.print_exception(error)
    from doorpad_fw.crash import CrashLog

    CrashLog().note(error)
finally:
    reset()
