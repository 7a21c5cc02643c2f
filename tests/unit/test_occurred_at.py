"""When a journal entry was written: by the keypad's clock, by its uptime, or not known."""

from dataclasses import replace

from doorpad.link.operations import JournalRecord, KeypadState
from doorpad.sync.journal import occurred_at_ms

NOW_MS = 1_800_000_000_000
STATE = KeypadState(
    boot_id="b" * 16,
    table_epoch="t" * 8,
    generation=1,
    used=1,
    journal_epoch="j" * 8,
    journal_first=1,
    journal_head=9,
    time_s=None,
    boot=5,
    uptime_ms=100_000,
    health=0,
    root=bytes(8),
)
ENTRY = JournalRecord(
    sequence=9,
    time_s=None,
    ms=0,
    kind=2,
    reason=0,
    slot=7,
    version=1,
    access_code_id=None,
    boot=5,
    uptime_ms=40_000,
    maker=0,
)


def test_entry_with_a_time_happened_then_to_the_millisecond():
    entry = replace(ENTRY, time_s=1_799_999_000, ms=123)
    assert occurred_at_ms(entry, STATE, NOW_MS) == 1_799_999_000_123
    assert occurred_at_ms(replace(entry, boot=4), STATE, NOW_MS) == 1_799_999_000_123


def test_entry_of_this_start_without_a_time_is_dated_by_uptime():
    assert occurred_at_ms(ENTRY, STATE, NOW_MS) == NOW_MS - 60_000
    assert occurred_at_ms(replace(ENTRY, uptime_ms=100_000), STATE, NOW_MS) == NOW_MS


def test_uptime_that_began_again_at_32_bits_is_counted_through():
    state = replace(STATE, uptime_ms=500)
    entry = replace(ENTRY, uptime_ms=2**32 - 1500)
    assert occurred_at_ms(entry, state, NOW_MS) == NOW_MS - 2000


def test_entry_of_an_earlier_start_without_a_time_is_dated_when_it_is_learned():
    assert occurred_at_ms(replace(ENTRY, boot=4), STATE, NOW_MS) == NOW_MS


def test_later_entries_of_one_start_are_never_dated_earlier():
    times = [occurred_at_ms(replace(ENTRY, uptime_ms=ms), STATE, NOW_MS) for ms in range(0, 100_001, 777)]
    assert times == sorted(times)
    assert times[-1] <= NOW_MS
