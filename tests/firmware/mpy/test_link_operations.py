"""What each operation of the link does to table, journal and clock. A body of another shape is refused."""

import esp32_time

from doorpad_fw import health
from doorpad_link import cbor, messages

from cases import equal
from keypad_parts import MASTER, Keypad, put_body

HEAP = "600K"
UNIX_OF_2000, UNIX_OF_2100 = 946_684_800, 4_102_444_800
NOW_UNIX = 1_800_000_000
HOST = 1  # the maker number of the first host
CODE_ID = bytes(range(16))
NO_CODE = bytes(16)
MANAGED = messages.MANAGED | messages.ENABLED
BOUND = MANAGED | messages.TIME_BOUND


def _ask(keypad, op, body):
    """Serve one request as the session does: body and answer go through the wire's own encoding."""
    status, answer = keypad.operations.serve(HOST, op, cbor.decode(cbor.encode(body)))
    return status, cbor.decode(cbor.encode(answer))


def _put(keypad, number, pin, version=0, op_id=b"op-id--1", flags=MANAGED, window=(None, None)):
    body = put_body(number, pin, version, op_id, flags, window, CODE_ID)
    status, [result] = _ask(keypad, messages.OP_PUT, body)
    equal(status, messages.OK)
    equal(result[0], number)
    return result[1:]


def _delete(keypad, number, version, op_id):
    status, [result] = _ask(keypad, messages.OP_DEL, [[version, number, op_id]])
    equal(status, messages.OK)
    return result[1:]


def _since(keypad, generation=0, codes_too=True):
    slots, first = [], 1
    while first:
        status, [epoch, _, first, page] = _ask(keypad, messages.OP_SINCE, [generation, first, codes_too])
        equal((status, epoch), (messages.OK, b"slot"))
        slots += page
    return slots


def test_put_get_replace_and_delete_by_version():
    keypad = Keypad()
    equal(_put(keypad, 7, b"4711"), [messages.OK, 1])
    equal(_put(keypad, 7, b"0815", 0, b"op-id--2"), [messages.CONFLICT, 1])
    equal(_put(keypad, 7, b"0815", 1, b"op-id--2"), [messages.OK, 2])
    equal(_since(keypad), [[7, 2, MANAGED, b"0815", None, None, b"op-id--2", CODE_ID, HOST]])
    equal(_delete(keypad, 7, 1, b"op-id--3"), [messages.CONFLICT, 2])
    equal(_delete(keypad, 7, 2, b"op-id--3"), [messages.OK, 3])
    equal(_since(keypad, 2), [[7, 3, 0, None, None, None, None, None, HOST]])


def test_retry_after_a_lost_reply_changes_nothing():
    keypad = Keypad()
    _put(keypad, 7, b"4711")
    equal(_put(keypad, 7, b"4711"), [messages.ALREADY, 1])
    _delete(keypad, 7, 1, b"op-id--2")
    equal(_delete(keypad, 7, 1, b"op-id--2"), [messages.ALREADY, 2])
    equal(_delete(keypad, 7, 2, b"op-id--3"), [messages.NOT_FOUND, 2])
    equal(keypad.slots.generation, 2)


def test_pin_of_another_slot_or_of_the_master_is_a_duplicate():
    keypad = Keypad()
    _put(keypad, 7, b"4711")
    equal(_put(keypad, 8, b"4711", 0, b"op-id--2"), [messages.DUPLICATE, 7])
    equal(_put(keypad, 8, MASTER, 0, b"op-id--2"), [messages.DUPLICATE, 0])


def test_full_table_has_no_space():
    keypad = Keypad(capacity=1)
    _put(keypad, 7, b"4711")
    equal(_put(keypad, 8, b"0815", 0, b"op-id--2"), [messages.NO_SPACE, 1])


