"""A port on which something else than a keypad's link speaks: the error says what it is."""

import asyncio
import os
import pty
import tty
from collections.abc import Iterator

import pytest
from doorpad.keyring import LinkKey
from doorpad.link.connection import Connection
from doorpad.link.errors import NoSession
from doorpad.link.prompt import what_speaks

KEY = LinkKey(b"hub----1", bytes(range(100, 132)))

# As an ESP32 says them (ESP-IDF 5, MicroPython 1.2x).
BOOT = b"ets Jun  8 2016 00:22:57\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
CRASH = b'Traceback (most recent call last):\r\n  File "main.py", line 3, in <module>\r\nMemoryError: \r\n'
PANIC = b"Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\r\n"
PROMPT = b'MicroPython v1.26.0 on 2025-08-09; Generic ESP32 module with ESP32\r\nType "help()".\r\n>>> '


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (BOOT, "boot loader"),
        (BOOT + CRASH, "crashed"),
        (PANIC, "crashed"),
        (BOOT + CRASH + PROMPT, "prompt"),
        (PROMPT + BOOT, "boot loader"),
        (b"invalid header: 0xffffffff\r\n" * 3, "no program"),
    ],
)
def test_newest_sign_tells_what_speaks(text, word):
    assert word in (what_speaks(text) or "")


@pytest.mark.parametrize("text", [b"", b"\x00\xff\x13 noise", b"hello"])
def test_text_without_a_sign_tells_nothing(text):
    assert what_speaks(text) is None


@pytest.fixture
def console() -> Iterator[tuple[int, str]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(("text", "word"), [(CRASH, "crashed"), (PROMPT, "device at prompt")])
async def test_session_that_finds_a_console_says_so(console, text, word):
    master, path = console

    def answer() -> None:
        os.read(master, 4096)
        os.write(master, BOOT + text)

    asyncio.get_running_loop().add_reader(master, answer)  # what stood there before is not looked at
    with pytest.raises(NoSession, match=word) as caught:
        await Connection.open(path, 115_200, KEY, "00" * 8, timeout_s=0.2)
    assert BOOT + text in caught.value.console_text


async def test_prompt_that_has_nothing_to_say_is_asked_to_show_itself(console):
    """A prompt echoes what it is sent, and shows itself only where a line ends."""
    master, path = console

    def echo() -> None:
        data = os.read(master, 4096)
        os.write(master, data.replace(b"\r", b"\r\n>>> "))

    asyncio.get_running_loop().add_reader(master, echo)
    with pytest.raises(NoSession, match="device at prompt") as caught:
        await Connection.open(path, 115_200, KEY, "00" * 8, timeout_s=0.2)
    assert b">>> " in caught.value.console_text


async def test_silent_port_is_told_as_silence(console):
    _, path = console
    with pytest.raises(NoSession, match=r"does not answer$"):
        await Connection.open(path, 115_200, KEY, "00" * 8, timeout_s=0.05)
