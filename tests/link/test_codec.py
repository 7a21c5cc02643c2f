"""CBOR and COBS under both interpreters, against cbor2, the RFC's own examples and hand-made vectors."""

import random
from typing import Any

import cbor2
import pytest
import reference
from cobs import cobs as published


def _described(value: Any) -> Any:
    match value:
        case bytes():
            return {"bytes": value.hex()}
        case str():
            return {"text": value.encode().hex()}
        case list():
            return [_described(item) for item in value]
    return value


INTEGERS = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1]
INTEGERS += [-n for n in INTEGERS[1:]] + [-(2**32)]


def _random_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind in (1, 2):
        return rng.choice(INTEGERS) if rng.random() < 0.5 else rng.randrange(-(2**32), 2**32)
    if kind in (3, 4):
        return rng.randbytes(rng.choice([0, 1, 23, 24, 40, 255, 256, 300]))
    if kind == 5:
        return "".join(rng.choice("aZ0 é€😀\0") for _ in range(rng.randrange(12)))
    return [_random_value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 5, 24]) if depth < 2 else 2)]


@pytest.mark.parametrize("seed", range(3))
def test_random_values_are_encoded_as_cbor2_does_and_come_back(check, seed):
    rng = random.Random(seed)
    values = INTEGERS + [_random_value(rng) for _ in range(200)]
    pairs = [(_described(value), cbor2.dumps(value, canonical=True).hex()) for value in values]
    check([({"do": "cbor_encode", "value": value}, data) for value, data in pairs])
    check([({"do": "cbor_decode", "data": data}, [value]) for value, data in pairs])


# RFC 8949, appendix A, whole: what the link reads, and what it refuses.
READ: dict[str, Any] = {
    "00": 0, "01": 1, "0a": 10, "17": 23, "1818": 24, "1819": 25, "1864": 100, "1903e8": 1000,
    "1a000f4240": 1_000_000, "20": -1, "29": -10, "3863": -100, "3903e7": -1000,
    "f4": False, "f5": True, "f6": None, "40": b"", "4401020304": b"\1\2\3\4",
    "60": "", "6161": "a", "6449455446": "IETF", "62225c": '"\\', "62c3bc": "ü", "63e6b0b4": "水",
    "64f0908591": "𐅑", "80": [], "83010203": [1, 2, 3], "8301820203820405": [1, [2, 3], [4, 5]],
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819": list(range(1, 26)),
}  # fmt: skip
OTHERS = """
    1b000000e8d4a51000 1bffffffffffffffff c249010000000000000000 3bffffffffffffffff c349010000000000000000
    f90000 f98000 f93c00 fb3ff199999999999a f93e00 f97bff fa47c35000 fa7f7fffff fb7e37e43c8800759c f90001
    f90400 f9c400 fbc010666666666666 f97c00 f97e00 f9fc00 fa7f800000 fa7fc00000 faff800000 fb7ff0000000000000
    fb7ff8000000000000 fbfff0000000000000 f7 f0 f8ff c074323031332d30332d32315432303a30343a30305a
    c11a514b67b0 c1fb41d452d9ec200000 d74401020304 d818456449455446
    d82076687474703a2f2f7777772e6578616d706c652e636f6d a0 a201020304 a26161016162820203 826161a161626163
    a56161614161626142616361436164614461656145 5f42010243030405ff 7f657374726561646d696e67ff 9fff
    9f018202039f0405ffff 9f01820203820405ff 83018202039f0405ff 83019f0203ff820405
    9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff bf61610161629f0203ffff 826161bf61626163ff
    bf6346756ef563416d7421ff
"""


def test_examples_of_rfc_8949_appendix_a_are_read_or_refused(check):
    others = OTHERS.split()
    assert len(READ) + len(others) == 81
    for data in others:
        cbor2.loads(bytes.fromhex(data))  # an example of the RFC, and no slip of ours
    check([({"do": "cbor_decode", "data": data}, [_described(value)]) for data, value in READ.items()])
    check([({"do": "cbor_encode", "value": _described(value)}, data) for data, value in READ.items()])
    check([({"do": "cbor_decode", "data": data}, "refused") for data in others])


