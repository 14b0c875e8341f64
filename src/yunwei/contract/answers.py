"""What breaking an obligation costs, read from the contract folder alone: rubric, vetoes, and the liability clauses.

Pure. No figure here that the folder does not hold; where nobody agreed on a cost the answer is empty and the page says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from yunwei.contract.schema import Clause, Folder, Obligation, Owes, Rubric, RubricItem, Veto
from yunwei.kernel.money import share_of, yuan


@dataclass(frozen=True, slots=True)
class Liability:
    """One kind of remedy with the clauses that give it against one side; `amount` only where a clause states a share."""

    kind: str
    against: str
    clauses: list[str]
    share: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """What breaking one obligation costs. `point` is what one point of the year's score comes to in yuan, where both
    parties adopted the rubric and its price table goes by the score."""

    item: RubricItem | None = None
    forged: Veto | None = None
    vetoes: list[Veto] = field(default_factory=list)
    adopted: bool = False
    point: Decimal | None = None
    liabilities: list[Liability] = field(default_factory=list)

    @property
    def agreed(self) -> bool:
        """Whether anybody agreed on a cost: the platform's own rubric is no agreement."""
        return bool(self.liabilities) or (self.adopted and (self.item is not None or bool(self.vetoes)))

    @property
    def any(self) -> bool:
        """Whether there is anything to tell, the default rubric included."""
        return bool(self.item or self.vetoes or self.liabilities)


def costs(folder: Folder, duty: Obligation) -> Costs:
    """Everything that the folder says about the cost of breaking an obligation."""
    rubric = folder.rubric
    found = _liabilities(folder, duty)
    if rubric is None or duty.owes is Owes.A:
        return Costs(liabilities=found)
    item = next((i for i in rubric.items if duty.id in i.obligations), None)
    forged = next((v for v in rubric.vetoes if v.id == rubric.forged), None)
    vetoes = [v for v in rubric.vetoes if v.id != rubric.forged and duty.id in _named(v, folder)]
    adopted = is_adopted(folder, rubric)
    return Costs(item, forged if item else None, vetoes, adopted, _point(folder, rubric, adopted=adopted), found)


def is_adopted(folder: Folder, rubric: Rubric) -> bool:
    """Whether both parties adopted this rubric by a document in hand (合同 3.1)."""
    return any(d.id == rubric.document and d.present for d in folder.documents)


def _named(veto: Veto, folder: Folder) -> set[str]:
    """The obligations that a veto stands for: those it names, else those that rest on its clause."""
    return set(veto.obligations) or {o.id for o in folder.obligations if veto.clause and veto.clause in o.clauses}


def _point(folder: Folder, rubric: Rubric, *, adopted: bool) -> Decimal | None:
    over = next((step.over for step in rubric.price if step.over is not None), None)
    return yuan(folder.contract.price.amount / over) if adopted and over else None


def _liabilities(folder: Folder, duty: Obligation) -> list[Liability]:
    """Remedies against the side that owes, grouped by kind, in the order of the contract."""
    grouped: dict[tuple[str, str, Decimal | None], list[str]] = {}
    for clause in folder.clauses:
        for remedy in clause.remedies:
            if remedy.kind == "joint" or remedy.against not in duty.owes.value:
                continue
            if remedy.obligations and duty.id not in remedy.obligations:
                continue
            grouped.setdefault((remedy.kind, remedy.against, remedy.share), []).append(clause.id)
    total = folder.contract.price.amount
    return [
        Liability(kind, against, clauses, share, share_of(total, share) if share is not None else None)
        for (kind, against, share), clauses in grouped.items()
    ]


def duties_of(folder: Folder, clause: Clause) -> list[Obligation]:
    """The obligations that rest on a clause; of one that says the same as another, those of that other."""
    own = [o for o in folder.obligations if clause.id in o.clauses]
    return own or [o for o in folder.obligations if clause.same_as and clause.same_as in o.clauses]
