"""Asks both interpreters the same questions about the link: see `mpy/answer.py` for what can be asked."""

import importlib.util
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import reference
import taped
from doorpad.emulator import runtime
from doorpad.emulator.cable import Cable
from doorpad_link import device, host
from grammar import Ear
from mpy_keypad import MicroPythonKeypad

ANSWER = Path(__file__).parent / "mpy" / "answer.py"
HEAP = "400K"  # more than a keypad has: some questions are longer than any frame
HANGS_S = 300


@pytest.fixture(autouse=True)
def ear(monkeypatch: pytest.MonkeyPatch) -> Ear:
    """Hears both ends in every test: whatever a session of ours gives out has to follow protocol/doorpad.cddl."""
    sessions: dict[tuple[bytes, ...], reference.Keys] = {}
    ear = Ear(lambda: list(sessions.values())[::-1])  # the newest is the likeliest

    class Keys(device.SessionKeys):
        def __init__(self, *secrets: bytes) -> None:
            super().__init__(*secrets)
            sessions[secrets] = reference.Keys(*secrets)

    def listen(owner: type, method: str, *, from_device: bool) -> None:
        real = getattr(owner, method)

        def heard(*arguments: Any) -> bytes:
            out: bytes = real(*arguments)
            ear.hear(out, from_device=from_device)
            return out

        monkeypatch.setattr(owner, method, heard)

    monkeypatch.setattr(device, "SessionKeys", Keys)
    monkeypatch.setattr(host, "SessionKeys", Keys)
    listen(host.HostSession, "take_output", from_device=False)
    listen(device.DeviceSession, "receive", from_device=True)
    listen(device.DeviceSession, "hint", from_device=True)
    listen(MicroPythonKeypad, "receive", from_device=True)
    return ear


@pytest.fixture(autouse=True)
def _tapes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ear: Ear) -> Iterator[None]:
    """Hears the cables of emulated keypads, too, that a test has in its own process."""
    monkeypatch.setattr(Cable, "__init__", Cable.__init__)  # what `start` puts there goes with the test
    taped.start()
    yield
    taped.check(tmp_path, ear.nonsense)


Ask = Callable[[list[dict[str, Any]]], list[Any]]


def _ask_cpython(questions: list[dict[str, Any]]) -> list[Any]:
    spec = importlib.util.spec_from_file_location("answer", ANSWER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Through JSON, as the other interpreter's answers come.
    return [json.loads(json.dumps(module.answer(question))) for question in questions]


def _ask_micropython(questions: list[dict[str, Any]], folder: Path, program: Path) -> list[Any]:
    (folder / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    command = [*runtime.micropython(), "-X", f"heapsize={HEAP}", str(ANSWER)]
    environment = {**os.environ, "MICROPYPATH": runtime.search_path(program), "TZ": "UTC"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=HANGS_S, check=False
    )
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(answers) == len(questions), (done.stdout + done.stderr).decode(errors="replace")
    return answers


@pytest.fixture(params=["cpython", "micropython"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """`ask(questions)` gives the answers of one interpreter."""
    if request.param == "cpython":
        return _ask_cpython
    program = runtime.compile_program(request.config.cache.mkdir("firmware"), named=True)
    return lambda questions: _ask_micropython(questions, tmp_path, program)


@pytest.fixture
def check(ask: Ask) -> Callable[[list[tuple[dict[str, Any], Any]]], None]:
    """`check([(question, wanted), ...])`: one interpreter's answers are the wanted ones."""

    def check_all(cases: list[tuple[dict[str, Any], Any]]) -> None:
        assert cases
        answers = ask([question for question, _ in cases])
        wrong = [
            f"{question}: got {answer}, wanted {wanted}"
            for (question, wanted), answer in zip(cases, answers, strict=True)
            if answer != wanted
        ]
        assert not wrong, f"{len(wrong)} of {len(cases)} differ:\n" + "\n".join(wrong[:10])

    return check_all
