"""Which application this is, and which forms of what is stored it can use.

FORMAT counts the forms of everything that outlives an application: records of slots and journal, identity, settings.
Raise it with any change of one of them. An application that reads older forms too may be put over an older one; one
that cannot read what is there is refused (update.py). What converts to a new form waits until its trial is over, for
the old application may have to go on.

2: the byte behind a slot's flags, 0 before, counts further uses. Format 1 takes such a code for one of a single use.
"""

VERSION = "0.1.0"
MANIFEST = "manifest"  # beside the modules of an application: update.py
UPDATE_ID = "update.id"
FORMAT = 2
FORMAT_OLDEST = 1  # that this application reads
