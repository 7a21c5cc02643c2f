"""The keypad's end of a session, sans I/O: bytes in, bytes out.

The keypad has no timer and repeats nothing of its own accord. It answers every request once, keeps that
answer, and sends the same bytes again when the same request comes again: the reply is the
acknowledgement, and a lost one costs a resend, never a second effect.
"""

from doorpad_link import cbor, frame, messages
from doorpad_link.aead import TAG_BYTES
from doorpad_link.frame import Header
from doorpad_link.handshake import (
    HOST_ID_BYTES,
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

NO_SESSION = 1  # a sealed frame came that no session here can open
UNKNOWN_HOST = 2  # a HELLO came from a host that this keypad holds no key for

WINDOW = 4  # requests that a host may have in flight; the answers to as many are kept
TURN_MS = 2  # on one pair of wires: how long it is silent before the other side speaks
_REPLAY_BITS = 32  # how far back an unanswered request may lie behind the newest

# Unsealed frames cost the keypad hashes and can be sent by anyone: at most five answers a second.
_ANSWER_COST_MS = 200
_ANSWER_CREDIT_MS_MAX = 1000


class DeviceSession:
    """One serial line's session with whichever host proves a key.

    Args:
        device_id: 8 bytes, for ever this keypad's.
        boot_id: 8 random bytes, new at each start.
        hosts: up to four (host_id[8], key[32]); the place in the list, from 1, is the maker number.
        capabilities: the list that AUTH_R carries after its status; the host's own maker number follows it.
        random_bytes: `random_bytes(n)` from the hardware's generator.
        serve: `serve(maker, op, body)` does one request and returns (status, body).
    """

    def __init__(
        self,
        device_id: bytes,
        boot_id: bytes,
        hosts: "list[tuple[bytes, bytes]]",
        capabilities: "list[object]",
        random_bytes: "Callable[[int], bytes]",
        serve: "Callable[[int, int, object], tuple[int, object]]",
    ) -> None:
        self._device_id = device_id
        self._boot_id = boot_id
        self._hosts = hosts
        self._capabilities = capabilities
        self._random_bytes = random_bytes
        self._serve = serve
        self._splitter = frame.Splitter()
        self._answer_credit_ms = _ANSWER_CREDIT_MS_MAX
        # (maker, host_id, key) of a key that is to replace a host's, and who is to be told once it is proven.
        self.following: tuple[int, bytes, bytes] | None = None
        self.on_proven: Callable[[], None] | None = None
        # Of the newest HELLO, until AUTH proves the key; with it the HELLO and the answer to it.
        self._offer: tuple[SessionKeys, int, bool] | None = None
        self._hello = b""
        self._hello_r = b""
        self._keys: SessionKeys | None = None
        self._maker = 0
        self._auth: bytes | None = None  # the AUTH body that opened the session, and the reply to it
        self._auth_reply = b""
        self._newest = 0  # counter of the newest request
        self._seen = 0  # bit n: request `newest - n` was done
        # The answers to the newest requests, each in a block of its own that is there from the start.
        self._answered = [-1] * WINDOW  # counters, -1 for none
        self._answers = [bytearray(frame.WIRE_BYTES_MAX) for _ in range(WINDOW)]
        self._inner = bytearray(frame.MTU_BYTES)
        self._hint_counter = 0
        self.forged = 0  # intact frames whose tag or proof was wrong
        self.repeated = 0  # requests that were done before
        self.sessions = 0
        self.intact = 0  # frames that came whole
        self.opened = 0  # requests among them that the session's key opened

    @property
    def is_open(self) -> bool:
        return self._keys is not None

    @property
    def noise(self) -> int:
        """Pieces of the byte stream that were no intact frame."""
        return self._splitter.dropped

    def receive(self, data: bytes, elapsed_ms: int) -> "bytes | bytearray":
        """Take bytes that came, `elapsed_ms` after the last call; return bytes to send (maybe none).

        They are valid until the next call.
        """
        self._answer_credit_ms = min(self._answer_credit_ms + elapsed_ms, _ANSWER_CREDIT_MS_MAX)
        out: bytes | bytearray = b""
        for header, body in self._splitter.feed(data):
            self.intact += 1
            if header.from_device:
                continue  # our own echo, or another keypad
            answer: bytes | bytearray = b""
            if header.kind == frame.HELLO:
                answer = self._on_hello(bytes(body))
            elif header.kind == frame.AUTH:
                answer = self._on_auth(bytes(body))
            elif header.kind == frame.REQ:
                answer = self._on_request(header, body)
            out = out + answer if out else answer
        return out

    def hint(self, generation: int, journal_head: int) -> bytes:
        """Return a frame telling an open session that table or journal moved on. Losing it is harmless."""
        if self._keys is None:
            return b""
        self._hint_counter += 1
        return self._sealed(self._keys, frame.HINT, self._hint_counter, [generation, journal_head])

    def _may_answer(self) -> bool:
        if self._answer_credit_ms < _ANSWER_COST_MS:
            return False
        self._answer_credit_ms -= _ANSWER_COST_MS
        return True

    def _alert(self, reason: int) -> bytes:
        return _plain(frame.ALERT, [reason, self._boot_id]) if self._may_answer() else b""

    def _on_hello(self, body: bytes) -> bytes:
        hello = cbor.decode_list(body, 4)
        if (
            hello is None
            or not (isinstance(hello[0], int) and isinstance(hello[1], int))
            or not hello[0] <= PROTO <= hello[1]
            or not cbor.is_bytes(hello[2], NONCE16_BYTES)
            or not cbor.is_bytes(hello[3], HOST_ID_BYTES)
        ):
            return b""
        found = self._key_of(hello[3])
        if found is None:
            return self._alert(UNKNOWN_HOST)
        maker, psk, is_new = found
        if not self._may_answer():
            return b""
        if self._offer is not None and body == self._hello:
            # A repetition: another answer would put an AUTH to the first one in the wrong.
            return self._hello_r
        nonce = self._random_bytes(NONCE16_BYTES)
        answer = [PROTO, nonce, self._device_id, self._boot_id, key_id(psk), b""]
        keys = SessionKeys(psk, body, cbor.encode(answer))
        answer[5] = keys.device_proof
        self._offer = (keys, maker, is_new)
        self._hello = body
        self._hello_r = _plain(frame.HELLO_R, answer)
        return self._hello_r

    def _key_of(self, host_id: bytes) -> "tuple[int, bytes, bool] | None":
        if self.following is not None and self.following[1] == host_id:
            return self.following[0], self.following[2], True
        for place, (known, key) in enumerate(self._hosts):
            if known == host_id:
                return place + 1, key, False
        return None

    def _on_auth(self, body: bytes) -> bytes:
        if body == self._auth:
            return self._auth_reply if self._may_answer() else b""
        auth = cbor.decode_list(body, 1)
        if self._offer is None or auth is None or not cbor.is_bytes(auth[0], PROOF_BYTES):
            return b""
        keys, maker, is_new = self._offer
        if not equal(auth[0], keys.host_proof):
            self.forged += 1
            return b""
        if is_new and self.on_proven is not None:
            self.on_proven()  # on flash before the host hears of it
        # Only now does a live session give way: a forged HELLO must not be able to end one.
        self._offer = None
        self._keys = keys
        self._maker = maker
        self._auth = body
        self.sessions += 1
        self._newest = 0
        self._seen = 0
        self._answered = [-1] * WINDOW
        self._hint_counter = 0
        self._auth_reply = self._sealed(keys, frame.AUTH_R, 0, [messages.OK] + self._capabilities + [maker])
        return self._auth_reply

    def _on_request(self, header: Header, sealed: memoryview) -> "bytes | bytearray":
        if self._keys is None or header.session != self._keys.session:
            return self._alert(NO_SESSION)
        body = self._keys.open(header, sealed)
        if body is None:
            self.forged += 1
            return b""
        self.opened += 1
        age = self._newest - header.counter
        if age >= 0 and (age >= _REPLAY_BITS or self._seen >> age & 1):
            place = header.counter % WINDOW
            self.repeated += 1
            return self._answers[place] if self._answered[place] == header.counter else b""
        request = cbor.decode_list(body, 2)
        op = 0
        status = messages.INVALID
        answer: object = None
        if request is not None and type(request[0]) is int and request[0] >= 0:  # True is no number here
            op = request[0]
            status, answer = self._serve(self._maker, op, request[1])
        self._count(header.counter)
        # A host has sent nothing further back than the window unless it was answered.
        place = header.counter % WINDOW
        is_kept = header.counter > self._newest - WINDOW
        reply = self._answers[place] if is_kept else bytearray()
        if not self._seal_into(reply, self._keys, frame.REP, header.counter, [op, status, answer]):
            self._seal_into(reply, self._keys, frame.REP, header.counter, [op, messages.TOO_BIG, None])
        if is_kept:
            self._answered[place] = header.counter
        return reply

    def _count(self, counter: int) -> None:
        if counter > self._newest:
            self._seen = (self._seen << min(counter - self._newest, _REPLAY_BITS)) & (1 << _REPLAY_BITS) - 1
            self._newest = counter
        self._seen |= 1 << self._newest - counter

    def _seal_into(self, wire: bytearray, keys: SessionKeys, kind: int, counter: int, body: object) -> bool:
        # False, with nothing sealed under this counter yet, if the frame would be beyond the MTU.
        inner = self._inner
        inner[:] = Header(kind, keys.session, counter, True).pack()
        cbor.encode_onto(inner, body)
        if len(inner) > frame.INNER_BYTES_MAX - TAG_BYTES:
            return False
        keys.seal_end(inner)
        frame.close(inner, wire)
        return True

    def _sealed(self, keys: SessionKeys, kind: int, counter: int, body: object) -> bytes:
        wire = bytearray()
        self._seal_into(wire, keys, kind, counter, body)
        return bytes(wire)


def _plain(kind: int, body: object) -> bytes:
    return frame.pack(Header(kind, 0, 0, True), cbor.encode(body))
