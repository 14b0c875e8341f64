"""How far a contract folder covers a text: clause by clause, and the facts both state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from yunwei.contract.reader.model import Clause, Reading, Role
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.contract.schema import Folder


class Match(msgspec.Struct, frozen=True):
    """A clause of the text and the rows of the folder that cover it. `how`: row, within (a row above), lead, parts."""

    id: str
    rows: list[str]
    how: str


class Missing(msgspec.Struct, frozen=True):
    """A clause of the text that no row covers; `looks_like` names the duties its words suggest."""

    id: str
    line: int
    words: str
    looks_like: list[str]


class Coverage(msgspec.Struct, frozen=True):
    """The comparison. `ok` when every clause is covered, every row is found and no fact differs."""

    covered: list[Match]
    missing: list[Missing]
    not_in_text: list[str]
    without_obligation: list[str]  # clauses that look like a duty and no obligation cites; people decide
    differences: list[str]

    @property
    def ok(self) -> bool:
        return not (self.missing or self.not_in_text or self.differences)


def compare(reading: Reading, folder: Folder) -> Coverage:
    """Compare a reading with a loaded folder. A row is found by its `text_ids`, else by its own id.

    A heading is covered by its parts, a sub-item by the row of the clause it stands in, and a lead-in that only
    announces a list ("…如下：") by the list.
    """
    ids = {clause.id for clause in reading.clauses}
    rows: dict[str, list[str]] = {}
    not_in_text: list[str] = []
    for row in folder.clauses:
        targets = row.text_ids or [row.id]
        known = [target for target in targets if target in ids]
        if len(known) < len(targets):
            not_in_text.append(row.id)
        for target in known:
            rows.setdefault(target, []).append(row.id)
    covered, missing = _cover(reading, rows)
    return Coverage(
        covered, missing, not_in_text, _without_obligation(reading, folder, covered), differences(reading, folder)
    )


def _cover(reading: Reading, rows: dict[str, list[str]]) -> tuple[list[Match], list[Missing]]:
    parents = {clause.parent for clause in reading.clauses}
    # where parts of a clause have rows of their own, its row speaks for its own words only
    split = {clause.parent for clause in reading.clauses if clause.id in rows}
    duties: dict[str, list[str]] = {}
    for duty in reading.duties:
        duties.setdefault(duty.clause, []).append(f"{duty.kind}:{duty.who}" if duty.who else duty.kind)
    how: dict[str, tuple[str, list[str]]] = {}
    for clause in reading.clauses:  # parents stand before their parts
        if clause.id in rows:
            how[clause.id] = ("row", rows[clause.id])
        elif how.get(clause.parent, ("",))[0] in {"row", "within"} and clause.parent not in split:
            how[clause.id] = ("within", how[clause.parent][1])
        elif clause.role is Role.GROUP or (not clause.text and clause.id in parents):
            how[clause.id] = ("parts", [])
        elif _announces(clause):
            how[clause.id] = ("lead", [])
    covered = [Match(c.id, how[c.id][1], how[c.id][0]) for c in reading.clauses if c.id in how]
    missing = [Missing(c.id, c.line, c.words[:80], duties.get(c.id, [])) for c in reading.clauses if c.id not in how]
    return covered, missing


def _announces(clause: Clause) -> bool:
    """A lead-in of one short sentence that ends in a colon."""
    return (
        clause.role is Role.LEAD
        and len(clause.text) <= 30
        and re.fullmatch(r"[^。；，]*[：:]", clause.text) is not None
    )


def _without_obligation(reading: Reading, folder: Folder, covered: Sequence[Match]) -> list[str]:
    rows = {match.id: match.rows for match in covered}
    cited = {ident for obligation in folder.obligations for ident in obligation.clauses}
    alike = {row.id: row.same_as for row in folder.clauses}
    result = []
    leads = {clause.id for clause in reading.clauses if _announces(clause)}
    asked = (d.clause for d in reading.duties if d.kind in {"duty", "ban"} and d.who != "X" and d.clause not in leads)
    for ident in dict.fromkeys(asked):
        names = set(rows.get(ident, [ident]))
        names |= {alike.get(name, "") for name in names}
        if not names & cited:
            result.append(ident)
    return result


def differences(reading: Reading, folder: Folder) -> list[str]:
    """Facts that the text and the folder state differently; what the text leaves open is no difference."""
    contract = folder.contract
    found: list[str] = []
    if reading.number and contract.number and reading.number != contract.number:
        found.append(_("合同编号：文本 {text}，目录 {folder}").format(text=reading.number, folder=contract.number))
    values = {value for a in reading.amounts for value in (a.value, a.capitals_value) if value is not None}
    if values and contract.price.amount not in values:
        found.append(_("合同金额 {amount} 不见于文本").format(amount=contract.price.amount))
    names = {party.role: party.name for party in reading.parties if party.name}
    for party in contract.parties:
        if party.role in names and names[party.role] != party.name:
            text = _("{role} 方名称：文本 {text}，目录 {folder}")
            found.append(text.format(role=party.role, text=names[party.role], folder=party.name))
    found += _dates(reading, folder)
    shares = sorted(s.share for s in reading.instalments if s.share is not None)
    planned = sorted(instalment.share for instalment in contract.instalments)
    if shares and planned and shares != planned:
        found.append(_("付款比例：文本 {text}，目录 {folder}").format(text=_join(shares), folder=_join(planned)))
    return found


def _dates(reading: Reading, folder: Folder) -> list[str]:
    signed = {signature.role: signature.date for signature in reading.signatures if signature.date}
    result = []
    for signature in folder.contract.signatures:
        if signature.party in signed and signed[signature.party] != signature.date:
            text = _("{role} 方签署日期：文本 {text}，目录 {folder}")
            result.append(text.format(role=signature.party, text=signed[signature.party], folder=signature.date))
    return result


def _join(values: Sequence[object]) -> str:
    return "、".join(map(str, values))
