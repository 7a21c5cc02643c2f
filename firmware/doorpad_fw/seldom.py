"""Code that is needed seldom: it is imported when it is called for, and does not stay on the heap.

A part of it may still be referred to by what the call returned; nothing else may be kept from such a module.
"""

import sys

import doorpad_fw


def call(module, function, *arguments):
    """Return `doorpad_fw.module.function(*arguments)`."""
    name = "doorpad_fw." + module
    __import__(name)
    loaded = sys.modules[name]
    try:
        return getattr(loaded, function)(*arguments)
    finally:
        sys.modules.pop(name, None)
        if getattr(doorpad_fw, module, None) is loaded:
            delattr(doorpad_fw, module)
