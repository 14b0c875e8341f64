"""A child that does not outlive the process that started it, however that one ends."""

from __future__ import annotations

import shutil
from collections.abc import Sequence


def leashed(command: Sequence[str]) -> list[str]:
    """The command, to be started so that the kernel asks it to end (SIGTERM) when the thread that started it is gone.

    By setpriv (util-linux, part of every Debian), which becomes the command and so keeps its process id; where there is none,
    the command as it is.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else list(command)
