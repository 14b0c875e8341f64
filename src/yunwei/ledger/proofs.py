"""Proof material out of the tables: nodes, peaks, covers. All by stored hashes; the verifier trusts none of them."""

from __future__ import annotations

from collections.abc import Collection

from yunwei.ledger import tree
from yunwei.ledger.models import Entry, Node

#: Nodes are stored from this level up; lower ones are computed from at most 2^5 leaves.
LOW = 6


def _reader(wanted: Collection[tuple[int, int]]) -> tree.GetNode:
    """The nodes (level, index) of one proof, out of the tables in two statements however many they are. A missing row
    reads as zeros: the proof then fails at the verifier, not here.
    """
    high, low = {n for n in wanted if n[0] >= LOW}, {n for n in wanted if n[0] < LOW}
    rows = Node.objects.filter(level__in={level for level, _i in high}, index__in={index for _l, index in high})
    known = {(level, index): bytes(value) for level, index, value in rows.values_list("level", "index", "hash")}
    spans = [range((index << level) + 1, (index + 1 << level) + 1) for level, index in low]
    found = Entry.objects.filter(seq__in=sorted({seq for span in spans for seq in span}))
    leaves = {seq: bytes(leaf) for seq, leaf in found.values_list("seq", "leaf")}
    missing = b"\0" * 32

    def get(level: int, index: int) -> bytes:
        if level >= LOW:
            return known.get((level, index), missing)
        held: list[bytes] = []
        for i in range(1 << level):
            tree.add(held, i, leaves.get((index << level) + 1 + i, missing))
        return tree.fold(held)

    return get


def peaks(size: int) -> list[bytes]:
    """The peaks of the tree of the first `size` records."""
    return tree.peaks_of(_reader(list(tree.cover(0, size))), size)


def cover(start: int, end: int) -> list[bytes]:
    """The hashes that take a tree from `start` to `end` records."""
    return tree.cover_of(_reader(list(tree.cover(start, end))), start, end)


def inclusion(seq: int, size: int) -> tuple[list[bytes], list[bytes]]:
    """The proof that entry `seq` (from 1) is in the tree of `size`: (peaks, cover), see `tree.included`."""
    return peaks(seq - 1), cover(seq, size)


def consistency(m: int, n: int) -> tuple[list[bytes], list[bytes]]:
    """The proof that the tree of n entries extends the one of m: (peaks, cover), see `tree.consistent`."""
    get = _reader([*tree.cover(0, m), *tree.cover(m, n)])
    return tree.peaks_of(get, m), tree.cover_of(get, m, n)


def rebuild() -> int:
    """Make the Node table anew from the leaves; returns the number of nodes. For a table that was damaged."""
    Node.objects.all().delete()
    held: list[bytes] = []
    fresh: list[Node] = []
    total = 0
    for seq, leaf in Entry.objects.order_by("seq").values_list("seq", "leaf").iterator():
        for level, index, value in tree.add(held, seq - 1, bytes(leaf)):
            if level >= LOW:
                fresh.append(Node(level=level, index=index, hash=value))
        if len(fresh) >= 5000:
            total += len(Node.objects.bulk_create(fresh))
            fresh = []
    return total + len(Node.objects.bulk_create(fresh))
