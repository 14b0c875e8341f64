"""The hardware section of a report: each class of equipment, devices that failed or were not seen, readings that drift.

A drift is told from two sweeps' readings alone, with the evidence number of both; it is a hint to look, never a verdict.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Max
from django.utils.translation import gettext as _

from yunwei.inspect.models import DeviceSweep
from yunwei.inspect.observation import Observation
from yunwei.inspect.services import read_artifact
from yunwei.ledger.models import Entry, Intake
from yunwei.reports import say
from yunwei.reports.blocks import Block, Cell, Column, Note, Para, Section, Table
from yunwei.reports.evidence import said
from yunwei.reports.period import Period, moment
from yunwei.runs.models import Run
from yunwei.ui import words

JSON = Any
PROCEDURES = ("hardware.inspect", "hardware.deep")
#: devices and readings listed; the rest has its count
LISTED = 60
#: a reading must have come at least this share of its limit nearer before a drift is told
LEAST = 0.05
_LIMIT = re.compile(r"warn([<>])=(\S+)")
BATCH = 500


def data(of: Period, as_of: datetime) -> JSON:
    """What the sweeps of the period say about equipment. `as_of` decides nothing here: what was seen was seen."""
    del as_of
    runs = list(
        Run.objects.filter(procedure__in=PROCEDURES, cause__has_key="obligation")
        .filter(submitted_at__gte=of.start, submitted_at__lt=of.end).order_by("submitted_at", "id")
    )  # fmt: skip
    numbers = _judged([r.id for r in runs])
    rows = list(_rows([r.id for r in runs]))
    return {
        "runs": len(runs),
        "classes": _classes(rows),
        "failed": _worst(rows, "fail", numbers),
        "blind": _worst(rows, "unproven", numbers),
        "drifts": _drifts(runs, numbers),
    }


def _judged(runs: list[str]) -> dict[str, int]:
    """The evidence number of each run's judgement; 0 while it waits for one."""
    out: dict[str, int] = {}
    for start in range(0, len(runs), BATCH):
        found = Intake.objects.filter(kind="inspect.run.judged", subject__in=runs[start : start + BATCH])
        intakes = dict(found.order_by("id").values_list("subject", "id"))
        seqs = dict(Entry.objects.filter(intake_id__in=intakes.values()).values_list("intake_id", "seq"))
        out |= {run: seqs.get(pk, 0) for run, pk in intakes.items()}
    return out


def _rows(runs: list[str]) -> Iterator[tuple[str, str, str, str, str, int, str]]:
    """(code, name, category, verdict, reason, times, newest run) of the period's looks, grouped by the database."""
    for start in range(0, len(runs), BATCH):
        yield from (
            DeviceSweep.objects.filter(run_id__in=runs[start : start + BATCH])
            .values_list("asset__code", "asset__name", "asset__category", "verdict", "reason")
            .annotate(times=Count("id"), newest=Max("run_id")).order_by("asset__code", "verdict", "reason")
        )  # fmt: skip


def _classes(rows: Iterable[tuple[str, str, str, str, str, int, str]]) -> list[JSON]:
    assets: dict[str, set[str]] = defaultdict(set)
    bad: dict[str, dict[str, set[str]]] = defaultdict(lambda: {"fail": set(), "unproven": set()})
    looks: dict[str, Counter[str]] = defaultdict(Counter)
    for code, _name, category, verdict, _reason, times, _newest in rows:
        assets[category].add(code)
        looks[category][verdict] += times
        if verdict in bad[category]:
            bad[category][verdict].add(code)
    return [
        {
            "category": c, "assets": len(assets[c]), "looks": sum(looks[c].values()), "pass": looks[c]["pass"],
            "fail": looks[c]["fail"], "unproven": looks[c]["unproven"], "failed_assets": len(bad[c]["fail"]),
            "blind_assets": len(bad[c]["unproven"]),
        }
        for c in sorted(assets)
    ]  # fmt: skip


