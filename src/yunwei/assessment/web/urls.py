"""Pages of this area."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.assessment.web import sheets
from yunwei.ui.pages import READERS, Menu, Page

MARKS = "M5 4h14v16H5zM9 9h6M9 13h6M9 17h3"

PAGES = [
    Page("assessment", "assessment", sheets.months, READERS, Menu("contract", _("月度考核"), MARKS, 50, "k")),
    Page("assessment/<str:name>", "sheet", sheets.month, READERS),
]
