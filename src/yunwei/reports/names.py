"""The names that documents must be able to print: people on the register, units, systems, the contract's own words."""

from __future__ import annotations

from pathlib import Path

from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, Organisation
from yunwei.assets.models import Asset, System
from yunwei.contract.folder import load


def all_of(instance: Path) -> list[str]:
    """Every name whose characters the fonts are asked for."""
    contract = load(instance / "contract").contract
    found = [contract.title, *(p.name for p in contract.parties), *(p.address for p in contract.parties)]
    found += Account.objects.filter(is_active=True).values_list("display_name", flat=True)
    found += Organisation.objects.values_list("name", flat=True)
    found += System.objects.values_list("name", flat=True)
    found += Asset.objects.filter(retired_at__isnull=True).values_list("name", flat=True).distinct()
    return found


def role(name: str) -> str:
    """A font role as people call it."""
    names = {"fangsong": _("仿宋"), "xiaobiaosong": _("小标宋"), "kai": _("楷体"), "hei": _("黑体"), "song": _("宋体")}
    return names.get(name, name)
