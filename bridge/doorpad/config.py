"""`doorpad.toml`: what a bridge serves, and where."""

import re
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from doorpad.api.vocabulary import Vocabulary
from doorpad.errors import DoorpadError, NextStep
from doorpad.store.profile_names import ProfileName
from doorpad.sync.finding import Ports
from doorpad.sync.keypad_port import KeypadPort
from doorpad.sync.timing import Timing

_SERIAL = re.compile(r"[0-9a-f]{16}")


class ConfigError(DoorpadError):
    """The configuration cannot be used; the message names file, setting and reason."""

    next_step: ClassVar[NextStep] = NextStep.PERSON


class KeypadConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One keypad. `serial`: the id that it proves, 16 hex digits; `control`: its bench, if it is emulated.

    `port`: where it is; None: at one of the configuration's `ports`, which one it proves.

    `baud`: of the line when a session begins, as the keypad is set; `max_baud`: to be asked for then.
    `half_duplex`: the line is one pair of wires for both directions, as RS-485 has.
    `weak_years`: a PIN that begins or ends with a year is weak there: none is made up, and a chosen one is marked.
    `location_name`: what people call the place where it is.
    `profile`: the brand that it plays (store/brands.py); a keypad that is not emulated is generic.
    """

    serial: str
    name: str
    port: str | None = None
    baud: int = 115_200
    max_baud: int | None = None
    half_duplex: bool = False
    control: str | None = None
    profile: ProfileName = "generic"
    weak_years: bool = False
    location_name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None


# A year, and some time to look back at it.
_KeptDays = Annotated[int, msgspec.Meta(ge=1, le=36_500)]


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    data: str
    listen: str = "127.0.0.1:8117"
    private_webhooks: bool = False
    errors_vocabulary: Vocabulary = "2025"
    audit_kept_days: _KeptDays = 400
    events_kept_days: _KeptDays = 400
    timing: Timing = Timing()
    ports: list[str] = []
    keypad: list[KeypadConfig] = []


class Config(msgspec.Struct, kw_only=True, frozen=True):
    """`host` and `port`: where the API listens; port 0 takes a free one.

    `private_webhooks`: events may also be posted to addresses that are not public.
    `ports`: paths, or patterns as a shell has them, of the ports that keypads without one of their own are looked
        for at.
    `errors_vocabulary`: the names of errors and warnings that clients see (api/vocabulary.py).
    `audit_kept_days`: entries of the audit log are deleted when they are older.
    `events_kept_days`: so are events and action attempts.
    """

    data: Path
    host: str
    port: int
    private_webhooks: bool
    errors_vocabulary: Vocabulary
    audit_kept_days: int
    events_kept_days: int
    timing: Timing
    ports: list[str]
    keypads: list[KeypadConfig]

    @property
    def keys(self) -> Path:
        """The folder of the keypads' key files."""
        return self.data / "keys"

    def keypad_ports(self) -> list[KeypadPort]:
        return [
            KeypadPort(
                serial=keypad.serial,
                name=keypad.name,
                port=keypad.port,
                baud=keypad.baud,
                max_baud=keypad.max_baud,
                half_duplex=keypad.half_duplex,
                simulated=keypad.control is not None,
                keys=self.keys,
                consoles=self.data / "consoles",
                profile=keypad.profile,
                weak_years=keypad.weak_years,
                location_name=keypad.location_name,
            )
            for keypad in self.keypads
        ]

    def hub_ports(self) -> Ports:
        return Ports(self.ports, [keypad.port for keypad in self.keypads if keypad.port is not None])


def load(path: Path) -> Config:
    """Read a configuration; relative paths in it begin at its own folder.

    Raises:
        ConfigError: unreadable, not TOML, an unknown or wrong setting.
    """
    try:
        file = msgspec.toml.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name another file with --config") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    host, _, port = file.listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f'{path}: listen is "{file.listen}", not "address:port", as in "127.0.0.1:8117"')
    serials = [keypad.serial for keypad in file.keypad]
    for serial in serials:
        if not _SERIAL.fullmatch(serial):
            raise ConfigError(f'{path}: keypad serial "{serial}" is not 16 small hexadecimal digits')
        if serials.count(serial) > 1:
            raise ConfigError(f'{path}: keypad serial "{serial}" stands there twice')
    for keypad in file.keypad:
        for name, baud in (("baud", keypad.baud), ("max_baud", keypad.max_baud)):
            if baud is not None and baud <= 0:
                raise ConfigError(f"{path}: {name} is {baud}, not a positive number")
        if keypad.port is None and not file.ports:
            raise ConfigError(
                f"{path}: keypad {keypad.serial} has no port; give it one, or set `ports` to where to look for it"
            )
        if keypad.profile != "generic" and keypad.control is None:
            raise ConfigError(
                f"{path}: keypad {keypad.serial} has a profile, and only emulated keypads play one"
            )
    folder = path.parent
    return Config(
        data=folder / file.data,
        host=host,
        port=int(port),
        private_webhooks=file.private_webhooks,
        errors_vocabulary=file.errors_vocabulary,
        audit_kept_days=file.audit_kept_days,
        events_kept_days=file.events_kept_days,
        timing=file.timing,
        ports=file.ports,
        keypads=file.keypad,
    )
