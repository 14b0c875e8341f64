"""The clauses as a tree, read from their numbers alone: 7.2.15 under 7.2 under 7, 第二条（一） under 第二条. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yunwei.contract.schema import Clause, Document, Folder, Obligation
from yunwei.duties.web.standing import NOTHING, Standing, worst

#: one step of a number: 7, .2, 第二条, （一）, 第一款, ¶1, -lead, and a trailing letter (5.2.1a)
STEP = re.compile(r"第[^条]+条|第[^款]+款|（[^）]+）|¶\d+|-[\w-]+|\d+|[A-Za-z]+")


def steps(number: str) -> list[str]:
    """A clause's number cut into its steps."""
    return STEP.findall(number) or [number]


def article(number: str) -> str:
    """The article a clause stands in: its first step."""
    return steps(number)[0]


@dataclass(frozen=True, slots=True)
class Row:
    """One clause with what hangs on it and the worst state of that."""

    clause: Clause
    depth: int
    duties: list[Obligation]
    standing: Standing

    @property
    def tone(self) -> str:
        """Its mark: "" where no obligation hangs on it."""
        return self.standing.tone if self.duties else ""


@dataclass(slots=True)
class Article:
    """One article with its clauses, in the order of the contract."""

    number: str
    rows: list[Row] = field(default_factory=list)


def articles(folder: Folder, standings: Mapping[str, Standing]) -> list[Article]:
    """All clauses by article. A clause that says the same as another one carries what hangs on that one."""
    hanging: dict[str, list[Obligation]] = {}
    for obligation in folder.obligations:
        for number in obligation.clauses:
            hanging.setdefault(number, []).append(obligation)
    found: dict[str, Article] = {}
    for clause in folder.clauses:
        duties = hanging.get(clause.id) or hanging.get(clause.same_as, [])
        standing = worst(standings.get(o.id, NOTHING) for o in duties)
        name = article(clause.id)
        row = Row(clause, max(len(steps(clause.id)) - 2, 0), duties, standing)
        found.setdefault(name, Article(name)).rows.append(row)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Rank:
    """One rank of documents; a rank that has no document says so."""

    number: str
    clause: Clause | None
    documents: list[Document]


def ranks(folder: Folder) -> list[Rank]:
    """The ranks of documents, the first wins. Also those of which there is no document, where the contract names them."""
    clauses = {clause.id: clause for clause in folder.clauses}
    named = {document.rank: document.order for document in folder.documents}
    general = {rule.clause for rule in folder.rules if rule.subject == "*"}
    homes = {article(rank) for rank in named}
    also: Sequence[str] = [
        c.id for c in folder.clauses if c.kinds == ["PREC"] and article(c.id) in homes and c.id not in general
    ]
    places = {number: i for i, number in enumerate(also)}
    order = sorted({*named, *also}, key=lambda n: (places.get(n, len(also)), named.get(n, 0), n))
    return [Rank(n, clauses.get(n), [d for d in folder.documents if d.rank == n]) for n in order]
