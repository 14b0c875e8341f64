"""An instance with keys, people, a zone and assets at a farm in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from tests.inspect.helpers import NOW, SEED, server, spec, switch

from yunwei.accounts.models import Account, Organisation
from yunwei.assets import credentials, identity
from yunwei.assets.models import Asset, Endpoint, Place, Zone
from yunwei.inspect import jobs
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.kernel.clock import ManualClock
from yunwei.lab.build import CONTROLS, device
from yunwei.lab.process import FarmProcess
from yunwei.lab.spec import DeviceSpec
from yunwei.ledger import keys as ledger_keys
from yunwei.runs import services as runs
from yunwei.runs.inline import InlineEngine
from yunwei.runs.models import Run


@dataclass
class Site:
    """A site of the lab: its farm, its clock, and one-line ways to sweep it."""

    farm: FarmProcess
    clock: ManualClock
    client: Account
    vendor: Account
    zone: Zone
    codes: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, code: str, made: DeviceSpec, **more: Any) -> Asset:
        """An asset at a farm device."""
        told = next(e for e in self.farm.endpoints if e["address"] == made.address and e["protocol"] == made.protocol)
        asset = Asset.objects.create(code=code, name=code, kind="device", zone=self.zone, **more)
        content = {k: v for k, v in made.credential().items() if k != "kind"}
        login = credentials.put(f"login-{code}", made.credential()["kind"], content, now=NOW)
        Endpoint.objects.create(
            asset=asset, protocol=made.protocol, address=made.address, port=told["port"], credential=login
        )
        self.codes.append(code)
        return asset

    def sweep(self, procedure: str = "hardware.inspect", terms: dict[str, Any] | None = None, **scope: Any) -> Run:
        """One run of all assets, an hour after the last one."""
        self.count += 1
        run_id = f"look:C2.1:2026-03-02:{self.count}"
        now = self.clock.advance(timedelta(hours=1))
        run = runs.submit(
            run_id, procedure, {"assets": self.codes, **scope}, {"budget_s": 8, **(terms or {})},
            {"clauses": ["2.1"]}, now=now,
        )  # fmt: skip
        InlineEngine(self.clock).submit([run_id])
        run.refresh_from_db()
        assert run.state == "done", run.error
        return run

    def confirm(self) -> None:
        """The client confirms every waiting identity."""
        for pin in identity.waiting():
            identity.confirm(pin, by=self.client, now=self.clock.now())

    def verdicts(self, run: Run) -> dict[str, tuple[str, str]]:
        rows = DeviceSweep.objects.filter(run_id=run.id).select_related("asset")
        return {r.asset.code: (r.verdict, r.reason) for r in rows}

    def findings(self, code: str) -> list[tuple[str, str]]:
        return sorted((f.key, f.phase) for f in Finding.objects.filter(asset__code=code))


DEVICES = {
    "sw-1": switch("127.53.0.1"),
    "sw-2": switch("127.53.0.2"),
    "bmc-1": server("127.53.0.3"),
    "bmc-2": server("127.53.0.4"),
}


@pytest.fixture(scope="session")
def farm_process() -> Iterator[FarmProcess]:
    controls = [
        device(protocol, address, sample, SEED, name=f"control-{protocol}", faults=faults)
        for protocol, (address, sample, faults) in CONTROLS.items()
    ]
    with FarmProcess(spec(*DEVICES.values(), *controls)) as farm:
        yield farm


@pytest.fixture
def site(db: None, farm_process: FarmProcess, tmp_path: Path) -> Iterator[Site]:
    before, settings.INSTANCE = settings.INSTANCE, tmp_path
    marked, settings.YUNWEI = getattr(settings, "YUNWEI", {}), {"demo": True}  # the lab's endpoints may be looked at
    ledger_keys.create(tmp_path)
    credentials.create_key(tmp_path / "keys")
    # the rooms above have their own tests; here only our observer is told
    observers, runs._observers[:] = list(runs._observers), [o for o in runs._observers if o[0] == 10]
    a = Organisation.objects.create(code="A", name="甲", party="A")
    b = Organisation.objects.create(code="B", name="乙", party="B")
    client = Account.objects.create(
        username="client", display_name="甲", role="a_manager", organisation=a, password="x"
    )
    vendor = Account.objects.create(
        username="vendor", display_name="乙", role="b_manager", organisation=b, password="x"
    )
    zone = Zone.objects.create(code="gov", name="政务外网区")
    Place.objects.create(code="room", name="机房")
    made = Site(farm_process, ManualClock(NOW), client, vendor, zone)
    for told in farm_process.endpoints:
        if told["name"].startswith("control-"):
            protocol = told["protocol"]
            login = device(protocol, told["address"], "x", SEED, snmp="2c").credential()
            jobs.register_control("gov", protocol, told["address"], told["port"], login, now=NOW)
    yield made
    settings.INSTANCE, settings.YUNWEI = before, marked
    runs._observers[:] = observers
    for made_device in DEVICES.values():
        for fault in ("fan_failed", "dead", "frozen", "identity_changed", "garbage"):
            farm_process.clear(made_device.address, fault, protocol=made_device.protocol)
