"""Results that a dishonest or broken collector could bring: signed with a true key, and still not believed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.inspect.conftest import Site

from yunwei.assets import identity
from yunwei.assets.models import Asset, Endpoint, Zone
from yunwei.gm import sm2
from yunwei.inspect import keys, services
from yunwei.inspect.collect.job import JobError, write_result
from yunwei.inspect.observation import DeviceResult, JobResult, Observation, State
from yunwei.ledger import artifacts
from yunwei.runs import services as runs
from yunwei.runs.models import Run

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


class Forge:
    """Assets without any equipment behind them, and results about them that look perfect."""

    def __init__(self, site: Site) -> None:
        self.site, self.count = site, 0

    def asset(self, code: str, zone: Zone, *protocols: str) -> Asset:
        made = Asset.objects.create(code=code, name=code, kind="device", zone=zone)
        for n, protocol in enumerate(protocols):
            Endpoint.objects.create(asset=made, protocol=protocol, address=f"10.9.{made.pk % 250}.{n + 1}", port=161)
        self.site.codes.append(code)
        return made

    def run(self, **terms: Any) -> Run:
        """A run that waits for its results."""
        self.count += 1
        now = self.site.clock.advance(HOUR)
        run = runs.submit(f"look:x:p:{self.count}", "hardware.inspect", {"assets": self.site.codes}, terms, {}, now=now)
        return runs.start(run.id, now=now)

    def healthy(self, code: str, protocol: str = "snmp", **more: Any) -> DeviceResult:
        """A perfect answer, moving and well named; `more` replaces."""
        at = more.pop("at", None) or self.site.clock.now()
        seen = [Observation(code, "fan/1", "state", "fan 1", raw="ok", state=State.OK)]
        told = {"identity": {"serial": f"S-{code}-{protocol}"}, "moving": {"uptime": str(self.count)}, **more}
        return DeviceResult(
            code, protocol, at, at, "lab", observations=seen, counts={"wall_s": self.count * 100}, **told
        )

    def control(self, protocol: str = "snmp") -> DeviceResult:
        at = self.site.clock.now()
        seen = [Observation("control", "fan/1", "state", "fan 1", state=State.CRITICAL)]
        return DeviceResult("control", protocol, at, at, observations=seen, control=True)

    def file(
        self, run: Run, devices: Sequence[DeviceResult], zone: str = "gov", part: str = "gov-0000",
        signer: sm2.PrivateKey | None = None,
    ) -> bytes:  # fmt: skip
        at: datetime = self.site.clock.now()
        told = [*devices, *(self.control(p) for p in {d.protocol for d in devices})]
        return write_result(JobResult(part, run.id, zone, "c", at, at, told), signer or keys.collector(zone))

    def bring(self, run: Run, *devices: DeviceResult, **more: Any) -> bool:
        return services.bring(self.file(run, devices, **more), now=self.site.clock.now())

    def settled(self, run: Run) -> dict[str, tuple[str, str]]:
        runs.finish(run.id, now=self.site.clock.now())
        return self.site.verdicts(run)

    def known(self) -> None:
        """First contact, agreed by the client."""
        run = self.run()
        by_zone: dict[str, list[DeviceResult]] = {}
        for asset in Asset.objects.all():
            for endpoint in asset.endpoints.all():
                by_zone.setdefault(asset.zone.code, []).append(self.healthy(asset.code, endpoint.protocol))
        for zone, devices in by_zone.items():
            self.bring(run, *devices, zone=zone, part=f"{zone}-0000")
        runs.finish(run.id, now=self.site.clock.now())
        self.site.confirm()


@pytest.fixture
def forge(site: Site) -> Forge:
    return Forge(site)


def test_the_forge_can_make_a_pass(forge: Forge):
    """What the tests below leave out is what makes the difference."""
    forge.asset("a", forge.site.zone, "snmp", "redfish")
    forge.known()
    run = forge.run()
    assert forge.bring(run, forge.healthy("a"), forge.healthy("a", "redfish"))
    assert not forge.bring(run, forge.healthy("a"), forge.healthy("a", "redfish"))  # the same part twice
    assert forge.settled(run) == {"a": ("pass", "")}


def test_a_protocol_that_was_left_out_is_not_seen(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp", "redfish")
    forge.known()
    run = forge.run()
    forge.bring(run, forge.healthy("a"))
    assert forge.settled(run) == {"a": ("unproven", "collector_silent")}


def test_an_agreed_endpoint_that_left_the_register_is_not_seen(forge: Forge):
    asset = forge.asset("a", forge.site.zone, "snmp", "redfish")
    forge.known()
    asset.endpoints.filter(protocol="redfish").delete()
    run = forge.run(unreachable={"a": ["redfish"]})
    forge.bring(run, forge.healthy("a"))
    assert forge.settled(run) == {"a": ("unproven", "not_supported")}


def test_a_collector_speaks_for_its_own_zone_only(forge: Forge):
    other = Zone.objects.create(code="net", name="互联网区")
    forge.asset("a", forge.site.zone, "snmp")
    forge.asset("b", other, "snmp")
    forge.known()
    run = forge.run()
    forge.bring(run, forge.healthy("a"), forge.healthy("b"), zone="net", part="net-0000")
    assert forge.settled(run) == {"a": ("unproven", "collector_silent"), "b": ("pass", "")}


def test_an_answer_that_names_nobody_is_not_the_pinned_device(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp")
    forge.known()
    run = forge.run()
    forge.bring(run, forge.healthy("a", identity={}))
    assert forge.settled(run) == {"a": ("unproven", "identity_changed")}


def test_nobody_is_confirmed_by_saying_nothing(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp")
    for _again in range(2):
        run = forge.run()
        forge.bring(run, forge.healthy("a", identity={}))
        assert forge.settled(run) == {"a": ("unproven", "identity_unconfirmed")}
    assert not identity.waiting()


def test_moving_fields_that_are_left_out_have_not_moved(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp")
    forge.known()
    run = forge.run()
    forge.bring(run, forge.healthy("a", moving={}))
    assert forge.settled(run) == {"a": ("unproven", "frozen")}


def test_what_was_seen_before_the_run_belongs_to_another_look(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp")
    forge.known()
    run = forge.run()
    forge.bring(run, forge.healthy("a", at=forge.site.clock.now() - HOUR))
    assert forge.settled(run) == {"a": ("unproven", "stale")}


def test_no_term_makes_old_data_fresh(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp")
    forge.known()
    run = forge.run(fresh_s=1e300)
    forge.site.clock.advance(timedelta(days=30))
    forge.bring(run, forge.healthy("a", at=run.submitted_at))
    assert forge.settled(run) == {"a": ("unproven", "stale")}


def test_a_result_is_for_its_own_run_part_and_zone(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp")
    forge.known()
    yesterday, today = forge.run(), forge.run()
    replayed = forge.file(yesterday, [forge.healthy("a")])
    now = forge.site.clock.now()
    with pytest.raises(JobError):
        runs.take_in(today.id, "gov-0000", replayed, collector="gov", now=now)
    with pytest.raises(JobError):
        runs.take_in(yesterday.id, "gov-0001", replayed, collector="gov", now=now)
    Zone.objects.create(code="net", name="互联网区")
    with pytest.raises(JobError):  # the other zone's collector signs in this zone's name
        forge.bring(today, forge.healthy("a"), signer=keys.collector("net"))
    assert forge.settled(today) == {"a": ("unproven", "collector_silent")}


def test_a_strangers_file_leaves_nothing_on_the_disk(forge: Forge):
    forge.asset("a", forge.site.zone, "snmp")
    run = forge.run()
    before = sorted(artifacts.folder().rglob("*"))
    with pytest.raises(JobError):
        forge.bring(run, forge.healthy("a"), signer=sm2.generate())
    assert sorted(artifacts.folder().rglob("*")) == before