# (what is wrong, slot, PIN, flags, from, until)
INVALID_PUTS = (
    ("short PIN", 7, b"123", MANAGED, None, None),
    ("long PIN", 7, b"1234567890123", MANAGED, None, None),
    ("PIN with a letter", 7, b"12a4", MANAGED, None, None),
    ("flag of the keypad", 7, b"4711", MANAGED | 16, None, None),
    ("a window's flag, and no window", 7, b"4711", BOUND, None, None),
    ("a mark of the keypad", 7, b"4711", MANAGED | messages.COUNTED | messages.SPENT, None, None),
    ("unknown flag", 7, b"4711", MANAGED | 128, None, None),
    ("a flag beyond all", 7, b"4711", MANAGED | messages.COUNTED | 1 << 16, None, None),
    ("less than no flag", 7, b"4711", -1, None, None),
    ("further uses of what is not counted", 7, b"4711", MANAGED | messages.ONE_MORE_USE, None, None),
    ("end before start", 7, b"4711", MANAGED, NOW_UNIX, NOW_UNIX - 1),
    ("start before 2000", 7, b"4711", MANAGED, 0, NOW_UNIX),
)


def test_put_that_no_slot_can_hold_is_invalid():
    keypad = Keypad()
    for what, number, pin, flags, from_s, until_s in INVALID_PUTS:
        body = put_body(number, pin, flags=flags, window=(from_s, until_s))
        equal(_ask(keypad, messages.OP_PUT, body), (messages.OK, [[number, messages.INVALID, 0]]), what)
    equal(keypad.slots.generation, 0)


# (what is wrong, body)
MALFORMED_PUTS = (
    ("short operation id", put_body(7, b"4711", op_id=b"op")),
    ("operation id of a number", put_body(7, b"4711", op_id=7)),
    ("short access-code id", put_body(7, b"4711", code_id=bytes(15))),
    ("access-code ids of two", put_body(7, b"4711", code_id=bytes(32))),
    ("window without an end", put_body(7, b"4711", window=(NOW_UNIX, None))),
    ("window without a start", put_body(7, b"4711", window=(None, NOW_UNIX))),
    ("no step", put_body(None, b"4711")),
    ("slot 0", put_body(0, b"4711")),
    ("slot before the first", put_body(-7, b"4711")),
    ("slot beyond the last", put_body(4097, b"4711")),
    (
        "the slot before once more",
        [b"op-id--1", bytes(32), [[0, 7, b"4711", None, None, 3], [0, 0, b"4712", None, None, 3]]],
    ),
    ("an empty list", [b"op-id--1", b"", []]),
    ("PIN that is a list", put_body(7, [4, 7, 1, 1])),
    ("PIN that is a text", put_body(7, "4711")),
    ("true for a number", put_body(True, b"4711")),
    (
        "a second slot of another form",
        [b"op-id--1", bytes(32), [[0, 7, b"4711", None, None, 3], [0, 1, 4712, None, None, 3]]],
    ),
    ("no flags", put_body(7, b"4711", flags=None)),
    ("a field too many", [b"op-id--1", CODE_ID, [[0, 7, b"4711", None, None, MANAGED, 0]]]),
    ("no slots", [b"op-id--1", CODE_ID]),
)


def test_put_of_another_form_is_refused_as_a_whole():
    keypad = Keypad()
    for what, body in MALFORMED_PUTS:
        equal(_ask(keypad, messages.OP_PUT, body), (messages.INVALID, None), what)
    equal(keypad.slots.generation, 0)


def test_put_of_many_counts_slots_by_steps_and_operation_ids_from_the_first():
    keypad = Keypad()
    first, other_id = b"\xff" * 7 + b"\xfe", bytes(range(16, 32))
    window = (NOW_UNIX, NOW_UNIX + 3600)
    puts = [
        [0, 7, b"4711", window[0], window[1], MANAGED],
        [0, 1, b"4712", None, None, MANAGED],
        [0, 4088, b"4714", None, None, MANAGED],
        [0, 1, b"4715", None, None, MANAGED],
    ]
    body = [first, CODE_ID + other_id + CODE_ID * 2, puts]
    wanted = [[7, messages.OK, 1], [8, messages.OK, 2], [4096, messages.OK, 3]]
    wanted.append([4097, messages.INVALID, 0])
    equal(_ask(keypad, messages.OP_PUT, body), (messages.OK, wanted))
    equal(
        _since(keypad),
        [
            [7, 1, BOUND, b"4711", window[0], window[1], first, CODE_ID, HOST],
            [8, 2, MANAGED, b"4712", None, None, b"\xff" * 8, other_id, HOST],
            [4096, 3, MANAGED, b"4714", None, None, bytes(8), CODE_ID, HOST],
        ],
    )


