"""The page on access codes tells every option that a request may have."""

import re
from pathlib import Path

from doorpad.api.code_options import CodeOptions

PAGE = (Path(__file__).parents[2] / "docs" / "access-codes.md").read_text()


def test_page_names_each_option() -> None:
    told = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert told == sorted(CodeOptions.__struct_fields__)
