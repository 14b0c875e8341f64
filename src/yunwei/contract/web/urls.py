"""Pages of this area."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.contract.web import clause, clauses, health, openitem, plans, supplements
from yunwei.ui.pages import READERS, Menu, Page

SCALES = "M12 4v16M7 20h10M12 6 5 8m7-2 7 2M5 8l-2.5 6a2.6 2.6 0 0 0 5 0zM19 8l-2.5 6a2.6 2.6 0 0 0 5 0z"
PAPERS = "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6"

PAGES = [
    Page("contract", "contract", health.health, READERS, Menu("overview", _("合同健康"), SCALES, 20, "c")),
    Page("contract/body", "contract-body", health.body, READERS),
    Page("contract/clauses", "contract-clauses", clauses.clauses, READERS),
    Page("contract/clauses/<str:clause>", "contract-clause", clause.one, READERS),
    Page("open-items/<str:item_id>", "open-item", openitem.one, READERS),
    Page("plans", "plans", plans.listed, READERS, Menu("contract", _("服务方案"), PAPERS, 20)),
    Page(
        "supplements",
        "supplements",
        supplements.documents,
        READERS,
        Menu("contract", _("补充文件"), "M6 3h8l4 4v14H6zM14 3v4h4M12 11v6M9 14h6", 25),
    ),
    Page("plans/<int:version>", "plan", plans.one, READERS),
]
