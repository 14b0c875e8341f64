"""The one verdict: blind is not clean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunwei.kernel.verdict import Reason, Seen, Verdict, decide

GOOD = Seen(evaluated=12, faults=0, fresh=True, moved=True, control_fired=True, identity_ok=True)
BLIND: list[dict[str, object]] = [
    {"evaluated": 0},
    {"fresh": False},
    {"moved": False},
    {"control_fired": False},
    {"identity_ok": False},
    {"problem": Reason.NOT_REACHED},
]
anything = st.builds(
    Seen,
    evaluated=st.integers(-1, 5),
    faults=st.integers(0, 3),
    fresh=st.booleans(),
    moved=st.none() | st.booleans(),
    control_fired=st.booleans(),
    identity_ok=st.booleans(),
    problem=st.none() | st.sampled_from(Reason),
)


def test_everything_seen_and_healthy_passes() -> None:
    assert decide(GOOD) == (Verdict.PASS, None)
    assert decide(replace(GOOD, moved=None)) == (Verdict.PASS, None)  # first sweep


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"evaluated": 0}, Reason.NOTHING_EVALUATED),
        ({"fresh": False}, Reason.STALE),
        ({"moved": False}, Reason.FROZEN),
        ({"control_fired": False}, Reason.CONTROL_SILENT),
        ({"identity_ok": False}, Reason.IDENTITY_CHANGED),
        ({"identity_ok": False, "problem": Reason.DUPLICATE}, Reason.DUPLICATE),
        ({"problem": Reason.AUTH}, Reason.AUTH),
        ({"problem": Reason.PARTIAL}, Reason.PARTIAL),
    ],
)
def test_each_blindness_alone_is_enough(change: dict[str, object], reason: Reason) -> None:
    assert decide(replace(GOOD, **change)) == (Verdict.UNPROVEN, reason)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"problem": Reason.PARTIAL}, {"control_fired": False}, {"evaluated": 0}])
def test_a_fault_seen_is_a_fault_even_by_a_half_blind_eye(change: dict[str, object]) -> None:
    assert decide(replace(GOOD, faults=1, **change)) == (Verdict.FAIL, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"fresh": False}, {"moved": False}, {"identity_ok": False}])
def test_a_fault_of_another_time_or_device_proves_nothing(change: dict[str, object]) -> None:
    assert decide(replace(GOOD, faults=1, **change))[0] is Verdict.UNPROVEN  # type: ignore[arg-type]


@given(anything)
def test_pass_needs_every_eye_open(seen: Seen) -> None:
    verdict, _reason = decide(seen)
    if verdict is Verdict.PASS:
        assert seen.evaluated > 0
        assert seen.faults == 0
        assert seen.fresh
        assert seen.moved is not False
        assert seen.control_fired
        assert seen.identity_ok
        assert seen.problem is None


@given(anything)
def test_unproven_always_has_a_reason_and_nothing_else_has(seen: Seen) -> None:
    verdict, reason = decide(seen)
    assert (reason is not None) == (verdict is Verdict.UNPROVEN)


@given(anything)
def test_closing_an_eye_never_turns_a_verdict_into_pass(seen: Seen) -> None:
    for blind in BLIND:
        worse, _ = decide(replace(seen, **blind))  # type: ignore[arg-type]
        assert worse is not Verdict.PASS
        if decide(seen)[0] is Verdict.UNPROVEN:
            assert worse is Verdict.UNPROVEN


@given(anything)
def test_blindness_never_invents_a_fault(seen: Seen) -> None:
    if decide(seen)[0] is Verdict.FAIL:
        assert seen.faults > 0
        assert seen.identity_ok
        assert seen.fresh
