"""How work is done: a procedure is a list of steps, as data and plain functions; no engine here.

A line of work registers its procedures in `work/<line>/procedures.py` as a module constant `PROCEDURES`; they are
found by walking, and a second claim of a name fails at start.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from yunwei.kernel.errors import YunweiError

JSON = Any  # what json can say


class ProcedureError(YunweiError):
    """A procedure is unknown, claimed twice or built wrongly."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step is told. Everything in it can be rebuilt from the database: a step may run again after a crash.

    `results` are the JSON results of the steps before, by name; `chunk` is this worker's share when the step fans out.
    """

    run_id: str
    procedure: str
    scope: Mapping[str, JSON]
    terms: Mapping[str, JSON]
    cause: Mapping[str, JSON]
    results: Mapping[str, JSON]
    now: Callable[[], datetime]
    chunk: JSON = None
    chunk_index: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step. It is at-least-once: what touches the world finds before it creates.

    `do` returns something JSON can say, small (an id, a count), never a secret: engines store it in clear. `undo`
    takes back what `do` changed in the world and is called in reverse order when a later step fails. `fan` makes
    the step a fan-out: it returns chunks, `do` is called once per chunk (with `ctx.chunk`), on any worker.
    """

    name: str
    do: Callable[[StepContext], JSON]
    undo: Callable[[StepContext], None] | None = None
    fan: Callable[[StepContext], Sequence[JSON]] | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Procedure:
    """A way of doing one kind of obligation; `owes` says what settles it (law 1): looking, or a result."""

    name: str
    title: str
    title_en: str
    owes: Literal["look", "result"]
    steps: tuple[Step, ...]
    scope_kinds: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) != len(names):
            raise ProcedureError(f"步骤名缺失或重复：{names}", where=self.name)

    def step(self, name: str) -> Step:
        """The step of that name; raises ProcedureError when there is none (a run of an older version)."""
        for step in self.steps:
            if step.name == name:
                return step
        raise ProcedureError(f"没有步骤“{name}”", where=self.name)


@lru_cache(maxsize=1)
def registry() -> Mapping[str, Procedure]:
    """All procedures of all lines of work, by name."""
    found: dict[str, Procedure] = {}
    # by name, not by import: the lines of work stand below this room and are found, not known
    for line in pkgutil.iter_modules(importlib.import_module("yunwei.work").__path__, "yunwei.work."):
        if not line.ispkg:
            continue
        package = importlib.import_module(line.name)
        if not any(m.name == "procedures" for m in pkgutil.iter_modules(package.__path__)):
            continue
        module = importlib.import_module(f"{line.name}.procedures")
        collect(module.PROCEDURES, found, where=line.name)
    return found


def collect(procedures: Sequence[Procedure], into: dict[str, Procedure], *, where: str) -> None:
    """Add procedures to a registry; a second claim of a name fails."""
    for procedure in procedures:
        if procedure.name in into:
            raise ProcedureError(f"流程名“{procedure.name}”被登记了两次", where=where, hint="改掉其中一个名字")
        into[procedure.name] = procedure


def procedure(name: str) -> Procedure:
    """The procedure of that name; raises ProcedureError when no line of work has it."""
    try:
        return registry()[name]
    except KeyError:
        raise ProcedureError(f"没有名为“{name}”的流程", hint=f"现有：{'、'.join(sorted(registry()))}") from None
