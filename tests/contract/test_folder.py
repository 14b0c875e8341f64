"""Reading a folder: types by the schema, hostile files, speed."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from tests.contract.conftest import Spoil
from yunwei.contract import folder
from yunwei.contract.check import check
from yunwei.contract.errors import ContractError
from yunwei.contract.schema import Clause, Plan


def test_clause_ids_stay_as_written(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("clauses: [{id: 5.10, kinds: [DEF], who: '', gist: yes}]")
    loaded = folder.Loaded(None, [])
    read = folder._File("x.yaml", loaded).convert(tmp_path / "x.yaml", folder.Clauses)
    assert loaded.problems == []
    assert read is not None
    assert read.clauses == [Clause(id="5.10", kinds=["DEF"], who="", gist="yes")]


def test_free_terms_follow_yaml(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(
        "version: 2\ntitle: t\nlines: [{obligation: x, coverage_target: 99.5, terms: {a: 1, b: 1.5, c: true, d: x, e: [1, '1']}}]"
    )
    plan = folder.load_plan(tmp_path / "plan.yaml")
    assert isinstance(plan, Plan)
    assert plan.lines[0].coverage_target == Decimal("99.5")
    assert plan.lines[0].terms == {"a": 1, "b": 1.5, "c": True, "d": "x", "e": [1, "1"]}


def test_load_raises_with_every_problem(spoil: Spoil) -> None:
    made = spoil("contract.yaml", "place: 上海", "platz: 上海")
    with pytest.raises(ContractError, match=r"contract\.yaml:7: \[schema\.unknown_field\]") as caught:
        folder.load(made)
    assert len(caught.value.problems) == 1


def codes(path: Path) -> set[str]:
    return {p.code for p in check(path)}


def test_no_folder(tmp_path: Path) -> None:
    assert codes(tmp_path / "none") == {"file.missing"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "yaml.empty"),
        (b"\xff\xfe\x00", "yaml.encoding"),
        (b"a: [1, 2", "yaml.syntax"),
        (b"a: \x00", "yaml.syntax"),
        (b"- a\n- b\n", "schema.type"),
        (b"just words", "schema.type"),
        (b"x: 1\n" * 1_000_000, "yaml.too_big"),
        (b"? [a, b]\n: 1\n", "schema.type"),
    ],
)
def test_hostile_files_are_problems_not_crashes(spoil: Spoil, content: bytes, code: str) -> None:
    made = spoil("plan.yaml", "version: 1", "version: 1")
    (made / "plan.yaml").write_bytes(content)
    assert code in codes(made)


@pytest.mark.parametrize(
    "content",
    [
        "version: 1\ntitle: t\nlines: [{obligation: x, terms: {a: %s}}]" % ("[" * 200 + "]" * 200),
        "version: 1\ntitle: t\nlines: [{obligation: x, terms: {a: &r {b: *r}}}]",
        "version: 1\ntitle: t\nlines:\n- obligation: x\n  terms:\n    l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"    l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9)),
    ],
    ids=["deep", "recursive", "billion-laughs"],
)
def test_bombs_end_as_a_problem(spoil: Spoil, content: str) -> None:
    made = spoil("plan.yaml", "version: 1", "version: 1")
    (made / "plan.yaml").write_text(content)
    assert "yaml.too_deep" in codes(made)


def test_a_device_or_pipe_in_the_place_of_a_file(spoil: Spoil) -> None:
    made = spoil("plan.yaml", "version: 1", "version: 1")
    (made / "plan.yaml").unlink()
    (made / "plan.yaml").symlink_to("/dev/zero")
    assert codes(made) == {"file.unreadable"}
    (made / "plan.yaml").unlink()
    os.mkfifo(made / "plan.yaml")
    assert codes(made) == {"file.unreadable"}


@pytest.mark.parametrize("target", ["NaN", "Infinity", "0", "-1", "1e-9", "0.001", "100.01"])
def test_a_target_that_nothing_could_miss_is_no_target(spoil: Spoil, target: str) -> None:
    made = spoil("plan.yaml", "coverage_target: 100", f"coverage_target: {target}")
    assert "plan.coverage" in codes(made)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(spoil: Spoil) -> None:
    made = spoil("plan.yaml", "version: 1", "version: 1")
    (made / "plan.yaml").chmod(0)
    assert codes(made) == {"file.unreadable"}
