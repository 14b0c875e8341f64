"""The recipe's example is a vendor file that loads, and a sweep's worth of judging stays cheap."""

from __future__ import annotations

import re
from pathlib import Path

from tests.vendor.tools import write
from yunwei.inspect.observation import State, Target
from yunwei.inspect.vendor import SnmpData, apply_snmp, load, shipped

RECIPE = Path(__file__).resolve().parents[2] / "docs" / "recipes" / "add-a-vendor.md"
#: CPU seconds that one switch may cost; about ten times what was measured, for loaded machines


def test_the_example_of_the_recipe_works(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.DOTALL)
    write(tmp_path / "v", example, head="")
    vendor = load([tmp_path / "v"]).get("my-vendor")
    fan = "1.3.6.1.4.1.32473.1.2.4.1"
    data = SnmpData(
        {"1.3.6.1.4.1.32473.1.2.1.1.0": (4, b"EX-1")},
        {
            f"{fan}.2": {"1": (2, 1)},
            f"{fan}.3": {"1": (2, 300)},
            f"{fan}.4": {"1": (2, 600)},
            f"{fan}.5": {"1": (4, b"F1")},
        },
    )
    reading = apply_snmp(vendor, data, Target("a", "snmp"), {})
    (seen,) = [o for o in reading.observations if o.component == "fan/F1"]
    assert (seen.state, seen.raw, seen.limit) == (State.CRITICAL, "running", "device: crit<=600")
    assert reading.identity["serial"] == "EX-1"


def test_every_function_that_the_recipe_names_exists():
    from yunwei.inspect.vendor.expr import FUNCTIONS

    text = RECIPE.read_text(encoding="utf-8")
    named = set(re.search(r"the functions `([^`]+)`", text, re.DOTALL).group(1).split())
    assert named == set(FUNCTIONS) | {"lookup"}


def test_a_switch_of_64_ports_gives_three_readings_a_port():
    data = SnmpData()
    for column in (2, 3, 5, 7, 8, 10, 11, 14, 17, 20):
        value = (4, b"port") if column == 2 else (2, 1)
        data.columns[f"1.3.6.1.2.1.2.2.1.{column}"] = {str(i): value for i in range(64)}
    data.columns["1.3.6.1.2.1.31.1.1.1.1"] = {str(i): (4, f"GE0/{i}".encode()) for i in range(64)}
    vendor, target = shipped().get("huawei-vrp"), Target("a", "snmp")
    reading = apply_snmp(vendor, data, target, {})
    assert len(reading.observations) == 3 * 64
