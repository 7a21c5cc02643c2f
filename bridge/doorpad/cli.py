"""The command line. Every user's mistake ends in one line and an exit code; a traceback is a bug of ours."""

import asyncio
import json
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import typer
import uvloop

from doorpad import cli_bench, cli_keypad, cli_keys, cli_update
from doorpad.mistakes import told_in_one_line
from doorpad.store.profile_names import ProfileName

app = typer.Typer(
    name="doorpad",
    help="Keypad door controller: emulated keypads, and the bridge that serves their access codes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_bench.app, name="bench")
app.command(epilog="Example: doorpad audit --json --config /etc/doorpad/doorpad.toml")(cli_keys.audit)
app.command(
    "change-key", epilog="Example: doorpad change-key 9f86d081884c7d65 --config /etc/doorpad/doorpad.toml"
)(cli_keypad.change_key)
app.command(epilog="Example: doorpad configure 9f86d081884c7d65 strike_ms=7000 quiet=1")(cli_keypad.configure)
app.command(epilog="Example: doorpad update 9f86d081884c7d65 --config /etc/doorpad/doorpad.toml")(
    cli_update.update
)

_CONSOLE_BAUD = 115_200  # of the prompt, in a stock image

_DATA_HELP = "Folder that holds all state: database, keys, emulated flash. Made if it is missing."
_JSON_HELP = "Print one JSON object a line."

_VocabularyOption = Annotated[
    Literal["2025", "2026", "zod"],
    typer.Option("--errors-vocabulary", help="Names of errors and warnings that clients see."),
]


def _profiles(names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in get_args(ProfileName):
            raise typer.BadParameter(
                f'no profile is named "{name}"; there are {", ".join(get_args(ProfileName))}'
            )
    return names or []


_ProfilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        help="Brand whose limits, errors and warnings a keypad has. Given again: that of the next keypad.",
        callback=_profiles,
    ),
]


def _run(work: Coroutine[Any, Any, None]) -> None:
    with told_in_one_line():
        uvloop.run(work)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _stop_on_eof(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: whoever started this is gone."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, daemon=True).start()


def _print_json(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _print_line(message: dict[str, Any]) -> None:
    match message:
        case {"type": "event"}:
            about = message["access_code_id"] or message["device_id"]
            print(f"  {message['event_type']:<36} {about}", flush=True)
        case {"type": "link"}:
            print(f"  keypad {message['state']:<29} {message['device_id']}", flush=True)
        case {"type": "output"}:
            print(
                f"  strike {'active' if message['level'] else 'idle':<29} {message['device_id']}", flush=True
            )
        case {"type": "bridge"}:
            print(f"  bridge {message['state']}", flush=True)
        case {"type": "ready"}:
            print(f"doorpad serves {message['endpoint']}", flush=True)
            if "api_key" in message:
                print(f"API key (shown this once): {message['api_key']}", flush=True)


def _print_demo(message: dict[str, Any]) -> None:
    if message["type"] != "ready":
        _print_line(message)
        return
    first = message["keypads"][0]
    doors = "\n".join(f"  {keypad['name']:<12} {keypad['device_id']}" for keypad in message["keypads"])
    print(
        f"""doorpad is ready.

  endpoint     {message["endpoint"]}
  API key      {message["api_key"]}
{doors}

Try it with the official SDK (pip install seam):

import time
from seam import Seam
seam = Seam(api_key="{message["api_key"]}", endpoint="{message["endpoint"]}")
door = "{first["device_id"]}"
code = seam.access_codes.create(device_id=door, name="Guest", code="4711")
while seam.access_codes.get(access_code_id=code.access_code_id).status != "set": time.sleep(0.1)
seam.locks.simulate.keypad_code_entry(device_id=door, code="4711")
print([e.event_type for e in seam.events.list(device_id=door, since="2000-01-01T00:00:00Z")])

Ctrl-C stops everything. What happens now:
""",
        flush=True,
    )


@app.command(
    epilog="Example: doorpad demo --keypads 3 --data ./demo",
)
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes a free one.")] = 8117,
    keypads: Annotated[int, typer.Option(min=1, max=64, help="How many keypads.")] = 2,
    data: Annotated[Path | None, typer.Option(help=_DATA_HELP + " Default: a temporary one.")] = None,
    slots: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Slots of each keypad. Default: 4096.")
    ] = None,
    strike_ms: Annotated[
        int | None, typer.Option(min=100, max=12000, help="Strike time in ms. Default: 5000.")
    ] = None,
    profiles: _ProfilesOption = None,
    errors_vocabulary: _VocabularyOption = "2025",
    as_json: Annotated[bool, typer.Option("--json", help=_JSON_HELP)] = False,
) -> None:
    """Run emulated keypads and a bridge, and show how to use them."""
    tell = _print_json if as_json else _print_demo

    async def work(folder: Path) -> None:
        from doorpad import demo as demonstration
        from doorpad.emulator import fleet

        stop = _stop_on_signals()
        brands = cast("list[ProfileName]", profiles)
        shown = demonstration.Demo(folder, tell, errors_vocabulary, brands)
        async with fleet.running(
            folder, keypads, slots=slots, strike_ms=strike_ms, on_output=shown.output, profiles=brands
        ) as servers:
            await shown.run(servers, port, stop)

    if data is not None:
        _run(work(data))
        return
    with tempfile.TemporaryDirectory(prefix="doorpad-") as folder:
        _run(work(Path(folder)))


