"""Another application over the link: taken whole or not at all, on trial before it is kept."""

import esp32_time

import asyncio
import hashlib
import os
import sys

import machine
import selector
from doorpad_fw import trial, update, update_room
from doorpad_fw.version import FORMAT
from doorpad_link import messages

import application
from cases import cases, equal, raises

FILES = [("doorpad_fw/__init__.mpy", b""), ("doorpad_fw/main.mpy", b"M\x06" * 700), ("one.mpy", b"other")]
WHOLE = 1405
PACKED = application.manifest(FILES)
OK = messages.OK


def _remove(path):
    if os.stat(path)[0] & 0x4000:
        for name in os.listdir(path):
            _remove(path + "/" + name)
        os.rmdir(path)
    else:
        os.remove(path)


class _Keypad:
    """Application a in use, and nothing else in its file system."""

    def __init__(self):
        for name in os.listdir():
            if name in ("a", "b", "selector", "selector.new"):
                _remove(name)
        os.mkdir("a")
        self.attended = False
        self.forgotten = 0
        self.asks()

    def asks(self):
        """Its update is asked for anew, as after a restart or a while."""
        self.update = update.Update(lambda: self.attended, self._forget)
        return self.update

    def _forget(self):
        self.forgotten += 1

    def serve(self, op, *body):
        return self.update.serve(op, list(body))


def _until_reset(coroutine):
    """Run it; return whether the keypad began anew."""
    try:
        esp32_time.run(coroutine)
    except SystemExit as ended:
        equal(ended.args, (machine.EXIT_RESET,))
        return True
    return False


def _read(path):
    with open(path, "rb") as file:
        return file.read()


# selector.py, beside boot.py


def test_selector_that_is_missing_or_damaged_means_a_if_it_is_there():
    for text in (None, "", "c", "\x00", "?3"):
        _Keypad()
        if text is not None:
            with open("selector", "w") as file:
                file.write(text)
        equal(selector.choose(), "a", text)
        os.rmdir("a")
        os.mkdir("b")
        equal(selector.choose(), "b", text)


def test_trial_is_started_three_times_and_then_the_other_runs_again():
    _Keypad()
    os.mkdir("b")
    selector.put_on_trial("b")
    equal([selector.choose() for _ in range(5)], ["b", "b", "b", "a", "a"])
    equal(selector.read(), ("a", None, True))
    selector.use("a")
    equal((selector.read(), selector.choose()), (("a", None, False), "a"))


def test_trial_that_is_over_is_started_for_ever():
    _Keypad()
    os.mkdir("b")
    selector.put_on_trial("b")
    equal(selector.choose(), "b")
    selector.use("b")
    equal([selector.choose() for _ in range(5)], ["b"] * 5)


def test_trial_that_cannot_be_counted_is_not_started():
    _Keypad()
    os.mkdir("b")
    selector.put_on_trial("b")
    os.mkdir("selector.new")  # what makes the file cannot be opened
    try:
        equal(selector.choose(), "a")
    finally:
        os.rmdir("selector.new")


# update.py


def test_update_comes_whole_and_is_put_on_trial():
    def play():
        keypad = _Keypad()
        equal(application.bring(keypad.update, FILES, PACKED), WHOLE + len(PACKED))
        for path, data in FILES:
            equal(_read("b/" + path), data)
        equal(selector.read()[0], "a", "nothing has switched yet")
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), (OK, None))
        equal(selector.read(), ("b", 3, False))

    esp32_time.call(play)


def test_restart_follows_the_switch_and_waits_for_whoever_is_at_the_keypad():
    async def play():
        keypad = _Keypad()
        application.bring(keypad.update, FILES, PACKED)
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), (OK, None))
        keypad.attended = True
        await asyncio.sleep(60)
        waited.append(True)
        keypad.attended = False
        await asyncio.sleep(2)

    waited = []
    equal((_until_reset(play()), waited), (True, [True]))


def test_state_tells_what_runs_and_what_it_can_use():
    def play():
        _Keypad()
        equal(update_room.state()[:5], ["0.1.0", None, False, 2, 6])
        with open("a/manifest", "wb") as file:
            file.write(PACKED)
        selector.put_on_trial("a")
        state = update_room.state()
        equal(state[1:3], [hashlib.sha256(PACKED).digest(), True])
        assert state[5] > 0

    esp32_time.call(play)


@cases(0, 1, 299, 300, 301, 1399)
def test_update_that_was_cut_off_goes_on_where_its_files_end(held):
    def play():
        keypad = _Keypad()
        application.begin(keypad.update, PACKED)
        application.send(keypad.update, 0, PACKED)
        application.send(keypad.update, 1, b"")
        if held:
            equal(keypad.serve(messages.OP_UPDATE_WRITE, 2, 0, FILES[1][1][:held]), (OK, held))
            keypad.update.close()  # as the restart would
        keypad.asks()
        equal(application.bring(keypad.update, FILES, PACKED), WHOLE - held)
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), (OK, None))

    esp32_time.call(play)


