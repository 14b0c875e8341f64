"""Pages of this area. An asset's code may hold slashes, so it ends its address."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.assets.identity import CONFIRMERS
from yunwei.assets.web import acts, asset, assets, reading
from yunwei.ui.pages import CLIENT, READERS, Menu, Page

RACK = "M5 4h14v6H5zM5 14h14v6H5zM8 7h.1M8 17h.1"

PAGES = [
    Page("assets", "assets", assets.assets, READERS, Menu("run", _("资产"), RACK, 30, "a")),
    Page("assets/<path:code>", "asset", asset.asset, READERS),
    Page("asset-readings/<path:code>", "asset-readings", reading.readings, READERS),
    Page("asset-reading/<path:code>", "asset-reading", reading.one, READERS),
    Page("asset-identity/<int:pin_id>", "asset-identity", acts.identify, frozenset(CONFIRMERS)),
    Page("asset-part/<int:part_id>", "asset-part", acts.accept, CLIENT),
]
