"""What the closing of open items changes in a contract: pure functions over the folder, no Django, no I/O.

Closing an item unblocks exactly the function it blocked (合同空白由双方以文件补齐); whatever was computed from the folder
follows by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from yunwei.contract.schema import Closing, Folder, Supplement

#: what an answer is for: the function that the item blocked
READING, PRICE, RUBRIC = "payment.period_bound_penalty", "payment.price", "assessment.rubric"
#: answers that change rights and duties, so that only the first rank of documents will do
TERMS = frozenset({READING, PRICE, RUBRIC})


def apply(folder: Folder, closings: Sequence[Closing]) -> Folder:
    """The folder as it stands with these closings. An unknown item is left alone; the checker names it."""
    blocks = {item.id: item.blocks for item in folder.open_items}
    for one in closings:
        if one.item in blocks:
            folder = _closed(folder, one, blocks[one.item])
    return folder


def _closed(folder: Folder, one: Closing, function: str) -> Folder:
    items = [
        msgspec.structs.replace(item, closed_by=one.document.id) if item.id == one.item else item
        for item in folder.open_items
    ]
    folder = msgspec.structs.replace(folder, open_items=items, documents=[*folder.documents, one.document])
    if function == READING and one.reading:
        periods = [
            msgspec.structs.replace(
                p, confirmed=p.id == one.reading, confirmed_by=one.document.id * (p.id == one.reading)
            )
            for p in folder.contract.periods
        ]
        return msgspec.structs.replace(folder, contract=msgspec.structs.replace(folder.contract, periods=periods))
    if function == RUBRIC and one.rubric is not None:
        price = one.rubric.price or (folder.rubric.price if folder.rubric else [])
        return msgspec.structs.replace(
            folder, rubric=msgspec.structs.replace(one.rubric, document=one.document.id, price=price)
        )
    if function == PRICE and one.price and folder.rubric is not None:
        return msgspec.structs.replace(folder, rubric=msgspec.structs.replace(folder.rubric, price=one.price))
    return folder


def supplemented(folder: Folder, supplements: Sequence[Supplement]) -> Folder:
    """The folder as it stands with these supplements, in the order in which they were signed: a later table wins (3-tail)."""
    for one in supplements:
        rubric = folder.rubric
        if rubric is not None and one.price:
            rubric = msgspec.structs.replace(rubric, price=one.price)
        folder = msgspec.structs.replace(
            folder,
            documents=[*folder.documents, one.document],
            supplements=[*folder.supplements, one],
            rubric=rubric,
        )
    return folder
