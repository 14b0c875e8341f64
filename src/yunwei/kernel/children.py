"""Child processes: our own modules as programs, a leash for those that must not outlive us, and their end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence


def program(module: str, *words: str) -> list[str]:
    """The command that runs a module of ours. Without `-P` a file of that name in the working directory would be run instead,
    which may be anybody's."""
    return [sys.executable, "-P", "-m", module, *words]


def leashed(command: Sequence[str]) -> list[str]:
    """The command, to be started so that the kernel asks it to end (SIGTERM) when the thread that started it is gone.

    By setpriv (util-linux, part of every Debian), which becomes the command and so keeps its process id; where there is none,
    the command as it is.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else list(command)


def end(process: subprocess.Popen[bytes], seconds: float = 10.0) -> int:
    """End a child by its id: asked first, made to after so many seconds. Its exit code."""
    process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
