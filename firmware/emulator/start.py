"""Starts an emulated keypad as the port does: boot.py, then main.py, with the bench beside them."""

import asyncio
import asyncio.event
import os

import bench


class _Flag(asyncio.Event):
    """ThreadSafeFlag without its poll loop: here interrupts come from tasks, and an idle keypad costs nothing."""

    async def wait(self):
        await super().wait()
        self.clear()


asyncio.ThreadSafeFlag = _Flag
bench.start()

import boot  # noqa: E402, F401

if os.getenv("DOORPAD_CONSOLE") == "1":
    # `sys` cannot be replaced: the program is given its console where it has taken hold of it.
    import uart

    from doorpad_fw import line

    console = uart.Console()
    line.stdin = line.stdout = console
    line.kbd_intr = console.kbd_intr
import main  # noqa: E402, F401
