"""The scenarios: found by walking `chaos/scenarios`."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import chaos.scenarios
from chaos.model import Scenario


class Entry(NamedTuple):
    """A scenario's name, its title (the first line of the function's docstring) and its function."""

    name: str
    title: str
    function: Scenario


def entries() -> list[Entry]:
    """All scenarios, by module and then in the order the module gives. Raises ValueError for a name that is taken twice."""
    found: dict[str, Entry] = {}
    for module in sorted(pkgutil.iter_modules(chaos.scenarios.__path__), key=lambda m: m.name):
        scenarios: dict[str, Scenario] = import_module(f"chaos.scenarios.{module.name}").SCENARIOS
        for name, function in scenarios.items():
            if name in found:
                raise ValueError(f"two scenarios are called {name}")
            found[name] = Entry(name, (function.__doc__ or name).strip().splitlines()[0].rstrip("."), function)
    return list(found.values())


def chosen(names: Sequence[str]) -> list[Entry]:
    """The scenarios of these names (all for none); a name may be the beginning of several. Raises ValueError for an unknown one."""
    every = entries()
    wanted: list[Entry] = []
    for name in names:
        fits = [entry for entry in every if entry.name == name or entry.name.startswith(f"{name}-")]
        if not fits:
            raise ValueError(f"no scenario is called {name}; there are: {' '.join(entry.name for entry in every)}")
        wanted += [entry for entry in fits if entry not in wanted]
    return wanted or every
