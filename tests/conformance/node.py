"""Node.js and the npm packages of `js/`, in the versions of its lock file."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

JS = Path(__file__).parent / "js"
_OLDEST = 20
_NEEDED = "DOORPAD_NEEDS_NODE"  # set where these tests may not be left out, as in continuous integration
_INSTALL_S = 300


class Missing(Exception):
    """These tests cannot run here, and need not."""


def install() -> Path:
    """Install what the lock file says, unless it is there already; returns the folder.

    Raises:
        Missing: there is no Node.js of version 20 or newer with npm.
        RuntimeError: the same, where `DOORPAD_NEEDS_NODE` is set.
        CalledProcessError: npm failed.
    """
    found = shutil.which("node") and shutil.which("npm")
    if not found or _version() < _OLDEST:
        reason = f"the official JavaScript SDK is left out: it needs Node.js {_OLDEST} or newer, and npm"
        if os.environ.get(_NEEDED):
            raise RuntimeError(reason)
        raise Missing(reason)
    wanted = JS / "package-lock.json"
    # npm writes what it has installed into this file, last.
    installed = JS / "node_modules" / ".package-lock.json"
    # One after the other: each installation begins by taking away what another one is putting there.
    with wanted.open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=JS,
                check=True,
                timeout=_INSTALL_S,
                stdout=subprocess.DEVNULL,
            )
    return JS


def _version() -> int:
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return int(told.removeprefix("v").partition(".")[0])
