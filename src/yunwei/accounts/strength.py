"""How strong a password is, and one that is strong enough: no Django here, `init` needs it before there is an instance."""

from __future__ import annotations

import secrets

#: letters and digits that people read off a sheet without taking one for another
READABLE = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def classes(password: str) -> int:
    """How many of the four kinds of characters it has: lower case, upper case, digits, all others."""
    kinds = (str.islower, str.isupper, str.isdigit)
    found = sum(any(kind(c) for c in password) for kind in kinds)
    return found + any(not any(kind(c) for kind in kinds) for c in password)


def generate(length: int = 16) -> str:
    """A first password with all four kinds of characters that can be read off a sheet; about 92 bits at 16."""
    while True:
        made = "".join(secrets.choice(READABLE) for _n in range(length))
        if classes(made) == 3:
            return f"{made[: length // 2]}-{made[length // 2 :]}"
