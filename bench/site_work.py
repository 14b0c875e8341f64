"""The hand inside an instance: one JSON line asks, one line answers. `python -m bench.site_work FOLDER`.

It calls the services that pages and commands call; it collects nothing, runs nothing and numbers nothing: the platform's
own processes do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import env

JSON = Any
CONTRACT = env.ROOT / "contracts" / "qingpu-2026"
#: the platform's day: before the contract begins nothing is due by itself, so that what is measured runs alone
DAY = datetime(2026, 1, 20, 1, 0, tzinfo=UTC)
BATCH = 500


def create(folder: Path, port: int, database: str, password: str) -> JSON:
    """A demo instance (its equipment is the farm's), on SQLite or the database of a URL."""
    from yunwei.server import instance

    people = [("b_manager", "B"), ("a_manager", "A"), ("sysadmin", "B"), ("auditor", "A"), ("secadmin", "A")]
    instance.create(
        folder,
        instance.Blueprint(
            contract=CONTRACT,
            organisations=[("A", "甲方", "A"), ("B", "乙方", "B")],
            people=[instance.Person(name, name, name, org, password) for name, org in people],
            port=port,
            database_url=database,
            demo=True,
            now=DAY,
        ),
    )
    return {"ahead_s": (now() - datetime.now(UTC)).total_seconds()}


def now() -> datetime:
    """The platform's time."""
    from yunwei.server import instance

    return instance.clock().now()


def register(endpoints: list[dict[str, Any]], zone: str = "bench") -> JSON:
    """The farm's endpoints as assets, by the import that a site uses; each by the name that the farm gives it."""
    from yunwei.assets import credentials, tables
    from yunwei.lab import district

    at = now()
    named = {json.dumps(e["credential"], sort_keys=True): e["credential"] for e in endpoints}
    names = {text: f"bench-{n}" for n, text in enumerate(sorted(named))}
    for text, name in names.items():
        credentials.put(name, named[text]["kind"], named[text], now=at, actor="b_manager")
    rows = [
        {
            "code": e["name"], "name": e["name"], "kind": "device",
            "category": "switch" if e["protocol"] == "snmp" else "server", "zone": zone, "zone_name": "测区",
            "protocol": e["protocol"], "address": e["address"], "port": str(e["port"]),
            "credential": names[json.dumps(e["credential"], sort_keys=True)],
        }
        for e in endpoints
    ]  # fmt: skip
    report = tables.import_table(district.csv(rows), "bench.csv", actor="b_manager", now=at)
    if report.problems or not report.applied:
        raise RuntimeError(f"the register refuses: {report.problems[:3]}")
    return {"assets": report.created.get("asset", 0)}


def workers() -> JSON:
    """How many workers told of themselves lately."""
    from yunwei.runs import services

    return {"alive": services.workers_alive(now())}


def submit(runs: list[str], most: int = 0) -> JSON:
    """Looks at the register, each run at its part of it (or at the first ones of that), as `duties` submits those of one
    morning: in one transaction, so that a worker finds all of them waiting or none."""
    from django.db import transaction

    from yunwei.assets.models import Asset
    from yunwei.runs import services

    codes = list(Asset.objects.filter(retired_at__isnull=True).order_by("code").values_list("code", flat=True))
    with transaction.atomic():
        for part, run in enumerate(runs):
            own = codes[part :: len(runs)][: most or None]
            terms = {"baseline": own, "coverage_target": "1"}
            services.submit(run, "hardware.inspect", {"assets": own}, terms, {"why": "bench"}, now=now())
    return {"assets": len(codes)}


def state(runs: list[str]) -> JSON:
    """Where some runs stand together: from the first submission until the last has ended."""
    from yunwei.runs.models import Run

    names = ("done", "total", "submitted_at", "started_at", "ended_at", "error")
    found = list(Run.objects.filter(pk__in=runs).values(*names))
    ended = [run["ended_at"] for run in found if run["ended_at"]]
    started = [run["started_at"] for run in found if run["started_at"]]
    return {
        "done": sum(run["done"] for run in found),
        "total": sum(run["total"] for run in found),
        "error": next((run["error"] for run in found if run["error"]), ""),
        "submitted_at": min(run["submitted_at"] for run in found).timestamp(),
        "started_at": min(started).timestamp() if started else None,
        "ended_at": max(ended).timestamp() if len(ended) == len(runs) else None,
    }


def confirm() -> JSON:
    """The client confirms every identity that waits."""
    from django.db import transaction

    from yunwei.accounts.models import Account
    from yunwei.assets import identity

    client, pins = Account.objects.get(username="a_manager"), list(identity.waiting())
    for start in range(0, len(pins), BATCH):
        with transaction.atomic():
            for pin in pins[start : start + BATCH]:
                identity.confirm(pin, by=client, now=now())
    return {"confirmed": len(pins)}


def told(runs: list[str]) -> JSON:
    """What some runs proved: by asset its verdict, why it is unproven, and the keys of its faults; the findings open after them."""
    from yunwei.inspect.models import DeviceSweep, Finding

    sweeps = DeviceSweep.objects.filter(run_id__in=runs).select_related("asset")
    found = {
        s.asset.code: [s.verdict, s.reason, sorted(f["key"] for f in s.facts.get("faults", ()))] for s in sweeps
    }  # fmt: skip
    open_now: dict[str, list[str]] = {}
    for code, key in Finding.objects.filter(closed_at__isnull=True).values_list("asset__code", "key").order_by("key"):
        open_now.setdefault(code, []).append(key)
    return {"devices": found, "open": open_now}


def sizes() -> JSON:
    """Bytes on disk: the database (its log included), the engine's, the artifacts and their number; rows by table."""
    from django.apps import apps
    from django.conf import settings
    from django.db import connection

    folder = Path(os.environ["YUNWEI_INSTANCE"]) / "data"
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database = sum(file.stat().st_size for file in folder.glob("yunwei.sqlite3*"))
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(%s)", [settings.DATABASES["default"]["NAME"]])
            database = int(cursor.fetchone()[0])
    files = [file for file in (folder / "artifacts").rglob("*") if file.is_file()]
    rows: dict[str, int] = {}
    for model in apps.get_models():
        if "yunwei" in model.__module__:
            rows[model._meta.label] = model._default_manager.count()  # noqa: SLF001 - Django's own, public in all but name
    return {
        "database": database,
        "engine": sum(file.stat().st_size for file in folder.glob("engine.sqlite3*")),
        "artifacts": sum(file.stat().st_size for file in files),
        "files": len(files),
        "rows": {label: count for label, count in rows.items() if count},
    }


WORDS: dict[str, Callable[..., JSON]] = {
    "register": register, "workers": workers, "submit": submit, "state": state, "confirm": confirm, "told": told,
    "sizes": sizes,
}  # fmt: skip


def main() -> None:
    """Questions in, answers out; the first one makes the instance."""
    folder = Path(sys.argv[1])
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        do = asked.pop("do")
        answer = create(folder, **asked) if do == "create" else WORDS[do](**asked)
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
