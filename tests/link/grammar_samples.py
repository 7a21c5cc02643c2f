"""A right body for each rule of protocol/doorpad.cddl, and what makes it a wrong one."""

from typing import Any

ID8, ID16 = bytes(range(8)), bytes(range(16))
PUT = [0, 4096, b"123456", 1_760_000_000, 1_760_003_600, 3]
RECORD = [7, 300, 35, b"1234", 1_760_000_000, 1_760_003_600, ID8, ID16, 1]
CLEARED = [8, 301, 0, None, None, None, None, None, 0]
ENTRY = [1, None, 999, 3, 1, 0, 0, bytes(16), 1, 70_000, 0]

# Written by hand from the README, one of each; behind it, for each place that a wrong value fits, such a value.
SAMPLES: dict[str, tuple[list[Any], list[tuple[tuple[int, ...], Any]]]] = {
    "hello": ([1, 1, ID16, ID8], [((0,), None), ((1,), 2**32), ((2,), ID8), ((3,), ID16)]),
    "hello-r": (
        [1, ID16, ID8, ID8, b"name", ID16],
        [((0,), -1), ((1,), ID8), ((2,), b""), ((3,), "text----"), ((4,), ID8), ((5,), b"")],
    ),
    "auth": ([ID16], [((0,), ID8)]),
    "auth-r": (
        [0, 1024, 4, 3584, 4096, 4, 12, "0.1.0", 1],
        [((place,), wrong) for place, wrong in enumerate([5, 127, 0, 134, 4097, 3, 13, b"0", 0])],
    ),
    "hint": ([300, 70_000], [((0,), None), ((1,), -1)]),
    "alert": ([2, ID8], [((0,), 3), ((1,), ID16)]),
    "state-request": ([16, None], [((1,), 0)]),
    "state-reply": (
        [16, 0, [ID8, b"tabl", 300, 3, 4096, b"jour", 1, 70_000, None, 2, 2**32 - 1, 0, ID8]],
        [
            ((1,), 1),
            *(((2, at), wrong) for at, wrong in [(0, ID16), (1, ID8), (3, 4097), (4, 0), (8, 0), (10, 2**32)]),
            ((2, 12), None),
        ],
    ),
    "digest-request": ([20, [0, 64]], [((1, 0), -1), ((1, 1), None)]),
    "digest-reply": ([20, 0, [ID8, ID8]], [((1,), 1), ((2, 1), ID16)]),
    "time-request": ([18, [1_760_000_000, 0]], [((1, 0), 946_684_799), ((1, 0), 4_102_444_800), ((1, 1), 1000)]),
    "time-reply": ([18, 10, 1_760_000_000], [((1,), 0), ((2,), None)]),
    "put-request": (
        [21, [ID8, 2 * ID16, [PUT, PUT]]],
        [
            *(((1, 2, 1, place), wrong) for place, wrong in enumerate([-1, 0, b"123", 1, -1, 32])),
            ((1, 0), ID16),
            ((1, 1), ID8),
            ((1, 2), []),
            ((1, 2, 0, 2), b"1234567890123"),
        ],
    ),
    "put-reply": (
        [21, 0, [[7, 0, 300], [8, 3, 299], [9, 9, 0]]],
        [((2, 1, 1), 7), ((2, 1, 2), None), ((2, 0), 300)],
    ),
    "delete-request": ([22, [[300, 7, ID8], [301, 8, ID8]]], [((1, 1, 0), None), ((1, 1, 1), 0), ((1, 1, 2), ID16)]),
    "delete-reply": ([22, 0, [[7, 1, 300]]], [((2,), []), ((2, 0, 0), None)]),
    "since-request": ([24, [0, 1, True]], [((1, 0), None), ((1, 1), 0), ((1, 2), 1)]),
    "since-reply": (
        [24, 0, [b"tabl", 301, 9, [RECORD, CLEARED]]],
        [
            ((2, 0), ID8),
            ((2, 2), 0),
            *(((2, 3, 0, place), wrong) for place, wrong in enumerate([0, 0, -1, b"1", 1, 1, ID16, ID8, 5])),
            *(((2, 3, 1, place), wrong) for place, wrong in enumerate([0, 0, None, b"1", 1, 1, ID8, ID16, 5])),
        ],
    ),
    "adopt-request": ([25, [300, 7, ID8, ID16]], [((1, 0), -1), ((1, 1), 4097), ((1, 2), None), ((1, 3), ID8)]),
    "adopt-reply": ([25, 6, None], [((1,), 0), ((2,), [])]),
    "clock-request": (
        [26, [-300, 20, -9_000, 6_000]],
        [
            ((1,), 0),
            *(((1, place), wrong) for place, wrong in enumerate([None, -1, None, 500_001])),
        ],
    ),
    "clock-reply": (
        [26, 0, [1_760_000_000, 500, 20, -9_000, 3, 1]],
        [
            ((1,), 10),
            *(((2, place), wrong) for place, wrong in enumerate([0, 1000, -1, None, -1, 5])),
        ],
    ),
    "hosts-request": ([27, None], [((1,), [])]),
    "hosts-reply": (
        [27, 0, [[1, ID8, b"name"]]],
        [((2,), []), *(((2, 0, place), wrong) for place, wrong in enumerate([0, ID16, ID8]))],
    ),
    "events-request": ([30, [0, 255]], [((1, 0), None), ((1, 1), -1)]),
    "events-reply": (
        [30, 0, [b"jour", 1, 2, [ENTRY, ENTRY]]],
        [
            ((2, 0), ID8),
            *(
                ((2, 3, 1, place), wrong)
                for place, wrong in enumerate([0, 0, 1000, None, None, 4097, -1, ID8, None, None, 5])
            ),
        ],
    ),
    "next-key-request": ([40, [ID8, 2 * ID16]], [((1, 0), ID16), ((1, 1), ID16)]),
    "next-key-reply": ([40, 0, 2 * ID16], [((1,), 1), ((2,), ID8)]),
    "config-request": (
        [41, [3, [["strike_ms", 3000], ["exit_name", "Hof"]]]],
        [((1,), 0), ((1, 0), None), ((1, 1), []), ((1, 1, 0, 0), b""), ((1, 1, 1, 1), b"Hof")],
    ),
    "config-reply": (
        [41, 0, [3, [["strike_ms", 3000, 100, 60_000], ["exit_name", "Hof", 0, 32]]]],
        [((1,), 3), ((2, 0), None), ((2, 1), []), *(((2, 1, 0, place), None) for place in range(4))],
    ),
    "strike-request": (
        [42, [1, 1, 5_000, ID16]],
        [((1, 0), 2), ((1, 1), None), ((1, 2), -1), ((1, 3), ID8)],
    ),
    "strike-reply": ([42, 0, True], [((1,), 11), ((2,), 1)]),
    "statistics-request": ([50, None], [((0,), 51)]),
    "statistics-reply": ([50, 0, [1, 2, 0, 0, 60_000, 0, 3, 1]], [((1,), 1), ((2, 3), -1), ((2, 7), None)]),
    "speed-request": ([19, [921_600]], [((1,), 921_600), ((1, 0), None)]),
    "speed-reply": ([19, 0, None], [((1,), 1), ((2,), 921_600)]),
    "crashes-request": ([51, [0]], [((1,), None), ((1, 0), -1)]),
    "crashes-reply": (
        [51, 0, [7, "0.1.0", "Traceback"]],
        [((1,), 1), ((2,), 0), ((2, 0), 0), ((2, 1), b"0.1.0"), ((2, 2), None)],
    ),
    "update-state-request": ([60, None], [((0,), 61)]),
    "update-state-reply": (
        [60, 0, ["0.1.0", None, False, 1, 6, 900_000]],
        [((1,), 1), *(((2, place), wrong) for place, wrong in enumerate([None, ID16, 0, None, -1, None]))],
    ),
    "update-begin-request": (
        [61, [4352, 2 * ID16, 200_000]],
        [((1, 0), None), ((1, 1), ID16), ((1, 2), -1)],
    ),
    "update-begin-reply": ([61, 0, [True]], [((1,), 1), ((2,), True), ((2, 0), 1)]),
    "update-write-request": ([62, [3, 800, b"data"]], [((1, 0), -1), ((1, 1), None), ((1, 2), "data")]),
    "update-write-reply": ([62, 3, 800], [((1,), 1), ((2,), None)]),
    "update-check-request": ([63, [3]], [((1, 0), None), ((1,), 3)]),
    "update-check-reply": ([63, 0, [800, True]], [((1,), 1), ((2, 0), None), ((2, 1), 1)]),
    "update-switch-request": ([64, None], [((0,), 65)]),
    "update-switch-reply": ([64, 0, None], [((1,), 1), ((2,), 0)]),
    "update-cancel-request": ([65, None], [((0,), 64)]),
    "update-cancel-reply": ([65, 0, None], [((1,), 1), ((2,), 0)]),
    "ping-request": ([17, None], [((0,), 18)]),
    "ping-reply": ([17, 0, [1]], [((1,), 1)]),
    "unknown-request": ([77, [1]], [((0,), None)]),
    "refusal": ([77, 7, None], [((0,), None), ((1,), 0), ((2,), 0)]),
}  # fmt: skip
