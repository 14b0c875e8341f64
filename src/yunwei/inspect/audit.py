"""Verdicts and findings as the ledger knows them: what each judged run proved, and which faults stand open."""

from __future__ import annotations

import json
from collections.abc import Iterator

from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.ledger import artifacts
from yunwei.ledger.audit import Difference, Said, compare
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact
from yunwei.ledger.services import stamp
from yunwei.runs.models import Run


class Verdicts:
    """Each judged run: its figures in the record, the verdict on every asset in the record's artifact."""

    def __init__(self) -> None:
        self.judged: dict[str, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind == "inspect.run.judged":
            self.judged[said.subject] = said

    def differences(self) -> Iterator[Difference]:
        looked = set(DeviceSweep.objects.values_list("run_id", flat=True).distinct())
        ended = set(Run.objects.filter(outcome__has_key="verdict").values_list("id", flat=True)) & looked
        for run_id in sorted(ended | set(self.judged)):
            said = self.judged.get(run_id)
            outcome = (Run.objects.filter(pk=run_id).values_list("outcome", flat=True).first()) or {}
            number = said.number if said else None
            yield from compare("inspect", run_id, number, {
                name: (outcome.get(name), said.data.get(name) if said else None) for name in ("coverage", "verdict")
            })  # fmt: skip
            if said is not None:
                yield from _assets(run_id, said)


def _assets(run_id: str, said: Said) -> Iterator[Difference]:
    artifact = Artifact.objects.filter(commitment__in=said.artifacts, redacted_at__isnull=True).first()
    try:
        told = json.loads(artifacts.read(artifact))["verdicts"] if artifact else None
    except (LedgerError, ValueError, KeyError) as problem:
        yield Difference("inspect", run_id, "verdicts", str(problem), "", said.number)
        return
    if told is None:
        return  # redacted by law: its tombstone stays
    wanted = {code: (verdict, reason, cause) for code, verdict, reason, cause in told}
    rows = DeviceSweep.objects.filter(run_id=run_id).select_related("asset")
    shown = {row.asset.code: (row.verdict, row.reason, row.cause) for row in rows}
    for code in sorted(set(wanted) | set(shown)):
        pair = {"verdict": (shown.get(code), wanted.get(code))}
        yield from compare("inspect", f"{run_id} {code}", said.number, pair)


class Findings:
    """Each finding by asset, key and the moment it was opened: open or closed, and how severe."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], Said] = {}

    def take(self, said: Said) -> None:
        if said.kind.startswith("inspect.finding."):
            self.found[said.subject, str(said.data["key"]), str(said.data["opened_at"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Finding.objects.select_related("asset").order_by("pk"):
            said = self.found.pop((row.asset.code, row.key, stamp(row.opened_at)), None)
            state = None if said is None else "closed" if said.kind.endswith(".closed") else "opened"
            yield from compare("inspect", f"{row.asset.code} {row.key}", said.number if said else None, {
                "state": ("closed" if row.closed_at else "opened", state),
                "severity": (row.severity, said.data.get("severity") if said else None),
                "origin": (row.origin, said.data.get("origin") if said else None),
            })  # fmt: skip
        for (code, key, _at), said in sorted(self.found.items()):
            yield Difference("inspect", f"{code} {key}", "row", "—", said.kind.rpartition(".")[2], said.number)


FOLDS = (Verdicts, Findings)
