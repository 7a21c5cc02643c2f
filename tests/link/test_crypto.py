"""AES-CCM, HMAC and HKDF under both interpreters: the RFCs' vectors, and OpenSSL on random ones."""

import hashlib
import hmac
import random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

# RFC 3610, section 8: key, nonce, whole packet, and what CCM makes of all behind its first 8 bytes.
KEY = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
RFC_3610 = {
    1: (
        "00000003020100a0a1a2a3a4a5",
        bytes(range(0x1F)),
        "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0",
    ),
    2: (
        "00000004030201a0a1a2a3a4a5",
        bytes(range(0x20)),
        "72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3ba091d56e10400916",
    ),
    3: (
        "00000005040302a0a1a2a3a4a5",
        bytes(range(0x21)),
        "51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da8596574adaa76fbd9fb0c5",
    ),
}


@pytest.mark.parametrize("packet", RFC_3610)
def test_ccm_packet_of_rfc_3610_goes_both_ways(check, packet):
    nonce, data, sealed = RFC_3610[packet]
    question = {"key": KEY, "nonce": nonce, "aad": data[:8].hex()}
    check([({**question, "do": "aead_seal", "plain": data[8:].hex()}, sealed)])
    check([({**question, "do": "aead_open", "sealed": sealed}, data[8:].hex())])


def test_ccm_is_that_of_openssl_at_every_size_a_frame_can_have(check):
    rng = random.Random(3)
    seal, open_ = [], []
    for size in [*range(70), *range(120, 140), 255, 256, 257, 511, 512, 1000, 1004]:
        key, nonce = rng.randbytes(16), rng.randbytes(13)
        aad, plain = rng.randbytes(rng.choice((8, 8, 8, 0, 1, 13, 14, 15, 30, 64))), rng.randbytes(size)
        sealed = AESCCM(key, tag_length=8).encrypt(nonce, plain, aad).hex()
        question = {"key": key.hex(), "nonce": nonce.hex(), "aad": aad.hex()}
        seal.append(({**question, "do": "aead_seal", "plain": plain.hex()}, sealed))
        open_.append(({**question, "do": "aead_open", "sealed": sealed}, plain.hex()))
    check(seal)
    check(open_)


def test_any_flipped_bit_of_nonce_text_tag_or_header_keeps_it_shut(check):
    nonce, data, sealed = RFC_3610[1]
    question = {"do": "aead_flips", "key": KEY, "nonce": nonce, "aad": data[:8].hex(), "sealed": sealed}
    check([(question, [8 * (13 + 31 + 8), 0])])


def test_sealed_text_shorter_than_its_tag_keeps_shut(check):
    nonce, data, sealed = RFC_3610[1]
    question = {"do": "aead_open", "key": KEY, "nonce": nonce, "aad": data[:8].hex()}
    check([({**question, "sealed": sealed[: 2 * size]}, None) for size in range(31)])


# RFC 4231, section 4: key, data, HMAC-SHA-256. Cases 6 and 7 have a key longer than a block; of case 5 the RFC gives
# the first 128 bits.
RFC_4231 = {
    1: ("0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    2: (
        b"Jefe".hex(),
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    3: ("aa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    4: (
        bytes(range(1, 26)).hex(),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    5: ("0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    6: (
        "aa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    7: (
        "aa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
}


@pytest.mark.parametrize("case", RFC_4231)
def test_hmac_case_of_rfc_4231(ask, case):
    key, data, digest = RFC_4231[case]
    [answer] = ask([{"do": "hmac", "key": key, "data": data.hex()}])
    assert answer[: len(digest)] == digest


def test_hmac_is_that_of_the_standard_library_at_every_key_size(check):
    rng = random.Random(4)
    pairs = [(rng.randbytes(size), rng.randbytes(size * 3)) for size in range(1, 132)]
    check(
        [
            (
                {"do": "hmac", "key": key.hex(), "data": data.hex()},
                hmac.new(key, data, hashlib.sha256).hexdigest(),
            )
            for key, data in pairs
        ]
    )


# RFC 5869, appendix A, those with SHA-256: secret, salt, info, PRK, and the first 32 bytes of what is expanded.
RFC_5869 = {
    1: (
        bytes([0x0B]) * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
    ),
    2: (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
    ),
    3: (
        bytes([0x0B]) * 22,
        b"",
        b"",
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
    ),
}


@pytest.mark.parametrize("case", RFC_5869)
def test_hkdf_case_of_rfc_5869(check, case):
    secret, salt, info, prk, okm = RFC_5869[case]
    question = {"do": "hkdf", "secret": secret.hex(), "salt": salt.hex(), "info": info.hex()}
    check([({**question, "size": size}, [prk, okm[: 2 * size]]) for size in (1, 2, 8, 16, 32)])


def test_comparison_tells_equal_from_different_and_from_longer(check):
    pairs = [
        ("", "", True),
        ("00", "00", True),
        ("00", "01", False),
        ("00", "", False),
        ("0001", "00", False),
    ]
    pairs += [("ff" * 32, "ff" * 31 + "fe", False), ("ff" * 32, "ff" * 32, True), ("7fff", "ffff", False)]
    check([({"do": "is_equal", "left": left, "right": right}, same) for left, right, same in pairs])
