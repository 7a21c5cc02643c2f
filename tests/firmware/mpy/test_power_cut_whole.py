"""Power is cut at every operation on flash and files of what a keypad does by itself, as a whole.

Each action is done anew on the same keypad for each cut: before and within each program and erase, of table, journal
and file system. Both lose their power together. Then it starts again: it holds the state before or after the action,
nothing opened by itself, and the code that was there all along opens.
"""

import esp32_time  # isort: skip - before anything takes hold of the time


import vfs
from doorpad_fw import seldom
from doorpad_link import messages

from cases import cases, equal
from keypad_parts import MASTER
from ram_flash import BLOCK_BYTES, PowerCut
from strike_watch import strike
from whole_keypad import Whole

HEAP = "700K"
WRONG_MAX = 8  # as whole_keypad.py sets it
NEXT_HOST = b"nexthost"
_PROGRAM = MASTER.decode() + "#"


def _keys(pressed):
    def do(keypad):
        for key in pressed:
            keypad.door.key(key)

    return do


def _configure(keypad):
    version, _ = keypad.ask(messages.OP_CONFIG)[1]
    keypad.ask(messages.OP_CONFIG, [version, [["lockout_s", 60]]])


def _change_key(keypad):
    public = bytes([9]) + bytes(31)  # of X25519: the base point is one, too
    seldom.call("doorpad_fw.key_change", "begin", keypad.door._identity, 1, NEXT_HOST, public)


def _prove_key(keypad):
    seldom.call("doorpad_fw.key_change", "finish", keypad.door._identity)


def _pins(keypad):
    rows = keypad.ask(messages.OP_SINCE, [0, 1, True])[1][3]
    return sorted(bytes(row[3]).decode() for row in rows if row[3])


def _lockout_s(keypad):
    return dict([row[:2] for row in keypad.ask(messages.OP_CONFIG)[1][1]])["lockout_s"]


def _tries(keypad):
    return keypad.door._journal.lockout & 0x47  # wrong tries, and whether entry is shut


def _key_ids(keypad):
    identity = keypad.door._identity
    return [host_id for host_id, _ in identity.hosts], identity.following and identity.following[1]


def _nothing(keypad):
    pass


# Action: (what comes before it, the action, what tells old from new, old, new).
_ACTIONS = {
    "first start": (None, _nothing, _pins, [], []),
    "wrong try": (_nothing, _keys("000000#"), _tries, 0, 1),
    "the try that shuts the entry": (_keys("000000#" * (WRONG_MAX - 1)), _keys("000000#"), _tries, 7, 0x40),
    "added": (_keys(_PROGRAM), _keys("1#815815#"), _pins, ["471107"], ["471107", "815815"]),
    "changed": (
        _keys(_PROGRAM + "1#815815#"),
        _keys("3#815815#926926#"),
        _pins,
        ["471107", "815815"],
        ["471107", "926926"],
    ),
    "deleted": (_keys(_PROGRAM + "1#815815#"), _keys("2#815815#"), _pins, ["471107", "815815"], ["471107"]),
    "master PIN changed": (
        _keys(_PROGRAM),
        _keys("5#55667788#55667788#"),
        lambda k: k.door.is_master(b"55667788"),
        False,
        True,
    ),
    "settings changed": (_nothing, _configure, _lockout_s, 30, 60),
    "next key agreed": (_nothing, _change_key, _key_ids, ([b"hosthost"], None), ([b"hosthost"], NEXT_HOST)),
    "next key proven": (_change_key, _prove_key, _key_ids, ([b"hosthost"], NEXT_HOST), ([NEXT_HOST], None)),
}


class _Bench:
    """Brings one keypad to where the action begins, again and again."""

    def __init__(self, before, in_dialogue):
        self.keypad = Whole()
        self._in_dialogue = in_dialogue
        self._first_start = before is None
        if self._first_start:
            for block in range(len(self.keypad.flash.image) // BLOCK_BYTES):
                self.keypad.flash.ioctl(6, block)
        else:
            equal(self.keypad.put(7, b"471107")[0], messages.OK)
            before(self.keypad)
        self.keypad.unmount()
        self._images = [bytes(flash.image) for flash in self._both()]
        self.keypad.flash.twin, self.keypad.files.twin = self.keypad.files, self.keypad.flash

    def _both(self):
        return self.keypad.flash, self.keypad.files

    def reset(self):
        for flash, image in zip(self._both(), self._images):
            flash.power_up()
            flash.image[:] = image

    def act(self, action, device, operation, tear):
        """Do the action with one cut; return whether it came."""
        self.reset()
        if not self._first_start:
            self.keypad.start()
            if self._in_dialogue:  # it does not outlive a start: it is begun again
                _keys(_PROGRAM)(self.keypad)
        strike.clear()
        self._both()[device].cut_at(operation, tear)
        try:
            if self._first_start:
                self.keypad.start()
            action(self.keypad)
            was_cut = False
        except (PowerCut, OSError):
            was_cut = True
        was_cut = was_cut or any(flash._dead for flash in self._both())
        for flash in self._both():
            flash.power_up()
        self.keypad.unmount()
        return was_cut


@cases(
    "first start",
    "wrong try",
    "the try that shuts the entry",
    "added",
    "changed",
    "deleted",
    "master PIN changed",
    "settings changed",
    "next key agreed",
    "next key proven",
)
def test_power_cut_at_any_operation_of_an_action_leaves_old_or_new(name):
    before, action, tell, old, new = _ACTIONS[name]

    async def play():
        bench = _Bench(before, name in ("added", "changed", "deleted", "master PIN changed"))
        keypad = bench.keypad
        seen = []
        cuts = 0
        for device in (0, 1):
            for tear in ("nothing", "half"):
                operation = 1
                while bench.act(action, device, operation, tear):
                    cuts += 1
                    what = "%s, operation %d, %s" % (("flash", "files")[device], operation, tear)
                    equal(strike, [], what)
                    keypad.start()
                    found = tell(keypad)
                    assert found in (old, new), "%s: %r" % (what, found)
                    if found not in seen:
                        seen.append(found)
                    if name == "first start":
                        equal(keypad.put(7, b"471107")[0], messages.OK, what)
                    if name != "the try that shuts the entry":
                        equal(await keypad.opens("471107"), True, what)
                    keypad.unmount()
                    operation += 1
        keypad.start()  # nothing was cut this time
        equal(tell(keypad), new)
        assert cuts >= 2, "it was cut only %d times" % cuts
        assert old in seen, "the old state was never seen"
        keypad.unmount()

    try:
        esp32_time.run(play())
    finally:
        try:
            vfs.umount("/f")
        except OSError:
            pass
