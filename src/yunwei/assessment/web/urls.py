"""Pages of this area."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.assessment.web import acceptance, claims, conflicts, handover, majeure, money, rectify, sheets, surprises
from yunwei.ui.pages import READERS, Menu, Page

MARKS = "M5 4h14v16H5zM9 9h6M9 13h6M9 17h3"
COIN = "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM9 8l3 4 3-4M12 12v5M9.5 13h5"
DICE = "M4 4h16v16H4zM8.5 8.5h.01M15.5 15.5h.01M12 12h.01"
STAMP = "M8 4h8l-1 7h3v4H6v-4h3zM5 19h14"
WRENCH = "M14 6a4 4 0 0 1 5 5l-9 9-3-3 9-9M14 6l-2 2 4 4 2-2M5 15l4 4"
HANDS = "M3 12h8m0 0-3-3m3 3-3 3M21 8h-6v8h6"

HANDS = "M4 12h6l2-3 3 6 2-3h3M4 7h16M4 17h16"
STORM = "M6 15a4 4 0 1 1 1-7.9A5.5 5.5 0 0 1 18 9a3.5 3.5 0 0 1 0 7M12 12l-2 4h4l-2 4"
FORK = "M12 21v-8M12 13 6 5M12 13l6-8M4 5h4M16 5h4"

PAGES = [
    Page("assessment", "assessment", sheets.months, READERS, Menu("contract", _("月度考核"), MARKS, 50, "k")),
    Page("assessment/<str:key>", "sheet", sheets.month, READERS),
    Page("payment", "payment", money.payment, READERS, Menu("contract", _("价款与付款"), COIN, 60)),
    Page("surprises", "surprises", surprises.surprises, READERS, Menu("contract", _("暗测"), DICE, 70)),
    Page("claims", "claims", claims.listed, READERS, Menu("contract", _("索赔"), HANDS, 80)),
    Page("force-majeure", "majeures", majeure.cases, READERS, Menu("contract", _("不可抗力"), STORM, 82)),
    Page("force-majeure/<int:case_id>", "majeure", majeure.case, READERS),
    Page("conflicts", "conflicts", conflicts.listed, READERS, Menu("contract", _("规则冲突"), FORK, 84)),
    Page("acceptance", "acceptance", acceptance.accept, READERS, Menu("contract", _("年度验收"), STAMP, 80)),
    Page(
        "acceptance/rectifications", "rectifications", rectify.orders, READERS, Menu("contract", _("整改"), WRENCH, 82)
    ),
    Page("acceptance/rectifications/<int:pk>", "rectification", rectify.one, READERS),
    Page("handover", "handover", handover.listed, READERS, Menu("contract", _("移交"), HANDS, 84)),
    Page("handover/<int:pk>", "handover-item", handover.one, READERS),
]
