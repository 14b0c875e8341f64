"""The one base of all errors that people may see."""

from __future__ import annotations


class YunweiError(Exception):
    """An error for people: what went wrong, where, and what to do about it.

    `where` names the file and line, the device, the record; `hint` the next step. Neither ever holds a secret.
    """

    #: what a command exits with: 2 usage (bad input), 3 unreachable
    exit_code = 2

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}（{self.hint}）" if self.hint else text


def first_line(error: Exception) -> str:
    """What an error says in its first line: a database's driver adds the statement, the values and a caret below it."""
    return str(error).strip().partition("\n")[0]


def words(error: OSError) -> str:
    """An error of the system for people: its own words, and the place where it has one."""
    place = f"（{error.filename}）" if error.filename else ""
    return f"{error.strerror or error}{place}"
