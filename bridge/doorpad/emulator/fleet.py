"""Several emulated keypads in one data folder, and the configuration with which a bridge finds them."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from doorpad.api.vocabulary import Vocabulary
from doorpad.emulator import commission, runtime
from doorpad.emulator.cable import AT_ONCE, Line
from doorpad.emulator.control import ControlServer, OnOutput
from doorpad.store.brands import PROFILES
from doorpad.store.database import DataFolderUnusable
from doorpad.store.profile_names import ProfileName
from doorpad.sync.timing import Timing

CONFIG_NAME = "doorpad.toml"
_NAMES = ("Front door", "Back door")


def _name(number: int) -> str:
    return _NAMES[number] if number < len(_NAMES) else f"Door {number + 1}"


@contextlib.asynccontextmanager
async def running(
    data: Path,
    count: int,
    *,
    slots: int | None,
    strike_ms: int | None,
    on_output: OnOutput | None = None,
    line: Line = AT_ONCE,
    profiles: Sequence[ProfileName] = (),
) -> AsyncIterator[list[ControlServer]]:
    """Run keypads 1 to `count` of a data folder; make those that are not there yet.

    `line` is how each is wired to its hub; `profiles` the brands whose limits they have, as in `_profile`.

    Raises:
        MicroPythonMissing, KeypadInUse, DataFolderUnusable
    """
    runtime.micropython()
    folder = data / "keypads"
    settings = line.settings
    if slots is not None:
        settings["slots"] = slots
    if strike_ms is not None:
        settings["strike_ms"] = strike_ms
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keypads = [
            commission.make(
                folder / f"k{number + 1}",
                data / "keys",
                _name(number),
                _limits(_profile(profiles, number)) | settings,
            )
            for number in range(count)
        ]
        program = await asyncio.to_thread(runtime.compile_program, folder)
    except OSError as error:
        raise DataFolderUnusable(data, error.strerror or type(error).__name__) from error
    servers = [ControlServer(keypad, program, on_output, line) for keypad in keypads]
    try:
        async with asyncio.TaskGroup() as starting:
            for server in servers:
                starting.create_task(server.start())
    except* Exception as group:
        await _stop(servers)
        raise group.exceptions[0] from None
    try:
        yield servers
    finally:
        await _stop(servers)


def _profile(profiles: Sequence[ProfileName], number: int) -> ProfileName:
    """The brand of the keypad of this number, from 0: one each in turn, and the last for all that follow."""
    return profiles[min(number, len(profiles) - 1)] if profiles else "generic"


def _limits(name: ProfileName) -> dict[str, int]:
    if name == "generic":
        return {}  # what the keypad has
    profile = PROFILES[name]
    least, most = profile.digits
    return {"slots": profile.slots, "pin_min": least, "pin_max": most}


async def _stop(servers: list[ControlServer]) -> None:
    await asyncio.gather(*(server.stop() for server in servers))


def write_config(
    data: Path,
    servers: list[ControlServer],
    *,
    listen: str,
    timing: Timing | None = None,
    errors_vocabulary: Vocabulary = "2025",
    profiles: Sequence[ProfileName] = (),
) -> Path:
    """Write the `doorpad.toml` of a bridge for these keypads; return its path."""
    # Who tries webhooks on emulated keypads has the receiver on the same machine.
    lines = [
        'data = "."',
        f"listen = {json.dumps(listen)}",
        "private_webhooks = true",
        f"errors_vocabulary = {json.dumps(errors_vocabulary)}",
        "",
    ]
    if timing is not None:
        lines += ["[timing]", f"offline_s = {timing.offline_s}", ""]
    for number, server in enumerate(servers):
        about = server.keypad.keypad
        profile = _profile(profiles, number)
        lines += [
            "[[keypad]]",
            f"serial = {json.dumps(about.serial)}",
            f"name = {json.dumps(about.name)}",
            f"port = {json.dumps(str(server.keypad.cable.name.absolute()))}",
            *([f"baud = {server.keypad.cable.line.baud}"] if server.keypad.cable.line.baud else []),
            *(["half_duplex = true"] if server.keypad.cable.line.half_duplex else []),
            f"control = {json.dumps(str(server.path.absolute()))}",
            f"profile = {json.dumps(profile)}",
            "",
        ]
    path = data / CONFIG_NAME
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write("\n".join(lines))
    new.replace(path)
    return path
