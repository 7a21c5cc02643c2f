"""What fuzzing throws bytes at: each parser of the link, with what must hold of its answer whatever comes.

Runs under CPython, where the inputs are searched for, and inside MicroPython, where what was found is played again.
A target takes any bytes. It returns, or raises AssertionError for a broken promise; what else it raises is a defect.
"""

import binascii

from doorpad_link import cbor, cobs, frame, identity
from doorpad_link.device import WINDOW, DeviceSession
from doorpad_link.frame import Header
from doorpad_link.handshake import SessionKeys, key_id

HOST_ID = b"hub----1"
DEVICE_ID = b"keypad-1"
BOOT_ID = b"boot---1"
PSK = bytes(range(100, 132))
HOST_NONCE = bytes(range(16))
_CAPABILITIES = [1024, WINDOW, 3584, 4096, 4, 12, "0.1.0"]
_OP = 17


class Script:
    """Reads fuzzed bytes as a list of moves: one byte that chooses, one of length, and so many of content."""

    def __init__(self, data):
        self._data = data
        self._at = 0

    def moves(self):
        while self._at < len(self._data):
            choice = self._data[self._at]
            size = self._data[self._at + 1] if self._at + 1 < len(self._data) else 0
            self._at += 2
            content = self._data[self._at : self._at + size]
            self._at += size
            yield choice, content


def cbor_item(data):
    try:
        value = cbor.decode(data)
    except cbor.CborError:
        return
    assert cbor.encode(value) == data, "an item with two encodings was read"


def cobs_group(data):
    plain = cobs.decode(data)
    if plain is not None:
        assert len(plain) < len(data), "more came out than went in"
        if 0 not in data:  # what stands between two zeros
            assert cobs.decode(cobs.encode(plain)) == plain
    coded = cobs.encode(data)
    assert 0 not in coded and cobs.decode(coded) == data


def _taken(splitter, data):
    return [(header.pack(), bytes(body)) for header, body in splitter.feed(data)]


def splitter(data):
    whole, bytewise = frame.Splitter(64), frame.Splitter()
    found = _taken(whole, data)
    again = []
    for at in range(0, len(data), 7):
        again += _taken(bytewise, data[at : at + 7])
    assert again == found and bytewise.dropped == whole.dropped
    assert len(whole.unframed()) <= 64


def stored_identity(data):
    assert identity.unpack(data) is None or identity.pack(identity.unpack(data)) == data
    whole = data + binascii.crc32(data).to_bytes(4, "big")
    found = identity.unpack(whole)
    assert found is None or identity.pack(found) == whole


class _Keypad:
    def __init__(self):
        self.done = []
        self.session = DeviceSession(
            DEVICE_ID, BOOT_ID, [(HOST_ID, PSK)], _CAPABILITIES, lambda size: b"\xf0" * size, self._serve
        )

    def _serve(self, maker, op, body):
        assert maker == 1
        self.done.append((op, body))
        return 0, body


def _hello():
    return cbor.encode([1, 1, HOST_NONCE, HOST_ID])


def _session_keys():
    answer = [1, b"\xf0" * 16, DEVICE_ID, BOOT_ID, key_id(PSK), b""]
    return SessionKeys(PSK, _hello(), cbor.encode(answer)), answer


def keypad(data):
    """The keypad's end. Moves: bytes, unsealed frames, and what only the hub can say: sealed bodies of any form."""
    end = _Keypad()
    keys, _ = _session_keys()
    sealed = set()  # bodies sealed in this session by their counters
    for choice, content in Script(data).moves():
        kind = choice >> 3 & 7
        doing = choice & 7
        out = b""
        before = len(end.done)
        if doing == 0:
            out = end.session.receive(content, choice)
        elif doing == 1:
            out = end.session.receive(frame.pack(Header(kind, 0, 0, choice > 127), content), choice)
        elif doing == 2:
            out = end.session.receive(frame.pack(Header(frame.HELLO, 0, 0, False), _hello()), 1000)
        elif doing == 3:
            proof = cbor.encode([keys.host_proof])
            out = end.session.receive(frame.pack(Header(frame.AUTH, 0, 0, False), proof), 1000)
        elif doing == 4 and content:
            header = Header(frame.REQ, keys.session, content[0], False)
            sealed.add(content[0])
            out = end.session.receive(frame.pack(header, keys.seal(header, content[1:])), 10)
        elif doing == 5:
            header = Header(kind, keys.session, len(content), choice > 127)
            out = end.session.receive(frame.pack(header, content), 10)
        elif doing == 6:
            out = end.session.hint(choice, len(content))
        _from_keypad(out)
        assert len(end.done) == before or doing in (0, 4), "something unsealed was done"
    assert len(end.done) <= len(sealed), "a request was done twice"


def _from_keypad(out):
    splitter = frame.Splitter()
    assert len(_taken(splitter, out)) == out.count(b"\0") // 2 and splitter.dropped == 0, "not whole frames"


def hub(data):
    """The hub's end. Moves: bytes, unsealed frames, sealed bodies of any form, and time that passes."""
    from doorpad_link import host

    end = host.HostSession(HOST_ID, lambda device_id: PSK, lambda size: HOST_NONCE[:size])
    keys, answer = _session_keys()
    now_ms = 0
    asked = {}
    end.start(now_ms)
    for choice, content in Script(data).moves():
        kind = choice >> 3 & 7
        doing = choice & 7
        wire = b""
        if doing == 0:
            wire = content
        elif doing == 1:
            wire = frame.pack(Header(kind, 0, 0, True), content)
        elif doing == 2:
            wire = frame.pack(
                Header(frame.HELLO_R, 0, 0, True), cbor.encode(answer[:5] + [keys.device_proof])
            )
        elif doing == 3 and content:
            header = Header(kind, keys.session, content[0], True)
            wire = frame.pack(header, keys.seal(header, content[1:]))
        elif doing == 4:
            header = Header(frame.AUTH_R, keys.session, 0, True)
            body = cbor.encode([0] + _CAPABILITIES + [1])
            wire = frame.pack(header, keys.seal(header, body))
        elif doing == 5 and end.state == host.OPEN and end.unanswered < 32:
            asked[end.request(_OP, content, now_ms)] = content
        elif doing == 6:
            header = Header(frame.REP, keys.session, choice >> 3, True)
            wire = frame.pack(header, keys.seal(header, cbor.encode([_OP, 0, content])))
        elif doing == 7:
            now_ms += choice * 16
            end.on_time(now_ms)
        for event in end.receive(wire, now_ms):
            if isinstance(event, host.Replied):
                assert asked.pop(event.number, None) is not None, (
                    "a reply to nothing, or the second to one request"
                )
        assert end.unanswered <= 32
        out = end.take_output()
        sent = [header.from_device for header, _ in frame.Splitter().feed(out)]
        assert sent == [False] * (out.count(b"\0") // 2), "not whole frames of a hub"
        assert len(end.unframed()) <= 2048


TARGETS = {
    "cbor": cbor_item,
    "cobs": cobs_group,
    "hub": hub,
    "identity": stored_identity,
    "keypad": keypad,
    "splitter": splitter,
}
