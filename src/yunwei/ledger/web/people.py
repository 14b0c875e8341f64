"""Whom a record is about: the accounts whose names stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yunwei.accounts.models import Account

#: strings of one record that are looked at; a record of ours names a handful of people
CANDIDATES, LONGEST = 500, 40


def named_in(body: dict[str, Any]) -> list[str]:
    """User names in the subject, the actor and the data of a record. One statement."""
    found: dict[str, None] = {}
    for text in _texts([body.get("actor"), body.get("subject"), body.get("data")]):
        if 0 < len(text) <= LONGEST:
            found[text] = None
        if len(found) >= CANDIDATES:
            break
    return sorted(Account.objects.filter(username__in=list(found)).values_list("username", flat=True))


def _texts(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            todo += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            todo += one
