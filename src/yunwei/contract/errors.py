"""Errors of the contract room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from yunwei.kernel.errors import YunweiError

if TYPE_CHECKING:
    from yunwei.contract.folder import Problem


class ContractError(YunweiError):
    """A contract, a plan or a step that cannot be accepted. `problems` names each place when a folder is wrong."""

    def __init__(self, message: str, *, where: str = "", hint: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, where=where, hint=hint)
        self.problems = list(problems)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(str(p) for p in self.problems)])
