"""The parts list from sweep to sweep."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.inspect.conftest import Site
from tests.inspect.helpers import NOW

from yunwei.assets.models import Asset
from yunwei.inspect import parts
from yunwei.inspect.models import PartRow
from yunwei.inspect.observation import DeviceResult, Part
from yunwei.kernel.verdict import Reason
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db

DISK = Part("disk/0", "disk", "ST4000", "S1", "FW1", source="/redfish/v1/Systems/1/Storage/0/Drives/0")
PSU = Part("psu/0", "psu", "P800", "P1", source="/redfish/v1/Chassis/1/Power#/PowerSupplies/0")
BIOS = Part("firmware/BIOS", "firmware", "BIOS", firmware="1.0", source="/redfish/v1/Systems/1")
BMC = Part("firmware/BMC", "firmware", "BMC", firmware="2.0", source="/redfish/v1/UpdateService/FirmwareInventory/BMC")


@pytest.fixture
def asset(site: Site) -> Asset:
    return Asset.objects.create(code="srv", name="srv", kind="device", zone=site.zone)


def seen(*found: Part, **more: Any) -> DeviceResult:
    counts = {"deep": 1} if more.pop("deep", True) else {}
    return DeviceResult("srv", more.pop("protocol", "redfish"), NOW, NOW, parts=list(found), counts=counts, **more)


def look(asset: Asset, result: DeviceResult, terms: dict[str, Any] | None = None) -> parts.Comparison:
    rows = parts.load([asset.pk]).get((asset.pk, result.protocol), {})
    told = parts.compare(asset.pk, result, rows, terms or {}, NOW)
    parts.save([told], NOW + timedelta(hours=1))
    return told


def keys(told: parts.Comparison) -> set[str]:
    return {f.key for f in told.faults}


def test_the_first_look_makes_the_list_and_the_same_again_is_right(asset: Asset):
    assert not look(asset, seen(DISK, PSU)).faults
    assert PartRow.objects.filter(asset=asset).count() == 2
    told = look(asset, seen(DISK, PSU))
    assert not told.faults
    assert {"disk/0:part_missing", "disk/0:part_serial", "disk/0:firmware"} <= told.ok


def test_a_missing_part_stays_a_finding_until_it_is_back(asset: Asset):
    look(asset, seen(DISK, PSU))
    assert keys(look(asset, seen(PSU))) == {"disk/0:part_missing"}
    assert keys(look(asset, seen(PSU))) == {"disk/0:part_missing"}
    back = look(asset, seen(DISK, PSU))
    assert not back.faults
    assert "disk/0:part_missing" in back.ok
    assert keys(look(asset, seen(Part("disk/0", "disk", present=False), PSU))) == {"disk/0:part_missing"}


def test_what_was_not_looked_for_is_not_missing(asset: Asset):
    look(asset, seen(DISK, PSU))
    rollup = look(asset, seen(PSU, deep=False))
    assert not rollup.faults
    assert "disk/0:part_missing" not in rollup.ok

    partial = look(asset, seen(PSU, problem=Reason.PARTIAL))
    assert not partial.faults
    assert keys(
        look(
            asset,
            seen(Part("disk/1", "disk", "ST4000", "S2", source="/redfish/v1/Systems/1/Storage/0/Drives/1"), deep=False),
        )
    ) == {"disk/0:part_missing"}


def test_a_kind_that_stands_in_two_lists_is_missed_only_in_the_list_that_was_read(asset: Asset):
    look(asset, seen(BIOS, BMC))
    assert not look(asset, seen(BIOS, deep=False)).faults
    assert keys(look(asset, seen(BIOS))) == {"firmware/BMC:part_missing"}


def test_a_part_missing_from_a_list_that_a_rollup_read_is_missed(asset: Asset):
    other = Part("psu/1", "psu", "P800", "P2", source="/redfish/v1/Chassis/1/Power#/PowerSupplies/1")
    look(asset, seen(PSU, other))
    assert keys(look(asset, seen(PSU, deep=False))) == {"psu/1:part_missing"}


def test_a_changed_serial_is_a_finding_until_the_client_accepts_it(asset: Asset, site: Site):
    look(asset, seen(DISK))
    other = Part("disk/0", "disk", "ST4000", "S9", "FW1")
    assert keys(look(asset, seen(other))) == {"disk/0:part_serial"}
    assert keys(look(asset, seen(other))) == {"disk/0:part_serial"}
    row = PartRow.objects.get(asset=asset, component="disk/0")
    assert row.serial == "S1"
    with pytest.raises(parts.PartsError):
        parts.accept(row, by=site.vendor, now=NOW, reason="换了")
    parts.accept(row, by=site.client, now=NOW, reason="换了坏盘")
    told = look(asset, seen(other))
    assert not told.faults
    assert "disk/0:part_serial" in told.ok
    assert Intake.objects.filter(kind="inspect.part.accepted", subject="srv", actor="client").count() == 1
    with pytest.raises(parts.PartsError):
        parts.accept(PartRow.objects.get(pk=row.pk), by=site.client, now=NOW, reason="再来")


def test_firmware_is_held_to_the_plan_or_else_to_the_list(asset: Asset):
    look(asset, seen(DISK))
    newer = Part("disk/0", "disk", "ST4000", "S1", "FW2")
    assert keys(look(asset, seen(newer))) == {"disk/0:firmware"}
    plan = {"firmware": [{"component": "disk/*", "model": "ST*", "version": "FW2"}]}
    assert not look(asset, seen(newer), plan).faults
    assert keys(look(asset, seen(DISK), plan)) == {"disk/0:firmware"}


def test_what_factories_leave_in_a_serial_is_none(asset: Asset):
    look(asset, seen(Part("disk/0", "disk", "X", "To be filled by O.E.M.")))
    told = look(asset, seen(Part("disk/0", "disk", "X", "S5")))
    assert not told.faults
    assert PartRow.objects.get(asset=asset).serial == "S5"
    silent = look(asset, seen(Part("disk/0", "disk", "X", "")))
    assert not silent.faults


@pytest.mark.parametrize("problem", [Reason.PARTIAL, Reason.GARBAGE, Reason.BUDGET])
def test_what_a_look_that_broke_off_shows_is_not_put_on_the_list(asset: Asset, problem: Reason):
    """A table without end makes up hundreds of parts; each would be missed, by a ticket of its own, once it reads well again."""
    made_up = [Part(f"fan/{i}", "fan", "made up", source=f"1.3.6.1.2.1.47.{i}") for i in range(300)]
    look(asset, seen(*made_up, protocol="snmp", problem=problem))
    assert not PartRow.objects.filter(asset=asset).exists()
    told = look(asset, seen(made_up[0], protocol="snmp"))
    assert (told.faults, [row.component for row in told.create]) == ([], ["fan/0"])
    look(asset, seen(*made_up, protocol="snmp", problem=problem))
    assert not look(asset, seen(made_up[0], protocol="snmp")).faults
