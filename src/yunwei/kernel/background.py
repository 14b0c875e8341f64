"""Work in the background: a process that takes what people in front of pages leave of the cores."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

#: where Linux keeps how far a session stands back (sched(7), "the autogroup feature")
AUTOGROUP = Path("/proc/self/autogroup")
#: the kernel lets an ordinary user say so once in a tenth of a second, whoever else just did
TRIES, WAIT_S = 5, 0.15


def stand_back(by: int) -> None:
    """Be nicer by so much (0 to 19), now and with all children.

    Where the kernel groups processes by session, nice counts inside a session alone and sessions share the cores evenly:
    four sessions of ours would leave a fifth to the pages. So a process that leads a session lets its group stand back too.
    """
    os.nice(by)
    if os.getsid(0) != os.getpid():
        return  # the session is somebody else's, who may be waited for
    with suppress(OSError):  # another system, or a container that keeps it to itself: no reason not to work
        for _try in range(TRIES):
            try:
                AUTOGROUP.write_text(str(by))
                return
            except BlockingIOError:
                time.sleep(WAIT_S)