def test_switch_is_refused_until_every_file_was_found_right():
    def play():
        keypad = _Keypad()
        refused = (messages.INVALID, None)
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), refused)
        application.bring(keypad.update, FILES, PACKED)
        keypad.asks()  # what was found right is forgotten with a restart
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), refused)
        for number in range(4):
            equal(keypad.serve(messages.OP_UPDATE_SWITCH), refused)
            equal(application.check(keypad.update, number)[1][1], True)
        keypad.serve(messages.OP_UPDATE_WRITE, 3, 0, b"OTHER")
        equal(application.check(keypad.update, 3), (OK, [5, False]))
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), refused)
        keypad.serve(messages.OP_UPDATE_WRITE, 3, 0, b"other")
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), refused, "not checked yet")
        equal(application.check(keypad.update, 3), (OK, [5, True]))
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), (OK, None))

    esp32_time.call(play)


def test_file_that_changed_on_flash_is_found_and_sent_again():
    def play():
        keypad = _Keypad()
        application.bring(keypad.update, FILES, PACKED)
        data = bytearray(FILES[1][1])
        data[700] ^= 1
        with open("b/doorpad_fw/main.mpy", "wb") as file:
            file.write(data)
        keypad.asks()
        equal(application.bring(keypad.update, FILES, PACKED), len(data))

    esp32_time.call(play)


def test_nothing_is_taken_and_nothing_switched_while_somebody_is_at_the_keypad():
    def play():
        keypad = _Keypad()
        keypad.attended = True
        equal(application.begin(keypad.update, PACKED)[0], messages.BUSY)
        keypad.attended = False
        application.begin(keypad.update, PACKED)
        keypad.attended = True
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 0, 0, PACKED[:100]), (messages.BUSY, None))
        keypad.attended = False
        application.bring(keypad.update, FILES, PACKED)
        keypad.attended = True
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), (messages.BUSY, None))
        equal(selector.read(), ("a", None, False))

    esp32_time.call(play)


# (fields of the manifest that differ, status of its check)
REFUSED = (
    ({"mpy": application.MPY + 1}, messages.UNSUPPORTED),
    (
        {"oldest": FORMAT + 1, "newest": FORMAT + 1},
        messages.UNSUPPORTED,
    ),  # it cannot read what is stored here
    (
        {"oldest": FORMAT - 1, "newest": FORMAT - 1},
        messages.UNSUPPORTED,
    ),  # it is older than what is stored here
    ({"magic": b"dpM2"}, messages.INVALID),
)


@cases(0, 1, 2, 3)
def test_application_that_could_not_run_here_is_refused_by_its_manifest(case):
    fields, wanted = REFUSED[case]

    def play():
        keypad = _Keypad()
        packed = application.manifest(FILES, **fields)
        application.begin(keypad.update, packed)
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 0, 0, packed), (OK, len(packed)))
        equal(application.check(keypad.update, 0), (wanted, None))
        raises(ValueError, keypad.serve, messages.OP_UPDATE_WRITE, 1, 0, b"x")
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), (messages.INVALID, None))

    esp32_time.call(play)


def test_application_that_reads_older_forms_is_taken():
    def play():
        keypad = _Keypad()
        packed = application.manifest(FILES, oldest=1, newest=FORMAT + 1)
        application.bring(keypad.update, FILES, packed)
        equal(keypad.serve(messages.OP_UPDATE_SWITCH), (OK, None))

    esp32_time.call(play)


@cases(
    "../selector",
    "/a/x.mpy",
    "boot.py",
    "a/b/c.mpy",
    "doorpad_fw/.mpy",
    "UP.mpy",
    "x.mpy/",
    "",
    "..",
    "a b.mpy",
)
def test_path_that_no_module_has_is_refused(path):
    def play():
        keypad = _Keypad()
        packed = application.manifest(FILES + [(path, b"x")])
        application.begin(keypad.update, packed)
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 0, 0, packed), (OK, len(packed)))
        equal(application.check(keypad.update, 0), (messages.INVALID, None))
        raises(ValueError, keypad.serve, messages.OP_UPDATE_WRITE, 1, 0, b"x")

    esp32_time.call(play)


def test_piece_out_of_place_or_beyond_the_end_is_refused_and_nothing_is_written():
    def play():
        keypad = _Keypad()
        raises(ValueError, keypad.serve, messages.OP_UPDATE_WRITE, 0, 0, b"x")  # nothing has begun
        application.begin(keypad.update, PACKED)
        raises(ValueError, keypad.serve, messages.OP_UPDATE_WRITE, 1, 0, b"x")  # no manifest yet
        application.send(keypad.update, 0, PACKED)
        raises(ValueError, keypad.serve, messages.OP_UPDATE_WRITE, 4, 0, b"x")
        raises(ValueError, keypad.serve, messages.OP_UPDATE_WRITE, -1, 0, b"x")
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 3, 2, b"xyz"), (messages.CONFLICT, 0))
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 3, 0, b"oth"), (OK, 3))
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 3, 0, b"oth"), (messages.CONFLICT, 3))
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 3, 3, b"er!"), (messages.INVALID, None))
        equal(application.check(keypad.update, 3), (OK, [3, False]))
        equal(keypad.serve(messages.OP_UPDATE_WRITE, 3, 3, b"er"), (OK, 5))
        equal(application.check(keypad.update, 3), (OK, [5, True]))

    esp32_time.call(play)


