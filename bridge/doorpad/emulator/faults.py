"""What a bad cable does to the bytes that pass it: seeded, counted, and nothing unless it is asked for."""

import random
from collections import Counter
from dataclasses import dataclass, fields

from doorpad_link import frame

from doorpad.errors import DoorpadError, NextStep

_PAUSE_MS = (45, 400)  # as a flash erase stops a receiver: typical, and the worst
_RECORDED_MAX = 256  # frames that can be played again: enough for several sessions


class FaultsImpossible(DoorpadError):
    """Faults were asked for that no cable has."""

    next_step = NextStep.CHANGE_REQUEST


def misread(data: bytes, sent_baud: int | None, read_baud: int | None) -> bytes:
    """What a receiver at one speed makes of bytes that were sent at another: samples of the line at its own pace.

    A start bit, eight data bits with the lowest first, a stop bit; at rest the line is high. The receiver looks at
    the middle of each of its bits, and does not mind a stop bit that is low: the ESP32 gives such bytes out, too.
    """
    if sent_baud == read_baud or sent_baud is None or read_baud is None or not data:
        return data
    levels = [bit for byte in data for bit in (0, *(byte >> n & 1 for n in range(8)), 1)]

    def level(time_bits: float) -> int:
        place = int(time_bits)
        return levels[place] if place < len(levels) else 1

    step = sent_baud / read_baud  # a bit of the receiver's, in bits of the sender's
    out = bytearray()
    at = 0.0
    while at < len(levels):
        if level(at):  # until the next falling edge
            at = next(
                (float(place) for place in range(int(at) + 1, len(levels)) if not levels[place]), at + 1e9
            )
            continue
        out.append(sum(level(at + step * (n + 1.5)) << n for n in range(8)))
        at += step * 9.5
    return bytes(out)


@dataclass(frozen=True, slots=True)
class Faults:
    """Chances, 0.0 to 1.0, both ways alike. `seed` decides every one of them.

    Attributes:
        flip: of each bit, to arrive as the other.
        drop, insert, double: of each byte, to be lost, to have a random one before it, to come twice.
        lose_frame, repeat_frame: of each frame, to be lost whole, to come once more right behind itself.
        swap_frame: of each frame, to come only after the one that follows it.
        replay_frame: of each frame, to be followed by an older one, of this session or of one before.
        splice_frame: of each frame, to be followed by its header on the body of an older one, with a right CRC.
        pause: of each zero byte, to be followed by 45 to 400 ms in which nothing arrives.
    """

    seed: int = 0
    flip: float = 0.0
    drop: float = 0.0
    insert: float = 0.0
    double: float = 0.0
    lose_frame: float = 0.0
    repeat_frame: float = 0.0
    swap_frame: float = 0.0
    replay_frame: float = 0.0
    splice_frame: float = 0.0
    pause: float = 0.0

    def __post_init__(self) -> None:
        for chance in fields(self)[1:]:
            value = getattr(self, chance.name)
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise FaultsImpossible(f"{chance.name} is a chance from 0 to 1, not {value!r}")


_BY_FRAME = [it.name for it in fields(Faults) if it.name.endswith("_frame")]


def _spliced(piece: bytes, older: bytes) -> bytes:
    feed = frame.Splitter().feed(b"\0" + piece + b"\0" + older + b"\0")
    found = [(header, bytes(body)) for header, body in feed]
    if len(found) < 2:  # one of them was noise
        return older
    return frame.pack(found[0][0], found[1][1]).strip(b"\0")


class Spoiler:
    """One direction of a bad cable. `harm`: how often each fault was done."""

    def __init__(self, faults: Faults, direction: str) -> None:
        self._faults = faults
        # A generator for each kind: then how the bytes are cut into calls changes nothing.
        self._random = {
            it.name: random.Random(f"{direction} {it.name} {faults.seed}")  # noqa: S311 - a cable is no secret
            for it in fields(faults)[1:]
        }
        self._whole_frames = any(getattr(faults, name) for name in _BY_FRAME)
        self._frame = bytearray()  # what has come of the frame that is under way
        self._losing = False
        self._holding = False
        self._late = b""  # a frame that waits for the one after it
        self._recorded: list[bytes] = []
        self.harm: Counter[str] = Counter()

    def _hits(self, name: str) -> bool:
        if self._random[name].random() >= getattr(self._faults, name):
            return False
        self.harm[name] += 1
        return True

    def pause_ms(self, data: bytes) -> int:
        """How long nothing may arrive after these bytes; mostly 0."""
        if not self._faults.pause or not sum(self._hits("pause") for _ in range(data.count(0))):
            return 0
        return self._random["pause"].randint(*_PAUSE_MS)

    def spoil(self, data: bytes) -> bytes:
        """Return what arrives of `data`, which goes on where the last call ended."""
        if self._whole_frames:
            data = self._by_frame(data)
        if self._faults.drop or self._faults.insert or self._faults.double:
            data = self._by_byte(data)
        if self._faults.flip:
            data = self._by_bit(data)
        return data

    def _by_frame(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if byte:
                if not self._frame:
                    self._losing = self._hits("lose_frame")
                    self._holding = not self._losing and not self._late and self._hits("swap_frame")
                self._frame.append(byte)
                if not self._losing and not self._holding:
                    out.append(byte)
            else:
                out.append(0)
                if self._frame:
                    out += self._behind(bytes(self._frame))
                    self._frame.clear()
        return bytes(out)

    def _behind(self, piece: bytes) -> bytes:
        """What comes behind a frame that has just ended, each with a zero at its end."""
        extra: list[bytes] = []
        if self._holding:
            self._late = piece
        elif self._late:
            extra.append(self._late)
            self._late = b""
        if not self._losing and self._hits("repeat_frame"):
            extra.append(piece)
        if self._recorded and self._hits("replay_frame"):
            extra.append(self._random["replay_frame"].choice(self._recorded))
        if self._recorded and self._hits("splice_frame"):
            extra.append(_spliced(piece, self._random["splice_frame"].choice(self._recorded)))
        self._recorded = [*self._recorded[1 - _RECORDED_MAX :], piece]
        return b"".join(b"\0" + each + b"\0" for each in extra)

    def _by_byte(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self._hits("insert"):
                out.append(self._random["insert"].randrange(256))
            if not self._hits("drop"):
                out.append(byte)
                if self._hits("double"):
                    out.append(byte)
        return bytes(out)

    def _by_bit(self, data: bytes) -> bytes:
        out = bytearray(data)
        for place in range(8 * len(out)):
            if self._hits("flip"):
                out[place // 8] ^= 1 << place % 8
        return bytes(out)
