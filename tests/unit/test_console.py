"""What a keypad said beside the link: kept for its owner's eyes, without what somebody may have entered."""

import stat
from pathlib import Path

from doorpad.sync.console import Console

TEXT = (
    b'Traceback (most recent call last):\r\n  File "door.py", line 123, in key\r\n'
    b"ValueError: 4711 \x00\xff\r\n>>> "
)
KEPT = 'Traceback (most recent call last):\n  File "door.py", line 123, in key\nValueError: # .\n>>> '


def test_text_is_kept_without_long_numbers_and_what_cannot_be_printed(tmp_path: Path) -> None:
    console = Console(tmp_path / "consoles", "00112233445566aa")
    assert console.keep(TEXT)
    assert console.path.read_text() == KEPT
    assert stat.S_IMODE(console.path.stat().st_mode) == 0o600


def test_newest_text_takes_the_place_of_the_one_before_and_the_same_is_no_news(tmp_path: Path) -> None:
    console = Console(tmp_path / "consoles", "00112233445566aa")
    assert [console.keep(TEXT), console.keep(TEXT), console.keep(b">>> "), console.keep(TEXT)] == [
        True,
        False,
        True,
        True,
    ]
    assert console.path.read_text() == KEPT
    assert len(list(console.path.parent.iterdir())) == 1
