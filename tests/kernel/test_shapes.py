"""Types that several threads read into at the same moment are complete before there are threads (kernel/shapes)."""

from __future__ import annotations

import subprocess
import sys

import pytest

# four threads meet a type for the first time, with a value in its last field; the interpreter changes threads as often as it can
RACE = """
import sys, threading, msgspec
import importlib
sys.setswitchinterval(1e-6)
module, names = sys.argv[1], sys.argv[2].split(",")
for kind in (getattr(importlib.import_module(module), name) for name in names):
    data = {name: "x" for name in reversed(kind.__struct_fields__)}
    start = threading.Barrier(4)
    def read():
        start.wait()
        for _ in range(50):
            try:
                msgspec.convert(data, kind)
            except msgspec.ValidationError:
                pass
    threads = [threading.Thread(target=read) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
"""


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("yunwei.contract.schema", "Plan,Contract,Obligation,Clause,OpenItem,Document"),
        ("yunwei.inspect.observation", "Job,JobResult,DeviceResult,Target,Observation"),
        ("yunwei.inspect.vendor.schema", "RawFile,RawPiece,RawMatch"),
    ],
)
def test_threads_that_meet_a_type_first_do_not_end_the_process(module: str, names: str) -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", RACE, module, names], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr or f"ended by signal {-done.returncode}"
