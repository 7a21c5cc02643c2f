"""The hub's end of a session, sans I/O: bytes and times in, bytes and events out.

The hub alone has timers. Several requests are in flight, as many as the keypad's window and receive buffer take;
each is sent again, bit for bit, until its reply comes or the session is given up for lost.
"""

from doorpad_link import cbor, frame
from doorpad_link.device import NO_SESSION, TURN_MS, UNKNOWN_HOST
from doorpad_link.frame import Header
from doorpad_link.handshake import (
    DEVICE_ID_BYTES,
    NONCE16_BYTES,
    PROOF_BYTES,
    PROTO,
    SessionKeys,
    key_id,
)
from doorpad_link.hkdf import equal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# States.
IDLE = 0
HELLO_SENT = 1
AUTH_SENT = 2
OPEN = 3

# Why a session ended or did not begin.
SILENT = 1  # no answer after the last repetition
RESTARTED = 2  # the keypad says that it knows no session: it has started anew
WRONG_KEY = 3  # the keypad names another key than we hold for it
UNKNOWN_DEVICE = 4  # we hold no key for the keypad that answered
NOT_ENROLLED = 5  # the keypad holds no key for this hub
MALFORMED = 6  # a sealed answer that no right keypad sends
WRONG_PROOF = 7  # the keypad names the key that we hold for it, and does not prove it
NEVER_SILENT = 8  # on a pair of wires somebody speaks without end, and so nothing can be asked

LOST_REASONS = {
    SILENT: "the keypad does not answer",
    RESTARTED: "the keypad has started anew",
    WRONG_KEY: "the keypad holds another key than this hub",
    UNKNOWN_DEVICE: "the keypad on this port is not one that this hub holds a key for",
    NOT_ENROLLED: "the keypad holds no key of this hub",
    MALFORMED: "the keypad sent an answer that does not follow the protocol",
    WRONG_PROOF: "what answers there names the keypad's key and cannot prove it",
    NEVER_SILENT: "the line is never silent: something else sends on it, or its wires float",
}

# ASH's adaptive timer: smoothed round trip plus four deviations, doubled at each repetition.
_RTO_MS_FIRST = 400
_RTO_MS_MIN = 100
_RTO_MS_MAX = 3200
_BABBLE_MS_MAX = (
    4 * _RTO_MS_MAX
)  # of a pair of wires without a pause: as long as all repetitions of a frame take
# A keypad reads nothing for as long while its flash erases: 45 to 80 ms, and this at worst.
_STALL_MS_MAX = 400
_SENDS_MAX = 6
_KEEP_BYTES = 2048
_MTU_BYTES_MIN = 128  # the handshake and every request that cannot be parted fit it
_SENDS_AFTER_ALERT = 2  # an alert is believed once a repetition stays unanswered too


class Opened:
    """The session stands. `capabilities`: what AUTH_R carried after its status."""

    def __init__(self, device_id: bytes, boot_id: bytes, capabilities: "list[object]") -> None:
        self.device_id = device_id
        self.boot_id = boot_id
        self.capabilities = capabilities


class Replied:
    """The reply to request `number`."""

    def __init__(self, number: int, op: int, status: int, body: object) -> None:
        self.number = number
        self.op = op
        self.status = status
        self.body = body


class Hinted:
    """The keypad's table or journal moved on."""

    def __init__(self, generation: int, journal_head: int) -> None:
        self.generation = generation
        self.journal_head = journal_head


class Lost:
    """The session is over, or none could be had. `reason`: a key of LOST_REASONS."""

    def __init__(self, reason: int) -> None:
        self.reason = reason


class _Flight:
    """A frame that waits for its answer, or for its turn to be sent."""

    def __init__(self, counter: int, packed: bytes) -> None:
        self.counter = counter
        self.packed = packed
        self.sends = 0
        self.answers = 0
        self.sent_ms = 0
        self.deadline_ms = 0
        self.hurried = False  # sent again ahead of its time, because a later one was answered


