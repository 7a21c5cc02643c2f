"""How a user's mistake ends a command: in one line and an exit code."""

import contextlib
import sys
from collections.abc import Iterator

import typer

from doorpad.errors import DoorpadError

EXIT_MISTAKE = 2  # something a person has to mend; the message says what


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    try:
        yield
    except DoorpadError as error:
        if not error.said:
            print(f"doorpad: {error}", file=sys.stderr)
        raise typer.Exit(EXIT_MISTAKE) from None
