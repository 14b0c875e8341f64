"""Pages of this area."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.assessment.web import money, sheets, surprises
from yunwei.ui.pages import READERS, Menu, Page

MARKS = "M5 4h14v16H5zM9 9h6M9 13h6M9 17h3"
COIN = "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM9 8l3 4 3-4M12 12v5M9.5 13h5"
DICE = "M4 4h16v16H4zM8.5 8.5h.01M15.5 15.5h.01M12 12h.01"

PAGES = [
    Page("assessment", "assessment", sheets.months, READERS, Menu("contract", _("月度考核"), MARKS, 50, "k")),
    Page("assessment/<str:key>", "sheet", sheets.month, READERS),
    Page("payment", "payment", money.payment, READERS, Menu("contract", _("价款与付款"), COIN, 60)),
    Page("surprises", "surprises", surprises.surprises, READERS, Menu("contract", _("暗测"), DICE, 70)),
]
