"""Pinned identities: who may confirm, what is the same device, what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets import identity
from yunwei.assets.errors import AssetError, IdentityError
from yunwei.assets.guard import check as guard_check
from yunwei.assets.guard import refusal
from yunwei.assets.identity import Standing
from yunwei.assets.models import Asset, Endpoint, IdentityPin, Zone
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
BMC = {"certificate": "sha256:aa", "serial": "S1", "uuid": "u-1"}


def account(name: str, party: str, role: Role) -> Account:
    organisation, _made = Organisation.objects.get_or_create(code=party, defaults={"name": party, "party": party})
    return Account.objects.create(username=name, display_name=name, role=role, organisation=organisation, password="x")


@pytest.fixture
def manager():
    return account("a.manager", "A", Role.A_MANAGER)


@pytest.fixture
def endpoint():
    zone = Zone.objects.create(code="gov", name="政务外网区")
    asset = Asset.objects.create(code="SRV-01", name="主机", kind="host", zone=zone)
    return Endpoint.objects.create(asset=asset, protocol="redfish", address="10.0.0.1", port=443)


def other(endpoint: Endpoint, code: str, protocol: str = "redfish") -> Endpoint:
    asset = Asset.objects.create(code=code, name=code, kind="host", zone=endpoint.asset.zone)
    return Endpoint.objects.create(asset=asset, protocol=protocol, address="10.0.0.2", port=443)


def pin(endpoint: Endpoint, fields=BMC, actor: str = "collector:gov") -> IdentityPin:
    return identity.pin(endpoint, fields, actor=actor, now=NOW)


def test_first_contact_is_pinned_confirmed_and_then_the_same(endpoint, manager):
    assert identity.check(endpoint, BMC) is Standing.FIRST
    row = pin(endpoint)
    assert not row.weak
    assert identity.check(endpoint, BMC) is Standing.UNCONFIRMED
    assert list(identity.waiting()) == [row]
    identity.confirm(row, by=manager, now=NOW)
    assert identity.check(endpoint, BMC) is Standing.OK
    assert list(identity.waiting()) == []
    kinds = list(Intake.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["assets.identity.pinned", "assets.identity.confirmed"]


@pytest.mark.parametrize(
    ("answer", "whole", "standing"),
    [
        (BMC | {"serial": "S2"}, True, Standing.CHANGED),
        (BMC | {"certificate": "sha256:bb"}, True, Standing.CHANGED),
        ({"serial": "S1", "uuid": "u-1"}, True, Standing.CHANGED),  # the proof was left out of a whole answer
        ({}, True, Standing.CHANGED),
        ({"serial": "S1"}, False, Standing.OK),  # the answer broke off: what it says fits
        ({"serial": "S2"}, False, Standing.CHANGED),
        (BMC | {"model": "new field"}, True, Standing.OK),
        ({"certificate": "sha256:aa", "serial": " S1 "}, True, Standing.OK),
        ({"certificate": "sha256:aa", "serial": "To Be Filled By O.E.M."}, True, Standing.OK),
    ],
)
def test_what_is_the_pinned_device(endpoint, manager, answer, whole, standing):
    identity.confirm(pin(endpoint), by=manager, now=NOW)
    assert identity.check(endpoint, answer, whole=whole) is standing


def test_a_changed_device_stays_changed_until_the_client_confirms_it(endpoint, manager):
    identity.confirm(pin(endpoint), by=manager, now=NOW)
    new = BMC | {"serial": "S2"}
    changed = pin(endpoint, new)
    assert pin(endpoint, new) == changed  # seen again, pinned once
    assert identity.check(endpoint, new) is Standing.CHANGED
    assert identity.check(endpoint, BMC) is Standing.OK
    identity.confirm(changed, by=manager, now=NOW + timedelta(hours=1))
    assert identity.check(endpoint, new) is Standing.OK
    assert identity.check(endpoint, BMC) is Standing.CHANGED
    record = Intake.objects.filter(kind="assets.identity.confirmed").latest("pk")
    assert "S1" in str(vars(record))  # the ledger says what it was before
    assert "S2" in str(vars(record))


def test_a_refused_pin_never_counts(endpoint, manager):
    row = pin(endpoint)
    identity.refuse(row, by=manager, now=NOW)
    assert identity.check(endpoint, BMC) is Standing.FIRST
    assert list(identity.waiting()) == []
    with pytest.raises(IdentityError, match="处理过"):
        identity.confirm(row, by=manager, now=NOW)


@pytest.mark.parametrize(
    ("party", "role"),
    [
        ("B", Role.B_MANAGER),
        ("B", Role.A_MANAGER),  # a role of the other side must not help
        ("A", Role.A_FINANCE),
        ("A", Role.SYSADMIN),
        ("T", Role.TENANT),
        ("S", Role.A_SUPERIOR),
        ("X", Role.ASSESSOR),
    ],
)
def test_only_the_client_confirms(endpoint, party, role):
    row = pin(endpoint)
    for decide in (identity.confirm, identity.refuse):
        with pytest.raises(IdentityError):
            decide(row, by=account(f"x{decide.__name__}", party, role), now=NOW)
    assert identity.check(endpoint, BMC) is Standing.UNCONFIRMED


def test_who_pinned_does_not_confirm(endpoint, manager):
    row = pin(endpoint, actor=manager.username)
    with pytest.raises(IdentityError, match="不能自己确认"):
        identity.confirm(row, by=manager, now=NOW)
    identity.confirm(row, by=account("a.leader", "A", Role.A_LEADER), now=NOW)


def test_only_the_newest_waiting_pin_can_be_confirmed_and_only_once(endpoint, manager):
    old = pin(endpoint)
    new = pin(endpoint, BMC | {"serial": "S2"})
    with pytest.raises(IdentityError, match="更新"):
        identity.confirm(old, by=manager, now=NOW)
    identity.confirm(new, by=manager, now=NOW)
    with pytest.raises(IdentityError):
        identity.confirm(new, by=manager, now=NOW)


@pytest.mark.parametrize(
    ("fields", "weak"),
    [
        ({"sys_object_id": "1.3.6.1.4.1.2011.2.23.1", "serial": "21023", "base_mac": "00:25:9e:00:00:01"}, True),
        ({"engine_id": "800007db03"}, False),
        ({"ssh_host_key": "SHA256:x"}, False),
        ({"certificate": "sha256:aa"}, False),
    ],
)
def test_what_anybody_can_send_is_weak(endpoint, fields, weak):
    assert pin(endpoint, fields).weak is weak


def test_an_answer_that_identifies_nothing_is_not_pinned(endpoint):
    for fields in ({}, {"serial": "0"}, {"serial": " "}):
        with pytest.raises(IdentityError):
            pin(endpoint, fields)
    assert identity.check(endpoint, {}) is Standing.FIRST


def test_two_assets_that_answer_as_one():
    answers = [
        ("A", "redfish", {"certificate": "factory", "serial": "S1"}),
        (
            "B",
            "redfish",
            {"certificate": "factory", "serial": "S2"},
        ),  # the factory's certificate is no proof of sameness
        ("C", "redfish", {"certificate": "c", "serial": "S1"}),
        ("A", "snmp", {"serial": "S9"}),
        ("D", "snmp", {"serial": "unknown", "base_mac": "00:01"}),
        ("E", "snmp", {"base_mac": "00:01"}),
        ("F", "snmp", {"serial": "0"}),
        ("G", "snmp", {"serial": "0"}),
        ("H", "ssh", {"ssh_host_key": "k"}),
        ("I", "ssh", {"ssh_host_key": "k"}),
        ("J", "ssh", {"ssh_host_key": "k", "machine_id": "m"}),
    ]
    assert identity.duplicates(answers) == {
        "A": ["C"], "C": ["A"], "D": ["E"], "E": ["D"], "H": ["I", "J"], "I": ["H", "J"]
    }  # fmt: skip


def test_leaving_the_better_name_out_makes_no_second_device():
    """One device behind two codes, the second answer without its serial: the first is itself, the second is nobody."""
    answers = [
        ("A", "snmp", {"serial": "S1", "base_mac": "00:01"}),
        ("B", "snmp", {"base_mac": "00:01"}),
        ("C", "redfish", {"certificate": "factory", "serial": "S1"}),
        ("D", "redfish", {"certificate": "factory"}),  # the factory's certificate is no proof of sameness
    ]
    assert identity.duplicates(answers) == {"B": ["A"]}


def test_a_whole_answer_that_names_nobody_is_not_the_pinned_device():
    weak = {"sysObjectID": "1.3.6.1.4.1.2011", "base_mac": "00:01"}
    assert identity.differs(weak, {}) == ["base_mac", "sysObjectID"]
    assert identity.differs(weak, {"serial": "another"}) == ["base_mac", "sysObjectID"]
    assert identity.differs(weak, {"base_mac": "00:01"}) == []
    assert identity.differs(weak, {}, whole=False) == []


def test_two_pins_of_one_device_are_found(endpoint, manager):
    twin = other(endpoint, "SRV-02")
    pin(endpoint)
    row = pin(twin)
    assert identity.duplicate_pins() == {"SRV-01": ["SRV-02"], "SRV-02": ["SRV-01"]}
    identity.refuse(row, by=manager, now=NOW)
    assert identity.duplicate_pins() == {}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "127.1",
        "0x7f.1",
        "2130706433",
        "::1",
        "::ffff:127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
    ],
)
def test_the_lab_is_refused_in_a_real_instance_and_taken_in_a_demo(address):
    assert "环回" in refusal("ssh", address, demo=False)
    assert refusal("ssh", address, demo=True) == ""


@pytest.mark.parametrize(
    ("protocol", "address", "fine"),
    [
        ("snmp", "10.1.2.3", True),
        ("redfish", "fd00::1", True),
        ("ssh", "host-1.gov.example", True),
        ("local", "", True),
        ("local", "127.0.0.1", False),
        ("snmp", "host-1", False),
        ("ssh", "", False),
        ("ssh", "0.0.0.0", False),
        ("ssh", "::", False),
        ("ssh", "224.0.0.1", False),
        ("ssh", "255.255.255.255", False),
        ("ssh", "203.0.113.9", False),
        ("ssh", "a b", False),
        ("ssh", "-oProxyCommand=x", False),
        ("ssh", "http://host", False),
        ("ssh", "host;reboot", False),
        ("ssh", "a" * 65, False),
    ],
)
def test_addresses(protocol, address, fine, settings):
    settings.YUNWEI = {}
    assert (refusal(protocol, address) == "") is fine
    if not fine:
        with pytest.raises(AssetError):
            guard_check(protocol, address, where="SRV-01")
