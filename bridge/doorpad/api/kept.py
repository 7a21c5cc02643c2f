"""Replies that are given again for as long as they would be made the same.

What a reply shows comes from the database and from the clock. Every change of the database goes through this
process, so a commit, of whatever, ends all of them; and a reply that the clock will change says when.
"""

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.database import Database

_BYTES_MAX = 64 << 20  # of all together
_REPLY_BYTES_MAX = 8 << 20  # a longer one would drive out too many others

# Path, query, body, and whether a read-only key asks: all that an answer is made from, besides database and clock.
Question = tuple[str, bytes, bytes, bool]


class _Kept(msgspec.Struct, frozen=True, gc=False):
    body: bytes
    from_ms: int
    until_ms: int


class KeptReplies:
    """`version` counts the commits: a reply is kept only if none came while it was made."""

    def __init__(self, database: Database) -> None:
        self.version = 0
        self._kept: dict[Question, _Kept] = {}
        self._bytes = 0
        database.after_commit.append(self._forget)

    def get(self, question: Question, now_ms: int) -> bytes | None:
        """The body of the reply, or None if it has to be made."""
        kept = self._kept.get(question)
        # Not before it was made either: a clock can be set back.
        return kept.body if kept is not None and kept.from_ms <= now_ms < kept.until_ms else None

    def keep(self, question: Question, body: bytes, version: int, from_ms: int, until_ms: int) -> None:
        """Keep a reply.

        Args:
            version: that of before the database was asked.
            from_ms, until_ms: the times between which it is the same, the second excluded.
        """
        size = _size(question, body)
        if version != self.version or size > _REPLY_BYTES_MAX:
            return
        if question in self._kept:
            self._bytes -= _size(question, self._kept.pop(question).body)
        if self._bytes + size > _BYTES_MAX:
            self._empty()
        self._kept[question] = _Kept(body, from_ms, until_ms)
        self._bytes += size

    def _forget(self, _session: AsyncSession) -> None:
        self.version += 1
        self._empty()

    def _empty(self) -> None:
        self._kept.clear()
        self._bytes = 0


def _size(question: Question, body: bytes) -> int:
    return len(body) + len(question[1]) + len(question[2])
