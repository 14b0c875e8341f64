"""All clauses in our own words with their quoted numbers; what hangs on each; which document wins over which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yunwei.contract import openitems, period
from yunwei.contract.schema import Clause, Folder, Obligation, OpenItem
from yunwei.contract.web import terms, tree
from yunwei.duties.web.standing import NOTHING, Standing, standings
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

#: the filters of the URL, each with what it keeps
PARTIES = ("A", "B", "AB")
KEEPS = ("none", "some", "vague", "open")


@dataclass(frozen=True, slots=True)
class Line:
    """One clause as the page shows it."""

    row: tree.Row
    items: list[OpenItem]
    standings: Mapping[str, Standing]

    @property
    def clause(self) -> Clause:
        return self.row.clause

    @property
    def gist(self) -> str:
        return self.clause.gist_en if words.english() and self.clause.gist_en else self.clause.gist

    @property
    def who(self) -> str:
        return words.party(self.clause.who) if self.clause.who else ""

    @property
    def kinds(self) -> str:
        return " · ".join(str(terms.CLAUSE_KINDS.get(k, k)) for k in self.clause.kinds)

    @property
    def duties(self) -> list[tuple[Obligation, str, Standing]]:
        return [(o, words.title(o), self.standings.get(o.id, NOTHING)) for o in self.row.duties]


def wanted(line: Line, chosen: dict[str, str]) -> bool:
    """Whether a clause passes the filters."""
    text = chosen["q"].lower()
    keeps = {
        "none": not line.row.duties,
        "some": bool(line.row.duties),
        "vague": line.clause.vague,
        "open": bool(line.items),
    }
    return (
        (not chosen["party"] or line.clause.who == chosen["party"])
        and keeps.get(chosen["keep"], True)
        and (not text or text in f"{line.clause.id} {line.clause.gist} {line.clause.gist_en}".lower())
    )


def lines_of(folder: Folder, found: Mapping[str, Standing]) -> list[tuple[str, list[Line]]]:
    """All articles with their clauses and the open items on each."""
    items: dict[str, list[OpenItem]] = {}
    for item in openitems.still_open(folder):
        items.setdefault(item.clause, []).append(item)
    return [
        (a.number, [Line(row, items.get(row.clause.id, []), found) for row in a.rows])
        for a in tree.articles(folder, found)
    ]


def sentence(folder: Folder, everything: list[Line]) -> list[tuple[str, str]]:
    """How many clauses carry an obligation, how many say only a vague word, how many wait for an answer."""
    values: dict[str, tuple[object, str]] = {
        "n": (len(everything), "plain"),
        "m": (len(folder.obligations), "plain"),
        "some": (sum(bool(line.row.duties) for line in everything), "plain"),
        "vague": (sum(line.clause.vague for line in everything), "warn"),
        "open": (sum(bool(line.items) for line in everything), "warn"),
    }
    text = _("{n} 条中 {some} 条挂有 {m} 项义务；{vague} 条只有含糊词，{open} 条有待双方明确的事项")
    return words.pieces(text, values)


def clauses(request: HttpRequest) -> HttpResponse:
    """The page."""
    now = now_of_instance()
    folder = contract_folder()
    chosen = {key: request.GET.get(key, "").strip()[:60] for key in ("party", "keep", "q")}
    chosen["party"] = chosen["party"] if chosen["party"] in PARTIES else ""
    chosen["keep"] = chosen["keep"] if chosen["keep"] in KEEPS else ""
    whole = lines_of(folder, standings(now))
    shown = [(number, [line for line in lines if wanted(line, chosen)]) for number, lines in whole]
    everything = [line for _number, lines in whole for line in lines]
    context: dict[str, Any] = {
        "sentence": sentence(folder, everything),
        "articles": [(number, lines) for number, lines in shown if lines],
        "count": sum(len(lines) for _number, lines in shown),
        "chosen": chosen,
        "narrowed": any(chosen.values()),
        "parties": [(p, words.party(p)) for p in PARTIES],
        "keeps": [
            ("some", _("挂有义务")), ("none", _("没有挂义务")), ("vague", _("只有含糊词")), ("open", _("有待明确事项")),
        ],
        "ranks": tree.ranks(folder),
        "rules": [(r, terms.SUBJECTS.get(r.subject, r.subject), terms.RULES.get(r.rule, r.rule)) for r in folder.rules],
        "readings": folder.contract.periods,
        "confirmed": period.confirmed(folder.contract),
        "span": period.duty_span(folder.contract),
    }  # fmt: skip
    return page(request, "contract/clauses.jinja", context, here="contract", as_of=now)
