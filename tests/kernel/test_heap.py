"""Threads of one process share their heaps: what one gave back another one uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

THREADS = """
import ctypes, sys, threading
from yunwei.kernel import heap
libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_stats"):
    sys.exit("no glibc")
if sys.argv[1] == "share":
    heap.share()
gate = threading.Barrier(8)
def work():
    gate.wait()
    kept = [bytearray(50_000) for _n in range(20)]
    gate.wait()
    del kept
threads = [threading.Thread(target=work) for _n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_stats()
"""


def heaps(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", THREADS, how], capture_output=True, text=True, timeout=60, check=False)
    if "no glibc" in done.stderr:
        pytest.skip("another C library has other heaps")
    return done.stderr.count("Arena ")


def test_threads_share_their_heaps():
    assert heaps("share") <= 2 < heaps("each")
