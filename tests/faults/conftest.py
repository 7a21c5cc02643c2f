"""The fault tests do their harm to the same worlds as the end-to-end tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "hil"))
