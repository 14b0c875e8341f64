"""The tree against RFC 6962 word for word, and its proofs against everything that is not true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from yunwei.gm import sm3
from yunwei.ledger import tree, verify

LEAVES = [tree.leaf_hash(str(i).encode()) for i in range(130)]


def naive(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1."""
    if not leaves:
        return sm3.digest(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sm3.digest(b"\x01" + naive(leaves[:k]) + naive(leaves[k:]))


ROOTS = [naive(LEAVES[:n]) for n in range(len(LEAVES) + 1)]


def get(level: int, index: int) -> bytes:
    return naive(LEAVES[index << level : (index + 1) << level])


def test_growing_gives_the_naive_root_at_every_size():
    peaks: list[bytes] = []
    for n, leaf in enumerate(LEAVES):
        assert tree.fold(peaks) == ROOTS[n]
        for level, index, value in tree.add(peaks, n, leaf):
            assert value == get(level, index)
    assert tree.fold(peaks) == ROOTS[-1]


def test_every_consistency_and_no_other():
    for m in range(0, 70, 3):
        for n in range(m, 70, 5):
            peaks, nodes = tree.peaks_of(get, m), tree.cover_of(get, m, n)
            assert tree.consistent(ROOTS[m], m, ROOTS[n], n, peaks, nodes)
            assert len(nodes) <= 2 * n.bit_length()
            assert not tree.consistent(ROOTS[m + 1], m, ROOTS[n], n, peaks, nodes)
            assert not tree.consistent(ROOTS[m], m, ROOTS[n + 1], n, peaks, nodes)
            assert not tree.consistent(ROOTS[m], m, ROOTS[n], n, peaks, [*nodes, ROOTS[1]])
            if nodes:
                assert not tree.consistent(ROOTS[m], m, ROOTS[n], n, peaks, nodes[:-1])


@settings(max_examples=150)
@given(st.data())
def test_inclusion_holds_for_the_leaf_at_its_place_only(data):
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    peaks, nodes = tree.peaks_of(get, index), tree.cover_of(get, index + 1, size)
    assert tree.included(LEAVES[index], index, ROOTS[size], size, peaks, nodes)
    assert not tree.included(LEAVES[index - 1] if size > 1 else ROOTS[0], index, ROOTS[size], size, peaks, nodes)
    assert not tree.included(LEAVES[index], index, ROOTS[size - 1], size, peaks, nodes)
    assert not tree.included(LEAVES[index], size, ROOTS[size], size, peaks, nodes)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not tree.included(LEAVES[index], other, ROOTS[size], size, peaks, nodes)


@settings(max_examples=100)
@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_a_cover_lies_side_by_side_and_is_short(a, b):
    start, end = sorted((a, b))
    at = start
    for level, index in tree.cover(start, end):
        assert index << level == at
        at += 1 << level
    assert at == end
    assert len(list(tree.cover(start, end))) <= 2 * (end.bit_length() + 1)


def test_the_verifiers_own_rules_are_the_same():
    for n in range(len(LEAVES)):
        assert verify.fold(tree.peaks_of(get, n)) == ROOTS[n]
        peaks = verify.extend(tree.peaks_of(get, n // 3), n // 3, n, tree.cover_of(get, n // 3, n))
        assert verify.fold(peaks) == ROOTS[n]
    for size in (*range(70), 119, 120, 121, 1000):
        assert verify.sm3_pure(b"z" * size) == sm3.digest(b"z" * size)


def test_the_verifiers_sm2_agrees_with_libcrypto():
    from yunwei.gm import selftest, sm2

    official = verify.Key(selftest.SM2_POINT)
    assert official.verify(selftest.SM2_MESSAGE, selftest.SM2_SIGNATURE)
    for n in range(5):
        key = sm2.generate()
        theirs = verify.Key(key.public.point)
        assert theirs.fingerprint == key.public.fingerprint
        for i in range(8):
            message = bytes([n, i])
            signature = key.sign(message)
            assert theirs.verify(message, signature)
            assert not theirs.verify(message + b"!", signature)
            assert not theirs.verify(message, signature[:32] + bytes(32))
            assert not theirs.verify(message, signature[32:] + signature[:32])
