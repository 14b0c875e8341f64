"""Open items: a blank, a trap or a question; each blocks the one function that needs the answer, and no other."""

from __future__ import annotations

from yunwei.contract.errors import ContractError
from yunwei.contract.schema import Folder, OpenItem
from yunwei.kernel.i18n import _


def is_open(folder: Folder, item: OpenItem) -> bool:
    """Open until a document that is in hand closes it."""
    return not any(document.id == item.closed_by and document.present for document in folder.documents)


def still_open(folder: Folder, owner: str = "") -> list[OpenItem]:
    """The open items, of one owner ("A", "B"; those of both included) or of all."""
    return [item for item in folder.open_items if is_open(folder, item) and (not owner or owner in item.owner)]


def blocked(folder: Folder, function: str) -> OpenItem | None:
    """The first open item that blocks a function ("payment.price"); None when it may run."""
    return next((i for i in folder.open_items if i.blocks == function and is_open(folder, i)), None)


def require(folder: Folder, function: str) -> None:
    """Raise ContractError with the item's title and default when the function is blocked."""
    if item := blocked(folder, function):
        owner = {"A": _("甲方"), "B": _("乙方")}.get(item.owner, _("双方"))
        raise ContractError(
            _("尚未约定，不能进行：{title}").format(title=item.title),
            where=item.clause,
            hint=_("待{owner}以文件了结；目前：{default}").format(owner=owner, default=item.default),
        )