def test_window_comes_back_as_it_was_given():
    keypad = Keypad()
    _put(keypad, 7, b"4711", window=(NOW_UNIX, NOW_UNIX + 60))
    [slot] = _since(keypad)
    equal(slot[2:6], [BOUND, b"4711", NOW_UNIX, NOW_UNIX + 60])


def test_codes_are_not_told_unless_asked_for():
    keypad = Keypad()
    _put(keypad, 7, b"4711")
    [slot] = _since(keypad, codes_too=False)
    equal(slot[3], None)


def test_long_table_comes_in_pages_that_fit_a_frame():
    keypad = Keypad()
    for number in range(1, 61):
        _put(keypad, number, b"%012d" % number, op_id=b"op-id-%02d" % number)
    status, answer = _ask(keypad, messages.OP_SINCE, [0, 1, True])
    assert len(cbor.encode([messages.OP_SINCE, status, answer])) <= 1024 - 8 - 8 - 4
    equal([slot[0] for slot in _since(keypad)], list(range(1, 61)))


def test_adopting_makes_a_code_of_the_keypad_ours_and_keeps_its_pin():
    keypad = Keypad()
    keypad.add(3, b"4711", messages.ENABLED | messages.FROM_KEYPAD)
    body = [1, 3, b"op-id--1", CODE_ID]
    equal(_ask(keypad, messages.OP_ADOPT, body), (messages.OK, [3, messages.OK, 2]))
    flags = messages.ENABLED | messages.FROM_KEYPAD | messages.MANAGED
    equal(_since(keypad), [[3, 2, flags, b"4711", None, None, b"op-id--1", CODE_ID, HOST]])
    equal(_ask(keypad, messages.OP_ADOPT, body), (messages.OK, [3, messages.ALREADY, 2]))


def test_count_comes_back_as_it_was_given_and_stays_when_the_code_is_adopted():
    keypad = Keypad()
    most = MANAGED | messages.COUNTED | messages.MORE_USES
    equal(_put(keypad, 7, b"4711", flags=most), [messages.OK, 1])
    equal(_since(keypad), [[7, 1, most, b"4711", None, None, b"op-id--1", CODE_ID, HOST]])
    for flags in (messages.COUNTED | 4 * messages.ONE_MORE_USE, messages.COUNTED | messages.SPENT):
        keypad = Keypad()
        flags |= messages.ENABLED | messages.FROM_KEYPAD
        keypad.add(3, b"4711", flags)
        equal(_ask(keypad, messages.OP_ADOPT, [1, 3, b"op-id--1", CODE_ID])[0], messages.OK)
        equal(_since(keypad)[0][2], flags | messages.MANAGED)


def test_adopting_at_another_version_or_nothing_changes_nothing():
    keypad = Keypad()
    equal(_ask(keypad, messages.OP_ADOPT, [1, 3, b"op-id--1", CODE_ID])[0], messages.NOT_FOUND)
    keypad.add(3, b"4711")
    keypad.add(4, b"0815")
    equal(
        _ask(keypad, messages.OP_ADOPT, [2, 3, b"op-id--1", CODE_ID]),
        (messages.OK, [3, messages.CONFLICT, 1]),
    )
    equal(keypad.slots.get(3).access_code_id, NO_CODE)


