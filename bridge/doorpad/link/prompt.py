"""What speaks on a port on which no keypad answers. A console carries text, and text is never a frame."""

# Sign in the text -> what it means. Sources: ESP-IDF's boot loader and panic handler, MicroPython's prompt.
_SIGNS = (
    (
        b">>> ",
        "device at prompt: its program does not run, MicroPython waits for commands; restart the keypad",
    ),
    (b"Traceback (most recent call last)", "crashed: its program has ended with a traceback"),
    (b"Guru Meditation Error", "crashed: its processor has stopped the program"),
    (b"MPY: soft reboot", "it is restarting"),
    (b"rst:0x", "its boot loader speaks: it is restarting, or its flash cannot be read"),
    (b"invalid header: 0x", "its flash holds no program"),
    (b"waiting for download", "it is in its boot loader's download mode; restart it without the boot button"),
)


# Asks a prompt that is there to show itself: the end of a line, and Ctrl-B, which ends its raw mode. Never Ctrl-C,
# which would end a program that is about to start. To a keypad it is noise.
KNOCK = b"\r\x02"


def what_speaks(text: bytes) -> str | None:
    """Tell what the newest known sign in `text` means; None if there is none."""
    found = [(text.rfind(sign), meaning) for sign, meaning in _SIGNS if sign in text]
    return max(found)[1] if found else None