class HostSession:
    """One attempt at a session, from HELLO to its loss; make a new one for the next attempt.

    Args:
        host_id: 8 bytes, this hub's.
        key_of: `key_of(device_id)` gives the 32-byte key for a keypad, or None.
        random_bytes: `random_bytes(n)` from the system's generator.
        byte_us: how long the line takes for a byte, microseconds: 87 at 115,200 baud.
        half_duplex: both sides send on one pair of wires: one request at a time, and only into silence.
    """

    def __init__(
        self,
        host_id: bytes,
        key_of: "Callable[[bytes], bytes | None]",
        random_bytes: "Callable[[int], bytes]",
        byte_us: int = 87,
        half_duplex: bool = False,
    ) -> None:
        self.state = IDLE
        self.retransmits = 0
        self.answered = 0  # requests, HELLO and AUTH among them
        self.repeats = 0  # of these: what of an unanswered one was sent again says nothing of the line
        self.forged = 0  # intact frames of this session that its key did not open
        self._host_id = host_id
        self._key_of = key_of
        self._random_bytes = random_bytes
        self._byte_us = byte_us
        self._half_duplex = half_duplex
        self._silent_ms = 0  # from when on the line counts as silent
        self._babble_ms = 0  # since when it has not been
        self._splitter = frame.Splitter(_KEEP_BYTES)
        self._out = bytearray()
        self._hello = b""
        self._keys: SessionKeys | None = None
        self._device_id = b""
        self._boot_id = b""
        self._counter = 0
        self._hint_counter = 0
        self._window = 1
        self.mtu_bytes = frame.MTU_BYTES  # of a frame to the keypad, before COBS
        self._credit_bytes = frame.MTU_BYTES + frame.WRAPPING_BYTES
        self._in_flight: list[_Flight] = []  # sent, by counter
        # What was sent and may still lie in the keypad's receive buffer, oldest first; each copy of a frame counts.
        self._unread: list[tuple[_Flight, int]] = []  # and which copy it is, from 1
        self._sent_ms = 0  # when something was last sent
        self._waiting: list[_Flight] = []  # not sent yet, by counter
        self._alert = 0  # what an alert would make of the session, if nothing else answers
        self._rto_ms = _RTO_MS_FIRST
        self._srtt_ms = 0
        self._rttvar_ms = 0

    @property
    def noise(self) -> int:
        """Pieces of the byte stream that were no intact frame."""
        return self._splitter.dropped

    def unframed(self) -> bytes:
        """The newest bytes from the port that were no frame: what a boot loader or a prompt says there."""
        return self._splitter.unframed()

    def set_pace(self, byte_us: int, now_ms: int) -> None:
        """The line has changed its speed: a byte takes so long now, microseconds. What was sent before is lost."""
        self._byte_us = byte_us
        self._rto_ms = _RTO_MS_MIN
        for flight in self._in_flight:
            flight.sends = 0
            flight.deadline_ms = now_ms

    @property
    def round_trip_ms(self) -> int:
        """The smoothed round trip, 0 before the first one."""
        return self._srtt_ms

    @property
    def unanswered(self) -> int:
        """How many frames wait for their answer or for their turn."""
        return len(self._in_flight) + len(self._waiting)

    def start(self, now_ms: int) -> None:
        """Say HELLO."""
        self.state = HELLO_SENT
        self._hello = cbor.encode([PROTO, PROTO, self._random_bytes(NONCE16_BYTES), self._host_id])
        self._send_alone(frame.pack(Header(frame.HELLO, 0, 0, False), self._hello), now_ms)

    def request(self, op: int, body: object, now_ms: int) -> int:
        """Send a request, or keep it until window and credit allow; return its number, as in Replied.

        Requests in flight together may be done in any order. The session must be open.
        Raises ValueError if the request is beyond the MTU, CborError if it cannot be encoded.
        """
        if self.state != OPEN or self._keys is None:
            raise RuntimeError("the session is not open")
        header = Header(frame.REQ, self._keys.session, self._counter + 1, False)
        packed = frame.pack(header, self._keys.seal(header, cbor.encode([op, body])), self.mtu_bytes)
        self._counter += 1
        self._waiting.append(_Flight(self._counter, packed))
        self._fill(now_ms)
        return self._counter

    def take_output(self) -> bytes:
        """Return the bytes to write now, and forget them."""
        out = bytes(self._out)
        self._out = bytearray()
        return out

    def wake_at_ms(self) -> "int | None":
        """When to call `on_time`, or None while nothing is awaited."""
        if self._in_flight:
            return max(min(flight.deadline_ms for flight in self._in_flight), self._silent_ms)
        if not self._waiting:
            return None
        if self._has_room(self._waiting[0], self._silent_ms):
            return self._silent_ms
        # There is room again then, and no answer will come to say so.
        return self._sent_ms + _STALL_MS_MAX

    def on_time(self, now_ms: int) -> "list[Opened | Replied | Hinted | Lost]":
        """Repeat what got no answer in time; after the last repetition the session is lost."""
        if now_ms < self._silent_ms:
            return []
        late = [flight for flight in self._in_flight if now_ms >= flight.deadline_ms]
        if not late:
            self._fill(now_ms)
            return []
        most = max(flight.sends for flight in late)
        if self._alert and most >= _SENDS_AFTER_ALERT:
            return [self._lose(self._alert)]
        if most == _SENDS_MAX:
            return [self._lose(SILENT)]
        self._rto_ms = min(self._rto_ms * 2, _RTO_MS_MAX)
        for flight in late:
            if self._has_room(flight, now_ms):
                self._repeat(flight, now_ms)
            else:
                flight.deadline_ms = self._sent_ms + _STALL_MS_MAX
        return []

    def receive(self, data: bytes, now_ms: int) -> "list[Opened | Replied | Hinted | Lost]":
        """Take the bytes that came; return the events they complete. Never raises on wire input."""
        events: list[Opened | Replied | Hinted | Lost] = []
        if self._half_duplex and data:
            if now_ms >= self._silent_ms:
                self._babble_ms = now_ms
            self._silent_ms = now_ms + TURN_MS + 1  # of this millisecond nobody knows how much has passed
        for header, body in self._splitter.feed(data):
            if not header.from_device:
                continue
            event: Opened | Replied | Hinted | Lost | None = None
            if header.kind == frame.HELLO_R and self.state == HELLO_SENT:
                event = self._on_hello_r(body, now_ms)
            elif header.kind == frame.AUTH_R and self.state == AUTH_SENT:
                event = self._on_auth_r(header, body, now_ms)
            elif header.kind == frame.REP and self.state == OPEN:
                event = self._on_reply(header, body, now_ms)
            elif header.kind == frame.HINT and self.state == OPEN:
                event = self._on_hint(header, body)
            elif header.kind == frame.ALERT and self.state != IDLE:
                self._on_alert(body)
            if event is not None:
                events.append(event)
        # No timer comes to its turn on such a line.
        if self.unanswered and self._silent_ms - self._babble_ms > _BABBLE_MS_MAX:
            events.append(self._lose(NEVER_SILENT))
        return events

    def _send_alone(self, packed: bytes, now_ms: int) -> None:
        self._in_flight = []
        self._unread = []
        self._waiting = [_Flight(0, packed)]
        self._fill(now_ms)

    def _fill(self, now_ms: int) -> None:
        """Send what waits, as far as the keypad's window and receive buffer go."""
        while self._waiting and now_ms >= self._silent_ms:
            flight = self._waiting[0]
            if self._in_flight and flight.counter - self._in_flight[0].counter >= self._window:
                return
            if not self._has_room(flight, now_ms):
                return
            self._waiting.pop(0)
            self._in_flight.append(flight)
            self._transmit(flight, now_ms)

    def _has_room(self, flight: _Flight, now_ms: int) -> bool:
        """Whether the keypad's receive buffer takes a frame now, even if the keypad stands still this moment."""
        if now_ms - self._sent_ms >= _STALL_MS_MAX:
            self._unread = []  # read or lost by now
        unread = sum(len(other.packed) for other, _ in self._unread)
        return unread == 0 or unread + len(flight.packed) <= self._credit_bytes

    def _transmit(self, flight: _Flight, now_ms: int) -> None:
        flight.sends += 1
        flight.sent_ms = self._sent_ms = now_ms
        self._unread.append((flight, flight.sends))
        # Frames ahead of this one, and the answers to all of them, take their time on the line.
        line_ms = sum(len(other.packed) for other in self._in_flight) * self._byte_us // 1000
        flight.deadline_ms = now_ms + self._rto_ms + 2 * line_ms
        self._out.extend(flight.packed)

    def _repeat(self, flight: _Flight, now_ms: int) -> None:
        self.retransmits += 1
        self._transmit(flight, now_ms)

    def _answered(self, flight: _Flight, now_ms: int) -> None:
        if flight.sends == 1:  # Karn: the answer to a repeated frame measures nothing
            trip_ms = now_ms - flight.sent_ms
            if self._srtt_ms == 0:
                self._srtt_ms = max(trip_ms, 1)
                self._rttvar_ms = trip_ms // 2
            else:
                self._rttvar_ms += (abs(trip_ms - self._srtt_ms) - self._rttvar_ms) // 4
                self._srtt_ms = max(self._srtt_ms + (trip_ms - self._srtt_ms) // 8, 1)
        self._rto_ms = max(_RTO_MS_MIN, min(self._srtt_ms + 4 * self._rttvar_ms, _RTO_MS_MAX))
        self._alert = 0
        self.answered += 1
        self.repeats += flight.sends - 1
        self._in_flight.remove(flight)
        self._was_read(flight)

    def _was_read(self, flight: _Flight) -> None:
        # The n-th answer says that n copies were read; and, as the line keeps the order, whatever was sent before.
        flight.answers += 1
        for place, (other, copy) in enumerate(self._unread):
            if other is flight and copy == flight.answers:
                del self._unread[: place + 1]
                return

    def _lose(self, reason: int) -> Lost:
        self.state = IDLE
        self._keys = None
        self._in_flight = []
        self._waiting = []
        return Lost(reason)

    def _on_hello_r(self, body: memoryview, now_ms: int) -> "Lost | None":
        answer = cbor.decode_list(body)
        if (
            answer is None
            or len(answer) < 6
            or answer[0] != PROTO
            or not cbor.is_bytes(answer[1], NONCE16_BYTES)
            or not cbor.is_bytes(answer[2], DEVICE_ID_BYTES)
            or not cbor.is_bytes(answer[3], 8)
            or not cbor.is_bytes(answer[4], 4)
            or not cbor.is_bytes(answer[5], PROOF_BYTES)
        ):
            return None
        device_id = answer[2]
        psk = self._key_of(device_id)
        if psk is None:
            return self._lose(UNKNOWN_DEVICE)
        if answer[4] != key_id(psk):
            return self._lose(WRONG_KEY)
        keys = SessionKeys(psk, self._hello, cbor.encode(answer[:5] + [b""] + answer[6:]))
        if not equal(answer[5], keys.device_proof):
            return self._lose(WRONG_PROOF)
        self._answered(self._in_flight[0], now_ms)
        self._keys = keys
        self._device_id = device_id
        self._boot_id = answer[3]
        self.state = AUTH_SENT
        self._send_alone(frame.pack(Header(frame.AUTH, 0, 0, False), cbor.encode([keys.host_proof])), now_ms)
        return None

    def _on_auth_r(self, header: Header, sealed: memoryview, now_ms: int) -> "Opened | Lost | None":
        answer = self._opened(header, sealed)
        if answer is None:
            return None
        if (
            len(answer) < 4
            or answer[0] != 0
            or not all(isinstance(number, int) for number in answer[1:4])
            or answer[1] < _MTU_BYTES_MIN
            or answer[2] < 1
            or answer[3] < min(answer[1], frame.MTU_BYTES) + frame.WRAPPING_BYTES
        ):
            return self._lose(MALFORMED)
        self._answered(self._in_flight[0], now_ms)
        self._window, self._credit_bytes = 1 if self._half_duplex else answer[2], answer[3]
        self.mtu_bytes = min(answer[1], frame.MTU_BYTES)
        self.state = OPEN
        return Opened(self._device_id, self._boot_id, answer[1:])

    def _on_reply(self, header: Header, sealed: memoryview, now_ms: int) -> "Replied | Lost | None":
        flight = next((flight for flight in self._in_flight if flight.counter == header.counter), None)
        if flight is None:  # a second copy of an answer says only that the request's second copy was read
            again = next((other for other, _ in self._unread if other.counter == header.counter), None)
            if again is not None and self._opened(header, sealed) is not None:
                self._was_read(again)
                self._fill(now_ms)
            return None
        answer = self._opened(header, sealed)
        if answer is None:
            return None
        if len(answer) < 3 or not isinstance(answer[0], int) or not isinstance(answer[1], int):
            return self._lose(MALFORMED)
        self._answered(flight, now_ms)
        # The line keeps the order: what was sent before and is not answered, or its answer, was lost.
        for earlier in self._in_flight:
            if (
                earlier.sent_ms <= flight.sent_ms
                and earlier.counter < flight.counter
                and not earlier.hurried
                and self._has_room(earlier, now_ms)
            ):
                earlier.hurried = True
                self._repeat(earlier, now_ms)
        self._fill(now_ms)
        return Replied(flight.counter, answer[0], answer[1], answer[2])

    def _on_hint(self, header: Header, sealed: memoryview) -> "Hinted | None":
        if header.counter <= self._hint_counter:
            return None
        hint = self._opened(header, sealed)
        if hint is None or len(hint) < 2 or not isinstance(hint[0], int) or not isinstance(hint[1], int):
            return None
        self._hint_counter = header.counter
        return Hinted(hint[0], hint[1])

    def _on_alert(self, body: memoryview) -> None:
        # Anyone can send an alert. It ends nothing by itself; it only shortens the wait for an answer that a
        # keypad which has started anew will never give.
        alert = cbor.decode_list(body)
        if alert is None or len(alert) < 2:
            return
        if alert[0] == UNKNOWN_HOST and self.state == HELLO_SENT:
            self._alert = NOT_ENROLLED
        elif alert[0] == NO_SESSION and self.state == OPEN and self._in_flight:
            self._alert = RESTARTED

    def _opened(self, header: Header, sealed: memoryview) -> "list[Any] | None":
        if self._keys is None or header.session != self._keys.session:
            return None
        body = self._keys.open(header, sealed)
        if body is None:
            self.forged += 1
            return None
        return cbor.decode_list(body)