def test_time_is_taken_journaled_once_and_refused_behind_the_journal():
    keypad = Keypad()
    equal(_ask(keypad, messages.OP_TIME, [NOW_UNIX, 500]), (messages.OK, None))
    equal(_ask(keypad, messages.OP_TIME, [NOW_UNIX + 1, 500]), (messages.OK, None))
    equal(keypad.entries(), [(messages.EV_CLOCK_SET, 0, 0)])
    equal(_ask(keypad, messages.OP_TIME, [NOW_UNIX - 61, 0]), (messages.TIME_BEHIND, NOW_UNIX))
    equal(_ask(keypad, messages.OP_TIME, [UNIX_OF_2000 - 1, 0])[0], messages.INVALID)
    equal(_ask(keypad, messages.OP_TIME, [NOW_UNIX, 1000])[0], messages.INVALID)
    equal(_ask(keypad, messages.OP_TIME, [UNIX_OF_2100, 0])[0], messages.INVALID)
    equal(keypad.clock.now_s() + UNIX_OF_2000, NOW_UNIX + 1)


def test_clock_is_read_with_its_error_and_adjusted_once_trusted():
    keypad = Keypad()
    equal(_ask(keypad, messages.OP_CLOCK, None), (messages.OK, [None, 0, 0, 0, 0, 0]))
    equal(_ask(keypad, messages.OP_CLOCK, [0, 5, 0, 0]), (messages.INVALID, None))
    _ask(keypad, messages.OP_TIME, [NOW_UNIX, 500])
    equal(_ask(keypad, messages.OP_CLOCK, None), (messages.OK, [NOW_UNIX, 500, 15_000, 0, 1, HOST]))
    esp32_time.advance(1000)  # the entry about the clock is a floor
    moved = _ask(keypad, messages.OP_CLOCK, [-300, 7, -9_000, 6_000])
    equal(moved, (messages.OK, [NOW_UNIX + 1, 200, 7, -9_000, 2, HOST]))
    equal(keypad.entries(), [(messages.EV_CLOCK_SET, 0, 0)])  # a little is no news
    _ask(keypad, messages.OP_CLOCK, [3_000, 7, 0, 0])
    equal(keypad.entries()[1:], [(messages.EV_CLOCK_SET, 0, 0)])
    equal(_ask(keypad, messages.OP_CLOCK, [-64_000, 7, 0, 0]), (messages.TIME_BEHIND, NOW_UNIX + 4))
    wrong = ([86_400_001, 0, 0, 0], [0, -1, 0, 0], [0, 0, 500_001, 0], [0, 0, -500_001, 0], [0, 0, 0, -1])
    for body in wrong:
        equal(_ask(keypad, messages.OP_CLOCK, body), (messages.INVALID, None), body)
    equal(_ask(keypad, messages.OP_CLOCK, None)[1][:5], [NOW_UNIX + 4, 200, 7, 0, 3])


def test_clock_is_never_moved_to_2100():
    keypad = Keypad()
    equal(_ask(keypad, messages.OP_TIME, [UNIX_OF_2100 - 5, 0]), (messages.OK, None))
    equal(_ask(keypad, messages.OP_CLOCK, [4_999, 0, 0, 0]), (messages.INVALID, None))
    equal(_ask(keypad, messages.OP_CLOCK, [3_000, 0, 0, 0])[0], messages.OK)


def test_entry_says_on_behalf_of_which_host_it_was_written():
    keypad = Keypad()
    keypad.operations.serve(3, messages.OP_TIME, [NOW_UNIX, 0])
    keypad.operations.serve(2, messages.OP_CONFIG, [0, [["quiet", 1]]])
    keypad.enter("0000#")
    entries = _ask(keypad, messages.OP_EVENTS, [0, 9])[1][3]
    kinds = [messages.EV_CLOCK_SET, messages.EV_SETTINGS_CHANGED, messages.EV_DENIED]
    equal([(entry[3], entry[10]) for entry in entries], list(zip(kinds, [3, 2, 0])))


