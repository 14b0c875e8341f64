"""Verdicts, findings and pins that were written into the tables without a record are named by the audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.inspect.conftest import DEVICES, Site

from yunwei.assets.models import Endpoint, IdentityPin
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import Difference, audit
from yunwei.runs.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def swept(site: Site) -> Site:
    """Two looks at two switches, the second finds a fan."""
    site.add("sw-1", DEVICES["sw-1"])
    site.add("sw-2", DEVICES["sw-2"])
    site.sweep()
    site.confirm()
    site.farm.set(DEVICES["sw-2"].address, "fan_failed", protocol="snmp")
    site.sweep()
    ledger.sequence(site.clock.now())
    return site


def found() -> list[Difference]:
    return [d for d in audit() if d.room in ("inspect", "assets")]


LIES: dict[str, tuple[Callable[[], Any], str]] = {
    "a blind look passes": (
        lambda: DeviceSweep.objects.filter(verdict="unproven").update(verdict="pass", reason="", cause=""),
        "verdict",
    ),
    "who answers is changed": (lambda: DeviceSweep.objects.filter(verdict="unproven").update(cause="client"), "verdict"),
    "an asset was never looked at": (lambda: Run.objects.exclude(outcome=None).update(outcome={}), "coverage"),
    "a finding is closed": (lambda: Finding.objects.update(state="closed", closed_at=Finding.objects.first().opened_at), "state"),
    "a finding is milder": (lambda: Finding.objects.update(severity="warning"), "severity"),
    "a finding came to light otherwise": (lambda: Finding.objects.update(origin="vendor_report"), "origin"),
    "a finding is gone": (lambda: Finding.objects.all().delete(), "row"),
    "a pin is another device": (lambda: IdentityPin.objects.update(fields={"serial": "X"}), "fields"),
    "a pin was never confirmed": (lambda: IdentityPin.objects.update(confirmed_at=None, confirmed_by=None), "state"),
    "an endpoint took its pin along": (lambda: Endpoint.objects.all().delete(), "row"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_about_what_was_seen_is_named(swept: Site, lie: str) -> None:
    assert found() == []
    tell, field = LIES[lie]
    tell()
    assert field in {d.field for d in found()}
