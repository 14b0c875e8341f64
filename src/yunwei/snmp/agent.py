"""The agent side as pure functions, for the device farm. (First commit: the shape others build on.)

`Table` is immutable and shared between endpoints; an `Agent` is one endpoint: table, credentials and misbehaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from yunwei.snmp.usm import V3

#: called with (OID content as BER bytes, the table's complete value element); returns the complete value element to
#: send instead (see ber.encode_value), or None to leave it
Override = Callable[[bytes, bytes], bytes | None]


class Table:
    """Varbinds sorted by OID, encoded once; shared by any number of agents."""

    @classmethod
    def build(cls, records: Iterable[tuple[str, int, bytes]]) -> Self:
        """From (OID text, tag, content bytes of the value); duplicates: the first wins."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


@dataclass(slots=True)
class Agent:
    """One endpoint. `max_size`: largest message it sends; `toobig_above`: answers tooBig to a GETBULK that asks for
    more varbinds (names x max-repetitions) than this; `truncate`: sends at most so many varbinds (0 = off)."""

    table: Table
    community: bytes = b"public"
    users: Mapping[bytes, V3] = field(default_factory=dict)  # by user name; V3 may be shared
    engine_id: bytes = b""
    boots: int = 1
    max_size: int = 1472
    override: Override | None = None
    toobig_above: int = 0
    truncate: int = 0


def answer(agent: Agent, datagram: bytes, engine_time: int) -> bytes | None:
    """The datagram to send back, or None for silence (wrong community, not SNMP). Never raises on input.

    `engine_time` is the agent's snmpEngineTime in seconds (uptime of the endpoint).
    """
    raise NotImplementedError
