"""`doorpad change-key` and `doorpad configure`: they speak to a keypad while no bridge holds its port."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorpad.mistakes import told_in_one_line

if TYPE_CHECKING:
    from doorpad.store.database import Database
    from doorpad.sync.keypad_port import KeypadPort

_Serial = Annotated[str, typer.Argument(help="Serial number of the keypad, as in the configuration.")]
_ConfigOption = Annotated[Path, typer.Option(help="The configuration.")]
_CONFIG = Path("doorpad.toml")


@asynccontextmanager
async def _without_bridge(config: Path, serial: str) -> "AsyncIterator[tuple[Database, str, KeypadPort]]":
    """Find a keypad's port while no bridge runs; nobody else can start one as long as the block lasts."""
    from doorpad import config as configuration
    from doorpad.store.database import Database
    from doorpad.sync.finding import Search

    settings = configuration.load(config)
    keypad = next((keypad for keypad in settings.keypad_ports() if keypad.serial == serial), None)
    if keypad is None:
        raise configuration.ConfigError(f"{config}: no keypad has the serial {serial}")
    database = await Database.open(settings.data)
    try:
        path = await Search(settings.hub_ports(), keypad, settings.timing.handshake_s).locate()
        yield database, path, keypad
    finally:
        await database.close()


def _noted(
    database: "Database", command: str, serial: str, fields: Collection[str]
) -> AbstractAsyncContextManager[None]:
    """What the block changes at a keypad, in the audit log unless the keypad refuses it."""
    from doorpad.link.asking import Refused
    from doorpad.link.settings import SettingsChanged, SettingsRefused
    from doorpad.store.audit import audited, of_user
    from doorpad.store.identity import device_id_for

    actor = of_user(command, time.time_ns() // 1_000_000)
    refusals = (Refused, SettingsChanged, SettingsRefused)
    return audited(database, actor, device_id_for(serial), fields, refusals)


def change_key(
    serial: _Serial,
    config: _ConfigOption = _CONFIG,
) -> None:
    """Give a keypad a new link key, over the link. Stop its bridge first: it holds the port."""

    async def work() -> None:
        from doorpad.link.rotation import change_key as change

        async with _without_bridge(config, serial) as (database, path, keypad):
            await change(
                path,
                keypad.baud,
                keypad.keys,
                serial,
                half_duplex=keypad.half_duplex,
                noted=lambda: _noted(database, "doorpad change-key", serial, ["key"]),
            )
        print(f"keypad {serial} has a new key", flush=True)

    with told_in_one_line():
        asyncio.run(work())


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not a name, =, and a value, such as strike_ms=7000")
    return name, value


def configure(
    serial: _Serial,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAME=VALUE of what to change: all of it at once, or nothing. Without any: only show.",
        ),
    ] = None,
    config: _ConfigOption = _CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show the settings of a keypad and change them, over the link. Stop its bridge first: it holds the port."""
    wanted = dict(map(_assignment, changes or ()))

    async def work() -> None:
        from doorpad.link import rotation
        from doorpad.link import settings as keypad_settings

        async with _without_bridge(config, serial) as (database, path, keypad):
            connection, _ = await rotation.open_session(
                path, keypad.baud, keypad.keys, serial, half_duplex=keypad.half_duplex
            )
            try:
                settings = await keypad_settings.read(connection)
                if wanted:
                    changes = keypad_settings.from_text(settings, wanted)
                    async with _noted(database, "doorpad configure", serial, changes):
                        settings = await keypad_settings.change(connection, settings, changes)
            finally:
                connection.close()
        for name, setting in sorted(settings.by_name.items()):
            if as_json:
                about = {"name": name, "value": setting.value, "least": setting.least, "most": setting.most}
                print(json.dumps({"type": "setting", **about}), flush=True)
            elif isinstance(setting.value, str):
                print(f'{name:<14} "{setting.value}"   (up to {setting.most} bytes)', flush=True)
            else:
                print(f"{name:<14} {setting.value:>6}   ({setting.least} to {setting.most})", flush=True)

    with told_in_one_line():
        asyncio.run(work())
