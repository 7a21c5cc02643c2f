"""Search for inputs that break a target, guided by coverage; keep the smallest set that covers as much.

    tests/fuzz/run [--seconds N] [TARGET ...]

Needs atheris. A broken promise stops the search, and the input is printed: it belongs in a test of its own.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
INPUT_BYTES_MAX = 512  # a corpus is kept small: what a longer input reaches, a short one does too


def one_target(name: str, folders: list[str]) -> None:
    """Become libFuzzer for one target. Does not return."""
    with atheris.instrument_imports(include=["doorpad", "doorpad_link"]):
        import bridge_targets
        import targets
    target = {**targets.TARGETS, **bridge_targets.TARGETS}[name]
    # libFuzzer runs its own command line anew when it merges, by the shell.
    again = shlex.join([sys.executable, str(HERE / "search.py"), "--target", name])
    atheris.Setup([again, *folders], target)
    atheris.Fuzz()


def _run(name: str, options: list[str]) -> None:
    command = [sys.executable, str(HERE / "search.py"), "--target", name, *options]
    subprocess.run(command, check=True, cwd=tempfile.gettempdir())


def main() -> int:
    if sys.argv[1:2] == ["--target"]:
        one_target(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", help="all of them unless named")
    arguments = parser.parse_args()
    import bridge_targets
    import targets

    for name in arguments.targets or sorted(targets.TARGETS | bridge_targets.TARGETS):
        kept = HERE / "corpus" / bridge_targets.CORPUS_OF.get(name, name)
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            found, least = Path(folder, "found"), Path(folder, "least")
            for each in (found, least):
                each.mkdir()
            limits = [f"-max_len={INPUT_BYTES_MAX}", "-rss_limit_mb=1024", "-timeout=10"]
            search = [f"-max_total_time={arguments.seconds}", "-print_final_stats=1", "-verbosity=1"]
            _run(name, [*limits, *search, f"-artifact_prefix={folder}/../{name}-", str(found), str(kept)])
            _run(name, [*limits, "-set_cover_merge=1", str(least), str(kept), str(found)])
            shutil.rmtree(kept)
            shutil.copytree(least, kept)
        sizes = [path.stat().st_size for path in kept.iterdir()]
        print(f"{name}: {len(sizes)} inputs, {sum(sizes)} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
