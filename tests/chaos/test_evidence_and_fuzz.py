"""The short forms of two scenarios of `make chaos`, and that they can fail: a reader that crashes, hangs or keeps memory is named."""

from __future__ import annotations

import random
import time

import pytest

from chaos.evidence.world import Told
from chaos.fuzz import engine, mutate
from chaos.fuzz.engine import Target
from chaos.model import Ask
from chaos.scenarios import evidence, fuzz

SEED = 20260302


def test_every_change_of_the_evidence_is_named():
    outcome = evidence.evidence(Ask(SEED, quick=True))
    assert outcome.failures == []
    assert len(outcome.notes) == 9
    assert outcome.count > 300


def test_a_change_that_nobody_names_is_a_failure():
    told = Told("x")
    told.add("record 1", ["altered@1"])
    told.add("record 2", [])
    assert (told.count, told.failures) == (2, ["record 2: nobody names it"])


def test_no_reader_crashes_hangs_or_grows():
    outcome = fuzz.fuzzed(Ask(SEED, quick=True), 0, inputs=40)
    assert outcome.failures == []
    assert len(outcome.notes) == 14
    assert outcome.count == 14 * 40


def test_a_message_that_was_spoilt_deeply_can_be_spoilt_again():
    deep = b""
    for _n in range(3000):
        deep = mutate.written(0x30, deep)
    dice = random.Random(SEED)
    assert {mutate.ber(dice, deep, 0.05) for _n in range(20)} - {deep}


def number(dice: random.Random) -> int:
    return dice.randrange(1000)


def crash(made: int) -> None:
    if made % 10 == 3:
        raise KeyError(made)
    raise ValueError(made)


def hang(made: int) -> None:
    while made % 10 == 3:
        pass


_held: list[bytes] = []


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        (crash, "KeyError"),
        (hang, "of processor time"),
        (lambda made: _held.append(bytes(9000)), "memory grew"),
        (lambda made: time.sleep(0) or len(bytes(60 << 20)), "while it was read"),
    ],
)
def test_the_engine_names_what_is_wrong(tmp_path, monkeypatch, feed, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "CPU_S", 0.1)
    report = engine.run(Target("t", number, feed, (ValueError,), batch=3), "1", 0.2)
    assert report.failures
    assert words in report.failures[0]


def test_an_input_is_had_again_by_its_number():
    target = Target("t", number, crash, (ValueError,))
    made = [target.make(engine.dice_of("7", "t", n)) for n in (4, 4, 5)]
    assert made[0] == made[1] != made[2]
