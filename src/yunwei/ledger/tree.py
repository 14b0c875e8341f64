"""The Merkle tree of RFC 6962 §2.1 with SM3: pure functions, no database.

A leaf is SM3(00 ‖ entry), a node SM3(01 ‖ left ‖ right). A tree of `size` leaves is held as its *peaks*: the roots
of the complete subtrees that it splits into, largest first (one for each 1 bit of `size`). One mechanism serves
growth and every proof: begin with the peaks at some size, add leaves or whole subtrees, fold the peaks into a root.

- consistency of sizes m ≤ n: the peaks of m fold to the root of m; adding `cover(m, n)` to them folds to the root of n;
- inclusion of leaf i in size n: the peaks of i, then the leaf, then `cover(i + 1, n)` fold to the root of n;
- a range of leaves: the same with many leaves, at two hashes per leaf.

`verify.py` has its own copy of these rules, on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from yunwei.gm import sm3

#: Asks for the hash of the complete subtree at (level, index); level 0 is a leaf.
GetNode = Callable[[int, int], bytes]
EMPTY = sm3.digest(b"")


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry's bytes."""
    return sm3.digest(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sm3.digest(b"\x01" + left + right)


def add(peaks: list[bytes], at: int, node: bytes, level: int = 0) -> Sequence[tuple[int, int, bytes]]:
    """Add the complete subtree `node` of 2^level leaves to a tree of `at` leaves, in place.

    Returns (level, index, hash) of each larger complete subtree that this closes: none for every other leaf.
    """
    index = at >> level
    if not index & 1:
        peaks.append(node)
        return ()
    closed = []
    while index & 1:
        node = node_hash(peaks.pop(), node)
        index >>= 1
        level += 1
        closed.append((level, index, node))
    peaks.append(node)
    return closed


def fold(peaks: list[bytes]) -> bytes:
    """The root of the tree with these peaks."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def cover(start: int, end: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the largest complete subtrees that lie side by side from leaf `start` up to leaf `end`.

    From 0 they are the peaks of a tree of `end` leaves.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def peaks_of(get: GetNode, size: int) -> list[bytes]:
    """The peaks of the tree of the first `size` leaves."""
    return [get(level, index) for level, index in cover(0, size)]


def cover_of(get: GetNode, start: int, end: int) -> list[bytes]:
    """The hashes that take a tree from `start` to `end` leaves."""
    return [get(level, index) for level, index in cover(start, end)]


def extend(peaks: list[bytes], start: int, end: int, nodes: list[bytes]) -> list[bytes]:
    """New peaks after adding a cover from `start` to `end`. Raises ValueError when the cover has another length."""
    grown = list(peaks)
    for (level, index), node in zip(cover(start, end), nodes, strict=True):
        add(grown, index << level, node, level)
    return grown


def consistent(old_root: bytes, m: int, new_root: bytes, n: int, peaks: list[bytes], nodes: list[bytes]) -> bool:
    """Whether a proof (`peaks` of m, `nodes` = cover m..n) shows that the tree of n leaves extends the one of m."""
    if m > n or len(peaks) != m.bit_count() or fold(peaks) != old_root:
        return False
    try:
        return fold(extend(peaks, m, n, nodes)) == new_root
    except ValueError:
        return False


def included(leaf: bytes, index: int, root: bytes, size: int, peaks: list[bytes], nodes: list[bytes]) -> bool:
    """Whether a proof (`peaks` of index, `nodes` = cover index+1..size) shows `leaf` at `index` (from 0)."""
    if not 0 <= index < size or len(peaks) != index.bit_count():
        return False
    try:
        return fold(extend(extend(peaks, index, index + 1, [leaf]), index + 1, size, nodes)) == root
    except ValueError:
        return False
