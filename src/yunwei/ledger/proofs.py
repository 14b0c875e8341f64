"""Proof material out of the tables: nodes, peaks, covers. All by stored hashes; the verifier trusts none of them."""

from __future__ import annotations

from collections.abc import Callable

from yunwei.ledger import tree
from yunwei.ledger.models import Entry, Node

#: Nodes are stored from this level up; lower ones are computed from at most 2^5 leaves.
LOW = 6


def reader() -> Callable[[int, int], bytes]:
    """A `tree.GetNode` over the tables. A missing row reads as zeros: the proof then fails at the verifier, not
    here.
    """
    missing = b"\0" * 32

    def get(level: int, index: int) -> bytes:
        if level >= LOW:
            found = Node.objects.filter(level=level, index=index).values_list("hash", flat=True).first()
            return bytes(found) if found is not None else missing
        first, count = (index << level) + 1, 1 << level
        rows = dict(Entry.objects.filter(seq__gte=first, seq__lt=first + count).values_list("seq", "leaf"))
        peaks: list[bytes] = []
        for i in range(count):
            for _closed in tree.add(peaks, i, bytes(rows.get(first + i, missing))):
                pass
        return tree.fold(peaks)

    return get


def inclusion(seq: int, size: int) -> tuple[list[bytes], list[bytes]]:
    """The proof that entry `seq` (from 1) is in the tree of `size`: (peaks, cover), see `tree.included`."""
    get = reader()
    return tree.peaks_of(get, seq - 1), tree.cover_of(get, seq, size)


def consistency(m: int, n: int) -> tuple[list[bytes], list[bytes]]:
    """The proof that the tree of n entries extends the one of m: (peaks, cover), see `tree.consistent`."""
    get = reader()
    return tree.peaks_of(get, m), tree.cover_of(get, m, n)


def rebuild() -> int:
    """Make the Node table anew from the leaves; returns the number of nodes. For a table that was damaged."""
    Node.objects.all().delete()
    peaks: list[bytes] = []
    fresh: list[Node] = []
    total = 0
    for seq, leaf in Entry.objects.order_by("seq").values_list("seq", "leaf").iterator():
        for level, index, value in tree.add(peaks, seq - 1, bytes(leaf)):
            if level >= LOW:
                fresh.append(Node(level=level, index=index, hash=value))
        if len(fresh) >= 5000:
            total += len(Node.objects.bulk_create(fresh))
            fresh = []
    return total + len(Node.objects.bulk_create(fresh))
