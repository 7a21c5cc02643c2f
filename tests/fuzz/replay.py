"""Plays a corpus inside MicroPython, twice: micropython replay.py FOLDER TARGET. Prints how the second pass grew.

FOLDER holds a folder of inputs for each target. `host.py` is no part of a keypad's program: it is put in its place.
"""

import gc
import os
import sys

import doorpad_link
import host

sys.modules["doorpad_link.host"] = doorpad_link.host = host

import targets  # noqa: E402


def main():
    folder = sys.argv[1] + "/" + sys.argv[2]
    used = []
    for _ in range(2):
        for name in sorted(os.listdir(folder)):
            with open(folder + "/" + name, "rb") as file:
                data = file.read()
            try:
                targets.TARGETS[sys.argv[2]](data)
            except BaseException:
                print("broken by", name)
                raise
        data = None
        gc.collect()
        used.append(gc.mem_alloc())
    print(used[1] - used[0])


main()
