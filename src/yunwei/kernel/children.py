"""Child processes: our own modules as programs, and a leash for those that must not outlive us."""

from __future__ import annotations

import shutil
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
