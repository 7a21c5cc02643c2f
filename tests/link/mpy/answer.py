"""Answers questions about `doorpad_link`, one JSON object a line, alike under CPython and MicroPython.

Bytes are hexadecimal. A value of CBOR is JSON's own, but {"bytes": hex} and {"text": hex of its UTF-8}.
Under MicroPython: questions.jsonl to answers.jsonl in the working directory.
"""

import binascii
import hashlib
import json

from doorpad_link import cbor, cobs, frame, handshake, identity, x25519
from doorpad_link.aead import Aead
from doorpad_link.device import DeviceSession
from doorpad_link.handshake import SessionKeys
from doorpad_link.hkdf import Hmac, equal, expand, extract


def _hex(data):
    return None if data is None else binascii.hexlify(data).decode()


def _bytes(text):
    return binascii.unhexlify(text)


def _describe(value):
    if isinstance(value, bytes):
        return {"bytes": _hex(value)}
    if isinstance(value, str):
        return {"text": _hex(value.encode())}
    if isinstance(value, list):
        return [_describe(item) for item in value]
    return value


def _value(described):
    if isinstance(described, dict):
        if "bytes" in described:
            return _bytes(described["bytes"])
        return str(_bytes(described["text"]), "utf-8")
    if isinstance(described, list):
        return [_value(item) for item in described]
    return described


def cbor_encode(question):
    try:
        return _hex(cbor.encode(_value(question["value"])))
    except cbor.CborError:
        return "refused"


def cbor_decode(question):
    try:
        return [_describe(cbor.decode(_bytes(question["data"])))]
    except cbor.CborError:
        return "refused"


def cbor_cut(question):
    """At how many places the item can be cut, and how many of the cut ones are refused."""
    data = _bytes(question["data"])
    refused = 0
    for end in range(len(data)):
        try:
            cbor.decode(data[:end])
        except cbor.CborError:
            refused += 1
    return [len(data), refused]


def cobs_cut(question):
    """How many of the beginnings of what COBS made of the data are read as something, and as the data."""
    data = _bytes(question["data"])
    coded = cobs.encode(data)
    read = whole = 0
    for end in range(len(coded)):
        found = cobs.decode(coded[:end])
        read += found is not None
        whole += found == data
    return [read, whole]


def frame_cut(question):
    """Frames in the beginnings of a frame's bytes, each followed by a zero; the last byte left out is that zero."""
    wire = _bytes(question["data"])
    return sum([len(list(frame.Splitter().feed(wire[:end] + b"\x00"))) for end in range(len(wire) - 1)])


def identity_cut(question):
    """How many beginnings of a stored identity are one, with a right CRC behind each of them too."""
    data = _bytes(question["data"])
    found = 0
    for end in range(len(data) - 4):
        body = data[:end]
        found += identity.unpack(body) is not None
        found += identity.unpack(body + binascii.crc32(body).to_bytes(4, "big")) is not None
    return found


def cobs_encode(question):
    return _hex(cobs.encode(_bytes(question["data"])))


def cobs_decode(question):
    return _hex(cobs.decode(_bytes(question["data"])))


def aead_seal(question):
    aead = Aead(_bytes(question["key"]))
    return _hex(aead.seal(_bytes(question["nonce"]), _bytes(question["plain"]), _bytes(question["aad"])))


def aead_open(question):
    aead = Aead(_bytes(question["key"]))
    sealed = bytearray(_bytes(question["sealed"]))  # opened in place
    return _hex(aead.open(_bytes(question["nonce"]), sealed, _bytes(question["aad"])))


def aead_flips(question):
    """How many single-bit changes of sealed, aad and nonce there are, and how many of them open."""
    aead = Aead(_bytes(question["key"]))
    parts = [_bytes(question[name]) for name in ("nonce", "sealed", "aad")]
    tried = opened = 0
    for place, part in enumerate(parts):
        for bit in range(8 * len(part)):
            changed = list(parts)
            changed[place] = _flipped(part, bit)
            tried += 1
            nonce, sealed, aad = changed
            opened += aead.open(nonce, bytearray(sealed), aad) is not None
    return [tried, opened]


def hmac(question):
    return _hex(Hmac(_bytes(question["key"])).digest(_bytes(question["data"])))


def hkdf(question):
    prk = extract(_bytes(question["salt"]), _bytes(question["secret"]))
    return [_hex(prk), _hex(expand(prk, _bytes(question["info"]), question["size"]))]


def is_equal(question):
    return equal(_bytes(question["left"]), _bytes(question["right"]))


def frame_pack(question):
    header = frame.Header(question["kind"], question["session"], question["counter"], question["from_device"])
    try:
        return _hex(frame.pack(header, _bytes(question["body"])))
    except ValueError:
        return "refused"