REFUSED = {
    "nothing": "",
    "two items": "0000",
    "64-bit integer": "1b0000000100000000",
    "64-bit negative integer": "3b0000000100000000",
    "reserved lengths 28 to 30": "1c 1d 1e 5c 7d 9e",
    "indefinite bytes": "5f42010243030405ff",
    "indefinite text": "7f657374726561646d696e67ff",
    "indefinite array": "9fff",
    "indefinite map": "bfff",
    "break alone": "ff",
    "map": "a0 a10102",
    "tag": "c000 c11a514b67b0 d74401020304",
    "float": "f90000 fa47c35000 fb3ff199999999999a f97e00",
    "undefined and simple values": "f7 f0 f8ff e0 f3 f818",
    "longer head than needed": "1817 1900ff 1a0000ffff 3817 3900ff 5800 580100 590001aa 7800 9800 980100 990000",
    "length beyond the data": "41 5818 59ffff 5affffffff 5a7fffffff 61 7affffffff",
    "array longer than its bytes": "81 9818 99ffff 9affffffff 9a7fffffff 8400",
    "nested five deep": "8181818180 818181818100 84818181818000000",
    "text that is not UTF-8": "61ff 6180 62c328 63e28228 64f09f9880ff 62c0 61c3",
    "overlong UTF-8": "62c080 62c1bf 63e08080 64f0808080",
    "surrogates in UTF-8": "63eda080 63edbfbf",
    "beyond Unicode": "64f4908080 64f7bfbfbf",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_link_does_not_use_is_refused_and_nothing_else_happens(check, what):
    items = REFUSED[what].split() or [""]
    items = [item if len(item) % 2 == 0 else item + "0" for item in items]
    check([({"do": "cbor_decode", "data": data}, "refused") for data in items])


def test_arrays_nested_four_deep_are_read(check):
    check([({"do": "cbor_decode", "data": "8181818107"}, [[[[[7]]]]])])


def test_values_outside_of_the_links_cbor_are_not_encoded(check):
    values = [2**32, -(2**32) - 1, 2**64, 1.5, [1.5], [[2**40]]]
    check([({"do": "cbor_encode", "value": value}, "refused") for value in values])


def test_item_cut_at_any_byte_is_refused(check):
    rng = random.Random(7)
    items = [cbor2.dumps(_random_value(rng), canonical=True) for _ in range(40)]
    items.append(
        cbor2.dumps([30, 0, [[n, 800_000_000, b"x" * 16, "text"] for n in range(9)]], canonical=True)
    )
    check([({"do": "cbor_cut", "data": item.hex()}, [len(item), len(item)]) for item in items])


@pytest.mark.parametrize("seed", range(2))
def test_random_bytes_are_read_as_cbor2_reads_them_or_refused(ask, seed):
    """cbor2 reads more than the link: what the link reads must be the same there, and encode back to itself."""
    rng = random.Random(seed)
    heads = b"\x00\x18\x19\x1a\x20\x38\x40\x43\x58\x60\x63\x78\x80\x82\x83\x98\xf4\xf5\xf6"
    items = []
    for _ in range(2000):
        items.append(
            bytes(
                rng.choice(heads) if rng.random() < 0.6 else rng.randrange(256)
                for _ in range(rng.randrange(1, 12))
            )
        )
    answers = ask([{"do": "cbor_decode", "data": item.hex()} for item in items])
    read = 0
    for item, answer in zip(items, answers, strict=True):
        if answer == "refused":
            continue
        read += 1
        value = cbor2.loads(item)
        assert answer == [_described(value)], item.hex()
        assert cbor2.dumps(value, canonical=True) == item, "an item with two encodings was read"
    assert read > 50


# Hand-made: the examples of the paper's Wikipedia article, the last five at the limit of a group.
COBS = [
    (bytes([0x00]), bytes([0x01, 0x01])),
    (bytes([0x00, 0x00]), bytes([0x01, 0x01, 0x01])),
    (bytes([0x00, 0x11, 0x00]), bytes([0x01, 0x02, 0x11, 0x01])),
    (bytes([0x11, 0x22, 0x00, 0x33]), bytes([0x03, 0x11, 0x22, 0x02, 0x33])),
    (bytes([0x11, 0x22, 0x33, 0x44]), bytes([0x05, 0x11, 0x22, 0x33, 0x44])),
    (bytes([0x11, 0x00, 0x00, 0x00]), bytes([0x02, 0x11, 0x01, 0x01, 0x01])),
    (bytes(range(1, 255)), bytes([255, *range(1, 255)])),
    (bytes(range(255)), bytes([1, 255, *range(1, 255)])),
    (bytes(range(1, 256)), bytes([255, *range(1, 255), 2, 255])),
    (bytes([*range(2, 256), 0]), bytes([255, *range(2, 256), 1, 1])),
    (bytes([*range(3, 256), 0, 1]), bytes([254, *range(3, 256), 2, 1])),
]


def test_cobs_examples_go_both_ways(check):
    check([({"do": "cobs_encode", "data": plain.hex()}, coded.hex()) for plain, coded in COBS])
    check([({"do": "cobs_decode", "data": coded.hex()}, plain.hex()) for plain, coded in COBS])


def _payloads() -> list[bytes]:
    rng = random.Random(11)
    payloads = []
    for size in [*range(12), *range(250, 260), *range(505, 513), 600, 1024]:
        payloads.append(bytes(size))
        payloads.append(b"\xff" * size)
        payloads.append(bytes(n % 255 + 1 for n in range(size)))
        payloads.append(rng.randbytes(size))
        payloads.append(bytes(rng.choice((0, 1)) for _ in range(size)))
        if size:
            payloads.append(b"\x01" * (size - 1) + b"\0")
            payloads.append(b"\0" + b"\x01" * (size - 1))
    return payloads


def test_cobs_is_that_of_a_second_implementation_at_every_edge(check):
    pairs = [(payload.hex(), reference.cobs(payload).hex()) for payload in _payloads()]
    check([({"do": "cobs_encode", "data": plain}, coded) for plain, coded in pairs])
    check([({"do": "cobs_decode", "data": coded}, plain) for plain, coded in pairs])


def test_cobs_is_that_of_the_published_package(ask):
    rng = random.Random(13)
    payloads = [*_payloads(), *(rng.randbytes(rng.randrange(600)) for _ in range(200))]
    coded = ask([{"do": "cobs_encode", "data": payload.hex()} for payload in payloads])
    assert coded == [published.encode(payload).hex() for payload in payloads]
    noise = [
        bytes(rng.choice((0, 1, 2, 3, 254, 255)) for _ in range(rng.randrange(1, 9))) for _ in range(500)
    ]
    decoded = ask([{"do": "cobs_decode", "data": data.hex()} for data in noise])
    for data, plain in zip(noise, decoded, strict=True):
        try:
            wanted = published.decode(data).hex()
        except published.DecodeError:
            assert plain is None or 0 in data, "what stands between two zeros has none"
        else:
            assert plain == wanted, data.hex()


def test_cobs_round_trip_at_every_length_to_600_has_no_zero_inside(ask):
    rng = random.Random(12)
    payloads = [
        bytes(rng.choice((0, 7, 255)) if rng.random() < 0.01 else 7 for _ in range(n)) for n in range(601)
    ]
    coded = ask([{"do": "cobs_encode", "data": payload.hex()} for payload in payloads])
    assert all(0 not in bytes.fromhex(item) for item in coded)
    assert all(
        len(item) // 2 <= len(payload) + len(payload) // 254 + 1
        for item, payload in zip(coded, payloads, strict=True)
    )
    assert ask([{"do": "cobs_decode", "data": item} for item in coded]) == [p.hex() for p in payloads]


def test_cobs_cut_at_any_byte_is_never_the_whole(ask):
    """A beginning that ends with a group is COBS of its own: that it is not the whole, the CRC of a frame tells."""
    answers = ask([{"do": "cobs_cut", "data": payload.hex()} for payload in _payloads() if payload])
    assert sum(whole for _, whole in answers) == 0
    assert sum(read for read, _ in answers) > 0


@pytest.mark.parametrize("coded", ["", "00", "02", "0300", "05112233", "ff01", "0000", "010001", "0211ff01"])
def test_bytes_that_are_no_cobs_are_refused(check, coded):
    check([({"do": "cobs_decode", "data": coded}, None)])
