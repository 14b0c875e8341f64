"""The lines of work's own sections: `work/<line>/report.py` with `data` and `section`, found by walking, not imported.

`data(period, as_of) -> JSON` reads; `section(data, period) -> Section` says. A line without the module has no section.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import ModuleType
from typing import Any

from yunwei.reports.blocks import Section
from yunwei.reports.errors import ReportError
from yunwei.reports.period import Period

JSON = Any


@lru_cache(maxsize=1)
def modules() -> Mapping[str, ModuleType]:
    """The report module of every line of work that has one, by the line's name. Raises ReportError for half a module."""
    found: dict[str, ModuleType] = {}
    package = importlib.import_module("yunwei.work")
    for line in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        if not line.ispkg:
            continue
        inside = importlib.import_module(f"yunwei.work.{line.name}")
        if not any(m.name == "report" for m in pkgutil.iter_modules(inside.__path__)):
            continue
        module = importlib.import_module(f"yunwei.work.{line.name}.report")
        if not (callable(getattr(module, "data", None)) and callable(getattr(module, "section", None))):
            raise ReportError("report.py: data, section", where=module.__name__)
        found[line.name] = module
    return found


def data(of: Period, as_of: datetime) -> dict[str, JSON]:
    """What every line of work has to say, as data."""
    return {name: module.data(of, as_of) for name, module in modules().items()}


def sections(told: Mapping[str, JSON], of: Period) -> list[Section]:
    """The sections of those lines that data was read for; a line that has since been removed says nothing."""
    known = modules()
    return [known[name].section(told[name], of) for name in sorted(told) if name in known]