@app.command(epilog="Example: doorpad run --config /etc/doorpad/doorpad.toml")
def run(
    config: Annotated[Path, typer.Option(help="The configuration.")] = Path("doorpad.toml"),
    as_json: Annotated[bool, typer.Option("--json", help=_JSON_HELP)] = False,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
) -> None:
    """Run the bridge for the keypads of a configuration."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def work() -> None:
        from doorpad import config as configuration
        from doorpad import daemon

        stop = _stop_on_signals()
        if until_eof:
            _stop_on_eof(stop)
        await daemon.run(configuration.load(config), _print_json if as_json else _print_line, stop)

    _run(work())


@app.command(
    epilog="Example: doorpad emulate --keypads 2 --data ./bench, then doorpad run --config ./bench/doorpad.toml"
)
def emulate(
    data: Annotated[Path, typer.Option(help=_DATA_HELP)],
    keypads: Annotated[int, typer.Option(min=1, max=64, help="How many keypads.")] = 1,
    slots: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Slots of each keypad. Default: 4096.")
    ] = None,
    strike_ms: Annotated[
        int | None, typer.Option(min=100, max=12000, help="Strike time in ms. Default: 5000.")
    ] = None,
    listen: Annotated[
        str, typer.Option(help="Where a bridge that is run with the written configuration listens.")
    ] = "127.0.0.1:8117",
    baud: Annotated[
        int | None,
        typer.Option(
            min=9600,
            max=921_600,
            help="Speed of the lines, with all limits of one. Default: as fast as both sides can.",
        ),
    ] = None,
    console: Annotated[
        bool, typer.Option("--console", help="The hub is at the keypads' console, UART0, at 115,200 baud.")
    ] = False,
    half_duplex: Annotated[
        bool, typer.Option("--half-duplex", help="One pair of wires for both directions, as RS-485 has.")
    ] = False,
    profiles: _ProfilesOption = None,
    errors_vocabulary: _VocabularyOption = "2025",
    as_json: Annotated[bool, typer.Option("--json", help=_JSON_HELP)] = False,
) -> None:
    """Run emulated keypads alone, and write the doorpad.toml for a bridge to them."""
    if console and baud not in (None, _CONSOLE_BAUD):
        raise typer.BadParameter(f"a console runs at {_CONSOLE_BAUD} baud", param_hint="--baud")
    if console and half_duplex:
        raise typer.BadParameter("a console has wires of its own each way", param_hint="--half-duplex")

    async def work() -> None:
        from doorpad.emulator import fleet
        from doorpad.emulator.cable import Line

        stop = _stop_on_signals()
        line = Line(baud, console, half_duplex)
        brands = cast("list[ProfileName]", profiles)
        async with fleet.running(
            data, keypads, slots=slots, strike_ms=strike_ms, line=line, profiles=brands
        ) as servers:
            config = fleet.write_config(
                data, servers, listen=listen, errors_vocabulary=errors_vocabulary, profiles=brands
            )
            about = [
                {
                    "serial": server.keypad.keypad.serial,
                    "name": server.keypad.keypad.name,
                    "link": str(server.keypad.cable.name.absolute()),
                    "control": str(server.path.absolute()),
                }
                for server in servers
            ]
            if as_json:
                _print_json({"type": "ready", "config": str(config.absolute()), "keypads": about})
            else:
                for keypad in about:
                    print(f"{keypad['name']}: link {keypad['link']}, bench {keypad['control']}")
                print(f"bridge: doorpad run --config {config.absolute()}", flush=True)
            await stop.wait()

    _run(work())


def main() -> None:
    app()
