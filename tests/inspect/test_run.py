"""A run on real protocols: verdicts, coverage, identities, findings over time, the ledger."""

from __future__ import annotations

import pytest
from tests.inspect.conftest import DEVICES, Site

from yunwei.assets import credentials, identity
from yunwei.assets.models import Asset, Endpoint
from yunwei.inspect import findings, jobs, services
from yunwei.inspect.models import Control, DeviceSweep, Finding
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db


def all_of(site: Site) -> None:
    for code, made in DEVICES.items():
        site.add(code, made)


def fault(site: Site, code: str, name: str) -> None:
    site.farm.set(DEVICES[code].address, name, protocol=DEVICES[code].protocol)


def cleared(site: Site, code: str, name: str) -> None:
    site.farm.clear(DEVICES[code].address, name, protocol=DEVICES[code].protocol)


def test_a_contract_day_of_looking(site: Site):
    all_of(site)
    site.add("absent", DEVICES["sw-1"])
    Endpoint.objects.filter(asset__code="absent").update(address="127.53.9.9")
    Asset.objects.create(code="bare", name="bare", kind="device", zone=site.zone)
    site.codes += ["bare", "never-registered"]

    first = site.sweep()
    assert set(site.verdicts(first).values()) == {
        ("unproven", "identity_unconfirmed"), ("unproven", "not_reached"), ("unproven", "not_supported")}  # fmt: skip
    site.confirm()
    fault(site, "sw-2", "fan_failed")
    second = site.sweep()
    assert site.verdicts(second) == {
        "sw-1": ("pass", ""),
        "sw-2": ("fail", ""),
        "bmc-1": ("pass", ""),
        "bmc-2": ("pass", ""),
        "absent": ("unproven", "not_reached"),
        "bare": ("unproven", "not_supported"),
    }
    figures = second.outcome["coverage"]
    assert (figures["agreed"], figures["proven"], figures["passed"], figures["failed"]) == (7, 4, 3, 1)
    assert figures["unproven"] == {"not_reached": 1, "not_supported": 2}
    assert figures["causes"] == {"unknown": 1, "vendor": 2}
    assert figures["control"] == {"gov/snmp": True, "gov/redfish": True}
    assert second.outcome["verdict"] == "fail"
    assert second.outcome["findings"]["opened"] >= 1
    assert "control" not in str(site.verdicts(second))


def test_findings_open_stay_and_close_only_when_seen_right(site: Site):
    site.add("sw-2", DEVICES["sw-2"])
    site.sweep()
    site.confirm()
    assert site.verdicts(site.sweep())["sw-2"] == ("pass", "")
    fault(site, "sw-2", "fan_failed")
    site.sweep()
    opened = site.findings("sw-2")
    assert opened
    assert {phase for _key, phase in opened} == {"opened"}
    site.sweep()
    assert {phase for _key, phase in site.findings("sw-2")} == {"still"}
    fault(site, "sw-2", "dead")
    blind = site.sweep()
    assert site.verdicts(blind)["sw-2"] == ("unproven", "not_reached")
    assert {phase for _key, phase in site.findings("sw-2")} == {"still"}
    cleared(site, "sw-2", "dead")
    cleared(site, "sw-2", "fan_failed")
    last = site.sweep()
    assert {phase for _key, phase in site.findings("sw-2")} == {"closed"}
    assert last.outcome["findings"]["closed"] == len(opened)
    fault(site, "sw-2", "fan_failed")
    site.sweep()
    again = Finding.objects.filter(asset__code="sw-2", closed_at__isnull=True)
    assert {f.recurrence for f in again} == {1}
    kinds = list(
        Intake.objects.filter(subject="sw-2", kind__startswith="inspect.finding").values_list("kind", flat=True)
    )
    assert kinds.count("inspect.finding.opened") == 2 * len(opened)
    assert kinds.count("inspect.finding.closed") == len(opened)


def test_a_repaired_disk_is_seen_right_by_the_next_daily_look(site: Site):
    """The rollup says nothing of disks: while a fault is open every look is a deep one."""
    site.add("bmc-1", DEVICES["bmc-1"])
    site.sweep()
    site.confirm()
    fault(site, "bmc-1", "disk_predicted")
    site.sweep()
    assert {phase for _key, phase in site.findings("bmc-1")} == {"opened"}
    cleared(site, "bmc-1", "disk_predicted")
    site.sweep()
    assert {phase for _key, phase in site.findings("bmc-1")} == {"closed"}


