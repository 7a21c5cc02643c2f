"""Runs the files in `mpy/` inside MicroPython, and shows each of their cases as a pytest item.

The keypad's own files run compiled as they are for a keypad. Each `mpy/test_*.py`
gets a process of its own; `mpy/runner.py` writes a JSON line a case, and a case without a line has failed.
"""

import ast
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doorpad.emulator import runtime

INSIDE = Path(__file__).parent / "mpy"
HANGS_S = 300  # far beyond what any file takes: ends a run that would never end


def _literal_cases(function: ast.FunctionDef) -> list[Any] | None:
    """The values of `@cases(1, 2, 3)`, or None if the function has no cases."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "cases":
            return [ast.literal_eval(argument) for argument in decorator.args]
    return None


class CaseFailed(Exception):
    """A case failed inside MicroPython; the text is its traceback there."""


class MicroPythonFile(pytest.File):
    """A file of test functions that only MicroPython can import: its cases are read from its source."""

    _results: dict[tuple[str, int | None], str] | None = None
    _aftermath = ""

    def collect(self) -> Iterator["MicroPythonCase"]:
        functions = [
            node
            for node in ast.parse(self.path.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ]
        found = 0
        for function in functions:
            values = _literal_cases(function)
            for index, value in [(None, None)] if values is None else list(enumerate(values)):
                name = function.name if index is None else f"{function.name}[{value}]"
                found += 1
                yield MicroPythonCase.from_parent(self, name=name, case=(function.name, index))
        if not found:
            raise self.CollectError(f"{self.path.name} has no test function")

    def _heap(self) -> str:
        """A keypad's heap, unless the file says HEAP: its model of flash, or of what must be there, takes room."""
        for node in ast.parse(self.path.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "HEAP":
                return str(ast.literal_eval(node.value))
        return runtime.HEAP

    def result(self, case: tuple[str, int | None]) -> str:
        """The traceback of a case, "" if it passed. The first call runs all cases that were selected."""
        if self._results is None:
            self._run()
        assert self._results is not None
        return self._results.get(case, "the case did not end. What was printed:\n" + self._aftermath)

    def _run(self) -> None:
        wanted = [item.case for item in self.session.items if item.parent is self]
        program = runtime.compile_program(self.config.cache.mkdir("firmware"), named=True)
        command = [
            *runtime.micropython(),
            *("-X", f"heapsize={self._heap()}"),
            *(str(INSIDE / "runner.py"), self.path.stem),
        ]
        search = f"{runtime.search_path(program)}:{INSIDE}"
        environment = {**os.environ, "MICROPYPATH": search, "TZ": "UTC"}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "wanted.json").write_text(json.dumps(wanted))
            try:
                done = subprocess.run(
                    command, cwd=folder, env=environment, capture_output=True, timeout=HANGS_S, check=False
                )
                printed = done.stdout + done.stderr + f"\nexit code {done.returncode}".encode()
            except subprocess.TimeoutExpired as error:
                printed = (error.stdout or b"") + (error.stderr or b"")
                printed += f"\nstopped after {HANGS_S} s".encode()
            written = folder / "results.jsonl"
            lines = written.read_text().splitlines() if written.exists() else []
        self._aftermath = printed.decode(errors="replace")
        results = [json.loads(line) for line in lines]
        self._results = {(result["name"], result["index"]): result["error"] for result in results}


class MicroPythonCase(pytest.Item):
    """One test function, or one value of its `@cases`, inside MicroPython."""

    parent: MicroPythonFile

    def __init__(self, *, case: tuple[str, int | None], **fields: Any) -> None:
        super().__init__(**fields)
        self.case = case

    def runtest(self) -> None:
        error = self.parent.result(self.case)
        if error:
            raise CaseFailed(error)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.stem}: {self.name}"


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if module_path.parent == INSIDE:
        return MicroPythonFile.from_parent(parent, path=module_path)
    return None
