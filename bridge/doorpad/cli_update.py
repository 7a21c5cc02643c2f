"""`doorpad update`: it asks the bridge that holds the keypad, and shows how far that is."""

import asyncio
import json
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from doorpad.mistakes import told_in_one_line

_WORDS = {
    "sending": "sending",
    "busy": "somebody is at the keypad: waiting",
    "waiting": "no session: waiting",
    "trial": "restarting; the keypad tries it",
}


class _Bar:
    """Shown for as long as the block lasts."""

    def __init__(self) -> None:
        self._progress = Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        self._task = self._progress.add_task("asking the keypad", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, message: dict[str, Any]) -> None:
        """Take a message of `Updater`."""
        words = _WORDS.get(message["state"], message["state"])
        self._progress.update(
            self._task, description=words, completed=message.get("sent"), total=message.get("of")
        )


def _print_json(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def update(
    serial: Annotated[str, typer.Argument(help="Serial number of the keypad, as in the configuration.")],
    config: Annotated[Path, typer.Option(help="The configuration.")] = Path("doorpad.toml"),
    application: Annotated[
        Path | None,
        typer.Option(help="Folder of a compiled application. Default: the firmware of this installation."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Bring a new firmware onto a keypad, over the link, by its running bridge. The door works meanwhile.

    The keypad restarts with it once nobody is there, and goes back to the one before if the new one does not prove
    itself. What was cut off goes on where it was when this is run again.
    """
    from doorpad import config as configuration
    from doorpad import maintenance
    from doorpad.emulator import runtime

    with told_in_one_line():
        data = configuration.load(config).data
        folder = application
        if folder is None:
            (data / "firmware").mkdir(mode=0o700, exist_ok=True)
            folder = runtime.compile_program(data / "firmware") / "application"
        if as_json:
            _print_json(
                {"done": asyncio.run(maintenance.update(data, serial, folder.resolve(), _print_json))}
            )
            return
        with _Bar() as bar:
            version = asyncio.run(maintenance.update(data, serial, folder.resolve(), bar.tell))
        print(f"keypad {serial} runs version {version}", flush=True)
