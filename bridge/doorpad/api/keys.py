"""API keys: made here, shown once, and kept only as SHA-256 digests.

A plain digest is enough: a key has 190 random bits, so there is nothing to guess it from.

The file `api_keys` of the data folder has one JSON object a line, one key each. Revoked keys stay in it, so that the
audit log's names keep their meaning and the file tells its own history. It is replaced as a whole or not at all,
and may be changed while a bridge runs: the bridge looks at each request whether it is still the file that it read.
"""

import contextlib
import fcntl
import hashlib
import hmac
import logging
import os
import re
import secrets
import string
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from doorpad import os_user
from doorpad.errors import DoorpadError, NextStep

FILE_NAME = "api_keys"

# The SDKs refuse keys that begin with "seam_at", "seam_pk" or "seam_cst": never "seam_" and random.
_PREFIX = "seam_doorpad_"
_ALPHABET = string.digits + string.ascii_letters
_KEY = re.compile(rf"{_PREFIX}[0-9A-Za-z]{{32}}")
_DIGEST = r"^[0-9a-f]{64}$"
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")

_log = logging.getLogger(__name__)


class ApiKeysDamaged(DoorpadError):
    """A line of the key file is not a key's."""

    def __init__(self, path: Path, line: int) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}, line {line}: does not describe an API key; remove the line")


class KeyNameUnusable(DoorpadError):
    """A new key cannot have the name."""

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f'an API key cannot be named "{name}": {reason}')


class NoSuchKey(DoorpadError):
    """No key that is in use has the id or name."""

    next_step: ClassVar[NextStep] = NextStep.CHANGE_REQUEST

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(f'no API key in use has the id or name "{wanted}"; `doorpad keys list` shows them')


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key without its secret. `created_by`, `revoked_by`: the operating system's names of users."""

    digest: str = msgspec.field(name="sha256")
    name: str
    read_only: bool = False
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def __post_init__(self) -> None:
        if not re.match(_DIGEST, self.digest):
            raise ValueError("sha256 is not 64 small hexadecimal digits")

    @property
    def key_id(self) -> str:
        """What names the key for ever; tells nothing about its secret."""
        return self.digest[:12]


def generate_key() -> str:
    """The secret of a new key. Nobody can show it again."""
    return _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(32))


def add_key(data_dir: Path, key: str, name: str, *, read_only: bool = False) -> ApiKey:
    """Accept `key` from now on, in a bridge that runs too.

    Raises:
        KeyNameUnusable: empty, over 64 characters, with control characters, or the name of a key in use.
        ApiKeysDamaged: the file is to be mended first.
    """
    if not _NAME.fullmatch(name):
        raise KeyNameUnusable(name, "1 to 64 characters that can be printed are needed")
    with _changing(data_dir) as known:
        if name in (it.name for it in known if it.revoked_at is None):
            raise KeyNameUnusable(name, "another key in use has that name")
        added = ApiKey(
            digest=_digest(key),
            name=name,
            read_only=read_only,
            created_at=datetime.now(UTC),
            created_by=os_user.name(),
        )
        known.append(added)
    return added


def revoke_key(data_dir: Path, wanted: str) -> ApiKey:
    """Refuse a key from now on, in a bridge that runs too. `wanted` is its id or its name.

    Raises:
        NoSuchKey: none in use has it.
        ApiKeysDamaged: the file is to be mended first.
    """
    with _changing(data_dir) as known:
        for at, it in enumerate(known):
            if it.revoked_at is None and wanted in (it.key_id, it.name):
                known[at] = msgspec.structs.replace(
                    it, revoked_at=datetime.now(UTC), revoked_by=os_user.name()
                )
                return known[at]
    raise NoSuchKey(wanted)


def read_keys(data_dir: Path) -> list[ApiKey]:
    """All keys that ever were, the oldest first; none if there is no file yet.

    Raises:
        ApiKeysDamaged: a line does not describe a key.
    """
    path = data_dir / FILE_NAME
    keys = []
    for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else [], 1):
        try:
            keys.append(msgspec.json.decode(line, type=ApiKey))
        except (msgspec.DecodeError, UnicodeError):
            raise ApiKeysDamaged(path, number) from None
    return keys


def key_entries(keys: Sequence[ApiKey]) -> list[dict[str, Any]]:
    """What the audit log has to tell of the keys themselves, the oldest first.

    They are made and revoked by people at the hub's command line, and so in the name of a user of its system.
    """
    entries = []
    for key in keys:
        times = ((key.created_at, key.created_by, "created"), (key.revoked_at, key.revoked_by, "deleted"))
        for at, by, did in times:
            if at is not None:
                entries.append(
                    {
                        "at_ms": round(at.timestamp() * 1_000),
                        "key_id": "",
                        "key_name": f"user {by}",
                        "request_id": "",
                        "path": "doorpad keys",
                        "did": did,
                        "subject": "api_key",
                        "subject_id": key.key_id,
                        "fields": [],
                    }
                )
    return sorted(entries, key=itemgetter("at_ms"))


class ApiKeys:
    """The keys in use, as the file has them at each moment.

    Raises:
        ApiKeysDamaged: when it is made. Later on a damaged file accepts no key, and the log says why.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._path = os.fspath(data_dir / FILE_NAME)  # a Path takes longer over it than the system's own look
        self._read_from = self._file()
        self._in_use = self._read()

    def accept(self, key: str) -> ApiKey | None:
        """The key's description if it is in use. Takes as long for each key of the right form."""
        if not _KEY.fullmatch(key):
            return None
        self._follow_file()
        digest = _digest(key)
        # Every digest is compared: how far a search came would show in the time.
        matches = [it for it in self._in_use if hmac.compare_digest(digest, it.digest)]
        return matches[0] if matches else None

    def __bool__(self) -> bool:
        """Whether any key is accepted."""
        self._follow_file()
        return bool(self._in_use)

    def _read(self) -> Sequence[ApiKey]:
        return [it for it in read_keys(self._data_dir) if it.revoked_at is None]

    def _file(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _follow_file(self) -> None:
        there = self._file()
        if there == self._read_from:
            return
        self._read_from = there
        self._in_use = []
        try:
            self._in_use = self._read()
        except ApiKeysDamaged as error:
            _log.error("no API key is accepted: %s", error)


@contextlib.contextmanager
def _changing(data_dir: Path) -> Iterator[list[ApiKey]]:
    """The keys, to be changed in place and then written; nobody else changes them meanwhile."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / FILE_NAME
    with os.fdopen(os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = read_keys(data_dir)
        yield keys
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.Encoder().encode_lines(keys))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("ascii")).hexdigest()
