"""Helpers of the vendor tests: small vendor files written for one test, and rows as a device would send them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from yunwei.inspect.observation import Observation, Target
from yunwei.inspect.vendor import Catalogue, Reading, SnmpData, apply_snmp, load
from yunwei.inspect.vendor.catalogue import folders

HEAD = "name: mine\ntitle: 测试\nproof: synthetic\n"
BASE = "1.3.6.1.4.1.32473.9"


def write(folder: Path, body: str, *, head: str = HEAD) -> Path:
    """A vendor file beside a copy of the product's generic.yaml."""
    folder.mkdir(exist_ok=True)
    (folder / "generic.yaml").write_text((folders()[0] / "generic.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    path = folder / "mine.yaml"
    path.write_text(head + textwrap.dedent(body), encoding="utf-8")
    return path


def catalogue(folder: Path, body: str, *, head: str = HEAD) -> Catalogue:
    """The catalogue with that file."""
    write(folder, body, head=head)
    return load([folder])


def read(
    folder: Path, body: str, columns: dict[str, dict[str, object]], *, terms=None, target=None, partial=()
) -> Reading:
    """One table `t` at BASE answered with plain Python values (int, str or bytes) by sub-identifier."""
    vendor = catalogue(folder, body).get("mine")
    data = SnmpData(
        columns={
            f"{BASE}.{sub}": {index: _value(value) for index, value in rows.items()} for sub, rows in columns.items()
        },
        partial={f"{BASE}.{sub}" for sub in partial},
    )
    return apply_snmp(vendor, data, target or Target("a", "snmp"), terms or {})


def _value(value):
    if isinstance(value, int):
        return (2, value)
    if isinstance(value, str):
        return (4, value.encode())
    return (4, value) if isinstance(value, bytes) else (129, None)


def only(reading: Reading) -> Observation:
    """The single observation of a reading."""
    assert len(reading.observations) == 1, reading.observations
    return reading.observations[0]
