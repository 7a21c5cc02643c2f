"""Flash of an emulated keypad that was written all around once: from then on each segment costs an erase."""

import struct
import zlib
from pathlib import Path

_SEGMENT_BYTES = 4096
_SPARE = 2  # segments that a keypad keeps erased in any case


def use_up_table(image: Path) -> None:
    """Have the table of an image, which has been started once and holds no code yet, look as written all around.

    Each segment but two has its header, and holds nothing. The keypad must not run.
    """
    flash = bytearray(image.read_bytes())
    magic, sequence, epoch = struct.unpack_from("<4sI4s", flash)
    if sequence != 1:
        raise ValueError(f"{image} is not of a keypad that has started and holds no code")
    for segment in range(len(flash) // _SEGMENT_BYTES // 2 - _SPARE):
        header = struct.pack("<4sI4s", magic, segment + 1, epoch)
        struct.pack_into("<12sI", flash, segment * _SEGMENT_BYTES, header, zlib.crc32(header))
    image.write_bytes(flash)
