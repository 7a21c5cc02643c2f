"""The control channel of an emulated keypad: one JSON object a line, on an inherited socket.

    {"id": 1, "press": "1234#"}          press keys as a quick finger does (finger.py)
                                         -> of the last key: ticks before its contact bounced, and after
    {"id": 13, "wiegand": ["11110001"]}  send bursts on the Wiegand line as its keypad does, a key each 66 ms
    {"id": 2, "switch": "5", "down": true}
    {"id": 3, "skew_s": 3600}            move the clock
    {"id": 4, "freeze": 1760000000}      hold the clock within a Unix second; null lets it run
    {"id": 15, "stop_clock": true}       let the clock stand still as if broken, until the next start
    {"id": 16, "room": true}             -> bytes of the largest piece of the heap that can be had
    {"id": 5, "heap": true}              -> free and allocated bytes after a collection
    {"id": 6, "cut_at": 12}              cut the power in the 12th flash operation from now
    {"id": 7, "flash": true}             -> operations and erases since the start
    {"id": 10, "erase_ms": [45, 80]}     let each erase of flash stop everything for as long; [0, 0]: for no time
    {"id": 13, "worn": true}             let flash take nothing any more, or again
    {"id": 12, "stall_ms": 500}          stop everything for as long once
    {"id": 11, "overrun": true}          the receive buffer of the link is full (bridge/doorpad/emulator/cable.py)
    {"id": 13, "raise": true}            let a task of the program die of an exception
    {"id": 14, "panic": true}            reset the chip as a panic does
    {"id": 17, "health": 8192, "active": true}        report of itself what this bit says, or no more
    {"id": 9, "hang": true}              let the program hang, interrupts and all, as after a fault
    {"id": 8, "contact": "tamper", "active": true}    also: request_to_exit, door_contact, reset_jumper

Every line is answered with its id: {"id": 1, "ok": true, ...} or {"id": 1, "error": "..."}. Changes of outputs
come unasked: {"output": "strike", "level": 1, "ticks_ms": 1234, "unix_s": 1760000000}. So does what the host plays
in place of the board: {"watchdog_ms": 8000} at each feeding, {"pulse": "strike", "ms": 5000, "level": 0} before one.
"""

import asyncio
import gc
import json
import os
import sys

import board
import time
import uart
from esp32 import Partition
from finger import Finger

_UNIX_OF_2000 = 946_684_800


class _Bench:
    def __init__(self, writer):
        self._writer = writer
        self._finger = Finger()
        self._pressing = asyncio.Lock()
        self._unsent = asyncio.Event()
        board.watch(self._output)
        board.on_tell(self._tell)

    def _send(self, message):
        self._writer.write(json.dumps(message).encode() + b"\n")
        self._unsent.set()

    async def send(self):
        """Bring out what was written, for ever: a stream can be drained by one task only."""
        while True:
            await self._unsent.wait()
            self._unsent.clear()
            await self._writer.drain()

    def _tell(self, message):
        message["ticks_ms"] = time.ticks_ms()
        message["unix_s"] = time.time() + _UNIX_OF_2000
        self._send(message)

    def _output(self, name, level):
        self._tell({"output": name, "level": level})

    def _do(self, request):
        if "switch" in request:
            board.switch(request["switch"], request["down"])
        elif "contact" in request:
            board.contact(request["contact"], request["active"])
        elif "skew_s" in request:
            time.skew(request["skew_s"])
        elif "freeze" in request:
            time.freeze(request["freeze"])
        elif "stop_clock" in request:
            time.stop()
        elif "erase_ms" in request:
            Partition.erase_ms = request["erase_ms"]
        elif "worn" in request:
            Partition.worn = request["worn"]
        elif "stall_ms" in request:
            time.stall(request["stall_ms"])
        elif "overrun" in request:
            uart.overrun()
        elif "raise" in request:
            raise RuntimeError("the bench let a task die")
        elif "hang" in request:
            while True:
                pass
        elif "health" in request:
            from doorpad_fw import health  # here: boot.py brings the program, later than this

            (health.report if request["active"] else health.withdraw)(request["health"])
        elif "panic" in request:
            os.system("kill -ABRT $PPID")  # noqa: S605, S607
        elif "heap" in request:
            gc.collect()
            return {"free": gc.mem_free(), "allocated": gc.mem_alloc()}
        elif "room" in request:
            import room  # here: the heap that it looks at is the keypad's

            del sys.modules["room"]
            return {"room": room.largest()}
        elif "cut_at" in request:
            Partition.cut_at = Partition.operations + request["cut_at"]
        elif "flash" in request:
            return {"operations": Partition.operations, "erases": Partition.erases}
        else:
            raise ValueError("no such request")
        return {}

    async def handle(self, line):
        request = json.loads(line)
        answer = {"id": request["id"]}
        try:
            if "press" in request:
                async with self._pressing:
                    answer.update(await self._finger.press(request["press"]))
            elif "wiegand" in request:
                async with self._pressing:
                    await self._finger.send(request["wiegand"])
            else:
                answer.update(self._do(request))
            answer["ok"] = True
        except ValueError as error:
            answer["error"] = str(error)
        self._send(answer)


def start():
    """Begin to serve the control channel, for ever; the process ends with its other end."""
    port = open(int(os.getenv("DOORPAD_CONTROL_FD")), "r+b")
    bench = _Bench(asyncio.StreamWriter(port, {}))
    asyncio.create_task(bench.send())
    asyncio.create_task(_serve(bench, asyncio.StreamReader(port)))


async def _serve(bench, reader):
    while True:
        try:
            line = await reader.readline()
        except OSError:  # its other end died with something of ours unread
            line = b""
        if not line:
            sys.exit(0)
        asyncio.create_task(bench.handle(line))
