"""A journal's entries by the names of their fields, which the keypad itself has no room for."""

from collections import namedtuple

Entry = namedtuple(
    "Entry",
    "sequence time_s kind reason slot version maker lockout boot uptime_ms access_code_id ms".split(),
)


def entries_after(journal, cursor, count=1000):
    return [Entry(*entry) for entry in journal.after(cursor, count)]
