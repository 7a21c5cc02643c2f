"""X25519 in the keypad's interpreter, against the vectors of RFC 7748."""

from doorpad_link import x25519

# Section 5.2, the first two vectors.
_SCALAR_1 = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"
_POINT_1 = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"
_RESULT_1 = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
_SCALAR_2 = "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"
_POINT_2 = "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"
_RESULT_2 = "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"


def test_vectors_of_the_standard_give_its_results():
    for scalar, point, result in ((_SCALAR_1, _POINT_1, _RESULT_1), (_SCALAR_2, _POINT_2, _RESULT_2)):
        assert x25519.exchange(bytes.fromhex(scalar), bytes.fromhex(point)).hex() == result


def test_both_sides_come_to_one_secret():
    first, second = bytes(range(32)), bytes(range(100, 132))
    one = x25519.exchange(first, x25519.public(second))
    other = x25519.exchange(second, x25519.public(first))
    assert one == other != bytes(32)


def test_point_of_small_order_gives_the_zero_secret():
    for point in (bytes(32), b"\x01" + bytes(31)):
        assert x25519.exchange(bytes(range(32)), point) == bytes(32)
