"""The asset commands, over a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets import credentials, identity
from yunwei.assets.models import Asset, Credential, Endpoint, Zone
from yunwei.cli import asset
from yunwei.kernel.errors import YunweiError

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PW = "pw-b.manager\n"
TABLE = "资产编号,名称,类型,区域,协议,IP,凭据\nSW-01,核心交换机,设备,gov,snmp,10.1.1.1,sw\n"


@pytest.fixture(autouse=True)
def instance(monkeypatch):
    monkeypatch.setattr(asset, "open_instance", lambda: None)
    monkeypatch.setattr(asset, "now", lambda: NOW)
    for name, party, role in (("b.manager", "B", Role.B_MANAGER), ("a.manager", "A", Role.A_MANAGER)):
        organisation = Organisation.objects.create(code=party, name=party, party=party)
        Account.objects.create(
            username=name, display_name=name, role=role, organisation=organisation, password=f"pw-{name}"
        )


def run(*args: object, stdin: str = "", fails: bool = False):
    result = CliRunner().invoke(asset.app, [str(a) for a in args], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit) and not fails:
        raise result.exception
    return result


def test_a_credential_comes_by_prompt_or_stdin_and_is_shown_nowhere():
    result = run("credential", "add", "sw", "--kind", "snmp2c", "--by", "b.manager", stdin=f"{PW}c0mmunity\n")
    assert result.exit_code == 0
    assert "c0mmunity" not in result.output
    result = run(
        "credential", "add", "os", "--kind", "ssh", "--by", "b.manager", "--stdin", "--json",
        stdin=PW + '{"user": "ops", "password": "p4ssword"}',
    )  # fmt: skip
    assert json.loads(result.stdout)["credential"] == "os"
    assert credentials.open_(Credential.objects.get(name="os"))["password"] == "p4ssword"
    result = run("credential", "list", "--json")
    assert [c["name"] for c in json.loads(result.stdout)] == ["os", "sw"]
    assert "p4ssword" not in result.output
    result = run("credential", "rotate", "--by", "b.manager", "--drop-old", "--json", stdin=PW)
    assert json.loads(result.stdout)["resealed"] == 2
    assert credentials.open_(Credential.objects.get(name="sw"))["community"] == "c0mmunity"


def test_no_option_takes_a_secret():
    result = run("credential", "add", "--help")
    assert not {"--password", "--community", "--auth-password"} & set(result.output.replace(",", " ").split())


@pytest.mark.parametrize("text", ["p4ssword", '["p4ssword"]', ""])
def test_what_is_no_object_is_refused_without_quoting_it(text):
    result = run(
        "credential", "add", "os", "--kind", "ssh", "--by", "b.manager", "--stdin", stdin=PW + text, fails=True
    )
    assert isinstance(result.exception, YunweiError)
    assert "p4ssword" not in str(result.exception) + result.output


def test_import_shows_bad_rows_and_exits_1_and_a_good_one_is_listed_and_exported(tmp_path):
    credentials.put("sw", "snmp2c", {"community": "public"}, now=NOW)
    file = tmp_path / "assets.csv"
    file.write_text(TABLE.replace("10.1.1.1", "127.0.0.1"), encoding="utf-8")
    result = run("import", file, "--by", "b.manager", stdin=PW)
    assert result.exit_code == 1
    assert "环回" in result.output
    assert "什么都没有导入" in result.output
    file.write_text(TABLE, encoding="utf-8")
    assert run("import", file, "--by", "b.manager", "--dry-run", stdin=PW).exit_code == 0
    assert Asset.objects.count() == 0
    assert json.loads(run("import", file, "--by", "b.manager", "--json", stdin=PW).stdout)["created"]["asset"] == 1
    listed = json.loads(run("list", "--json").stdout)
    assert listed[0]["endpoints"] == [{"endpoint": "snmp://10.1.1.1:161", "identity": "none"}]
    assert "SW-01" in run("list").output
    for name in ("x.csv", "x.xlsx"):
        assert run("export", tmp_path / name).exit_code == 0
        assert run("import", tmp_path / name, "--by", "b.manager", stdin=PW).exit_code == 0
    assert isinstance(run("export", tmp_path / "x.csv", fails=True).exception, YunweiError)
    assert isinstance(
        run("import", tmp_path / "none.csv", "--by", "b.manager", stdin=PW, fails=True).exception, YunweiError
    )
    assert isinstance(run("import", file, "--by", "nobody", stdin=PW, fails=True).exception, YunweiError)


def test_an_identity_is_confirmed_with_the_clients_password_only():
    zone = Zone.objects.create(code="gov", name="政务外网区")
    row = Asset.objects.create(code="SW-01", name="x", kind="device", zone=zone)
    endpoint = Endpoint.objects.create(asset=row, protocol="snmp", address="10.0.0.1", port=161)
    fields = {"serial": "S1", "base_mac": "00:01"}
    identity.pin(endpoint, fields, actor="collector:gov", now=NOW)
    waiting = json.loads(run("identities", "--json").stdout)["waiting"]
    assert [(p["asset"], p["weak"]) for p in waiting] == [("SW-01", True)]
    for name, password in (("a.manager", "guess"), ("b.manager", "pw-b.manager"), ("nobody", "x")):
        result = run("confirm-identity", "SW-01", "--by", name, stdin=f"{password}\n", fails=True)
        assert isinstance(result.exception, YunweiError), name
        assert identity.check(endpoint, fields) is identity.Standing.UNCONFIRMED
    ok = run("confirm-identity", "SW-01", "--by", "a.manager", stdin="pw-a.manager\n")
    assert ok.exit_code == 0
    assert identity.check(endpoint, fields) is identity.Standing.OK
    again = run("confirm-identity", "SW-01", "--by", "a.manager", stdin="pw-a.manager\n", fails=True)
    assert isinstance(again.exception, YunweiError)


def test_twins_are_shown_and_exit_1():
    zone = Zone.objects.create(code="gov", name="政务外网区")
    for n in (1, 2):
        row = Asset.objects.create(code=f"SW-0{n}", name="x", kind="device", zone=zone)
        endpoint = Endpoint.objects.create(asset=row, protocol="snmp", address=f"10.0.0.{n}", port=161)
        identity.pin(endpoint, {"serial": "S1"}, actor="collector:gov", now=NOW)
    result = run("identities")
    assert result.exit_code == 1
    assert "SW-01 与 SW-02" in result.output
