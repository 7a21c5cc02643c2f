"""The same calls to the demo and to the published fake server: what differs stands in README.md, with its reason."""

import json
import re
from pathlib import Path

from demonstration import demo, run

LISTED = (Path(__file__).parent / "README.md").read_text().partition("## Beside the published fake server")[2]


def listed() -> dict[str, tuple[str, str]]:
    """By call, what the table says of doorpad and of the fake. Each row has a reason."""
    rows = re.findall(r"^\| (.+?) \| (\d.+?) \| (\d.+?) \| (\w.+?) \|$", LISTED, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| (?!call|---)", LISTED, re.MULTILINE))
    return {call: (doorpad, fake) for call, doorpad, fake, _because in rows}


def test_differences_from_the_fake_are_those_that_are_listed(packages: Path, tmp_path: Path) -> None:
    with demo(tmp_path) as ready:
        compared = json.loads(run(packages, "compare.mjs", ready))
    assert compared["calls"] > 70
    assert {it["call"]: (it["doorpad"], it["fake"]) for it in compared["differences"]} == listed()