def _tell(frames):
    return [
        [header.kind, header.session, header.counter, header.from_device, _hex(body)]
        for header, body in frames
    ]


def frames_of(question):
    """Feed the chunks to a splitter; return the frames, what was dropped, and the most that was held."""
    splitter = frame.Splitter()
    frames = []
    held = 0
    data = _bytes(question["data"])
    at = 0
    for size in question["sizes"]:
        frames += _tell(splitter.feed(data[at : at + size]))
        held = max(held, splitter.held)
        at += size
    frames += _tell(splitter.feed(data[at:]))
    return [frames, splitter.dropped, held <= frame.MTU_BYTES + 5]


def _flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def frame_flips(question):
    """How many changes of one or two bits of a frame's bytes there are, and how many still give a frame."""
    wire = _bytes(question["data"])
    bits = 8 * len(wire)
    tried = accepted = 0
    for first in range(bits):
        once = _flipped(wire, first)
        for second in range(first, bits if question["double"] else first + 1):
            tried += 1
            changed = once if second == first else _flipped(once, second)
            accepted += len(list(frame.Splitter().feed(changed + b"\x00")))
    return [tried, accepted]


def session_keys(question):
    keys = SessionKeys(_bytes(question["psk"]), _bytes(question["hello"]), _bytes(question["hello_r"]))
    return [_hex(keys.device_proof), _hex(keys.host_proof), keys.session]


def next_key(question):
    """The public key of a private one, and the key that follows from it and the other end's public one."""
    names = ("private", "other", "psk", "next_host_id", "hub_public", "keypad_public")
    private, other, psk, *said = [_bytes(question[name]) for name in names]
    shared = x25519.exchange(private, other)
    return [_hex(x25519.public(private)), _hex(handshake.next_key(psk, shared, *said))]


def device_answers(question):
    """What a keypad with these ids, key and random numbers answers to each of the frames.

    `results`, if given: status and result of each request done; else `status` and the arguments.
    """
    results = _value(question.get("results", []))
    session = DeviceSession(
        _bytes(question["device_id"]),
        _bytes(question["boot_id"]),
        [(_bytes(question["host_id"]), _bytes(question["psk"]))],
        _value(question["capabilities"]),
        lambda size: _bytes(question["random"])[:size],
        lambda maker, op, body: results.pop(0) if results else (question["status"], body),
    )
    answers = [_hex(session.receive(_bytes(wire), 1000)) for wire in question["frames"]]
    return answers + [_hex(session.hint(*question["hint"])), session.is_open, session.forged]


class _Noise:
    """Pseudo-random bytes that are the same in both interpreters: a chain of SHA-256."""

    def __init__(self, seed):
        self._state = hashlib.sha256(str(seed).encode()).digest()

    def take(self):
        self._state = hashlib.sha256(self._state).digest()
        return self._state


def device_survives(question):
    """Feed a keypad noise, or intact frames of noise; return [most bytes held, answered, served, is open]."""
    served = []

    def serve(maker, op, body):
        served.append(op)
        return 0, body

    noise = _Noise(question["seed"])
    psk = bytes(range(32))
    session = DeviceSession(b"device--", b"boot----", [(b"host----", psk)], [1], lambda n: bytes(n), serve)
    fed = held = answers = 0
    while fed < question["bytes"]:
        if question["framed"]:
            chunk = b"".join([_frame_of_noise(noise.take()) for _ in range(8)])
        else:
            chunk = b"".join([noise.take() for _ in range(16)])
        fed += len(chunk)
        answers += len(session.receive(chunk, 1)) > 0
        held = max(held, session._splitter.held)
    return [held, answers > 0, len(served), session.is_open]


# Heads of items as the keypad expects them, so that noise gets past the first check.
_HEADS = (
    b"",
    b"\x84\x01\x01\x50",
    b"\x81\x50",
    b"\x84\x01\x01",
    b"\x82",
    b"\x84",
    b"\x9a\xff\xff\xff\xff",
    b"\x83\x01",
)


def _frame_of_noise(noise):
    header = frame.Header(noise[0] % 8, noise[1] << 8 | noise[2], noise[3], noise[4] < 20)
    body = _HEADS[noise[5] % len(_HEADS)] + noise[6 : 6 + noise[6] % 27]
    if noise[5] == 1:
        body = cbor.encode([1, 1, noise[:16], b"host----"])
    return frame.pack(header, body)


def answer(question):
    """Answer one question: `do` names one of the functions above."""
    return globals()[question["do"]](question)


def main():
    with open("questions.jsonl") as questions, open("answers.jsonl", "w") as answers:
        for line in questions:
            answers.write(json.dumps(answer(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
