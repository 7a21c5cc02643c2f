"""What fuzzing found to matter is played again to each parser, under both interpreters. More: tests/fuzz/run."""

import gc
import os
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from doorpad.emulator import runtime

import bridge_targets
import targets

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
LINK = HERE.parents[1] / "protocol" / "doorpad_link"
HEAP = "200K"  # of which the parsers have less than a keypad leaves them: targets.py and host.py are sources here
GROWTH_BYTES_MAX = 512
PEAK_BYTES_MAX = 50_000  # both ends of a session with their buffers take less
ALL = {**targets.TARGETS, **bridge_targets.TARGETS}


def _inputs(name: str) -> list[Path]:
    return sorted((CORPUS / bridge_targets.CORPUS_OF.get(name, name)).iterdir())


@pytest.mark.parametrize("name", ALL)
def test_corpus_breaks_no_promise_and_takes_no_memory(name: str) -> None:
    inputs = _inputs(name)
    assert inputs
    for path in inputs:  # whatever is made once is made now
        ALL[name](path.read_bytes())
    gc.collect()
    gc.freeze()  # what else is loaded need not be looked through before each input
    tracemalloc.start()
    try:
        for path in inputs:
            gc.collect()  # the ends before it refer to themselves in a circle
            tracemalloc.reset_peak()
            ALL[name](path.read_bytes())
            _, peak = tracemalloc.get_traced_memory()
            assert peak < PEAK_BYTES_MAX, path.name
    finally:
        tracemalloc.stop()
        gc.unfreeze()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_corpus_breaks_no_promise_inside_micropython(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    program = runtime.compile_program(request.config.cache.mkdir("firmware"), named=True)
    environment = {**os.environ, "MICROPYPATH": f"{runtime.search_path(program)}:{HERE}:{LINK}", "TZ": "UTC"}
    command = [*runtime.micropython(), "-X", f"heapsize={HEAP}", str(HERE / "replay.py"), str(CORPUS), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1]) < GROWTH_BYTES_MAX
