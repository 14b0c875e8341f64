"""The heap of a long-lived process: what was loaded at start is not searched for garbage again and again, and what one
thread gave back another one uses."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

#: objects made before a young collection; a page or a device makes some ten thousand that all die by themselves
YOUNG = 20_000
#: glibc's name for the number of heaps that threads share (malloc.h), and how many we want
M_ARENA_MAX, ARENAS = -8, 2


def settle() -> None:
    """Call once, when everything a process works with is loaded: modules, contract, vendor files."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)


def give_back() -> None:
    """Call when there is nothing to do: what was left behind in circles is freed now.

    An error that is kept with its frames holds the answer that it is about, megabytes where a device sends without end, and by
    itself Python looks for such circles after millions of objects. Milliseconds, as `settle` has taken out what stays.
    """
    gc.collect()


def share() -> None:
    """Call first of all, before there are threads: glibc gives each of them a heap of its own that keeps its largest size for
    good, and threads that hold one interpreter lock never allocate at once."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
