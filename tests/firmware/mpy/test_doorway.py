"""Forced and held open, told from contact, strike and time. Virtual milliseconds; held open means 60 s here."""

import esp32_time

from doorpad_fw.doorway import Doorway
from doorpad_link.messages import EV_DOOR_CLOSED, EV_FORCED, EV_HELD_OPEN

from cases import equal

SETTINGS = {"strike_ms": 5000, "held_open_s": 60}

# (situation, [(ms, what happens)], [(ms, what is told)]). The strike's pulse lasts 5 s; 2 s of grace follow.
TABLE = (
    ("closed at the start", [(0, "closed")], []),
    ("open at the start, then closed", [(0, "open"), (10_000, "closed")], []),
    ("open at the start and left so", [(0, "open")], [(60_000, EV_HELD_OPEN)]),
    ("opened during the pulse", [(0, "closed"), (1000, "unlock"), (1500, "open"), (9000, "closed")], []),
    (
        "opened in the last moment of grace",
        [(0, "closed"), (1000, "unlock"), (7999, "open"), (9000, "closed")],
        [],
    ),
    (
        "opened when the grace is over",
        [(0, "closed"), (1000, "unlock"), (8000, "open"), (9000, "closed")],
        [(8000, EV_FORCED), (9000, EV_DOOR_CLOSED)],
    ),
    (
        "opened with nothing unlocked",
        [(0, "closed"), (5000, "open"), (6000, "closed")],
        [(5000, EV_FORCED), (6000, EV_DOOR_CLOSED)],
    ),
    ("forced, and then left open", [(0, "closed"), (5000, "open")], [(5000, EV_FORCED)]),
    (
        "opened twice in one pulse",
        [(0, "closed"), (1000, "unlock"), (1500, "open"), (2000, "closed"), (3000, "open"), (4000, "closed")],
        [],
    ),
    (
        "held open a moment less than too long",
        [(0, "closed"), (1000, "unlock"), (1500, "open"), (61_499, "closed")],
        [],
    ),
    (
        "held open too long, then closed",
        [(0, "closed"), (1000, "unlock"), (1500, "open"), (70_000, "closed")],
        [(61_500, EV_HELD_OPEN), (70_000, EV_DOOR_CLOSED)],
    ),
    (
        "forced again after it was closed",
        [(0, "closed"), (5000, "open"), (6000, "closed"), (7000, "open")],
        [(5000, EV_FORCED), (6000, EV_DOOR_CLOSED), (7000, EV_FORCED)],
    ),
)


def _play(script, ticks_at_start):
    doorway = Doorway(SETTINGS)
    told = []
    happens = dict(script)
    times = set(happens) | set(range(0, 80_001, 500))
    for ms in sorted(times):
        now_ms = (ticks_at_start + ms) % esp32_time.PERIOD_MS
        kinds = [doorway.tick(now_ms)] if ms not in happens else []
        if happens.get(ms) == "unlock":
            doorway.unlocked(now_ms)
        elif ms in happens:
            kinds.append(doorway.contact(happens[ms] == "open", now_ms))
        told += [(ms, kind) for kind in kinds if kind]
    return told


def test_each_situation_tells_what_the_table_says_across_the_wrap_of_ticks():
    for situation, script, told in TABLE:
        for start in (0, esp32_time.PERIOD_MS - 7000, esp32_time.PERIOD_MS - 61_000):
            equal(_play(script, start), told, situation)


def test_a_pulse_weeks_ago_does_not_excuse_a_forced_door():
    doorway = Doorway(SETTINGS)
    doorway.contact(False, 0)
    doorway.unlocked(0)
    now_ms = 0
    for _ in range(20 * 24):
        now_ms = (now_ms + 3_600_000) % esp32_time.PERIOD_MS
        equal(doorway.tick(now_ms), 0)
    equal(doorway.contact(True, now_ms), EV_FORCED)
