"""protocol/doorpad.cddl as a check of single bodies, and an ear on the wire that puts every frame to it.

The check reads as much of RFC 8610 as the file uses: arrays, choices, ranges, sizes, literals. Alone, pycddl 0.6
sees the first of several records in a list only, takes text for bytes of a size, fails where an array may go on, and
reads a choice in an array only if it is a rule of its own. It has the second word on what the check accepts, and the
first on whether the file is CDDL at all.
"""

import itertools
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import reference

TEXT = (Path(__file__).parents[2] / "protocol" / "doorpad.cddl").read_text()
OPERATIONS = {int(number): name for name, number in re.findall(r"^([a-z-]+)-request = \[(\d+),", TEXT, re.M)}
# What this version emits has nothing behind the fields that it knows.
_CLOSED_TEXT = re.sub(r",( ;[^\n]*)?\s*\* more\b", "", TEXT)
_KINDS = ("hello", "hello-r", "auth", "auth-r", "request", "reply", "hint", "alert")
_TOKEN = re.compile(r"\s+|;[^\n]*|(\.\.|\.size|[a-z][a-z0-9-]*|\d+|[][()=:,/*+])")

Matches = Callable[[Any], bool]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_PRELUDE: dict[str, Matches] = {
    "any": lambda value: True,
    "int": _is_int,
    "nil": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "tstr": lambda value: isinstance(value, str),
    "bstr": lambda value: isinstance(value, bytes),
}


class Grammar:
    """The rules of the file by name. `closed`: nothing may stand where `* more` does."""

    def __init__(self, *, closed: bool) -> None:
        self._rules = dict(_PRELUDE)
        self._tokens: list[str] = []
        at = 0
        while at < len(TEXT):
            token = _TOKEN.match(TEXT, at)
            assert token is not None, f"not read: {TEXT[at : at + 40]!r}"
            self._tokens += filter(None, token.groups())
            at = token.end()
        while self._tokens:
            name, equals = self._take(), self._take()
            assert equals == "=" and name not in self._rules, name
            self._rules[name] = self._type()
        if closed:
            self._rules["more"] = lambda value: False

    def follows(self, rule: str, value: Any) -> bool:
        return self._rules[rule](value)

    def _take(self) -> str:
        return self._tokens.pop(0)

    def _next(self, *wanted: str) -> str | None:
        return self._take() if self._tokens and self._tokens[0] in wanted else None

    def _type(self) -> Matches:
        choices = [self._one()]
        while self._next("/"):
            choices.append(self._one())
        return lambda value: any(choice(value) for choice in choices)

    def _one(self) -> Matches:
        token = self._take()
        if token == "[":
            return self._array()
        if token.isdigit():
            low, high = int(token), int(self._take() if self._next("..") else token)
            return lambda value: _is_int(value) and low <= value <= high
        if self._next(".size"):
            assert token == "bstr"
            if self._next("("):
                low, _, high, _ = int(self._take()), self._take(), int(self._take()), self._take()
            else:
                low = high = int(self._take())
            return lambda value: isinstance(value, bytes) and low <= len(value) <= high
        return lambda value: self._rules[token](value)

    def _array(self) -> Matches:
        entries: list[tuple[str | None, Matches]] = []
        while not self._next("]"):
            occurs = self._next("*", "+")
            if self._tokens[1] == ":":  # a name for the reader
                del self._tokens[:2]
            entries.append((occurs, self._type()))
            self._next(",")

        def matches(value: Any) -> bool:
            if not isinstance(value, list):
                return False
            at = 0
            for occurs, entry in entries:
                least, most = (occurs != "*", len(value) if occurs else 1)
                count = 0
                while count < most and at < len(value) and entry(value[at]):
                    at += 1
                    count += 1
                if count < least:
                    return False
            return at == len(value)

        return matches


@cache
def _grammar(closed: bool) -> Grammar:
    return Grammar(closed=closed)


@cache
def _second_opinion(rule: str) -> pycddl.Schema:
    return pycddl.Schema(f"start = {rule}\n{_CLOSED_TEXT}")


def follows(rule: str, value: Any, *, closed: bool = True) -> bool:
    """Whether a body follows a rule. `closed` False: as a receiver sees it, to whom a later version may say more."""
    return _grammar(closed).follows(rule, value)


def rules_for(kind: int, value: Any) -> list[str]:
    """The rules of which a body has to follow one: for requests and replies those of its operation."""
    name = _KINDS[kind]
    if name not in ("request", "reply"):
        return [name]
    operation = OPERATIONS.get(value[0])
    if operation is None:
        return ["refusal" if name == "reply" else "unknown-request"]
    return [f"{operation}-{name}"] + (["refusal"] if name == "reply" else [])


def check(kind: int, body: bytes) -> str:
    """The rule that an opened body follows. Fails if it follows none."""
    value = cbor2.loads(body)
    rule = next((rule for rule in rules_for(kind, value) if follows(rule, value)), None)
    assert rule is not None, f"{value} does not follow {rules_for(kind, value)}"
    _second_opinion(rule).validate_cbor(body)
    assert cbor2.dumps(value) == body, f"not the shortest form: {body.hex()}"
    return rule


class Ear:
    """Hears the bytes of a line, opens what `keys` can open, and puts every body to the grammar.

    Args:
        keys: gives the keys of all sessions so far.
    """

    def __init__(self, keys: Callable[[], Iterable[reference.Keys]]) -> None:
        self._keys = keys
        self._seen: set[bytes] = set()
        self._rest: dict[bool, bytes] = {True: b"", False: b""}
        self.nonsense: set[str] = set()  # rules of requests that a test sends badly formed
        self.heard: list[tuple[str, Any]] = []  # (rule, body) of each frame, repetitions left out

    def hear(self, data: bytes, *, from_device: bool) -> None:
        """Take what one side sent. Fails for a frame that nobody can open or that follows no rule."""
        *pieces, self._rest[from_device] = (self._rest[from_device] + data).split(b"\0")
        for piece in pieces:
            if piece and piece not in self._seen:
                self._seen.add(piece)
                self._take(piece)

    def _take(self, piece: bytes) -> None:
        head, body = reference.parse(piece)
        kind = head[0] >> 2 & 7
        if kind in reference.SEALED:
            opened = (keys.opened(head, body) for keys in self._keys())
            body = next(itertools.chain(filter(None, opened), [b""]))
            assert body, f"nobody can open {piece.hex()}"
        value = cbor2.loads(body)
        if self.nonsense.isdisjoint(rules_for(kind, value)):
            self.heard.append((check(kind, body), value))