def test_events_come_in_pages_from_the_cursor_on():
    keypad = Keypad()
    keypad.clock.move((NOW_UNIX - UNIX_OF_2000, 0), (0, 0), 1, 0)
    for reason in range(40):
        keypad.door.note(messages.EV_DENIED, reason)
        esp32_time.advance(10)
    seen, cursor = [], 0
    while True:
        status, [epoch, first, head, page] = _ask(keypad, messages.OP_EVENTS, [cursor, 255])
        equal((status, epoch, first, head), (messages.OK, b"jour", 1, 40))
        assert len(cbor.encode([messages.OP_EVENTS, status, [epoch, first, head, page]])) <= 1004
        if not page:
            break
        seen += page
        cursor = page[-1][0]
    equal([entry[0] for entry in seen], list(range(1, 41)))
    equal([entry[4] for entry in seen], list(range(40)))
    equal([entry[1] * 1000 + entry[2] - NOW_UNIX * 1000 for entry in seen], list(range(0, 400, 10)))


def test_state_tells_table_journal_and_clock():
    health.bits = 0
    keypad = Keypad()
    status, state = _ask(keypad, messages.OP_STATE, None)
    equal((status, state[:12]), (messages.OK, [b"bootboot", b"slot", 0, 0, 64, b"jour", 1, 0, None, 1, 0, 0]))
    keypad.clock.move((NOW_UNIX - UNIX_OF_2000, 0), (0, 0), 1, 0)
    _put(keypad, 7, b"4711")
    keypad.door.note(messages.EV_BOOT, 1)
    esp32_time.advance(1234)
    _, state = _ask(keypad, messages.OP_STATE, None)
    equal(state[:12], [b"bootboot", b"slot", 1, 1, 64, b"jour", 1, 1, NOW_UNIX + 1, 1, 1234, 0])


def test_body_of_any_other_shape_is_invalid_and_changes_nothing():
    keypad = Keypad()
    _put(keypad, 7, b"4711")
    shapes = [
        None,
        True,
        5,
        -1,
        b"abc",
        "abc",
        [],
        [None],
        [[]],
        [[[]]],
        [1],
        [1, 2],
        [1, 2, 3],
        [b"", b"", b""],
    ]
    shapes += [
        [[0, 7, "4711", None, None, MANAGED, b"op-id--2", CODE_ID]],
        [[b"", b"", b""]],
        [[1, None, b"op-id--2"]],
    ]
    shapes += [
        [None, None],
        [True, None],
        [[1, -7, b"op-id--2"]],
        [[1, b"7", b"op-id--2"]],
        [1, "7", b"", b""],
    ]
    shapes += [put_body(7, b"4711", window=(1, "")), [0, "1", True], [-5, 3], [0, b"", 0]]
    shapes += [[0, 1 << 31, False], [0, -3, False], [0, 0], [4_000_000_000, 255], [0, -1], ["", ""]]
    for op in range(40):
        if op == messages.OP_PING:
            continue
        for shape in shapes:
            status, _ = keypad.operations.serve(HOST, op, shape)
            assert isinstance(status, int), (op, shape)
    equal((keypad.slots.generation, keypad.slots.find(b"4711").number), (1, 7))


def test_unknown_operation_is_unsupported():
    keypad = Keypad()
    for op in (0, 1, 15, 19, 23, 31, 255, 1 << 31):
        equal(_ask(keypad, op, None), (messages.UNSUPPORTED, None))


def test_stuck_bit_costs_a_put_one_place_and_no_error():
    keypad = Keypad()
    health.bits = 0
    keypad.flash.stuck[64 + 30] = 0xFF
    equal(_put(keypad, 7, b"4711"), [messages.OK, 1])
    equal(_ask(keypad, messages.OP_STATE, None)[1][11], messages.HEALTH_FLASH_WRITE)
    equal(Keypad(keypad.flash).slots.find(b"4711").number, 7)


def test_flash_stuck_at_three_places_is_told_as_a_flash_error_and_the_retry_succeeds():
    keypad = Keypad()
    for place in (1, 2, 3):
        keypad.flash.stuck[64 * place + 30] = 0xFF
    body = put_body(7, b"4711")
    equal(_ask(keypad, messages.OP_PUT, body), (messages.OK, [[7, messages.FLASH, 0]]))
    equal((keypad.slots.find(b"4711"), keypad.slots.used), (None, 0))
    equal(_ask(keypad, messages.OP_PUT, body), (messages.OK, [[7, messages.OK, 1]]))


