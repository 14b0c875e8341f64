"""The bench itself: ratios, voided rows, the way it ends. No peer and no farm is needed here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripts.registry import Entry, Registry

from bench import __main__ as bench_main
from bench.measure import Sample, Side, alternate, digest, timed
from bench.model import Claim, MissingPeer, Row, Spread, at_least, at_most


def side(name: str, *cpu_s: float, units: int = 1, results: dict[str, str] | None = None) -> Side:
    """A side whose runs cost what is given, one after the other (the first is the comparison)."""
    costs = iter(cpu_s)
    given = {"a": digest(["1", "2"])} if results is None else results
    return Side(name, lambda: Sample(units, next(costs), 1.0, given))


def test_ratios_are_taken_round_by_round() -> None:
    measured = alternate([side("ours", 9, 1, 2, 4), side("peer", 9, 50, 20, 80, units=2)], 3)
    assert not measured.void
    # per unit, within a round: 25/1, 10/2, 40/4
    assert measured.ratio("peer", "ours", lambda s: s.cpu) == Spread(5.0, 10.0, 25.0, 3)


def test_the_order_of_sides_turns() -> None:
    order: list[str] = []

    def tell(name: str) -> Side:
        def run() -> Sample:
            order.append(name)
            return Sample(1, 1.0, 1.0, {"a": "1"})

        return Side(name, run)

    alternate([tell("x"), tell("y")], 2)
    assert order == ["x", "y", "x", "y", "y", "x"]


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ({"a": digest(["1", "3"])}, "a: 2 rows"),
        ({"a": digest(["1"])}, "1 rows"),
        ({"a": digest(["1", "2"]), "b": "1"}, "b was read by one side alone"),
        ({}, "nothing was read"),
    ],
)
def test_unequal_results_void_everything(theirs: dict[str, str], why: str) -> None:
    measured = alternate([side("ours", 1, 1), side("peer", 100, 100, results=theirs)], 1)
    assert why in measured.void
    assert measured.void.startswith("peer did not read the same")
    assert measured.ratio("peer", "ours", lambda s: s.cpu) is None
    assert not Row(claims=(Claim("CPU", at_least(1), None),), void=measured.void).met


def test_a_result_that_changes_in_a_later_round_voids_too() -> None:
    answers = iter([{"a": "1"}, {"a": "1"}, {"a": "2"}])
    measured = alternate(
        [side("ours", 1, 1, 1, results={"a": "1"}), Side("peer", lambda: Sample(1, 1.0, 1.0, next(answers)))], 2
    )
    assert "round 2" in measured.void
    assert measured.ratio("peer", "ours", lambda s: s.cpu) is None


def test_a_peer_may_take_a_sample_of_the_units() -> None:
    ours = side("ours", 1, 1, results={"a": "1", "b": "2"}, units=2)
    assert not alternate([ours, side("peer", 1, 1, results={"b": "2"})], 1).void


def test_claims_say_by_how_much() -> None:
    assert Claim("x", at_least(30), Spread.of([45, 60, 20])).verdict() == "met by 50.0 %"
    assert Claim("x", at_most(4), Spread.of([5.0])).verdict() == "NOT met by 25.0 %"
    assert not Claim("x", at_most(4), Spread.of([5.0])).met
    assert Claim("x", at_most(4), None).verdict() == "not measured"
    assert Spread.of([3, 1, 2]) == Spread(1, 2, 3, 3)


def test_timed_counts_this_process() -> None:
    total, cpu, wall = timed(lambda: sum(range(2_000_000)))
    assert total == 1999999000000
    assert cpu > 0
    assert wall > 0


def good(_quick: bool) -> Row:
    """Good row."""
    return Row(claims=(Claim("CPU", at_least(2), Spread.of([3])),), equal="1 of 1")


def short(_quick: bool) -> Row:
    """Short row."""
    return Row(claims=(Claim("CPU", at_least(2), Spread.of([1])),))


def absent(_quick: bool) -> Row:
    """Row without its peer."""
    raise MissingPeer("sushy")


def broken(_quick: bool) -> Row:
    """Row that breaks."""
    raise RuntimeError("no farm")


@pytest.mark.parametrize(
    ("function", "code", "word"),
    [(good, 0, "met"), (short, 1, "NOT met by 50.0 %"), (absent, 1, "peer is missing: sushy"), (broken, 1, "no farm")],
)
def test_a_row_that_is_not_met_ends_with_1(
    function, code: int, word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    title = (function.__doc__ or "").rstrip(".")
    monkeypatch.setattr(
        Registry, "chosen", lambda _all, _names: [Entry("a-good", "Good", good), Entry("a-row", title, function)]
    )
    assert bench_main.main(["--quick", "--out", str(tmp_path / "new")]) == code
    assert word in capsys.readouterr().out
    told = json.loads((tmp_path / "new" / "benchmarks.json").read_text(encoding="utf-8"))
    assert [row["met"] for row in told["rows"]] == [True, code == 0]
    text = (tmp_path / "new" / "benchmarks.md").read_text(encoding="utf-8")
    assert title in text
    assert word in text


def test_every_row_has_a_name_and_a_title() -> None:
    for entry in bench_main.ROWS.entries():
        assert entry.name == entry.name.lower()
        assert entry.title != entry.name


def test_an_unknown_row_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_main.main(["no-such-row"]) == 2
    assert "no-such-row" in capsys.readouterr().err
