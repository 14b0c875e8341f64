"""between.yaml: what lies between the parties beside the work: claims, force majeure, supplements, late payment,
conflicts of rules. Data of one contract; each part may be left out. No Django, no I/O.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Clock(msgspec.Struct, frozen=True, omit_defaults=True):
    """The event that starts the clock in which a claimed side must answer in writing, and the obligation that it is."""

    side: str  # the claimed one: A | B
    event: str
    obligation: str


class ForceMajeure(msgspec.Struct, frozen=True, omit_defaults=True):
    """The events and obligations of a case of force majeure; `ground` is the clause that excuses."""

    ground: str
    occurred: str
    certificate: str  # obligation, with its time
    notice: str = ""
    ended: str = ""  # event
    over: str = ""  # obligation: notice that it has ended
    mitigate: str = ""


class Added(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much may be bought in addition by supplements, of the contract's price, all of them together."""

    share: Decimal  # per cent
    statute: str


class Late(msgspec.Struct, frozen=True, omit_defaults=True):
    """Interest that a law gives on late payment. Only where the open item that blocks `function` was closed by `by`."""

    function: str
    by: str  # A | B: whose declaration it takes
    per_day: Decimal  # per cent a day
    statute: str
    source: str = ""


class Between(msgspec.Struct, frozen=True, omit_defaults=True):
    """The file."""

    answer: list[Clock] = msgspec.field(default_factory=list)
    force_majeure: ForceMajeure | None = None
    added: Added | None = None
    late: Late | None = None
    superior: str = ""  # id of the rule of precedence by which the superior authority decides conflicts
