"""Named functions found by walking a package: the rows of the bench, the scenarios of chaos."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Generic, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Entry(NamedTuple, Generic[F]):
    """A name, its title (the first line of the function's docstring) and its function."""

    name: str
    title: str
    function: F


@dataclass(frozen=True, slots=True)
class Registry(Generic[F]):
    """What the modules of `package` give under the name `table`, each called a `word` in messages."""

    package: ModuleType
    table: str
    word: str

    def entries(self) -> list[Entry[F]]:
        """All, by module and then in the order the module gives. Raises ValueError for a name that is taken twice."""
        found: dict[str, Entry[F]] = {}
        for module in sorted(pkgutil.iter_modules(self.package.__path__), key=lambda m: m.name):
            functions: dict[str, F] = getattr(import_module(f"{self.package.__name__}.{module.name}"), self.table)
            for name, function in functions.items():
                if name in found:
                    raise ValueError(f"two {self.word}s are called {name}")
                title = (function.__doc__ or name).strip().splitlines()[0].rstrip(".")
                found[name] = Entry(name, title, function)
        return list(found.values())

    def chosen(self, names: Sequence[str]) -> list[Entry[F]]:
        """Those of these names (all for none); what is nobody's name may be the beginning of several. Raises ValueError for an
        unknown one.
        """
        every = self.entries()
        wanted: list[Entry[F]] = []
        for name in names:
            fits = [e for e in every if e.name == name] or [e for e in every if e.name.startswith(f"{name}-")]
            if not fits:
                raise ValueError(f"no {self.word} is called {name}; there are: {' '.join(e.name for e in every)}")
            wanted += [entry for entry in fits if entry not in wanted]
        return wanted or every


def listed(entries: Sequence[Entry[F]]) -> str:
    """Their names and titles, one a line, as `--list` prints them."""
    return "".join(f"{entry.name}\t{entry.title}\n" for entry in entries)
