"""The life of a service plan: 乙方 proposes, 甲方 approves or refuses, an approved version counts from that day on.

The client answers line by line: what it refuses of a version stays as it was, and the rest counts.

Taking an asset out of the baseline, loosening a limit, looking less often: each is a change of the plan, so each needs
the client's approval by the one way there is. Every step is in the ledger together with the version's whole body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, Role
from yunwei.assets.models import Asset
from yunwei.contract.check_plan import plan_problems
from yunwei.contract.diff import Change, diff, without
from yunwei.contract.errors import ContractError
from yunwei.contract.limits import limits_for
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import Agreed, ApprovedPlan, Folder, Plan
from yunwei.kernel.canonical import canonical
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

__all__ = [
    "agreed_of", "approve", "approved_versions", "baseline_assets", "changes_of", "counting", "diff", "limits_for", "plan_at",
    "plan_of", "propose", "refuse",
]  # fmt: skip

JSON = Any
#: an officer (三员) of either side decides nothing of the business, whatever organisation it belongs to (standards §10)
PROPOSERS = {PartyOf.B: frozenset({Role.B_MANAGER})}
DECIDERS = {PartyOf.A: frozenset({Role.A_LEADER, Role.A_MANAGER})}
MEDIA_TYPE = "application/json"
#: characters of a reason
MOST = 1000


def propose(
    plan: Plan, *, folder: Folder, by: Account, now: datetime, note: str = "", assets: Sequence[str] | None = None
) -> PlanVersion:
    """Put a new version before the client. Its number is given here, whatever `plan.version` says.

    `assets` is the baseline; None takes the plan's own list, or every live asset when that is empty. Raises
    ContractError when `by` may not propose, the plan is wrong under the contract, an asset is unknown or retired, or
    nothing would change.
    """
    _may(by, PROPOSERS, _("服务方案由乙方项目经理报送"))
    live = set(Asset.objects.filter(retired_at__isnull=True).values_list("code", flat=True))
    chosen = list(plan.assets if assets is None else assets) or sorted(live)
    if unknown := sorted(set(chosen) - live):
        raise ContractError(
            _("基线中有不存在或已停用的资产：{codes}").format(codes="、".join(unknown[:10])),
            hint=_("先登记资产，再报送"),
        )
    with transaction.atomic():
        newest = PlanVersion.objects.select_for_update().order_by("-version").first()
        base = _newest_approved()
        version = (newest.version if newest else 0) + 1
        body = msgspec.structs.replace(plan, version=version, assets=chosen, agreed=_agreed(chosen))
        if problems := plan_problems(body, folder):
            raise ContractError(_("服务方案有错误"), where=folder.contract.id, problems=problems)
        changes = diff(counting(base) if base else None, body)
        if base and not changes:
            raise ContractError(_("与第 {n} 版相同，没有可审定的变化").format(n=base.version))
        row = PlanVersion.objects.create(
            version=version,
            base=base.version if base else None,
            body=msgspec.to_builtins(body),
            clauses=list(folder.contract.plan_clauses),
            zone=folder.contract.timezone,
            note=note,
            proposed_by=by,
            proposed_at=now,
        )
        artifact = ledger.store(canonical(row.body), MEDIA_TYPE)
        loosens = [change.where for change in changes if change.loosens]
        _record(row, "proposed", {"changes": len(changes), "loosens": loosens}, by, now, [artifact])
    return row


def _agreed(codes: Sequence[str]) -> dict[str, Agreed]:
    """What the register says of these assets now; whatever the proposed body claimed about them does not count."""
    wanted = set(codes)
    rows = Asset.objects.select_related("zone", "place").prefetch_related("endpoints").order_by("code")
    return {asset.code: agreed_of(asset) for asset in rows if asset.code in wanted}


def agreed_of(asset: Asset) -> Agreed:
    """An asset as selectors see it in the register."""
    return Agreed(
        kind=asset.kind,
        zone=asset.zone.code,
        place=asset.place.code if asset.place else "",
        tags=[word for word in dict.fromkeys([asset.category, *asset.tags]) if word],
        protocols=sorted(endpoint.protocol for endpoint in asset.endpoints.all()),
    )


def approve(
    version: int, *, by: Account, now: datetime, reason: str = "", refused: Mapping[str, str] | None = None
) -> PlanVersion:
    """Approve a version; it counts from today on, without the changes that are `refused` (`Change.where`: why not).

    Raises ContractError when `by` may not, or it cannot be any more; when a refused change is none of this version's or
    has no reason; and when nothing would be left, which is a refusal of the whole version.
    """
    return _decide(version, PlanState.APPROVED, by, now, reason, refused or {})


def _said(text: str, where: str) -> str:
    """What somebody wrote, whole or not at all: it is evidence and is never cut."""
    if len(text) > MOST or "\x00" in text:
        raise ContractError(_("文字过长或含有不可记录的字符；至多 {n} 字").format(n=MOST), where=where)
    return text.strip()


def refuse(version: int, *, by: Account, now: datetime, reason: str) -> PlanVersion:
    """Refuse a version and say why. Raises ContractError when `by` may not, it is decided, or no reason is given."""
    if not reason.strip():
        raise ContractError(_("退回要写明理由"), where=_version(version))
    return _decide(version, PlanState.REFUSED, by, now, reason, {})


def _decide(
    version: int, state: PlanState, by: Account, now: datetime, reason: str, refused: Mapping[str, str]
) -> PlanVersion:
    _may(by, DECIDERS, _("服务方案由甲方审定"))
    reason = _said(reason, _version(version))
    with transaction.atomic():
        # all versions, not this one alone: two that stand on one base must not both be approved at the same moment
        row = {r.version: r for r in PlanVersion.objects.select_for_update().order_by("version")}.get(version)
        if row is None:
            raise ContractError(_("没有这一版服务方案"), where=_version(version))
        if row.state != PlanState.PROPOSED:
            raise ContractError(
                _("这一版已有结论：{state}").format(state=row.get_state_display()), where=_version(version)
            )
        if row.proposed_by_id == by.pk:
            raise ContractError(_("报送人不能审定自己的计划"), where=_version(version))
        if now < row.proposed_at:
            raise ContractError(_("审定时间早于报送时间"), where=_version(version), hint=_("检查时钟是否被调回"))
        artifacts: list[Artifact] = []
        if state is PlanState.APPROVED:
            row.counts_from = _counts_from(row, now)
            if refused:
                row.refused, row.counted = _partly(row, refused)
                artifacts = [ledger.store(canonical(row.counted), MEDIA_TYPE)]
        row.state, row.decided_by, row.decided_at, row.reason = state, by, now, reason
        row.save(update_fields=["state", "decided_by", "decided_at", "reason", "counts_from", "refused", "counted"])
        data = {"reason": reason, "counts_from": row.counts_from.isoformat() if row.counts_from else ""}
        _record(row, state.value, data | {"refused": row.refused}, by, now, artifacts)
    return row


def _partly(row: PlanVersion, refused: Mapping[str, str]) -> tuple[dict[str, str], JSON]:
    """The refused changes with their reasons, and the body that counts without them."""
    where = _version(row.version)
    known = {change.where for change in changes_of(row.version)}
    if unknown := sorted(set(refused) - known):
        raise ContractError(_("这一版没有这些变化：{names}").format(names="、".join(unknown[:5])), where=where)
    reasons = {name: _said(refused[name], where) for name in sorted(refused)}
    if silent := [name for name, reason in reasons.items() if not reason]:
        raise ContractError(_("逐项退回要写明理由：{names}").format(names="、".join(silent[:5])), where=where)
    if len(reasons) == len(known):
        raise ContractError(_("每一项都退回，没有可以生效的变化"), where=where, hint=_("请退回整版"))
    base = PlanVersion.objects.filter(version=row.base).first() if row.base else None
    body = without(counting(base) if base else None, plan_of(row), reasons)
    return reasons, msgspec.to_builtins(body)


def _counts_from(row: PlanVersion, now: datetime) -> date:
    """The approval day. What the client saw was the difference to `base`; approving on another base would be blind."""
    current = _newest_approved()
    if (current.version if current else None) != row.base:
        hint = _("以现行版本为底重新报送")
        raise ContractError(_("报送之后已有别的版本生效，差异已变"), where=_version(row.version), hint=hint)
    today = now.astimezone(ZoneInfo(row.zone)).date()
    if current and current.counts_from and today < current.counts_from:
        hint = _("检查时钟是否被调回")
        raise ContractError(_("审定日早于现行版本的生效日"), where=_version(row.version), hint=hint)
    return today


def _may(by: Account, allowed: dict[PartyOf, frozenset[Role]], message: str) -> None:
    if not by.is_active or by.role not in allowed.get(PartyOf(by.party), frozenset()):
        raise ContractError(message, where=by.username)


def _record(
    row: PlanVersion,
    event: str,
    data: Mapping[str, object],
    by: Account,
    now: datetime,
    artifacts: Sequence[Artifact] = (),
) -> None:
    ledger.record(
        f"contract.plan.{event}",
        f"plan:{row.version}",
        {"version": row.version, "base": row.base or 0, **data},
        at=now,
        actor=by.username,
        clauses=row.clauses,
        artifacts=artifacts,
    )


def _version(version: int) -> str:
    return _("服务方案第 {n} 版").format(n=version)


def _newest_approved() -> PlanVersion | None:
    return PlanVersion.objects.filter(state=PlanState.APPROVED).order_by("-version").first()


def plan_of(row: PlanVersion) -> Plan:
    """The body of a version as it was proposed."""
    return msgspec.convert(row.body, Plan, strict=False)


def counting(row: PlanVersion) -> Plan:
    """What counts of a version: its body, without what the client refused of it."""
    return msgspec.convert(row.body if row.counted is None else row.counted, Plan, strict=False)


def approved_versions() -> list[ApprovedPlan]:
    """All approved versions, oldest first."""
    rows = PlanVersion.objects.filter(state=PlanState.APPROVED).order_by("version")
    return [_approved(row) for row in rows]


def _approved(row: PlanVersion) -> ApprovedPlan:
    assert row.counts_from is not None and row.decided_at is not None  # noqa: S101, PT018 - the database holds it
    return ApprovedPlan(row.version, row.counts_from, row.decided_at, counting(row))


def plan_at(now: datetime) -> ApprovedPlan | None:
    """The version that counts on the day of `now`; None while the client has approved none."""
    for row in PlanVersion.objects.filter(state=PlanState.APPROVED).order_by("-version"):
        if row.counts_from is not None and row.counts_from <= now.astimezone(ZoneInfo(row.zone)).date():
            return _approved(row)
    return None


def baseline_assets(now: datetime) -> list[str]:
    """The agreed assets that coverage is counted against; empty while no plan is approved."""
    current = plan_at(now)
    return list(current.plan.assets) if current else []


def changes_of(version: int) -> list[Change]:
    """What a version proposes to change against what counted when it was proposed. Raises ContractError when there is
    no such version."""
    row = PlanVersion.objects.filter(version=version).first()
    if row is None:
        raise ContractError(_("没有这一版服务方案"), where=_version(version))
    base = PlanVersion.objects.filter(version=row.base).first() if row.base else None
    return diff(counting(base) if base else None, plan_of(row))
