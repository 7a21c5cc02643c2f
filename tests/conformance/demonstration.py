"""A `doorpad demo` for one test, and JavaScript that is run against it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hil_world import Doorpad, Message

_RUN_S = 300  # what is run takes 15 s on an idle machine


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Doorpad]:
    """Two emulated keypads and a bridge. Nothing may fail unseen."""
    command = Doorpad(
        ["demo", "--json", "--port", "0", "--data", str(folder / "data"), *options], folder / "said"
    )
    try:
        yield command
        assert command.stop() == 0
        assert command.said == ""
    finally:
        if command.process.poll() is None:
            command.kill()


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Message]:
    """What the demo said when it was ready."""
    with running(folder, *options) as command:
        yield command.ready()


def run(packages: Path, script: str, ready: Message, *arguments: str) -> str:
    """What a script printed that was run with endpoint, API key and these arguments."""
    result = subprocess.run(
        ["node", script, ready["endpoint"], ready["api_key"], *arguments],
        cwd=packages,
        capture_output=True,
        text=True,
        timeout=_RUN_S,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
