"""The rows: found by walking `bench/rows`."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import bench.rows
from bench.model import RowFunction


class Entry(NamedTuple):
    """A row's name, its title (the first line of the function's docstring) and its function."""

    name: str
    title: str
    function: RowFunction


def entries() -> list[Entry]:
    """All rows, by module and then in the order the module gives. Raises ValueError for a name that is taken twice."""
    found: dict[str, Entry] = {}
    for module in sorted(pkgutil.iter_modules(bench.rows.__path__), key=lambda m: m.name):
        rows: dict[str, RowFunction] = import_module(f"bench.rows.{module.name}").ROWS
        for name, function in rows.items():
            if name in found:
                raise ValueError(f"two rows are called {name}")
            found[name] = Entry(name, (function.__doc__ or name).strip().splitlines()[0].rstrip("."), function)
    return list(found.values())


def chosen(names: Sequence[str]) -> list[Entry]:
    """The rows of these names (all for none); a name may be the beginning of several. Raises ValueError for an unknown one."""
    every = entries()
    wanted: list[Entry] = []
    for name in names:
        fits = [entry for entry in every if entry.name == name or entry.name.startswith(f"{name}-")]
        if not fits:
            raise ValueError(f"no row is called {name}; there are: {' '.join(entry.name for entry in every)}")
        wanted += [entry for entry in fits if entry not in wanted]
    return wanted or every