def _worst(rows: Iterable[tuple[str, str, str, str, str, int, str]], verdict: str, numbers: Mapping[str, int]) -> JSON:
    """The devices with this verdict, most often first, with the number of the newest run that gave it."""
    times, names, newest = Counter[str](), {}, dict[str, str]()
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for code, name, _category, told, reason, n, run in rows:
        if told == verdict:
            times[code] += n
            names[code] = name
            newest[code] = max(newest.get(code, ""), run)
            reasons[code][reason] += n
    order = sorted(times, key=lambda c: (-times[c], c))
    return {
        "all": len(order),
        "rows": [
            {
                "code": c, "name": names[c], "times": times[c],
                "reasons": [r for r, _n in sorted(reasons[c].items(), key=lambda item: (-item[1], item[0])) if r],
                "number": numbers.get(newest[c]),
            }
            for c in order[:LISTED]
        ],
    }  # fmt: skip


# --- drifts -----------------------------------------------------------------------------------------------------------


def _drifts(runs: list[Run], numbers: Mapping[str, int]) -> JSON:
    """Readings of the period's first and last sweep of one procedure that saw most devices, compared."""
    ended = [r for r in runs if r.procedure == PROCEDURES[0] and r.ended_at is not None and _saw_most(r)]
    if len(ended) < 2:
        return {"state": "few", "rows": [], "all": 0}
    first, last = ended[0], ended[-1]
    before, after = _readings(first.id), _readings(last.id)
    if not before or not after:
        return {"state": "gone", "rows": [], "all": 0}
    found = sorted(drifts(before, after), key=lambda d: (-d["share"], d["code"], d["component"], d["kind"]))
    rows = [{k: v for k, v in d.items() if k != "share"} for d in found[:LISTED]]
    return {
        "state": "read", "rows": rows, "all": len(found), "first": moment(first.submitted_at), "last": moment(last.submitted_at),
        "numbers": [numbers.get(first.id), numbers.get(last.id)],
    }  # fmt: skip


def _saw_most(run: Run) -> bool:
    """Whether a sweep proved half of what was agreed; one that saw little has nothing to compare with."""
    coverage = (run.outcome or {}).get("coverage") or {}
    return bool(coverage.get("agreed")) and 2 * coverage.get("proven", 0) >= coverage["agreed"]


def _readings(run: str) -> dict[tuple[str, str, str, str], Observation]:
    """Every reading with a limit in one run, from its artifacts; devices whose look proved nothing are left out."""
    sweeps = DeviceSweep.objects.filter(run_id=run).exclude(verdict="unproven").exclude(artifact="")
    proven: dict[str, set[str]] = defaultdict(set)
    for artifact, code in sweeps.values_list("artifact", "asset__code"):
        proven[artifact].add(code)
    out = {}
    for artifact in sorted(proven):
        result = read_artifact(artifact)
        for device in result.devices if result else ():
            if device.control or device.asset not in proven[artifact]:
                continue
            for o in device.observations:
                if o.limit and isinstance(o.value, int | float) and not isinstance(o.value, bool):
                    out[device.asset, device.protocol, o.component, o.kind] = o
    return out


def drifts(
    before: Mapping[tuple[str, str, str, str], Observation], after: Mapping[tuple[str, str, str, str], Observation]
) -> Iterator[dict[str, JSON]]:
    """Readings that are still good and came so much nearer to their warning limit that as much again would reach it."""
    for key, now in after.items():
        was = before.get(key)
        limit = _LIMIT.search(now.limit)
        if was is None or limit is None or now.state != "ok" or was.unit != now.unit:
            continue
        first, last, edge = float(was.value or 0), float(now.value or 0), float(limit[2])
        nearer = (last - first) if limit[1] == ">" else (first - last)
        room = (edge - last) if limit[1] == ">" else (last - edge)
        if edge and room > 0 and nearer >= LEAST * abs(edge) and nearer >= room:
            yield {
                "code": key[0], "component": key[2], "kind": key[3], "name": now.name, "unit": now.unit,
                "first": f"{first:g}", "last": f"{last:g}", "limit": now.limit, "share": nearer / room,
            }  # fmt: skip


# --- words ------------------------------------------------------------------------------------------------------------