def test_entry_that_the_journal_could_not_take_is_told():
    keypad = Keypad()
    health.bits = 0
    for address in range(4 * 4096, 8 * 4096, 16):
        keypad.flash.stuck[address] = 0xFF
    keypad.enter("0815#")
    bits = _ask(keypad, messages.OP_STATE, None)[1][11]
    equal(bits & messages.HEALTH_JOURNAL, messages.HEALTH_JOURNAL)


def _changed(keypad, version, *changes):
    return _ask(keypad, messages.OP_CONFIG, [version, [list(change) for change in changes]])


def test_settings_are_told_with_their_limits_and_changed_only_at_their_version():
    keypad = Keypad()
    status, [version, settings] = _ask(keypad, messages.OP_CONFIG, None)
    equal((status, version), (messages.OK, 0))
    assert ["lockout_s", 30, 10, 900] in settings, settings
    assert ["strike_ms", 3000, 100, 60000] in settings, settings
    status, [version, settings] = _changed(keypad, 0, ("strike_ms", 2000), ("lockout_s", 60))
    equal((status, version), (messages.OK, 1))
    assert ["lockout_s", 60, 10, 900] in settings and ["strike_ms", 2000, 100, 60000] in settings, settings
    equal(_changed(keypad, 0, ("strike_ms", 1000)), (messages.CONFLICT, 1))
    equal(_changed(keypad, 1, ("strike_ms", 99)), (messages.INVALID, None))
    equal(_ask(keypad, messages.OP_CONFIG, None)[1], [1, settings])


def test_look_at_a_table_that_is_not_remembered_is_taken_in_parts():
    keypad = Keypad()
    for number in (1, 512, 513, 4096):
        keypad.add(number, b"%06d" % number)
    keypad = Keypad(keypad.flash)
    found = []
    first, pages = 1, 0
    while first is not None:
        _, (_, _, first, slots) = _ask(keypad, messages.OP_SINCE, [1, first, True])
        found += [slot[0] for slot in slots]
        pages += 1
    equal((found, pages), ([512, 513, 4096], 8))
    keypad.slots.clear(512, 2, b"op-id--1", 0)
    _, (_, generation, following, slots) = _ask(keypad, messages.OP_SINCE, [4, 1, True])
    equal((generation, following, [slot[:2] for slot in slots]), (5, None, [[512, 5]]))


def test_name_of_an_input_is_told_with_the_bytes_it_may_have():
    keypad = Keypad()
    _, [_, settings] = _changed(keypad, 0, ("exit_name", "Tür zum Hof"))
    assert ["exit_name", "Tür zum Hof", 0, 32] in settings and ["door_name", "", 0, 32] in settings, settings
    equal(_changed(keypad, 1, ("door_name", 33 * "a")), (messages.INVALID, None))
    equal(_changed(keypad, 1, ("door_name", 1)), (messages.INVALID, None))
    equal(_changed(keypad, 0, ("door_name", "Yard")), (messages.CONFLICT, 1))
    equal(_ask(keypad, messages.OP_CONFIG, None)[1], [1, settings])


def test_pin_length_set_by_a_host_holds_for_new_codes_and_is_told_at_the_next_session():
    keypad = Keypad()
    equal(_put(keypad, 1, b"4711", op_id=b"op-id--0"), [messages.OK, 1])
    equal(_changed(keypad, 0, ("pin_min", 6), ("pin_max", 8))[0], messages.OK)
    equal(keypad.operations.capabilities[4:6], [6, 8])
    for number, pin, status in (
        (2, b"12345", 5),
        (3, b"123456", 0),
        (4, b"12345678", 0),
        (5, b"123456789", 5),
    ):
        equal(_put(keypad, number, pin, op_id=b"op-id-%02d" % number)[0], status)
    equal(keypad.slots.find(b"4711").number, 1)


def test_wrong_tries_allowed_by_a_host_count_at_once():
    keypad = Keypad()
    equal(_changed(keypad, 0, ("wrong_max", 3))[0], messages.OK)
    keypad.enter("0000#0000#0000#")
    equal(keypad.entries()[-1], (messages.EV_LOCKOUT, 1, 0))
