"""Code that is needed seldom: it is imported when it is called for, and does not stay on the heap.

A module is kept alive by any of its functions, and by any object of its classes: nothing of the kind may be left
behind by such a call, or all of the module stays and a second copy joins it at the next one.
"""

import sys


def call(name, function, *arguments):
    """Import the module `name`, return what its `function` returns, and forget the module."""
    __import__(name)
    try:
        return getattr(sys.modules[name], function)(*arguments)
    finally:
        forget(name)


def forget(name):
    """Let go of a module in a package, if it is loaded."""
    if sys.modules.pop(name, None) is not None:
        package, module = name.rsplit(".", 1)
        delattr(sys.modules[package], module)