def section(told: Mapping[str, JSON], of: Period) -> Section:
    """硬件与主机."""
    title = _("硬件与主机")
    if not told["classes"]:
        return Section(title, [Note(_("本期没有对设备的巡检结果。"), "unp")])
    return Section(
        title,
        [_class_table(told["classes"])],
        [
            Section(_("有故障的设备"), [_device_table(told["failed"], blind=False)]),
            Section(_("未看清的设备"), [_device_table(told["blind"], blind=True)]),
            Section(_("值得留意的变化"), _drift_blocks(told["drifts"], of)),
        ],
    )


def _class_table(classes: list[dict[str, JSON]]) -> Block:
    keys = ("assets", "looks", "pass", "fail", "unproven", "failed_assets", "blind_assets")
    tones = {"fail": "bad", "failed_assets": "bad", "unproven": "unp", "blind_assets": "unp"}
    rows = [
        [Cell(words.category(c["category"])), *(say.count(c[k], tones.get(k, "")) for k in keys), Cell(say.per_cent(c["pass"] + c["fail"], c["looks"]))]
        for c in classes
    ]  # fmt: skip
    sums = {k: sum(c[k] for c in classes) for k in keys}
    rows.append(
        [Cell(_("合计")), *(say.count(sums[k], tones.get(k, "")) for k in keys), Cell(say.per_cent(sums["pass"] + sums["fail"], sums["looks"]))]
    )  # fmt: skip
    heads = (_("设备"), _("巡检"), _("正常"), _("故障"), _("未看清"), _("故障设备"), _("未看清设备"), _("看清"))
    return Table(
        _("各类设备的巡检（设备数为台，其余为台次）"),
        [Column(_("类别"), 1.6), *(Column(h, 1, "right") for h in heads)],
        rows,
        totals=1,
    )


def _device_table(told: Mapping[str, JSON], *, blind: bool) -> Block:
    tone = "unp" if blind else "bad"
    rows = [
        [
            Cell(d["code"]), Cell(d["name"]), say.count(d["times"], tone),
            *([Cell("、".join(words.reason(r) for r in d["reasons"]))] if blind else []), Cell(said(d["number"])),
        ]
        for d in told["rows"]
    ]  # fmt: skip
    title = _("未看清的设备（按次数）") if blind else _("有故障的设备（按次数）")
    if told["all"] > len(told["rows"]):
        title += _("：列出前 {n} 台，共 {all} 台").format(n=len(told["rows"]), all=told["all"])
    columns = [Column(_("编号"), 1.4), Column(_("名称"), 2.2), Column(_("台次"), 0.6, "right")]
    columns += [Column(_("原因"), 2.2)] if blind else []
    empty = _("本期没有看不清的设备") if blind else _("本期没有有故障的设备")
    return Table(title, [*columns, Column(_("最近的证据"), 1.0)], rows, empty)


def _drift_blocks(told: Mapping[str, JSON], of: Period) -> list[Block]:
    if told["state"] == "few":
        return [Para(_("本期看清过半设备的巡检不足两轮，无从比较。"), "mut")]
    if told["state"] == "gone":
        return [Note(_("首轮或末轮巡检没有可读的原始读数，未作比较。"), "unp")]
    numbers = "、".join(said(n) for n in told["numbers"])
    text = _(
        "比较 {first} 与 {last} 两轮的读数（{numbers}）：下列读数仍在阈值之内，但若再变化同样幅度即达告警阈值。这是提示，不是结论。"
    ).format(first=say.clock(told["first"], of.zone), last=say.clock(told["last"], of.zone), numbers=numbers)
    rows = [
        [
            Cell(d["code"]), Cell(f"{d['name']}（{d['component']}）"), Cell(f"{d['first']} {d['unit']}".strip()),
            Cell(f"{d['last']} {d['unit']}".strip(), "warn"), Cell(words.limit(d["limit"])),
        ]
        for d in told["rows"]
    ]  # fmt: skip
    table = Table(
        _("接近阈值的读数"),
        [
            Column(_("设备"), 1.2),
            Column(_("读数"), 2.2),
            Column(_("首轮"), 0.8, "right"),
            Column(_("末轮"), 0.8, "right"),
            Column(_("阈值"), 1.8),
        ],
        rows,
        _("两轮之间没有这样的变化"),
    )
    return [Para(text), table]
