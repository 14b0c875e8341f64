"""Pages of this area. A run's id holds colons and may hold slashes, so it ends its address."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.inspect.web import finding, findings, sweep, sweeps
from yunwei.ui.pages import CLIENT, READERS, VENDOR, Menu, Page

LENS, BELL = "M12 3a9 9 0 1 0 9 9M12 7a5 5 0 1 0 5 5M12 12l7-7", "M12 4 21 19H3zM12 10v4M12 16.5h.1"

PAGES = [
    Page("sweeps", "sweeps", sweeps.sweeps, READERS, Menu("run", _("巡检"), LENS, 10, "s")),
    Page("sweeps/<path:run_id>", "sweep", sweep.sweep, READERS),
    Page("sweep-body/<path:run_id>", "sweep-body", sweep.body, READERS),
    Page("sweep-devices/<path:run_id>", "sweep-devices", sweep.devices, READERS),
    Page("sweep-again/<path:run_id>", "sweep-again", sweep.again, VENDOR),
    Page("findings", "findings", findings.findings, READERS, Menu("run", _("发现"), BELL, 20, "f")),
    Page("findings/<int:finding_id>", "finding", finding.finding, READERS),
    Page("findings/<int:finding_id>/close", "finding-close", finding.close, CLIENT),
]
