"""What the numbers on the wire mean: operations, statuses, slot flags, journal kinds and reasons.

Slot flags and statuses follow the Matter Door Lock cluster (0x0101) where it has an equal.
"""

# Operations: the first element of a request and of its reply.
OP_STATE = 16
OP_PING = 17
OP_TIME = 18
OP_SPEED = 19
OP_DIGEST = 20
OP_PUT = 21
OP_DEL = 22
OP_ADOPT = 25
OP_SINCE = 24
OP_CLOCK = 26
OP_HOSTS = 27
OP_EVENTS = 30
OP_CONFIG = 41
OP_STRIKE = 42
OP_NEXT_KEY = 40
OP_STATISTICS = 50
OP_CRASHES = 51
OP_UPDATE_STATE = 60
OP_UPDATE_BEGIN = 61
OP_UPDATE_WRITE = 62
OP_UPDATE_CHECK = 63
OP_UPDATE_SWITCH = 64
OP_UPDATE_CANCEL = 65

# Statuses: the second element of a reply, and of each slot's own result.
OK = 0
ALREADY = 1  # this very operation (by its id) was done before; nothing changed now
DUPLICATE = 2  # another slot, or the master PIN (slot 0), has this PIN
CONFLICT = 3  # the slot is not at the version that the request expects
NO_SPACE = 4  # the table holds as many codes as it may
INVALID = 5
NOT_FOUND = 6
UNSUPPORTED = 7
BUSY = 8  # somebody is at the keypad: ask again
FLASH = 9  # the write could not be brought to flash; nothing changed
TIME_BEHIND = 10  # the offered time lies before what the keypad's journal has seen
EXPIRED = 11  # the time in which it was to be done is over, or the keypad has restarted since
TOO_BIG = 13
INTERNAL = 14

# Slot flags.
MANAGED = 1
ENABLED = 2
DURESS = 4  # opens as any other, and the journal says that whoever entered it was forced to
COUNTED = 8  # opens once, and as often again as MORE_USES says; each use is on flash before the strike moves
FROM_KEYPAD = 16
TIME_BOUND = 32
SPENT = 64  # the last use of a counted code; set by the keypad alone; a new PUT of the slot begins anew
LOST = 128  # of a slot without a code: flash lost its record, nobody cleared it; set by the keypad alone
ONE_MORE_USE = 256  # the upper byte counts the uses that a counted code has left after its next one
MORE_USES = 0xFF00

# Who made a slot's newest record: the keypad itself, or a host by its place (1 to 4) among the keys.
MAKER_KEYPAD = 0

PIN_LENGTH_MIN = 4
PIN_LENGTH_MAX = 12

# Journal kinds.
EV_BOOT = 1  # reason: reset cause as MicroPython's `machine` numbers it
EV_GRANTED = 2
EV_DENIED = 3  # reason: one of the REASON_ numbers
EV_LOCKOUT = 4  # entry is shut after too many wrong PINs; reason: how often in a row
EV_LOCKOUT_END = 5
EV_SLOT_SET = 6  # written at the keypad itself
EV_SLOT_CLEARED = 7  # cleared at the keypad itself
EV_PROGRAMMING = 8  # the master PIN opened local programming
EV_CLOCK_SET = 9  # the clock became trusted, or was moved by more than two seconds
EV_EXIT = 10  # the button inside opened the door
EV_FORCED = 11  # the door was opened, and nothing had unlocked it
EV_HELD_OPEN = 12  # the door stands open for too long; reason: seconds, at most 255
EV_DOOR_CLOSED = 13  # after one of these two
EV_TAMPER = 14  # the case was opened
EV_TAMPER_END = 15
EV_SLOT_CHANGED = 16  # given another PIN at the keypad itself
EV_MASTER_CHANGED = 17  # the master PIN was changed at the keypad
EV_FACTORY_RESET = 18
EV_KEY_STUCK = 19  # down for 30 s, and ignored until it is up; reason: the key in ASCII
EV_KEY_FREED = 20  # reason: as there
EV_SETTINGS_CHANGED = 21  # over the link, by the entry's maker
EV_KEY_CHANGED = 22  # the link key of the entry's maker gave way to a new one
EV_UPDATED = 24  # reason: one of the two below
EV_CRASHED = 23  # its program had crashed before this start; reason: how often in a row, at most 255
EV_HOST_STRIKE = 28  # a host opened or closed; reason: STRIKE_ bits; the attempt's id stands for the code's
EV_LOCKED = 29  # the strike fell back at the end of its time

# Reason of EV_HOST_STRIKE.
STRIKE_OPEN = 1  # else closed
STRIKE_WAS_SO = 2  # it was energised, or at rest, already

# Reasons of a decision.
GRANTED = 0
UNKNOWN_PIN = 1
TOO_EARLY = 2
TOO_LATE = 3
DISABLED = 4
LOCKED_OUT = 5
CLOCK_UNKNOWN = 6
USED_UP = 7  # a counted code that has opened as often as it may
CANNOT_SPEND = 8  # a counted code, and flash does not take that it is used
UNDER_DURESS = 9  # of EV_GRANTED

# Reasons of EV_UPDATED.
PROVEN = 0  # another application is in use for good
ROLLED_BACK = 1  # it did not prove itself: the one before it is in use again

# Health: bits that a keypad sets when it finds something wrong, and keeps until its next start.
HEALTH_FLASH_WRITE = 1  # something written to the log did not read back
HEALTH_BAD_SEGMENT = 2  # a piece of flash does not erase or takes no header; it is left out
HEALTH_RECORD_LOST = 4  # a slot's newest record was damaged after it had been written: the code is gone
HEALTH_JOURNAL = 8  # an entry of the journal could not be written
HEALTH_IDENTITY = 16  # one of the two copies of the identity was damaged or gone, and was restored
HEALTH_CONFIG = 32  # settings were missing or refused; defaults are in use
HEALTH_MEMORY = 2048  # the heap had no room for a request or a key press, which was refused
HEALTH_BIT_FLIPPED = 4096  # a bit on flash had flipped, and was turned back: the flash grows old
HEALTH_KEY_STUCK = 64  # a key is held down by something else than a finger, and is ignored
HEALTH_CLOCK_CHIP = 128  # its clock chip does not answer, or lost the time: an empty battery, or a new chip
HEALTH_CRASHED = 256  # its program has crashed before this start, and not run for a minute since
HEALTH_SAFE_MODE = 512  # it crashed so often that it has worked without its link before this start
# Of other boards than the keypads of a door, which never set them:
HEALTH_POWER_SAVING = 8192  # it saves power, and may answer late
HEALTH_AUXILIARY_HEAT = 16384  # of a thermostat: its auxiliary heat runs

# Unix time of 2000-01-01T00:00:00Z: the wire speaks Unix seconds, the keypad keeps seconds since 2000.
UNIX_OF_2000 = 946_684_800
UNIX_OF_2100 = 4_102_444_800  # no clock is set so far: clock chips end there, and 32 bits six years later
