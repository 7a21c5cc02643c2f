"""The digest of a slot table: whether two sides mean the same table, and if not, where they differ.

    slot   first 8 bytes of SHA-256(number[2] | version[4]), as a big-endian number
    page   sum modulo 2**64 of its used slots; page p holds the slots 32 p + 1 to 32 p + 32
    root   sum modulo 2**64 of all pages

A version names a slot's whole content, for no version is given twice. A sum changes by two hashes when a slot
changes, where a tree of hashes would read a page of flash anew. It guards against loss and error: nobody else
can put a word into a sealed session.
"""

from doorpad_link.hkdf import sha256

PAGE_SLOTS = 32
DIGEST_BYTES = 8
_MASK = (1 << 64) - 1


def slot_digest(number: int, version: int) -> int:
    return int.from_bytes(
        sha256(number.to_bytes(2, "big") + version.to_bytes(4, "big"))[:DIGEST_BYTES], "big"
    )


class Digest:
    """Page sums of a table of `slots` slots, one after the other, 8 bytes each."""

    def __init__(self, slots: int) -> None:
        self._pages = bytearray((slots + PAGE_SLOTS - 1) // PAGE_SLOTS * DIGEST_BYTES)

    def add(self, number: int, version: int) -> None:
        """A slot came to hold a code at this version."""
        self._change(number, slot_digest(number, version))

    def remove(self, number: int, version: int) -> None:
        """A slot no longer holds a code at this version."""
        self._change(number, -slot_digest(number, version))

    def forget(self, number: int) -> None:
        """Empty the page of a slot, to be summed anew."""
        start = (number - 1) // PAGE_SLOTS * DIGEST_BYTES
        self._pages[start : start + DIGEST_BYTES] = bytes(DIGEST_BYTES)

    def _change(self, number: int, by: int) -> None:
        page = (number - 1) // PAGE_SLOTS
        total = int.from_bytes(self.page(page), "big") + by & _MASK
        self._pages[page * DIGEST_BYTES : (page + 1) * DIGEST_BYTES] = total.to_bytes(DIGEST_BYTES, "big")

    @property
    def page_count(self) -> int:
        return len(self._pages) // DIGEST_BYTES

    def page(self, page: int) -> bytes:
        return bytes(self._pages[page * DIGEST_BYTES : (page + 1) * DIGEST_BYTES])

    def root(self) -> bytes:
        total = 0
        for page in range(self.page_count):
            total += int.from_bytes(self.page(page), "big")
        return (total & _MASK).to_bytes(DIGEST_BYTES, "big")