def test_close_after_holds_a_flapping_finding_open(site: Site):
    site.add("sw-2", DEVICES["sw-2"])
    fault(site, "sw-2", "fan_failed")
    site.sweep()
    site.confirm()
    site.sweep(terms={"close_after": 2})
    cleared(site, "sw-2", "fan_failed")
    site.sweep(terms={"close_after": 2})
    assert {phase for _key, phase in site.findings("sw-2")} == {"opened"}
    site.sweep(terms={"close_after": 2})
    assert {phase for _key, phase in site.findings("sw-2")} == {"closed"}


def test_without_its_control_nothing_is_pass_and_nothing_is_closed(site: Site):
    site.add("sw-1", DEVICES["sw-1"])
    site.add("sw-2", DEVICES["sw-2"])
    fault(site, "sw-2", "fan_failed")
    site.sweep()
    site.confirm()
    site.sweep()
    before = site.findings("sw-2")
    cleared(site, "sw-2", "fan_failed")
    Control.objects.update(address="127.53.9.8")  # the control is gone
    run = site.sweep()
    assert site.verdicts(run) == {
        "sw-1": ("unproven", "control_silent"),
        "sw-2": ("unproven", "control_silent"),
    }
    assert run.outcome["coverage"]["control"] == {"gov/snmp": False}
    assert run.outcome["coverage"]["causes"] == {"vendor": 2}
    assert site.findings("sw-2") == before


def test_a_process_that_was_told_of_its_controls_asks_those_and_no_other_machines(site: Site):
    site.add("sw-1", DEVICES["sw-1"])
    told = [
        {"protocol": "snmp", "address": c.address, "port": c.port, "credential": credentials.open_(c.credential)}
        for c in Control.objects.filter(protocol="snmp").select_related("credential")
    ]
    Control.objects.update(address="127.53.9.8")  # another machine that serves this instance has put its own there
    jobs.stand_beside(told)
    try:
        run = site.sweep()
    finally:
        jobs.stand_beside(())
    assert run.outcome["coverage"]["control"] == {"gov/snmp": True}


def test_a_fault_seen_is_a_fault_even_when_the_control_is_silent(site: Site):
    site.add("sw-2", DEVICES["sw-2"])
    site.sweep()
    site.confirm()
    Control.objects.all().delete()
    fault(site, "sw-2", "fan_failed")
    run = site.sweep()
    assert site.verdicts(run)["sw-2"] == ("fail", "")


