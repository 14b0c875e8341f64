"""巡检、发现、资产: what the pages say is what was looked at; what was not seen is never shown as good."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.ui import run_scene as scene
from tests.ui.run_scene import NOW, look, place
from tests.ui.tags import Tags
from yunwei.accounts.models import Account
from yunwei.assets import tables
from yunwei.assets.models import Asset, Endpoint, IdentityPin, Zone
from yunwei.assets.web import acts
from yunwei.assets.web import asset as asset_page
from yunwei.assets.web import assets as assets_page
from yunwei.assets.web import reading as reading_page
from yunwei.desk.models import Ticket
from yunwei.duties.models import Attempt, Occurrence
from yunwei.inspect.models import DeviceSweep, Finding, PartRow
from yunwei.inspect.observation import DeviceResult, Observation, State
from yunwei.inspect.web import finding as finding_page
from yunwei.inspect.web import kinds, series
from yunwei.inspect.web import sweep as sweep_page
from yunwei.kernel.verdict import Reason
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact, Entry, Intake
from yunwei.runs.models import Run
from yunwei.ui import words

pytestmark = pytest.mark.django_db
BUDGETS = tomllib.loads((Path(__file__).parent / "budgets.toml").read_text(encoding="utf-8"))


@pytest.fixture
def now(settings, monkeypatch):
    """The pages' clock stands at the scene's moment."""
    settings.YUNWEI = {"demo": True}
    for module in (acts, asset_page, assets_page, reading_page, finding_page, sweep_page):
        monkeypatch.setattr(module, "now_of_instance", lambda: NOW)
    series._read.cache_clear()


@pytest.fixture
def engineer(client: Client, people, now) -> Client:
    client.force_login(people["b_engineer"])
    return client


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def said(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, address
    return text_of(response.content.decode())


def part(html: str, ident: str) -> str:
    """The text of one card."""
    return text_of(html.split(f'id="{ident}"', 1)[1].split("</section>", 1)[0])


def number_of(kind: str, subject: str) -> int:
    return Entry.objects.get(intake=Intake.objects.filter(kind=kind, subject=subject).order_by("id").first()).seq


def days(people: Mapping[str, Account], *told: Mapping[str, scene.Said], **more: Any) -> list[Run]:
    """Looks of successive days, the last one today; identities agreed before the first."""
    look(len(told) + 1, dict.fromkeys(Asset.objects.values_list("code", flat=True), 30.0))
    scene.agree(people)
    return [look(len(told) - 1 - i, one, **(more if i == len(told) - 1 else {})) for i, one in enumerate(told)]


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_the_list_says_what_the_newest_look_proved_and_its_evidence(engineer, people):
    place(people)
    before, run = days(
        people, {"SW-1": 30.0, "SW-2": 30.0, "SW-3": 30.0}, {"SW-1": 48.0, "SW-2": Reason.BUDGET, "SW-3": 31.0}
    )
    html = engineer.get("/sweeps").content.decode()
    told = text_of(html)
    assert "最近一次巡检看清 2 / 3 台： 1 台有故障， 1 台未证明" in told
    assert f"№ {number_of('inspect.run.judged', run.id)}" in told
    assert "乙方 1" in told, "whose doing it is stands beside the number"
    assert "2 分 5 秒" in told
    assert "新增 1" in told
    assert html.index(run.id) < html.index(before.id), "the newest first"


def test_a_first_contact_and_an_empty_list_claim_nothing(engineer, people):
    assert "没有看过，就不能说正常" in said(engineer, "/sweeps")
    place(people)
    run = look(0, {"SW-1": 30.0, "SW-2": 30.0, "SW-3": 30.0})
    assert "看清 0 / 3 台" in said(engineer, "/sweeps"), "nobody agreed whose devices these are"
    assert "身份尚未经甲方确认" in said(engineer, f"/sweeps/{run.id}")


SWEEP_FILTERS = [
    ("verdict=fail", [1]), ("verdict=pass", [0]), ("state=running", []), ("obligation=S1.1-remote", [0, 1]),
    ("from=2026-11-26", [1]), ("to=2026-11-25", [0]), ("from=yesterday", []), ("to=9999-12-31", []),
]  # fmt: skip


def test_filters_live_in_the_address(engineer, people):
    place(people)
    runs = days(people, {"SW-1": 30.0, "SW-2": 30.0, "SW-3": 30.0}, {"SW-1": 48.0, "SW-2": 30.0, "SW-3": 31.0})
    for query, found in SWEEP_FILTERS:
        html = engineer.get(f"/sweeps?{query}&q=").content.decode()
        assert [i for i, run in enumerate(runs) if run.id in html] == found, query


def test_a_sweep_tells_failures_first_then_what_it_could_not_see_and_what_changed(engineer, people):
    place(people, codes=("SW-1", "SW-2", "SW-3", "SW-4", "SW-5"))
    told = {"SW-1": 30.0, "SW-2": 48.0, "SW-3": 30.0, "SW-4": Reason.NOT_REACHED, "SW-5": 30.0}
    after = {"SW-1": 43.0, "SW-2": 30.0, "SW-3": Reason.AUTH, "SW-4": 30.0}
    _before, run = days(people, told, after, extra=("GONE-1",))
    html = engineer.get(f"/sweeps/{run.id}").content.decode()
    assert html.index('id="failing"') < html.index('id="unproven"') < html.index('id="passed"')
    failing, unproven, changed = part(html, "failing"), part(html, "unproven"), part(html, "difference")
    assert "SW-1" in failing
    assert "43.0 °C" in failing
    assert "设备阈值 ≥42 警告 ≥47 严重" in failing, "whose limit judged it"
    assert "SW-2" not in failing
    assert "1 凭据被拒绝 责任 尚不清楚" in unproven
    assert "1 采集端没有带回结果 责任 乙方" in unproven
    assert "SW-3" in unproven
    assert "另有 1 个约定的编号已不在资产登记中" in unproven, "shrinking the register raises no coverage"
    assert "1 新出现故障 SW-1" in changed
    assert "1 恢复正常 SW-2" in changed
    assert "2 新近看不见 SW-3 SW-5" in changed
    assert "1 重新看见 SW-4" in changed
    assert "结论不变 0 台" in changed
    basis = part(html, "basis")
    assert "服务方案第 1 版" in basis
    assert "ext/snmp" in basis
    assert f"№ {number_of('inspect.run.judged', run.id)}" in failing


def test_a_silent_control_and_a_plan_nobody_approved_are_told(engineer, people):
    place(people)
    (run,) = days(people, {"SW-1": 30.0, "SW-2": 30.0, "SW-3": 30.0}, control=False)
    Run.objects.filter(pk=run.pk).update(terms={"plan_version": 2, "approved": False, "coverage_target": "99.50"})
    told = said(engineer, f"/sweeps/{run.id}")
    assert "阳性对照没有报出：ext/snmp" in told
    assert "看清 0 / 3 台" in told, "without its control a quiet protocol proves nothing"
    assert "服务方案第 2 版（当时未经甲方审定）" in told
    assert "目标 99.5 %" in told
    assert "未报出 ext/snmp" in said(engineer, "/sweeps")


def test_a_running_sweep_shows_how_far_it_is_and_is_fetched_again(engineer, people):
    place(people)
    look(2, {"SW-1": 30.0, "SW-2": 30.0, "SW-3": 30.0})
    scene.agree(people)
    run = look(0, {"SW-1": 30.0, "SW-2": 48.0}, finish=False)
    html = engineer.get(f"/sweeps/{run.id}").content.decode()
    assert f'data-live="runs:{run.id}"' in html
    assert f'hx-get="/sweep-body/{run.id}"' in html
    told = text_of(html)
    assert "巡检进行到 2 / 3 台" in told
    assert "2/3" in part(html, "coverage"), "proven of agreed, by category"
    assert "已知 1 台" in part(html, "failing")
    assert "没有故障。" not in told
    assert "每台设备都看清了" not in told
    body = engineer.get(f"/sweep-body/{run.id}", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in body
    assert "进行到 2 / 3" in text_of(body)
    assert engineer.get(f"/sweep-body/{run.id}")["Location"] == f"/sweeps/{run.id}"


def test_a_run_that_broke_off_is_not_told_as_one_that_ended(engineer, people):
    from yunwei.runs import services as runs

    place(people)
    run = look(0, {"SW-1": 30.0}, finish=False)
    runs.finish(run.id, now=NOW, error="采集进程中断")
    told = said(engineer, f"/sweeps/{run.id}")
    assert "本次巡检没有完成" in told
    assert "采集进程中断" in told


def test_only_looking_runs_are_sweeps(engineer, people):
    Run.objects.create(
        id="result:S2.3-full:2026-11:1", procedure="backup.full", scope={}, terms={}, cause={}, submitted_at=NOW
    )
    assert "backup.full" not in said(engineer, "/sweeps")
    said(engineer, "/sweeps/result:S2.3-full:2026-11:1", 404)
    said(engineer, "/sweeps/look:no/such:run", 404)


def test_the_vendor_looks_again_as_long_as_that_can_prove_anything(client: Client, people, now):
    place(people)
    (run,) = days(people, {"SW-1": 30.0, "SW-2": 30.0})
    row = scene.occurrence(run)
    client.force_login(people["a_manager"])
    assert "再查一次" not in said(client, f"/sweeps/{run.id}")
    assert client.post(f"/sweep-again/{run.id}").status_code == 403
    client.force_login(people["b_engineer"])
    assert "再查一次" in said(client, f"/sweeps/{run.id}")
    assert client.get(f"/sweep-again/{run.id}").status_code == 405
    response = client.post(f"/sweep-again/{run.id}")
    second = Attempt.objects.get(number=2)
    assert response["Location"] == f"/sweeps/{second.run_id}"
    assert Run.objects.get(pk=second.run_id).cause["by"] == "b_engineer"
    assert client.post(f"/sweep-again/{run.id}").status_code == 400, "it is running already"
    row.refresh_from_db()
    row.state, row.cause = "kept", ""
    row.save()
    assert "再查一次" not in said(client, f"/sweeps/{run.id}")
    later = NOW - timedelta(minutes=5)
    Occurrence.objects.filter(pk=row.pk).update(state="missed")
    Occurrence.objects.create(
        obligation=row.obligation, period="next", owes="B", kind="look", basis="plan", counts=True, starts_at=later
    )
    assert "再查一次" not in said(client, f"/sweeps/{run.id}"), "the next period has begun"
    refused = client.post(f"/sweep-again/{run.id}")
    assert refused.status_code == 400
    assert "补查证明不了上一期" in refused.content.decode()


def test_every_device_of_a_sweep_can_be_taken_along(engineer, people):
    place(people)
    (run,) = days(people, {"SW-1": 48.0, "SW-2": Reason.NOT_REACHED, "SW-3": 30.0})
    assert "这次巡检共有 3 台设备的结论" in said(engineer, f"/sweep-devices/{run.id}")
    assert "筛选出 1 台设备" in said(engineer, f"/sweep-devices/{run.id}?verdict=unproven")
    response = engineer.get(f"/sweep-devices/{run.id}?verdict=unproven&format=csv")
    content = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.reader(io.StringIO(content)))
    assert [r[0] for r in rows[1:]] == ["SW-2"]
    assert "无应答" in rows[1][4]


# --- findings ---------------------------------------------------------------------------------------------------------


def test_findings_tell_reading_limit_ticket_and_evidence_open_ones_first(engineer, people):
    place(people)
    days(people, {"SW-1": 48.0, "SW-2": 43.0, "SW-3": 30.0}, {"SW-1": 48.5, "SW-2": 30.0, "SW-3": 43.0})
    html = engineer.get("/findings").content.decode()
    told = text_of(html)
    assert "2 项发现未关闭：严重 1 ，警告 1" in told
    one, old = Finding.objects.get(asset__code="SW-1"), Finding.objects.get(asset__code="SW-2")
    assert html.index(f"/findings/{one.pk}") < html.index(f"/findings/{old.pk}"), "the closed one comes last"
    assert "48.0 °C 设备阈值 ≥42 警告 ≥47 严重" in told
    assert Ticket.objects.get(asset__code="SW-1").number in told
    assert f"№ {Entry.objects.get(intake_id=one.evidence).seq}" in told
    assert "自查发现" in told
    rows = html.split("<tbody", 1)[1].split("</tr>")
    assert "已关闭" in next(r for r in rows if "SW-2" in r)


FINDING_FILTERS = [
    ("state=opened", 2), ("state=closed", 1), ("severity=critical", 1), ("category=switch", 3), ("category=ups", 0),
    ("zone=ext", 3), ("zone=other", 0), ("place=room", 3), ("clause=2.1-S", 3), ("clause=9.9", 0), ("asset=SW-3", 1),
    ("q=CPU", 3), ("q=nothing", 0), ("origin=client", 0), ("severity=critical&zone=ext", 1),
]  # fmt: skip


def test_findings_are_filtered_by_what_the_address_says(engineer, people):
    place(people)
    days(people, {"SW-1": 48.0, "SW-2": 43.0, "SW-3": 30.0}, {"SW-1": 48.5, "SW-2": 30.0, "SW-3": 43.0})
    for query, n in FINDING_FILTERS:
        told = said(engineer, f"/findings?{query}")
        assert (f"筛选出 {n} 项发现" if n else "没有符合筛选条件的发现") in told, query


def test_a_finding_is_told_from_look_to_look_with_what_nobody_saw(engineer, people):
    place(people)
    runs = days(people, {"SW-1": 30.0}, {"SW-1": 43.0}, {"SW-1": Reason.NOT_REACHED}, {"SW-1": 48.0}, {"SW-1": 31.0})
    found = Finding.objects.get()
    html = engineer.get(f"/findings/{found.pk}").content.decode()
    steps = [text_of(r) for r in html.split('id="steps"', 1)[1].split("<tbody", 1)[1].split("</tr>")][:6]
    words = ["看到已恢复", "见到", "无应答", "见到", "读数正常", "身份尚未经甲方确认"]
    assert [w for step, w in zip(steps, words, strict=True) if w in step] == words
    assert "48 °C" in steps[1]
    assert "°C" not in steps[2], "what was not seen has no figure"
    for run, step in zip(reversed(runs), steps, strict=False):
        assert f"№ {number_of('inspect.run.judged', run.id)}" in step
    lines = re.findall(r'<polyline points="([^"]*)"', html)
    assert [len(one.split()) for one in lines] == [2, 2], "nothing is drawn across the look that saw nothing"
    records = part(html, "log")
    assert all(word in records for word in ("发现故障", "故障变化", "故障消除"))
    assert Artifact.objects.get(content_hash=found.artifact).commitment in html
    assert "已关闭" in text_of(html.split("<h1>")[1].split("</h1>")[0])


def test_a_fault_that_comes_back_names_its_earlier_ones(engineer, people):
    place(people)
    days(people, {"SW-1": 43.0}, {"SW-1": 30.0}, {"SW-1": 43.0})
    old, new = Finding.objects.order_by("id")
    assert "第 1 次复发" in said(engineer, "/findings")
    html = engineer.get(f"/findings/{new.pk}").content.decode()
    assert f"/findings/{old.pk}" in html.split('id="earlier"')[1]


def test_the_client_closes_what_no_look_can_see_right(client: Client, people, now):
    place(people)
    days(people, {"SW-1": 43.0})
    found = Finding.objects.get()
    client.force_login(people["b_engineer"])
    assert "由甲方确认关闭" not in said(client, f"/findings/{found.pk}")
    assert client.post(f"/findings/{found.pk}/close", {"reason": "x"}).status_code == 403
    client.force_login(people["a_manager"])
    assert "由甲方确认关闭" in said(client, f"/findings/{found.pk}")
    refused = client.post(f"/findings/{found.pk}/close", {"reason": " "})
    assert refused.status_code == 400
    assert "请写明关闭的依据" in refused.content.decode()
    assert client.post(f"/findings/{found.pk}/close", {"reason": "部件已拆除"}).status_code == 302
    found.refresh_from_db()
    assert found.closed_at == NOW
    assert Intake.objects.get(pk=found.closing_evidence).actor == "a_manager"
    said(client, "/findings/999999", 404)


# --- assets -----------------------------------------------------------------------------------------------------------


def test_assets_tell_the_newest_verdict_also_when_a_look_brought_nothing(engineer, people):
    place(people)
    days(people, {"SW-1": 30.0, "SW-2": 48.0, "SW-3": 30.0}, {"SW-1": 30.0, "SW-2": 48.0})
    html = engineer.get("/assets").content.decode()
    assert "在管资产 3 项：正常 1 ，有故障 1 ，未证明 1" in text_of(html)
    rows = {
        code: text_of(r)
        for r in html.split("<tbody", 1)[1].split("</tr>")
        for code in ("SW-1", "SW-2", "SW-3")
        if code in r
    }
    assert "正常" in rows["SW-1"]
    assert "有故障" in rows["SW-2"]
    assert "未能证明 采集端没有带回结果" in rows["SW-3"], (
        "the collector said nothing of it: yesterday's health is not today's"
    )
    assert "未能证明" in said(engineer, "/assets/SW-3")


def test_an_old_verdict_is_not_shown_as_the_state_of_today(engineer, people):
    place(people)
    days(people, {"SW-1": 30.0, "SW-2": 30.0, "SW-3": 30.0}, {}, {})
    DeviceSweep.objects.filter(run_id__contains="2026-11-25").delete()
    DeviceSweep.objects.filter(run_id__contains="2026-11-26").delete()
    DeviceSweep.objects.update(observed_at=NOW - timedelta(days=5))
    assert "5 天前" in said(engineer, "/assets")
    assert "已有 5 天没有看过；当时" in said(engineer, "/assets/SW-1")


ASSET_FILTERS = [
    ("verdict=fail", "SW-2"), ("verdict=pass", "SW-1"), ("verdict=unproven", "SW-3"), ("verdict=none", "NEW"),
    ("category=switch", "SW-1 SW-2 SW-3"), ("zone=ext", "NEW SW-1 SW-2 SW-3"), ("place=room", "SW-1 SW-2 SW-3"),
    ("owner=edu", "SW-1 SW-2 SW-3"), ("system=sys", "SW-1 SW-2 SW-3"), ("kind=host", "NEW"),
    ("identity=confirmed", "SW-1 SW-2"), ("identity=waiting", "SW-3"), ("identity=nothing", "NEW"),
    ("identity=weak", ""), ("identity=changed", ""), ("identity=unpinned", ""), ("identity=bad", ""),
    ("retired=1", "OLD"), ("q=192.0.2", "SW-1 SW-2 SW-3"), ("q=SN-SW-2", "SW-2"), ("q=%25", ""),
]  # fmt: skip


def test_assets_are_filtered_by_what_the_address_says(engineer, people):
    place(people)
    look(3, {"SW-1": 30.0, "SW-2": 30.0, "SW-3": 30.0})
    scene.agree(people, but=("SW-3",))
    look(0, {"SW-1": 30.0, "SW-2": 48.0, "SW-3": 30.0})
    zone = Zone.objects.get()
    Asset.objects.create(code="NEW", name="x", kind="host", zone=zone)
    Asset.objects.create(code="OLD", name="x", kind="host", zone=zone, retired_at=NOW)
    for query, found in ASSET_FILTERS:
        html = engineer.get(f"/assets?{query}").content.decode()
        assert " ".join(re.findall(r'data-href="/assets/([^"]+)"', html)) == found, query


def test_the_worst_of_an_assets_identities_is_its_identity(engineer, people):
    place(people, codes=("SW-1",))
    endpoint = Endpoint.objects.get()

    def state() -> str:
        html = engineer.get("/assets").content.decode()
        return text_of(html.split("<tbody", 1)[1])

    def pin(weak: bool, confirmed: bool) -> IdentityPin:
        who = people["a_manager"] if confirmed else None
        return IdentityPin.objects.create(
            endpoint=endpoint, fields={"serial": "x"}, weak=weak, pinned_at=NOW, pinned_by="system:inspect",
            confirmed_by=who, confirmed_at=NOW if confirmed else None,
        )  # fmt: skip

    assert "未登记身份" in state()
    pin(weak=True, confirmed=False)
    assert "待甲方确认" in state()
    pin(weak=True, confirmed=True)
    assert "已确认（弱）" in state(), "a pin that waited before the confirmed one waits no more"
    other = pin(weak=False, confirmed=False)
    assert "身份不符" in state()
    IdentityPin.objects.filter(pk=other.pk).update(refused_at=NOW)
    assert "已确认（弱）" in state()
    pin(weak=False, confirmed=True)
    assert "已确认（弱）" not in state()
    assert "已确认" in state()


def test_an_asset_tells_readings_limits_and_how_they_moved(engineer, people):
    place(people)
    run = days(people, {"SW-1": 30.0}, {"SW-1": Reason.NOT_REACHED}, {"SW-1": 44.0})[-1]
    html = engineer.get("/assets/SW-1").content.decode()
    readings = part(html, "readings")
    assert "CPU 温度" in readings
    assert "警告 44 °C 设备阈值 ≥42 警告 ≥47 严重" in readings
    assert "未判定 3,200 rpm" in readings, "what no rule judged is neither green nor red"
    assert f"№ {number_of('inspect.run.judged', run.id)}" in readings
    assert 's-warn" stroke-width="1" stroke-dasharray' in html, "the limit is a line in the picture"
    assert "有警告 1" in part(html, "strip")
    assert "未证明 2 没有巡检 1" in part(html, "strip")
    facts = part(html, "facts")
    assert all(
        word in facts for word in ("单位edu", "学籍系统交换机", "等保 3 级", "h3c S5560", "SN-SW-1", "h3c-comware")
    )
    assert "PSR150" in part(html, "parts")
    assert Ticket.objects.get().number in part(html, "tickets")
    assert f"/findings/{Finding.objects.get().pk}" in html
    assert "very secret" not in html
    assert "login-ext" in part(html, "identity"), "the name of the credential and nothing of it"


def test_what_the_last_look_did_not_see_is_unproven_and_not_the_old_figure(engineer, people):
    place(people)
    days(people, {"SW-1": 30.0}, {"SW-1": Reason.NOT_REACHED})
    html = engineer.get("/assets/SW-1").content.decode()
    readings = part(html, "readings")
    assert "最近一次没有看清：无应答。 下面是最后读到的值，不是现状。" in readings
    assert "未证明 30 °C" in readings
    assert "正常" not in readings
    assert "未能证明：无应答" in text_of(html.split("<h1>")[1].split("</h1>")[0]).replace(" ", "")


def test_the_window_is_one_of_those_offered(engineer, people):
    place(people)
    days(people, {"SW-1": 30.0})
    for days_, shown in (("14", 14), ("90", 90), ("", 30), ("-1", 30), ("99999999999", 30), ("x", 30)):
        assert f"{shown} 天走势" in said(engineer, f"/assets/SW-1?days={days_}")


def test_one_reading_has_its_own_page_with_every_look_and_its_evidence(engineer, people):
    place(people)
    runs = days(people, {"SW-1": 30.0}, {"SW-1": Reason.NOT_REACHED}, {"SW-1": 44.0})
    html = engineer.get("/asset-reading/SW-1?c=cpu/1&k=temperature").content.decode()
    told = text_of(html)
    assert "最近读到 44 °C ，30 天内在 30 与 44 之间".replace("，30", "， 30") in told
    for run in runs:
        assert f"№ {number_of('inspect.run.judged', run.id)}" in told
    assert "无应答" in told
    assert "1.3.6.1.4.1.9" in told
    said(engineer, "/asset-reading/SW-1?c=no&k=such", 404)
    assert "没有这个读数" in said(engineer, "/asset-reading/SW-1?c=no&k=such&days=14")
    assert "有 3 个读数" in said(engineer, "/asset-readings/SW-1")
    said(engineer, "/assets/NO", 404)


def test_a_code_may_hold_slashes_and_signs(engineer, people):
    place(people, codes=("机房/A#1:x",))
    days(people, {"机房/A#1:x": 30.0})
    html = engineer.get("/assets").content.decode()
    (address,) = set(re.findall(r'data-href="(/assets/[^"]+)"', html))
    assert "机房/A#1:x" in said(engineer, address)


def test_the_client_confirms_who_answers_and_nobody_else(client: Client, people, now):
    place(people, codes=("SW-1", "SW-2"))
    look(0, {"SW-1": 30.0, "SW-2": 30.0})
    pins = {p.endpoint.asset.code: p for p in IdentityPin.objects.select_related("endpoint__asset")}
    client.force_login(people["b_engineer"])
    told = client.get("/assets/SW-1").content.decode()
    assert "待甲方确认（强）" in told
    assert "80SW-1" in told
    assert "确认是我方设备" not in told
    assert client.post(f"/asset-identity/{pins['SW-1'].pk}", {"answer": "confirm"}).status_code == 403
    client.force_login(people["a_manager"])
    assert "确认是我方设备" in client.get("/assets/SW-1").content.decode()
    assert client.post(f"/asset-identity/{pins['SW-1'].pk}", {"answer": "perhaps"}).status_code == 404
    assert client.post(f"/asset-identity/{pins['SW-1'].pk}", {"answer": "confirm"}).status_code == 302
    ledger.sequence(NOW)
    told = client.get("/assets/SW-1").content.decode()
    assert "已确认（强）" in told
    assert "a_manager" in told
    assert f"№ {number_of('assets.identity.confirmed', 'SW-1')}" in part(told, "identity")
    again = client.post(f"/asset-identity/{pins['SW-1'].pk}", {"answer": "refuse"})
    assert again.status_code == 400
    assert "该身份已经处理过" in again.content.decode()
    assert client.post(f"/asset-identity/{pins['SW-2'].pk}", {"answer": "refuse"}).status_code == 302
    assert "还没有登记身份" in client.get("/assets/SW-2").content.decode()
    assert client.post("/asset-identity/999999", {"answer": "confirm"}).status_code == 404


def test_another_device_under_the_name_shows_in_what_it_differs(engineer, people):
    place(people, codes=("SW-1",))
    days(people, {"SW-1": 30.0})
    other = scene.seen("SW-1", 30.0, NOW)
    changed = DeviceResult(
        **{f: getattr(other, f) for f in other.__struct_fields__}
        | {"identity": {"engine_id": "80other", "serial": "SN-SW-1"}}
    )
    look(0, {"SW-1": changed}, attempt=2)
    html = engineer.get("/assets/SW-1").content.decode()
    assert "应答的设备与确认的不符" in html
    assert re.search(r't-bad" translate="no">80other<', html)
    assert "设备身份与约定不符" in text_of(html.split("<h1>")[1].split("</h1>")[0])


def test_the_client_accepts_a_part_that_is_another_one(client: Client, people, now):
    place(people, codes=("SW-1",))
    days(people, {"SW-1": 30.0})
    PartRow.objects.update(now={"serial": "P-NEW"})
    row = PartRow.objects.get()
    client.force_login(people["b_engineer"])
    told = client.get("/assets/SW-1").content.decode()
    assert "P-NEW" in told
    assert "认可变更" not in told
    assert client.post(f"/asset-part/{row.pk}", {"reason": "x"}).status_code == 403
    client.force_login(people["a_manager"])
    assert "认可变更" in client.get("/assets/SW-1").content.decode()
    assert client.post(f"/asset-part/{row.pk}", {"reason": "换盘单 7 号"}).status_code == 302
    row.refresh_from_db()
    assert (row.serial, row.now) == ("P-NEW", {})
    assert client.post(f"/asset-part/{row.pk}", {"reason": "x"}).status_code == 400


# --- what holds for all of them ---------------------------------------------------------------------------------------


def addresses(run: Run) -> list[str]:
    found = Finding.objects.order_by("id").first()
    assert found is not None
    code = found.asset.code
    return [
        "/sweeps", f"/sweeps/{run.id}", f"/sweep-devices/{run.id}", "/findings", f"/findings/{found.pk}", "/assets",
        f"/assets/{code}", f"/asset-readings/{code}", f"/asset-reading/{code}?c=cpu/1&k=temperature",
    ]  # fmt: skip


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_what_a_device_says_stays_text(engineer, people):
    place(people, name=EVIL, codes=("SW-1", "SW-2"))
    look(3, {"SW-1": 30.0, "SW-2": 30.0})
    scene.agree(people)
    evil = scene.seen("SW-1", 48.0, NOW - timedelta(minutes=29), name=EVIL, raw=EVIL)
    run = look(0, {"SW-1": evil, "SW-2": Reason.GARBAGE})
    DeviceSweep.objects.filter(run_id=run.id, verdict="unproven").update(detail=EVIL, reason=EVIL[:24])
    Finding.objects.update(component=EVIL, source=EVIL, limit=EVIL)
    Ticket.objects.update(title=EVIL)
    PartRow.objects.update(model=EVIL, serial=EVIL, now={"firmware": EVIL})
    Run.objects.filter(pk=run.pk).update(error=EVIL)
    for address in addresses(run):
        page = engineer.get(address).content.decode()
        assert "&lt;script&gt;" in page or address == "/sweeps", address
        tags = Tags(page)
        assert "img" not in tags.names, address
        assert not [name for name in tags.attributes if name.startswith("on")], address
        assert tags.names.count("script") == 2, "the page's own two files"
        assert "style" not in tags.attributes


def test_pages_open_for_who_reads_the_contract_and_for_nobody_else(client: Client, people, now):
    place(people)
    (run,) = days(people, {"SW-1": 48.0})
    for address in addresses(run):
        assert client.get(address).status_code == 302, "nobody gets in without a login"
    for name, status in (("b_engineer", 200), ("a_manager", 200), ("auditor", 200), ("tenant", 403)):
        somebody = Client()
        somebody.force_login(people[name])
        for address in addresses(run):
            assert somebody.get(address).status_code == status, (address, name)


def test_a_page_is_whole_in_english(engineer, people, english):
    place(people, name="switch")
    (run,) = days(people, {"SW-1": 48.0, "SW-2": Reason.NOT_REACHED, "SW-3": 30.0})
    engineer.cookies["django_language"] = "en"
    for address in addresses(run):
        assert engineer.get(address).status_code == 200, address


def test_lists_cost_the_same_at_10_000_rows(engineer, people):
    place(people, codes=[f"SW-{i:03d}" for i in range(100)])
    (run,) = days(people, {f"SW-{i:03d}": 48.0 if i % 3 else 30.0 for i in range(100)})
    lists = ["/sweeps", "/findings", "/assets", f"/sweep-devices/{run.id}"]
    few = [statements(engineer, address) for address in lists]
    grow(run)
    many = [statements(engineer, address) for address in lists]
    assert Asset.objects.count() >= 10_000
    assert few == many
    budget = [BUDGETS["lists"][name] for name in ("sweeps", "findings", "assets", "sweep-devices")]
    assert all(n <= most for n, most in zip(many, budget, strict=True)), (many, budget)
    for query in ("verdict=fail", "identity=confirmed", "q=MORE-009", "owner=edu"):
        assert statements(engineer, f"/assets?{query}") <= BUDGETS["lists"]["assets"]


def test_pages_of_one_thing_cost_the_same_whatever_hangs_on_it(engineer, people):
    place(people, codes=[f"SW-{i:02d}" for i in range(12)])
    codes = [f"SW-{i:02d}" for i in range(12)]
    first = days(people, {c: 48.0 if c < "SW-03" else 30.0 for c in codes[:10]})[-1]
    pages = {
        "sweep": f"/sweeps/{first.id}", "finding": f"/findings/{Finding.objects.order_by('id')[0].pk}", "asset": "/assets/SW-00",
        "asset-reading": "/asset-reading/SW-00?c=cpu/1&k=temperature", "asset-readings": "/asset-readings/SW-00",
    }  # fmt: skip
    for address in pages.values():
        engineer.get(address)
    few = {name: statements(engineer, address) for name, address in pages.items()}
    for i in range(2, 6):
        run = look(0, {c: 48.0 if c < "SW-06" else 30.0 for c in codes[:9]}, attempt=i)
    pages["sweep"] = f"/sweeps/{run.id}"
    many = {name: statements(engineer, address) for name, address in pages.items()}
    assert many == few
    assert all(n <= BUDGETS["pages"][name] for name, n in many.items()), many


def statements(client: Client, address: str) -> int:
    """Of one request; the lesser of two, because the session notes now and then that it is used."""
    return min(_once(client, address), _once(client, address))


def _once(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def grow(run: Run) -> None:
    """10,000 more assets, each with an endpoint, a confirmed identity, a look and a finding; 300 more runs."""
    zone, like = Zone.objects.get(), Asset.objects.order_by("id").first()
    assert like is not None
    made = Asset.objects.bulk_create(
        (Asset(code=f"MORE-{i:05d}", name=f"更多 {i}", kind="device", category="ups", zone=zone, owner=like.owner) for i in range(10_000)),
        batch_size=2000,
    )  # fmt: skip
    ends = Endpoint.objects.bulk_create((Endpoint(asset=a, protocol="snmp") for a in made[:2000]), batch_size=2000)
    who = IdentityPin.objects.filter(confirmed_at__isnull=False).first()
    assert who is not None
    IdentityPin.objects.bulk_create(
        (
            IdentityPin(endpoint=e, fields={"serial": "x"}, pinned_at=NOW, pinned_by="x", confirmed_by=who.confirmed_by, confirmed_at=NOW)
            for e in ends
        ),
        batch_size=2000,
    )  # fmt: skip
    DeviceSweep.objects.bulk_create(
        (DeviceSweep(run_id=run.id, asset=a, observed_at=NOW, verdict="fail") for a in made), batch_size=2000
    )
    Finding.objects.bulk_create(
        (
            Finding(asset=a, key="k", component="fan/1", kind="state", name="风扇", severity="warning", opened_at=NOW, last_seen_at=NOW)
            for a in made[:2000]
        ),
        batch_size=2000,
    )  # fmt: skip
    Run.objects.bulk_create(
        Run(id=f"look:x:{i}:1", procedure="hardware.inspect", scope={}, terms={}, cause={}, submitted_at=NOW, outcome=run.outcome)
        for i in range(300)
    )  # fmt: skip
    tables.count_anew()  # as after an import


# --- readings over time -----------------------------------------------------------------------------------------------


def test_only_a_look_at_this_device_at_that_time_gives_a_figure(engineer, people):
    place(people, codes=("SW-1",))
    days(people, {"SW-1": 30.0}, {"SW-1": 31.0}, {"SW-1": 32.0})
    asset = Asset.objects.get()
    for reason in Reason:
        DeviceSweep.objects.filter(run_id__contains="2026-11-25").update(verdict="unproven", reason=str(reason))
        looks = series.looks(series.of_asset(asset.pk, NOW - timedelta(days=30), NOW), "SW-1")
        found = next(s for s in series.build(looks, NOW - timedelta(days=30), NOW) if s.key == ("cpu/1", "temperature"))
        figures = [p.value for p in found.points if p.tone != "mut"]
        wrong = reason in (
            Reason.IDENTITY_CHANGED, Reason.IDENTITY_UNCONFIRMED, Reason.DUPLICATE, Reason.STALE, Reason.FROZEN
        )  # fmt: skip
        assert figures == [None, 30.0, None if wrong else 31.0, 32.0], reason


def test_days_on_which_nobody_looked_are_a_gap(engineer, people):
    place(people, codes=("SW-1",))
    days(people, *({"SW-1": 30.0 + i} for i in range(9)))
    DeviceSweep.objects.filter(run_id__contains="2026-11-22").delete()
    DeviceSweep.objects.filter(run_id__contains="2026-11-23").delete()
    looks = series.looks(series.of_asset(Asset.objects.get().pk, NOW - timedelta(days=30), NOW), "SW-1")
    found = next(s for s in series.build(looks, NOW - timedelta(days=30), NOW) if s.numeric and s.unit == "°C")
    told = [p.value for p in found.points][-8:]
    assert told == [30.0, 31.0, 32.0, 33.0, None, 36.0, 37.0, 38.0]
    assert next(p for p in found.points if p.label == "没有巡检").tone == "mut"


def test_a_redacted_or_altered_result_gives_no_figures_and_says_so(engineer, people):
    from yunwei.ledger import artifacts

    place(people, codes=("SW-1",))
    runs = days(people, {"SW-1": 30.0}, {"SW-1": 31.0}, {"SW-1": 32.0})
    told = {r.id: Artifact.objects.get(content_hash=DeviceSweep.objects.get(run_id=r.id).artifact) for r in runs}
    artifacts.path_of(told[runs[0].id].content_hash).write_bytes(b"{}")
    Artifact.objects.filter(pk=told[runs[1].id].pk).update(content_hash="", redacted_at=NOW)
    looks = series.looks(series.of_asset(Asset.objects.get().pk, NOW - timedelta(days=3), NOW), "SW-1")
    by_run = {x.run_id: x for x in looks}
    assert by_run[runs[0].id].readings is None
    assert "被改动" in by_run[runs[0].id].why
    assert by_run[runs[1].id].readings is None
    assert "依法删除" in by_run[runs[1].id].why
    assert by_run[runs[2].id].readings
    said(engineer, "/assets/SW-1")


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("device: warn>=42 crit>=47", (("warn", 42.0), ("bad", 47.0))),
        ("vendor file: warn<=-7.5 crit<=-9", (("warn", -7.5), ("bad", -9.0))),
        ("plan: crit>=1e+06", (("bad", 1e6),)),
        ("plan: crit>=1e999", ()), ("baseline: P-1", ()), ("", ()),
    ],
)  # fmt: skip
def test_limits_are_read_as_the_judge_writes_them(limit, told):
    assert series.limits_of(limit) == told


@pytest.mark.parametrize("value", [10**200, -(10**200), 1e300, True])
def test_a_quantity_that_is_none_is_quoted_and_not_drawn(value):
    from yunwei.inspect.observation import Observation

    told = Observation("a", "x", "count", "x", value)
    assert not series.is_number(told)
    assert len(series.said(told)) <= 120


def test_a_fault_at_any_look_of_a_day_is_that_days_state():
    from datetime import UTC, datetime

    def day(*told: tuple[str, str]):
        rows = [
            (datetime(2026, 11, 26, 1 + i, tzinfo=UTC), v, {"faults": [{"severity": s}] if s else []})
            for i, (v, s) in enumerate(told)
        ]
        return series.days_of(rows)["2026-11-26"]

    assert day(("pass", ""), ("unproven", "")) == ("unp", 2), "the last look of the day could not see"
    assert day(("unproven", ""), ("pass", "")) == ("ok", 2)
    assert day(("fail", "critical"), ("pass", "")) == ("bad", 2)
    assert day(("fail", "warning"), ("unproven", "")) == ("warn", 2)
    assert day(("fail", "warning"), ("fail", "critical"), ("fail", "warning")) == ("bad", 3)


def test_every_kind_has_a_word_and_a_family():
    assert {kinds.family(code) for code in kinds.KINDS} == set(range(len(kinds.FAMILIES)))
    assert kinds.kind("never heard of") == "never heard of"


def test_a_rollup_that_a_part_explains_is_not_called_absent() -> None:
    """It is there and says Warning; the part that is the reason stands as the fault."""
    seen = Observation(
        "S",
        "storage/RAID",
        "rollup",
        "RAID",
        state=State.ABSENT,
        raw="Warning/Enabled",
        limit="explained by: disk/Drive 0",
    )
    assert series.word_of(seen) == "由部件引起"
    assert words.limit(seen.limit) == "见 disk/Drive 0"
    assert series.word_of(Observation("S", "cpu/CPU2", "state", "CPU 2", state=State.ABSENT)) == "不在位"
