"""`doorpad bench`: what it costs, measured on emulated keypads or on a real one."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from doorpad.mistakes import told_in_one_line

app = typer.Typer(
    help="Measure, on emulated keypads or on a real one.",
    epilog="Example: doorpad bench link",
    no_args_is_help=True,
)


@app.command(
    "link",
    epilog="Example: doorpad bench link --port /dev/ttyUSB0 --serial 9f86d081884c7d65 --keys /etc/doorpad/keys",
)
def link(
    slots: Annotated[int, typer.Option(min=1, max=4000, help="Slots to write at once.")] = 1000,
    presses: Annotated[
        int, typer.Option(min=1, max=10_000, help="Key presses to time, on emulated ones.")
    ] = 100,
    baud: Annotated[int, typer.Option(min=9600, max=921_600, help="Speed of the line.")] = 115_200,
    port: Annotated[str | None, typer.Option(help="A real keypad's port. Default: emulated keypads.")] = None,
    serial: Annotated[str | None, typer.Option(help="Serial number of the keypad at --port.")] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="Folder with the keypad's key, for --port: `keys` in the bridge's data."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Measure the link: many slots, one change, no change, an event, and each end's costs.

    A real keypad's empty slots are written with codes that open nothing, and cleared again. Stop its bridge first.
    """
    if (port is None) != (serial is None) or (port is None) != (keys is None):
        raise typer.BadParameter("a real keypad takes --port, --serial and --keys")

    def note(what: str) -> None:
        print(f"measuring {what} ...", file=sys.stderr, flush=True)

    async def work(folder: Path) -> None:
        from doorpad.benchmark import report
        from doorpad.benchmark.rig import Target

        if port is not None and serial is not None and keys is not None:
            told = await report.port(Target(serial, port, keys, baud), slots, note)
        else:
            told = await report.emulator(folder, slots, presses, baud, note)
        if as_json:
            print(json.dumps(told), flush=True)
        else:
            print("\n".join(report.tables(told)), flush=True)

    with tempfile.TemporaryDirectory(prefix="doorpad-") as folder, told_in_one_line():
        asyncio.run(work(Path(folder)))
