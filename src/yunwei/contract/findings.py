"""Where the rules of the checker write down what they find; knows the line of every path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from yunwei.contract.folder import Loaded, Problem
from yunwei.contract.schema import Clause, Document, Folder, Instalment, Obligation
from yunwei.kernel.i18n import _

CONTRACT, DOCUMENTS, CLAUSES = "contract.yaml", "documents.yaml", "clauses.yaml"
OBLIGATIONS, OPEN_ITEMS, PLAN = "obligations.yaml", "open_items.yaml", "plan.yaml"
RUBRIC = "rubric.yaml"


class Findings:
    """A folder under check, its look-up tables, and the problems found so far."""

    def __init__(self, folder: Folder, loaded: Loaded | None = None) -> None:
        self.folder = folder
        self._loaded = loaded
        self.problems: list[Problem] = []

    def add(self, file: str, path: tuple[str | int, ...], code: str, message: str, hint: str = "") -> None:
        """Note a problem at a path; without line numbers (a plan that is no file) line 0."""
        line = self._loaded.line(file, *path) if self._loaded else 0
        self.problems.append(Problem(file, line, code, message, hint))

    def warn(self, file: str, path: tuple[str | int, ...], code: str, message: str, hint: str = "") -> None:
        """Note something that may stand as it is, and that people should see."""
        line = self._loaded.line(file, *path) if self._loaded else 0
        self.problems.append(Problem(file, line, code, message, hint, warning=True))

    @cached_property
    def clauses(self) -> dict[str, Clause]:
        return {clause.id: clause for clause in self.folder.clauses}

    @cached_property
    def documents(self) -> dict[str, Document]:
        return {document.id: document for document in self.folder.documents}

    @cached_property
    def obligations(self) -> dict[str, Obligation]:
        return {obligation.id: obligation for obligation in self.folder.obligations}

    @cached_property
    def instalments(self) -> dict[str, Instalment]:
        return {instalment.id: instalment for instalment in self.folder.contract.instalments}

    @cached_property
    def events(self) -> frozenset[str]:
        return frozenset(self.folder.events)

    def clause_known(self, file: str, path: tuple[str | int, ...], clause: str) -> None:
        """Note a clause that clauses.yaml does not have."""
        if clause not in self.clauses:
            hint = _("条款编号以 clauses.yaml 为准")
            self.add(file, path, "clause.unknown", _("没有条款 {clause}").format(clause=clause), hint)

    def event_known(self, file: str, path: tuple[str | int, ...], event: str) -> None:
        """Note an event that obligations.yaml does not declare."""
        if event not in self.events:
            hint = _("在 obligations.yaml 的 events 中登记")
            self.add(file, path, "event.unknown", _("没有事件 {event}").format(event=event), hint)

    def unique(self, file: str, path: tuple[str, ...], ids: Iterable[str]) -> None:
        """Note every id that stands a second time in a list."""
        seen: set[str] = set()
        for index, key in enumerate(ids):
            if key in seen:
                self.add(file, (*path, index), "id.duplicate", _("编号 {id} 重复").format(id=key))
            seen.add(key)


Rule = Callable[[Findings], None]
