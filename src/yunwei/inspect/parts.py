"""The parts list of assets, compared from sweep to sweep: part missing, serial changed, firmware off baseline.

The first whole look makes the list. From then on a difference is a finding until the part is back, or until 甲方 accepts
the change (a replaced disk is agreed, not assumed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.assets.identity import JUNK
from yunwei.inspect.judging import Fault
from yunwei.inspect.models import PartRow
from yunwei.inspect.observation import DeviceResult, Part
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger

JSON = Any
BATCH = 500
#: what a comparison reads of a row: a sweep loads all rows of all assets, and times are half of what that costs
COMPARED = ("asset", "protocol", "component", "model", "serial", "firmware", "present", "source", "now")


class PartsError(YunweiError):
    """The parts list cannot be changed like that."""


@dataclass(slots=True)
class Comparison:
    """What one look says against the list: faults, keys seen right, rows to make, change and touch."""

    faults: list[Fault] = field(default_factory=list)
    ok: set[str] = field(default_factory=set)
    create: list[PartRow] = field(default_factory=list)
    change: list[PartRow] = field(default_factory=list)
    touch: list[int] = field(default_factory=list)


def compare(
    asset_id: int, result: DeviceResult, rows: Mapping[str, PartRow], terms: Mapping[str, JSON], now: datetime
) -> Comparison:
    """Compare one result's parts with the rows of that asset and protocol (by component). Writes nothing."""
    out = Comparison()
    seen = {part.component[:160]: part for part in result.parts}
    read = {_collection(part.source) for part in result.parts if part.source}
    # A rollup reads the fans and no memory modules: a part is only missed where the list it stands in was read.
    whole = result.problem is None and (result.protocol != "redfish" or bool(result.counts.get("deep")))
    for component, part in seen.items():
        row = rows.get(component)
        if row is None:
            if result.problem is None:  # what a table without end made up would be missed, row by row, at the next look
                out.create.append(_new(asset_id, result.protocol, component, part, now))
        else:
            _one(out, row, part, terms)
    for component, row in rows.items():
        if (
            component not in seen
            and row.present
            and (whole or (result.problem is None and _collection(row.source) in read))
        ):
            _missing(out, row)
    return out


def _collection(source: str) -> str:
    """The list a part stands in: its URI without the last step ("/redfish/v1/Systems/1/Memory"), or its table's OID."""
    head, slash, _last = source.rpartition("/")
    return head if slash else source.rpartition(".")[0]


def _new(asset_id: int, protocol: str, component: str, part: Part, now: datetime) -> PartRow:
    return PartRow(
        asset_id=asset_id, protocol=protocol, component=component, kind=part.kind[:16], model=part.model[:160],
        serial=_serial(part.serial), firmware=part.firmware[:120], size=part.size[:60], present=part.present,
        source=part.source[:300], first_seen_at=now, last_seen_at=now,
    )  # fmt: skip


def _serial(text: str) -> str:
    return "" if text.strip().lower() in JUNK else text.strip()[:120]


def _one(out: Comparison, row: PartRow, part: Part, terms: Mapping[str, JSON]) -> None:
    """A part that is in the list and in the look."""
    if not part.present:
        if row.present:
            _missing(out, row)
        return
    stands: dict[str, JSON] = {}
    out.ok.add(f"{row.component}:part_missing")
    serial = _serial(part.serial)
    _differs(out, row, stands, "serial", row.serial, serial, "part_serial")
    wanted = _baseline(part, terms) or row.firmware
    _differs(out, row, stands, "firmware", wanted, part.firmware[:120], "firmware")
    if part.model and row.model and part.model[:160] != row.model:
        stands["model"] = part.model[:160]
    fill = {
        "serial": serial if not row.serial else "",
        "firmware": part.firmware[:120] if not row.firmware else "",
        "model": part.model[:160] if not row.model else "",
    }
    changed = stands != row.now or not row.present or any(fill.values())
    for name, value in fill.items():
        if value:
            setattr(row, name, value)
    row.now, row.present = stands, True
    if changed:
        out.change.append(row)
    else:
        out.touch.append(row.pk)


