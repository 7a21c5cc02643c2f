"""The wires of an emulated board: pin levels, the key switches between rows and columns, and the contacts."""

from wiring import CLOCK_CHIP, COLUMNS, INPUTS, KEYS, OUTPUTS, ROWS, WIEGAND

_driven = {}  # output pin -> level
_outside = {
    pin: 1 - active for pin, active in INPUTS.values()
}  # input pin -> level that its contact gives it
_closed = set()  # (row pin, column pin) of the keys that are down
_falling = {}  # column pin -> handler
_changing = {}  # input pin -> handler
_watchers = []
_hosts = []


def watch(callback):
    """Have `callback(name, level)` called at every change of a named output."""
    _watchers.append(callback)


def on_tell(callback):
    """Have `callback(message)` called with what the board's host must know to play its part of the hardware."""
    _hosts.append(callback)


def tell(message):
    for callback in _hosts:
        callback(message)


def drive(pin, level):
    """An output takes a level."""
    if pin == CLOCK_CHIP[1] and level and not _driven.get(pin):
        import ds3231  # here: a board that never looks for the chip has no room for it

        ds3231.clocked()
    before = _level_of_columns()
    changed = _driven.get(pin, 0) != level  # undriven, its resistor holds it low
    _driven[pin] = level
    if changed and pin in OUTPUTS:
        for callback in _watchers:
            callback(OUTPUTS[pin], level)
    _interrupt(before)


def read(pin):
    """The level at a pin: a column is low when a key connects it to a low row, else pulled up."""
    if pin in COLUMNS:
        return 0 if any(column == pin and _driven.get(row) == 0 for row, column in _closed) else 1
    if pin == CLOCK_CHIP[0]:
        import ds3231

        return ds3231.sda()
    return _outside[pin] if pin in _outside else _driven.get(pin, 0)


def on_falling(pin, handler):
    _falling[pin] = handler


def pulse(bit):
    """Pull one of the two wires of the Wiegand line low for a moment: D0 for a zero, D1 for a one."""
    pin = WIEGAND[bit]
    if pin in _falling:
        _falling[pin]()


def on_change(pin, handler):
    _changing[pin] = handler


def contact(name, active):
    """Press the exit button, open door or case, set the jumper; or undo it. Raises ValueError for no such input."""
    if name not in INPUTS:
        raise ValueError("no such input: %s" % name)
    pin, active_level = INPUTS[name]
    level = active_level if active else 1 - active_level
    if _outside[pin] != level:
        _outside[pin] = level
        if pin in _changing:
            _changing[pin]()


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
