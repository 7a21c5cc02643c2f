"""What both ends of a line have counted: the hub over all its sessions, the keypad since its start."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """The hub's end, since the bridge started. The last three are of the newest session.

    Attributes:
        noise: pieces of the input that were no intact frame: a wrong CRC, a prompt, half a frame.
        forged: intact frames of a session that its key did not open.
        retransmits: frames that were sent once more.
        answered: requests, those that open a session among them.
        repeats: the retransmits of these, which a line that was cut has no part in.
        round_trip_ms: smoothed; 0 before the first one.
        line_use: the part of the time, 0.0 to 1.0, in which the busier direction carried bytes.
    """

    sessions: int
    bytes_in: int
    bytes_out: int
    noise: int
    forged: int
    retransmits: int
    answered: int
    repeats: int
    round_trip_ms: int
    baud: int
    line_use: float

    def after(self, before: "LinkStatistics | None") -> "LinkStatistics":
        """These, with what was counted in earlier sessions."""
        if before is None:
            return self
        return replace(
            self,
            sessions=self.sessions + before.sessions,
            bytes_in=self.bytes_in + before.bytes_in,
            bytes_out=self.bytes_out + before.bytes_out,
            noise=self.noise + before.noise,
            forged=self.forged + before.forged,
            retransmits=self.retransmits + before.retransmits,
            answered=self.answered + before.answered,
            repeats=self.repeats + before.repeats,
        )


@dataclass(frozen=True, slots=True)
class KeypadStatistics:
    """The keypad's end, in the order of its reply. Byte counts begin again at 2**30.

    Attributes:
        noise: pieces of its input that were no intact frame.
        forged: intact frames that did not prove the key.
        overruns: how often its receive buffer was found full, so that bytes may be lost.
        repeated: requests that it had done already, and answered again.
        sessions: how often a session was opened, each a resynchronisation.
    """

    bytes_in: int
    bytes_out: int
    noise: int
    forged: int
    heap_free_bytes: int
    overruns: int
    repeated: int
    sessions: int
