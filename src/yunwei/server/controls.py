"""How a worker learns of the positive controls that `serve` has started beside it, and makes them known to every local zone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

#: where a worker is told of the controls (JSON); it holds credentials of the controls alone, which are made anew at each start
VARIABLE = "YUNWEI_CONTROLS"


class Register:
    """`register(now)` makes the controls known to the zones that do not know them yet (zones are imported while we run), for
    workers that were not told: those use what the register says."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.endpoints = json.loads(environ.get(VARIABLE, "[]"))
        self._known: set[str] = set()

    def __call__(self, now: datetime) -> None:
        from yunwei.assets.models import Zone
        from yunwei.inspect import jobs, keys

        if not self.endpoints:  # a worker that was started by itself: `serve` has the controls
            return
        for zone in set(Zone.objects.values_list("code", flat=True)) - self._known:
            if not keys.is_remote(zone):
                for told in self.endpoints:
                    jobs.register_control(
                        zone, told["protocol"], told["address"], told["port"], told["credential"], now=now
                    )
            self._known.add(zone)