def test_another_update_takes_the_place_of_what_was_there_a_few_files_at_a_time():
    def play():
        keypad = _Keypad()
        many = [("doorpad_fw/m%d.mpy" % n, b"%d" % n) for n in range(11)]
        application.bring(keypad.update, many, application.manifest(many))
        equal(len(os.listdir("b/doorpad_fw")), 11)
        left = []
        identity = hashlib.sha256(PACKED).digest()
        while True:
            status, [ready] = keypad.serve(messages.OP_UPDATE_BEGIN, len(PACKED), identity, 0)
            equal(status, OK)
            if ready:
                break
            left.append(len(os.listdir("b/doorpad_fw")))
        equal(left, [7, 3])
        equal(os.listdir("b"), ["update.id"])
        application.bring(keypad.update, FILES, PACKED)
        equal(sorted(os.listdir("b")), ["doorpad_fw", "manifest", "one.mpy", "update.id"])

    esp32_time.call(play)


def test_application_that_needs_more_room_than_there_is_is_refused():
    def play():
        keypad = _Keypad()
        status, free = application.begin(keypad.update, PACKED, 0x3FFF_FFFF)
        equal(status, messages.NO_SPACE)
        assert 0 < free <= 0x3FFF_FFFF
        raises(ValueError, keypad.serve, messages.OP_UPDATE_WRITE, 0, 0, PACKED)

    esp32_time.call(play)


def test_no_update_begins_on_the_copy_that_a_trial_may_need():
    def play():
        keypad = _Keypad()
        selector.put_on_trial("a")
        keypad.asks()
        equal(application.begin(keypad.update, PACKED)[0], messages.CONFLICT)

    esp32_time.call(play)


def test_cancelled_update_is_forgotten_and_leaves_what_runs_alone():
    def play():
        keypad = _Keypad()
        application.bring(keypad.update, FILES, PACKED)
        equal(keypad.serve(messages.OP_UPDATE_CANCEL), (OK, None))
        equal((keypad.forgotten, selector.read()), (1, ("a", None, False)))
        raises(ValueError, keypad.asks().serve, messages.OP_UPDATE_CHECK, [0])

    esp32_time.call(play)


def test_update_that_nobody_goes_on_with_is_forgotten():
    keypad = _Keypad()
    for _ in range(3):
        application.begin(keypad.update, PACKED)
        esp32_time.advance(119_000)
        keypad.update.expire()
    equal(keypad.forgotten, 0)
    esp32_time.advance(1_000)
    keypad.update.expire()
    equal(keypad.forgotten, 1)


def test_update_that_nobody_goes_on_with_is_forgotten_after_days_without_a_hub():
    keypad = _Keypad()
    application.begin(keypad.update, PACKED)
    esp32_time.advance(7 * 86_400_000)  # ticks_diff() gives less than zero
    keypad.update.expire()
    equal(keypad.forgotten, 1)


# trial.py


class _Link:
    def __init__(self):
        self.is_open = False


def _prove(link, seconds, opens_at=None, attended=False):
    """Let a trial run for so long; return (began anew, what the journal was told)."""
    told = []

    async def play():
        task = asyncio.create_task(trial.prove(link, lambda: attended, lambda *entry: told.append(entry)))
        for second in range(seconds):
            if second == opens_at:
                link.is_open = True
            await asyncio.sleep(1)
        task.cancel()

    _Keypad()
    os.mkdir("b")
    selector.put_on_trial("b")
    equal(selector.choose(), "b")
    try:
        return _until_reset(play()), told
    finally:
        sys.modules["doorpad_fw.trial"] = trial  # it has forgotten itself
        sys.modules["doorpad_fw"].trial = trial


def test_trial_ends_well_once_a_hub_has_a_session_and_not_at_once():
    proven = [(messages.EV_UPDATED, messages.PROVEN)]
    equal(_prove(_Link(), 10, opens_at=0), (False, []))
    equal(selector.read(), ("b", 2, False))
    equal(_prove(_Link(), 20, opens_at=0), (False, proven))
    equal(selector.read(), ("b", None, False))
    equal(_prove(_Link(), 600, opens_at=500), (False, proven))


def test_trial_without_a_hub_gives_way_to_the_version_before():
    for link in (_Link(), None):
        equal(_prove(link, 890), (False, []))
        equal(_prove(link, 910), (True, []))
        equal(selector.read(), ("a", None, True))
        equal(_prove(link, 3000, attended=True), (False, []))


def test_version_before_tells_once_that_it_is_back():
    told = []
    selector.leave_trial("b")
    try:
        trial.tell_rolled_back(lambda *entry: told.append(entry))
    finally:
        sys.modules["doorpad_fw.trial"] = trial
        sys.modules["doorpad_fw"].trial = trial
    equal((told, selector.read()), ([(messages.EV_UPDATED, messages.ROLLED_BACK)], ("a", None, False)))
