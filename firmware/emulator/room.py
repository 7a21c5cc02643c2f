"""How much of the heap can be had in one piece."""

import gc


def largest():
    """Bytes of the largest piece, to 16."""
    room, step = 0, 1 << 16
    while step >= 16:
        gc.collect()
        try:
            bytearray(room + step)
            room += step
        except MemoryError:
            step >>= 1
    return room
