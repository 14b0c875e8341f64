"""Pages of this area."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.reports.web import reports
from yunwei.ui.pages import PARTIES, READERS, Menu, Page

PAPER = "M6 3h8l4 4v14H6zM14 3v4h4M9 17v-3m3 3v-6m3 6v-4"

PAGES = [
    Page("reports", "reports", reports.listed, READERS, Menu("proof", _("报告"), PAPER, 30, "r")),
    Page("reports/build", "report-build", reports.build, PARTIES),
    Page("reports/<str:kind>/<str:key>/<int:edition>", "report", reports.one, READERS),
    Page("reports/<str:kind>/<str:key>/<int:edition>/copy", "report-copy", reports.copy, READERS),
]
