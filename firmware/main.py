"""Runs after boot.py. Whatever happens to the application, the keypad starts anew and does not end at the prompt."""

import asyncio
import gc
import sys

from machine import reset

try:
    from doorpad_fw import memory  # noqa: F401 - the big blocks first
    from doorpad_fw.main import start

    start()
except Exception as error:
    asyncio.new_event_loop()  # lets go of all tasks, and of what they held: it may be memory that lacked
    gc.collect()
    sys.print_exception(error)
    from doorpad_fw.crash import CrashLog

    CrashLog().note(error)
finally:
    reset()
