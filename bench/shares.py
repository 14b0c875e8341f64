"""Where the product's CPU for one switch goes: what bounds the SNMP rows, measured and not guessed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from unittest.mock import patch

from bench.switches import capture
from yunwei.gm import sm2
from yunwei.inspect.collect import snmp
from yunwei.inspect.collect.base import Look
from yunwei.inspect.collect.job import Keyring, run_job, write_result
from yunwei.inspect.observation import Job, Target
from yunwei.inspect.vendor import apply_snmp

T = TypeVar("T")
COUNT = 60


def bound(endpoints: Sequence[Mapping[str, Any]], credential: Mapping[str, str]) -> str:
    """One job in this process, its parts timed: asking and decoding, judging, making storable, the signed file."""
    ring, own = Keyring(sm2.generate()), sm2.generate()
    sealed = ring.seal(credential)
    targets = [Target(e["address"], "snmp", e["address"], int(e["port"]), sealed) for e in endpoints[:COUNT]]
    spent = {"judging": 0.0, "storable": 0.0}

    def timing(name: str, work: Callable[..., T]) -> Callable[..., T]:
        def timed(*arguments: Any, **named: Any) -> T:
            start = time.process_time()
            try:
                return work(*arguments, **named)
            finally:
                spent[name] += time.process_time() - start

        return timed

    job = Job("part", "run", "bench", datetime.now(UTC), targets)
    run_job(job, ring)  # what is cached in the life of a collector is cached now
    judging, storable = timing("judging", apply_snmp), timing("storable", Look.result)
    with patch.object(snmp, "apply_snmp", judging), patch.object(Look, "result", storable):
        start = time.process_time()
        result = run_job(job, ring)
        whole = time.process_time() - start
    start = time.process_time()
    write_result(result, own)
    file = time.process_time() - start
    asking = whole - sum(spent.values())
    ms = {name: seconds * 1000 / len(targets) for name, seconds in
          {"asking": asking, **spent, "file": file, "all": whole + file}.items()}  # fmt: skip
    device = result.devices[0]
    return (
        f"of {ms['all']:.1f} ms a switch in one process, {ms['asking']:.1f} are asking and decoding"
        f" ({device.counts['requests']} requests, {device.counts['bytes_in']:,} bytes, about {len(capture()):,} values),"
        f" {ms['judging']:.1f} judging {len(device.observations)} readings and {len(device.parts)} parts,"
        f" {ms['storable']:.1f} making them storable, {ms['file']:.1f} packing and signing the result file;"
        " the peers do the first of these alone"
    )
