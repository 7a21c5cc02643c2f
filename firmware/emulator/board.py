"""The wires of an emulated board: pin levels, and the key switches between rows and columns."""

from wiring import COLUMNS, KEYS, OUTPUTS, ROWS

_driven = {}  # output pin -> level
_closed = set()  # (row pin, column pin) of the keys that are down
_falling = {}  # column pin -> handler
_watchers = []


def watch(callback):
    """Have `callback(name, level)` called at every change of a named output."""
    _watchers.append(callback)


def drive(pin, level):
    """An output takes a level."""
    before = _level_of_columns()
    changed = _driven.get(pin) != level
    _driven[pin] = level
    if changed and pin in OUTPUTS:
        for callback in _watchers:
            callback(OUTPUTS[pin], level)
    _interrupt(before)


def read(pin):
    """The level at a pin: a column is low when a key connects it to a low row, else pulled up."""
    if pin in COLUMNS:
        return 0 if any(column == pin and _driven.get(row) == 0 for row, column in _closed) else 1
    return _driven.get(pin, 0)


def on_falling(pin, handler):
    _falling[pin] = handler


def switch(key, down):
    """Close or open the switch of a key. Raises ValueError for a key that is not there."""
    for row, keys in zip(ROWS, KEYS):
        if key in keys:
            contact = (row, COLUMNS[keys.index(key)])
            break
    else:
        raise ValueError("no such key: %s" % key)
    before = _level_of_columns()
    if down:
        _closed.add(contact)
    else:
        _closed.discard(contact)
    _interrupt(before)


def _level_of_columns():
    return [read(pin) for pin in COLUMNS]


def _interrupt(before):
    for pin, old, new in zip(COLUMNS, before, _level_of_columns()):
        if old and not new and pin in _falling:
            _falling[pin]()
