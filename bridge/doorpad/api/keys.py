"""API keys: made here, shown once, and kept only as SHA-256 digests.

A plain digest is enough: a key has 190 random bits, so there is nothing to guess it from.
"""

import hashlib
import hmac
import os
import re
import secrets
import string
from pathlib import Path
from typing import Self

from doorpad.errors import DoorpadError

FILE_NAME = "api_keys"  # in the data folder: one hex digest a line

# The SDKs refuse keys that begin with "seam_at", "seam_pk" or "seam_cst": never "seam_" and random.
_PREFIX = "seam_doorpad_"
_ALPHABET = string.digits + string.ascii_letters
_KEY = re.compile(rf"{_PREFIX}[0-9A-Za-z]{{32}}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ApiKeysDamaged(DoorpadError):
    """A line of the key file is not a digest."""

    def __init__(self, path: Path, line: int) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}, line {line}: not a SHA-256 digest; remove the line")


def generate_key() -> str:
    """A new key. Nobody can show it again."""
    return _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(32))


def add_key(data_dir: Path, key: str) -> None:
    """Accept `key` from the next `ApiKeys.load()` on: its digest is appended to the file (mode 0600)."""
    fd = os.open(data_dir / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(_digest(key) + "\n")


class ApiKeys:
    """The digests of the accepted keys."""

    def __init__(self, digests: tuple[str, ...]) -> None:
        self._digests = digests

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Read the key file; a missing one accepts no key.

        Raises:
            ApiKeysDamaged: a line is not 64 hex digits.
        """
        path = data_dir / FILE_NAME
        lines = path.read_text("ascii", "replace").splitlines() if path.exists() else []
        for number, line in enumerate(lines, 1):
            if not _DIGEST.fullmatch(line):
                raise ApiKeysDamaged(path, number)
        return cls(tuple(lines))

    def accept(self, key: str) -> bool:
        """Whether the key is known. Takes as long for each key of the right form."""
        if not _KEY.fullmatch(key):
            return False
        digest = _digest(key)
        # Every digest is compared: how far a search came would show in the time.
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return True in matches

    def __bool__(self) -> bool:
        """Whether any key is accepted."""
        return bool(self._digests)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("ascii")).hexdigest()
