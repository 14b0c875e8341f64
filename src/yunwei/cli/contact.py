"""`yunwei contact`: the first look at the inventory, which owes nothing and only pins who answers where."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.progress import Progress

from yunwei.cli import common
from yunwei.kernel.clock import Clock
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _


def make(clock: Clock, bar: Progress) -> dict[str, Any]:
    """Look at every asset that has an endpoint, here and now; returns what the run came to.

    Identities seen for the first time wait for 甲方 afterwards (`yunwei asset identity`); until they are confirmed these
    assets are unproven whatever they say.
    """
    from yunwei.assets.models import Asset
    from yunwei.runs import engine, services
    from yunwei.runs.inline import InlineEngine
    from yunwei.runs.models import Run

    codes = list(
        Asset.objects.filter(retired_at__isnull=True, endpoints__isnull=False).distinct().values_list("code", flat=True)
    )
    if not codes:
        raise YunweiError(_("还没有带端点的资产"), hint="yunwei asset import")
    task = bar.add_task(_("首次接触：登记设备身份"), total=len(codes))
    now = clock.now()
    run_id = f"contact:first:{now:%Y%m%dT%H%M%S}:1"

    def show(run_id: str, _step: str) -> None:
        bar.update(task, completed=Run.objects.values_list("done", flat=True).get(pk=run_id))

    engine.use(InlineEngine(clock, show))
    try:
        services.submit(
            run_id, "hardware.inspect", {"assets": codes}, {"baseline": codes}, {"why": "first contact"}, now=now
        )
    finally:
        engine.use(None)
    run = Run.objects.get(pk=run_id)
    if run.error:
        raise YunweiError(run.error, where=run_id)
    return dict(run.outcome or {})


def contact(as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False) -> None:
    """Look at the inventory once and pin who answers; 甲方 then confirms the identities."""
    from yunwei.server import instance

    common.open_instance()
    with common.progress(quiet=as_json) as bar:
        outcome = make(instance.clock(), bar)
    common.summary(outcome.get("coverage", {}), as_json=as_json)
