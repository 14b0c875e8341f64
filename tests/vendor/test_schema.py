"""A bad vendor file is a clear error with file and line, and nothing of it is used."""

from __future__ import annotations

import pytest

from tests.vendor.tools import BASE, catalogue, write
from yunwei.inspect.vendor import VendorFileError, load

TABLE = (
    f"tables:\n  t: {{oid: {BASE}, columns: {{state: 1, name: 2}}}}\nstates:\n  s: {{1: ok fine, 2: critical broken}}\n"
)
HEAD_LINES = 3
RULE = "observe:\n  - {table: t, component: x, kind: state, name: n, state: state, states: s}\n"


@pytest.mark.parametrize(
    ("body", "line", "word"),
    [
        ("nonsense: 1\n", 4, "nonsense"),
        (TABLE + RULE + "proof: rumour\n", 10, "proof"),
        (TABLE.replace("critical broken", "broken"), 7, "broken"),
        (TABLE.replace("name: 2", "name: two"), 5, "two"),
        (TABLE.replace(BASE, "not.an.oid"), 5, "OID"),
        (TABLE + RULE.replace("state: state", "state: stat"), 9, "stat"),
        (TABLE + RULE.replace("kind: state", "kind: temperatur"), 9, "temperatur"),
        (TABLE + RULE.replace("states: s", "states: z"), 9, "z"),
        (TABLE + RULE.replace("table: t", "table: u"), 9, "u"),
        (TABLE + RULE.replace("name: n,", 'name: "{nam}",'), 9, "nam"),
        (TABLE + RULE.replace("name: n,", "name: n, colour: red,"), 9, "colour"),
        (TABLE + RULE.replace("state: state, states: s", "unit: x"), 9, "value"),
        (TABLE + RULE.replace("state: state, states: s", "value: state, limits: {warn: 1}"), 9, "warn"),
        ("include: [if-mbi]\n", 4, "if-mbi"),
        ("include: [system]\nwithout: [system-uptme]\n", 5, "system-uptme"),
        ("include: [mine]\n", 4, "mine"),
        ("scalars: {x: $base.1}\n", 4, "base"),
        ("states: {s: {1: ok a, 1: critical b}}\n", 4, "1"),
        ("observe: [\n", 5, ""),
        ("quirks: {max_repetitions: many}\n", 4, "int"),
    ],
)
def test_errors_name_file_and_line(tmp_path, body, line, word):
    with pytest.raises(VendorFileError) as error:
        catalogue(tmp_path / "v", body)
    path, _sep, at = error.value.where.rpartition(":")
    assert path.endswith("mine.yaml")
    assert abs(int(at) - line) <= (1 if line > 9 else 0), str(error.value)
    assert word in str(error.value)


def test_a_name_can_be_claimed_once(tmp_path):
    path = write(tmp_path / "v", "")
    (path.parent / "other.yaml").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(VendorFileError, match="mine"):
        load([path.parent])


def test_words_like_on_and_no_are_words(tmp_path):
    vendor = catalogue(tmp_path / "v", "states: {s: {on: ok On, no: critical No}}\n" + TABLE.partition("states")[0]
                       + "observe:\n  - {table: t, component: x, kind: state, name: n, state: name, states: s}\n")  # fmt: skip
    assert vendor.get("mine").rules[0].states["on"][1] == "On"


def test_an_including_file_wins_and_can_leave_rules_out(tmp_path):
    known = catalogue(tmp_path / "v", "include: [system, if-mib]\nwithout: [port-speed]\n")
    plain = known.get("generic")
    mine = known.get("mine")
    assert {r.kind_text for r in plain.rules} >= {"speed", "port", "errors"}
    assert {r.kind_text for r in mine.rules} == {"uptime", "port", "errors"}
    assert len(mine.snmp_tables) == 2


def test_variables_move_a_whole_family():
    known = load()
    ours = set(known.get("ruijie").snmp_scalars)
    theirs = set(known.get("fs-ruijie").snmp_scalars)
    assert "1.3.6.1.4.1.4881.1.1.10.2.1.1.24.0" in ours
    assert "1.3.6.1.4.1.52642.1.1.10.2.1.1.24.0" in theirs
    assert len(ours) == len(theirs)


def test_every_file_of_the_product_loads_and_says_what_it_was_proved_on():
    known = load()
    assert len(known.files) >= 16
    for file in known.files.values():
        assert file.proof in ("synthetic", "capture", "device")
        assert file.title
        assert file.rules
