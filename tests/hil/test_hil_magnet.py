"""A magnet that holds the door by its current, by the pin map for one, and a program that hangs."""

import asyncio
import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest
from doorpad.emulator import commission, runtime
from doorpad.emulator.keypad import BenchError, RunningKeypad
from hil_world import WAIT_S

HARDWARE = Path(__file__).parents[2] / "hardware"
HELD, RELEASED = 1, 0  # levels of the strike's pin


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware with `active = 0` for its strike, and nothing else changed."""
    spec = importlib.util.spec_from_file_location("generate", HARDWARE / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    pinmap = tomllib.loads((HARDWARE / "pinmap.toml").read_text())
    pinmap["strike"]["active"] = 0
    texts = {
        "application/doorpad_fw/pins.py": generate.constants(pinmap),
        "program/at_rest.py": generate.at_rest(pinmap),
        "emulator/wiring.py": generate.wiring(pinmap),
    }
    return runtime.compile_program(tmp_path_factory.mktemp("magnet"), texts)


class Door:
    """A keypad in this process, and every change of its magnet."""

    def __init__(self, program: Path, folder: Path, strike_ms: int) -> None:
        keypad = commission.make(folder / "k1", folder / "keys", "Magnet", {"strike_ms": strike_ms})
        self.keypad = RunningKeypad(keypad, program, self._take)
        self.changes: list[tuple[int, int]] = []  # (level, ticks in ms)
        self._changed = asyncio.Event()

    def _take(self, output: dict[str, Any]) -> None:
        if output["output"] == "strike":
            self.changes.append((output["level"], output["ticks_ms"]))
            self._changed.set()

    async def see(self, level: int, after: int) -> int:
        """The place of the first change to this level from the place `after` on; waits for it."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for place in range(after, len(self.changes)):
                    if self.changes[place][0] == level:
                        return place
                self._changed.clear()
                await self._changed.wait()

    async def hang(self) -> None:
        """Let the program hang; returns when the watchdog has ended it."""
        with pytest.raises(BenchError, match="lost its power"):
            await self.keypad.bench(hang=True)


async def _hang_while_released(door: Door) -> None:
    await door.see(HELD, after=0)
    await door.keypad.bench(contact="request_to_exit", active=True)
    released = await door.see(RELEASED, after=1)
    hung = asyncio.create_task(door.hang())
    held = await door.see(HELD, after=released)
    # By the end of what the peripheral was given, of a pulse of a minute: before the watchdog's 8 s, and not by it.
    assert not hung.done()
    assert 3_900 <= door.changes[held][1] - door.changes[released][1] <= 5_100, door.changes
    await hung
    await door.keypad.power(on=True)
    assert door.changes[held + 1 :] == [], "neither watchdog nor start lets the door go"


async def _hang_while_held(door: Door) -> None:
    await door.see(HELD, after=0)
    await door.hang()
    await door.keypad.power(on=True)
    assert [level for level, _ in door.changes] == [HELD]


async def test_magnet_holds_the_door_whether_the_program_hangs_while_it_is_held_or_let_go(
    program: Path, tmp_path: Path
) -> None:
    """Goal: whatever the program does, a door that is let go is held again, and one that is held stays so."""
    scripts = (_hang_while_released, _hang_while_held)
    doors = [Door(program, tmp_path / script.__name__, strike_ms=60_000) for script in scripts]
    try:
        for door in doors:
            await door.keypad.start()
        await asyncio.gather(*(script(door) for script, door in zip(scripts, doors, strict=True)))
    finally:
        for door in doors:
            await door.keypad.stop()
