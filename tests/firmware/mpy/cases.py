"""What the test files inside MicroPython share: one function over several values, and checks that say why."""


class _Cases:
    def __init__(self, function, values):
        self.function = function
        self.values = values


def cases(*values):
    """Run the function once with each of the values. They must be literals: they are read from the source."""
    return lambda function: _Cases(function, values)


def equal(got, wanted, what=""):
    """Require equality; MicroPython's `assert` would not tell the values."""
    if got != wanted:
        raise AssertionError("%s: got %r, wanted %r" % (what, got, wanted))


def raises(error, function, *arguments):
    """Require that the call raises `error`; return what it raised."""
    try:
        function(*arguments)
    except error as raised:
        return raised
    raise AssertionError("%s was not raised" % error.__name__)
