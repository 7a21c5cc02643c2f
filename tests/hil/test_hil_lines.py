"""Serial lines with a speed and its limits, as an installer wires them, with the bridge as it runs on a hub."""

from pathlib import Path

from hil_world import running


def test_line_that_may_be_faster_is_raised_also_by_a_bridge_that_finds_it_raised(tmp_path: Path) -> None:
    """A bridge that starts anew speaks at the first speed to a keypad that is at the higher one."""
    with (
        running(tmp_path, "--baud", "115200", settings="max_baud = 921600") as world,
        world.keypad.bench() as bench,
    ):
        world.create(code="482913")
        assert bench.ask(about=True)["baud"] == 921_600
        world.restart_bridge()
        world.create(code="482914")
        assert bench.ask(about=True)["baud"] == 921_600
        assert bench.opens("482914")
