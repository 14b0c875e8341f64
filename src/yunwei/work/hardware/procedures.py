"""Inspection of hardware and hosts (合同 2.1): look at every agreed asset, daily by rollup, weekly in depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yunwei.inspect import collecting, jobs
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.runs import services as runs
from yunwei.runs.procedure import Procedure, Step, StepContext

JSON = Any


def prepare(ctx: StepContext) -> JSON:
    """Say how many assets will be looked at; refuse an empty list, which would be kept by looking at nothing."""
    codes = list(ctx.scope.get("assets") or ())
    if not codes:
        raise YunweiError(
            _("巡检范围里没有任何资产"), where=ctx.run_id, hint=_("核对服务方案的资产基线和义务的资产范围")
        )
    runs.expect(ctx.run_id, len(codes))
    return {"assets": len(codes)}


def shares(ctx: StepContext) -> Sequence[JSON]:
    """One share per zone and some hundred assets."""
    return jobs.chunks(list(ctx.scope.get("assets") or ()))


def collect_rollup(ctx: StepContext) -> JSON:
    """Look at one share and hand its result in."""
    return collecting.share(ctx.run_id, ctx.chunk, ctx.terms, deep=False, clock=ctx.now)


def collect_deep(ctx: StepContext) -> JSON:
    """The same in depth: parts, firmware and logs of every BMC."""
    return collecting.share(ctx.run_id, ctx.chunk, ctx.terms, deep=True, clock=ctx.now)


def conclude(ctx: StepContext) -> JSON:
    """How many shares came back; what did not is listed as not seen when the run is settled."""
    told = [share for share in ctx.results.get("collect", ()) if isinstance(share, dict)]
    return {"shares": len(told), "taken": sum(1 for share in told if share.get("taken"))}


def _procedure(name: str, title: str, title_en: str, deep: bool) -> Procedure:
    return Procedure(
        name=name,
        title=title,
        title_en=title_en,
        owes="look",
        steps=(
            Step("prepare", prepare),
            Step("collect", collect_deep if deep else collect_rollup, fan=shares, retries=1),
            Step("conclude", conclude),
        ),
        scope_kinds=("device", "host", "vm"),
    )


PROCEDURES = (
    _procedure("hardware.inspect", "硬件与主机巡检", "Inspection of hardware and hosts", deep=False),
    _procedure("hardware.deep", "硬件与主机深度巡检", "Deep inspection of hardware and hosts", deep=True),
)