def _differs(
    out: Comparison, row: PartRow, stands: dict[str, JSON], name: str, accepted: str, now: str, kind: str
) -> None:
    if not accepted or not now:
        return  # what the device did not say this time is not known to differ
    if accepted == now:
        out.ok.add(f"{row.component}:{kind}"[:240])
        return
    stands[name] = now
    title = _("部件序列号已变") if kind == "part_serial" else _("固件不是基线版本")
    out.faults.append(
        Fault(f"{row.component}:{kind}"[:240], row.component, kind, f"{title} {row.model}".strip()[:200], "warning",
              now, now, f"baseline: {accepted}"[:160], row.source)
    )  # fmt: skip


def _missing(out: Comparison, row: PartRow) -> None:
    stands = {"present": False}
    if row.now != stands:
        row.now = stands
        out.change.append(row)
    title = f"{_('部件缺失')} {row.model}".strip()[:200]
    out.faults.append(
        Fault(f"{row.component}:part_missing"[:240], row.component, "part_missing", title, "critical", "", "absent",
              f"baseline: {row.serial or row.model}"[:160], row.source)
    )  # fmt: skip


def _baseline(part: Part, terms: Mapping[str, JSON]) -> str:
    """The plan's firmware for this part: terms["firmware"] = [{"component", "model" (patterns), "version"}]."""
    for rule in terms.get("firmware") or ():
        if not isinstance(rule, Mapping):
            continue
        fits = fnmatchcase(part.component, str(rule.get("component", "*"))) and fnmatchcase(
            part.model, str(rule.get("model", "*"))
        )
        if fits:
            return str(rule.get("version", ""))
    return ""


def load(asset_ids: Iterable[int]) -> dict[tuple[int, str], dict[str, PartRow]]:
    """The rows of some assets by (asset, protocol), then component."""
    out: dict[tuple[int, str], dict[str, PartRow]] = {}
    ids = list(asset_ids)
    for start in range(0, len(ids), BATCH):
        for row in PartRow.objects.filter(asset_id__in=ids[start : start + BATCH]).order_by().only(*COMPARED):
            out.setdefault((row.asset_id, row.protocol), {})[row.component] = row
    return out


def save(comparisons: Sequence[Comparison], now: datetime) -> None:
    """Write what some comparisons found, in few statements. Inside the caller's transaction."""
    PartRow.objects.bulk_create([row for c in comparisons for row in c.create], batch_size=BATCH)
    for row in (row for c in comparisons for row in c.change):
        fields = ["model", "serial", "firmware", "present", "now"]
        if row.now.get("present") is not False:
            row.last_seen_at = now
            fields.append("last_seen_at")
        row.save(update_fields=fields)
    touched = [pk for c in comparisons for pk in c.touch]
    for start in range(0, len(touched), BATCH):
        PartRow.objects.filter(pk__in=touched[start : start + BATCH]).update(last_seen_at=now)


def accept(row: PartRow, *, by: Account, now: datetime, reason: str) -> PartRow:
    """甲方 accepts that a part is another one, has other firmware, or is gone; the next sweep closes the finding.

    Raises PartsError for an account of the graded side, or when nothing differs.
    """
    if by.party != "A":
        raise PartsError(_("部件变更由甲方确认"), where=row.component)
    if not row.now:
        raise PartsError(_("该部件与清单一致，没有可确认的变更"), where=row.component)
    with transaction.atomic():
        before = {"serial": row.serial, "firmware": row.firmware, "model": row.model, "present": row.present}
        for name in ("serial", "firmware", "model", "present"):
            if name in row.now:
                setattr(row, name, row.now[name])
        data = {"component": row.component, "before": before, "after": row.now, "reason": reason}
        row.now = {}
        row.save()
        ledger.record("inspect.part.accepted", row.asset.code, data, at=now, actor=by.username)
    return row