def test_frozen_values_prove_nothing(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("yunwei.inspect.judging.SETTLE_S", 0)  # the test does not wait for an hour
    site.add("sw-1", DEVICES["sw-1"])
    site.add("bmc-1", DEVICES["bmc-1"])
    fault(site, "sw-1", "frozen")
    fault(site, "bmc-1", "frozen")
    site.sweep()
    site.confirm()
    run = site.sweep()
    assert site.verdicts(run) == {"sw-1": ("unproven", "frozen"), "bmc-1": ("unproven", "frozen")}


def test_a_changed_identity_is_unproven_until_the_client_confirms(site: Site):
    site.add("bmc-1", DEVICES["bmc-1"])
    site.add("sw-1", DEVICES["sw-1"])
    site.sweep()
    site.confirm()
    fault(site, "bmc-1", "identity_changed")
    fault(site, "sw-1", "identity_changed")
    changed = site.sweep()
    assert set(site.verdicts(changed).values()) == {("unproven", "identity_changed")}
    assert set(site.verdicts(site.sweep()).values()) == {("unproven", "identity_changed")}
    assert identity.waiting().count() == 2
    site.confirm()
    site.sweep()
    site.confirm()  # the collector did not go on to serial and UUID while the certificate was a stranger's
    assert set(site.verdicts(site.sweep()).values()) == {("pass", "")}


def test_two_assets_that_answer_as_one_are_both_unproven(site: Site):
    site.add("sw-1", DEVICES["sw-1"])
    site.add("sw-twin", DEVICES["sw-1"])
    site.sweep()
    site.confirm()
    run = site.sweep()
    assert site.verdicts(run) == {"sw-1": ("unproven", "duplicate"), "sw-twin": ("unproven", "duplicate")}
    row = DeviceSweep.objects.get(run_id=run.id, asset__code="sw-1")
    assert "sw-twin" in row.detail


def test_shrinking_the_inventory_raises_no_coverage(site: Site):
    all_of(site)
    site.sweep()
    site.confirm()
    baseline = list(site.codes)
    site.codes = site.codes[:2]
    run = site.sweep(terms={"baseline": baseline})
    figures = run.outcome["coverage"]
    assert figures["agreed"] == 4
    assert figures["proven"] == 2
    assert figures["unproven"] == {"collector_silent": 2}


def test_no_secret_is_in_database_ledger_or_artifacts(site: Site, tmp_path):
    all_of(site)
    run = site.sweep()
    secrets = {
        v.encode() for d in DEVICES.values() for k, v in d.credential().items() if k in ("community", "password")
    }
    rows = [bytes(i.body) for i in Intake.objects.all()]
    rows += [p.read_bytes() for p in (tmp_path / "data" / "artifacts").rglob("*") if p.is_file()]
    sweep = DeviceSweep.objects.filter(run_id=run.id, asset__code="sw-1").get()
    rows += [repr(services.readings(sweep)).encode(), repr(run.outcome).encode()]
    assert rows
    assert secrets
    assert not [s for s in secrets for row in rows if s in row]


def test_readings_come_back_from_the_artifact(site: Site):
    site.add("sw-1", DEVICES["sw-1"])
    run = site.sweep()
    sweep = DeviceSweep.objects.get(run_id=run.id)
    (result,) = services.readings(sweep)
    assert result.asset == "sw-1"
    assert len(result.observations) > 10
    assert all(o.source for o in result.observations)


def test_people_report_findings_and_who_was_first_stays_first(site: Site):
    asset = site.add("sw-1", DEVICES["sw-1"])
    told = {"component": "fan/1", "kind": "state", "name": "风扇异响", "severity": "warning"}
    with pytest.raises(findings.FindingError):
        findings.report(asset, **told, origin="client", by=site.vendor, now=site.clock.now())
    with pytest.raises(findings.FindingError):
        findings.report(asset, **told, origin="sweep", by=site.vendor, now=site.clock.now())
    first = findings.report(asset, **told, origin="client", by=site.client, now=site.clock.now())
    second = findings.report(asset, **told, origin="vendor_report", by=site.vendor, now=site.clock.now())
    assert first.pk == second.pk
    assert second.origin == "client"
    with pytest.raises(findings.FindingError):
        findings.close(first, by=site.vendor, now=site.clock.now(), reason="好了")
    site.client.role = "auditor"  # of the client's side, and still no part of the business
    with pytest.raises(findings.FindingError):
        findings.close(first, by=site.client, now=site.clock.now(), reason="审计认为已好")
    site.client.role = "a_manager"
    assert findings.close(first, by=site.client, now=site.clock.now(), reason="已更换").phase == "closed"


def test_an_empty_scope_is_refused(site: Site):
    from yunwei.runs import services as runs
    from yunwei.runs.inline import InlineEngine

    run = runs.submit("look:x:2026-03-02:1", "hardware.inspect", {"assets": []}, {}, {}, now=site.clock.now())
    InlineEngine(site.clock).submit([run.id])
    run.refresh_from_db()
    assert run.state == "failed"


def test_a_real_instance_looks_at_no_lab_endpoint_however_it_came_into_the_register(site: Site, settings):
    """Imported while the instance said it was a demo, or written into the table."""
    site.add("sw-1", DEVICES["sw-1"])
    site.sweep()
    site.confirm()
    assert site.verdicts(site.sweep()) == {"sw-1": ("pass", "")}
    settings.YUNWEI = {"demo": False}
    run = site.sweep()
    assert site.verdicts(run) == {"sw-1": ("unproven", "collector_silent")}
    assert run.outcome["coverage"]["causes"] == {"vendor": 1}
