"""Switch one safeguard off after the other, and show that a test notices each time.

    .tests-venv/bin/python tests/mutate.py [--only NAME]

Works on copies of the checkout. Each mutant is one replaced piece of text; it has to turn the named tests red, which
are green without it. A mutant whose text is no longer in the code, or that no test notices, makes the script fail.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in `file`; `tests` are pytest's arguments."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


LINK = "protocol/doorpad_link"
SESSION = ("tests/link/test_session.py", "tests/link/test_session_attacks.py")
BREAKER = ("tests/hil/test_hil_breaker.py",)
BACKUPS = ("tests/api/test_api_backup_codes.py", "-x")
CONVERSION = ("tests/api/test_api_conversion.py",)
SLOTS = ("tests/firmware", "-k", "test_slots or test_link_operations")

MUTANTS = [
    Mutant(
        "byte credit off",
        f"{LINK}/host.py",
        "return unread == 0 or unread + len(flight.packed) <= self._credit_bytes",
        "return True",
        ("tests/link/test_credit.py",),
    ),
    Mutant(
        "first answer taken for the answer to every copy",
        f"{LINK}/host.py",
        "if other is flight and copy == flight.answers:",
        "if other is flight and copy >= flight.answers:",
        ("tests/link/test_credit.py",),
    ),
    Mutant(
        "watchdog fed while the clock stands still",
        "firmware/doorpad_fw/main.py",
        "return (matrix, link, clock) if link",
        "return (matrix, link) if link",
        ("tests/firmware", "-k", "test_clock_stopped"),
    ),
    Mutant(
        "clock that stands still trusted",
        "firmware/doorpad_fw/clock.py",
        "elif ticks_diff(now_ms, self._seen_ms) > _STILL_MS_MAX:",
        "elif False:",
        ("tests/firmware", "-k", "test_clock_stopped"),
    ),
    Mutant(
        "CRC off",
        f"{LINK}/frame.py",
        "if binascii.crc32(inner[:-_CRC_BYTES]) !=",
        "if False and binascii.crc32(inner[:-_CRC_BYTES]) !=",
        ("tests/link/test_frames.py",),
    ),
    Mutant(
        "tag not checked in the keypad",
        f"{LINK}/aead.py",
        "return plain if equal(tag, memoryview(sealed)[size:]) else None",
        "return plain",
        ("tests/link/test_crypto.py",),
    ),
    Mutant(
        "host's proof not checked",
        f"{LINK}/device.py",
        "if not equal(auth[0], keys.host_proof):",
        "if False:",
        SESSION,
    ),
    Mutant(
        "keypad's proof not checked",
        f"{LINK}/host.py",
        "if not equal(answer[5], keys.device_proof):",
        "if False:",
        SESSION,
    ),
    Mutant(
        "reply cache off",
        f"{LINK}/device.py",
        'return self._answers[place] if self._answered[place] == header.counter else b""',
        'return b""',
        SESSION,
    ),
    Mutant(
        "replay window off",
        f"{LINK}/device.py",
        "if age >= 0 and (age >= _REPLAY_BITS or self._seen >> age & 1):",
        "if False:",
        SESSION,
    ),
    Mutant(
        "raised speed kept without a proof",
        "firmware/doorpad_fw/speed.py",
        "return ticks_diff(now_ms, self._since_ms) >= TRIAL_MS",
        "return False",
        ("tests/firmware", "-k", "test_speed"),
    ),
    Mutant(
        "window off",
        f"{LINK}/host.py",
        "if self._in_flight and flight.counter - self._in_flight[0].counter >= self._window:",
        "if False:",
        SESSION,
    ),
    Mutant(
        "alert believed at once",
        f"{LINK}/host.py",
        "_SENDS_AFTER_ALERT = 2",
        "_SENDS_AFTER_ALERT = 1",
        SESSION,
    ),
    Mutant(
        "compare-and-set off",
        "firmware/doorpad_fw/slots.py",
        "if if_version != (version if is_set else 0):",
        "if False:",
        SLOTS,
    ),
    Mutant(
        "operation id off",
        "firmware/doorpad_fw/slots.py",
        "if is_set and op_id == slot.op_id != _NO_OP:",
        "if False:",
        SLOTS,
    ),
    Mutant(
        "new key kept in memory only",
        "firmware/doorpad_fw/key_change.py",
        "    identity.promote()\n    try:\n        seldom.call(",
        "    identity.promote()\n    try:\n        (lambda *_: None)(",
        ("tests/link/test_key_change.py",),
    ),
    Mutant(
        "digest never compared",
        "bridge/doorpad/sync/reading.py",
        "if state.root == mirror.root():",
        "if True:",
        ("tests/hil/test_hil_digest.py",),
    ),
    Mutant(
        "code of another hand cleared for one that waits for its PIN",
        "bridge/doorpad/sync/plan.py",
        "elif gives_way(holder, code) or",
        "elif not holder.managed or gives_way(holder, code) or",
        ("tests/unit/test_plan.py",),
    ),
    Mutant(
        "code of another hand cleared because no hub wants it",
        "bridge/doorpad/sync/plan.py",
        "(code.managed and not wanted(code, now_s))",
        "not wanted(code, now_s)",
        ("tests/unit/test_plan.py",),
    ),
    Mutant(
        "code made at the keypad told by its slot's version",
        "firmware/doorpad_fw/journal.py",
        "slot.made if slot else 0",
        "slot.version if slot else 0",
        ("tests/firmware", "-k", "test_local_codes"),
    ),
    Mutant(
        "spare codes listed as anybody's",
        "bridge/doorpad/api/code_lookup.py",
        "AccessCode.managed.is_(managed), AccessCode.backup.is_distinct_from(POOLED)",
        "AccessCode.managed.is_(managed)",
        BACKUPS,
    ),
    Mutant(
        "backup given that would open before its code begins",
        "bridge/doorpad/sync/backups.py",
        'return device.link_state == "online" or',
        "return True or",
        BACKUPS,
    ),
    Mutant(
        "spare code kept though somebody may know it",
        "bridge/doorpad/sync/backups.py",
        'code.state = "removing"',
        "pass",
        BACKUPS,
    ),
    Mutant(
        "spare code that the database lost comes back as a person's",
        "bridge/doorpad/sync/backups.py",
        "if code.starts_at_s == _FROM_S:",
        "if False:",
        BACKUPS,
    ),
    Mutant(
        "keypad that takes nothing written to for ever",
        "bridge/doorpad/sync/breaker.py",
        "return self._failed >= REFUSED_MIN",
        "return False",
        ("tests/unit/test_breaker.py",),
    ),
    Mutant(
        "deletion no sooner tried than the rest",
        "bridge/doorpad/sync/step.py",
        "kind = others if is_others else clears",
        "kind = clears if is_others else others",
        ("tests/unit/test_step.py",),
    ),
    Mutant(
        "all sent to a keypad that may take nothing",
        "bridge/doorpad/sync/step.py",
        "if not is_proven:",
        "if False:",
        BREAKER,
    ),
    Mutant(
        "backup outlives its original",
        "bridge/doorpad/api/code_changes.py",
        "revoke(session, code, now_ms)",
        "pass",
        BACKUPS,
    ),
    Mutant(
        "lease of a spare code looked at by the hub's wish, not by its slot",
        "bridge/doorpad/store/status.py",
        "and (slot.until_s is None or now_s < slot.until_s)",
        "",
        BACKUPS,
    ),
    Mutant(
        "what another hand changed meanwhile taken over",
        "bridge/doorpad/sync/effects.py",
        "seen[1] != conversion.terms(found)",
        "False",
        CONVERSION,
    ),
    Mutant(
        "what another hand changed taken over when the answer was lost",
        "bridge/doorpad/sync/effects.py",
        "code is not None and (code.managed or found.maker == learned.maker)",
        "code is not None",
        CONVERSION,
    ),
    Mutant(
        "what another hub manages taken over without force",
        "bridge/doorpad/sync/conversion.py",
        'code.conversion != "forced"',
        "False",
        CONVERSION,
    ),
]


def is_red(mutant: Mutant | None, tests: tuple[str, ...], folder: Path) -> bool:
    """Run tests in a copy of the checkout, with a mutant in it or as it is.

    Raises ValueError if the mutant's text does not stand once in its file.
    """
    copy = folder / "copy"
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(".*", "typings", "__pycache__", "*.egg-info"), symlinks=True
    )
    if mutant is not None:
        path = copy / mutant.file
        text = path.read_text()
        if text.count(mutant.old) != 1:
            raise ValueError(
                f"{mutant.name}: its text stands {text.count(mutant.old)} times in {mutant.file}"
            )
        path.write_text(text.replace(mutant.old, mutant.new))
    environment = os.environ | {"PYTHONPATH": f"{copy / 'bridge'}{os.pathsep}{copy / 'protocol'}"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", *tests]
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode not in (0, 1):
        raise ValueError(f"pytest ended with {ran.returncode}: {ran.stdout[-500:]}")
    return ran.returncode == 1


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", help="run the mutants whose name holds this")
    only = arguments.parse_args().only
    mutants = [mutant for mutant in MUTANTS if only is None or only in mutant.name]
    for tests in dict.fromkeys(mutant.tests for mutant in mutants):
        with tempfile.TemporaryDirectory() as folder:
            if is_red(None, tests, Path(folder)):
                print(f"red without any mutant, so nothing can be shown: {' '.join(tests)}")
                return 1
    unseen = 0
    for mutant in mutants:
        with tempfile.TemporaryDirectory() as folder:
            noticed = is_red(mutant, mutant.tests, Path(folder))
        unseen += not noticed
        print(f"{'noticed' if noticed else 'NOT NOTICED'}: {mutant.name}", flush=True)
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
