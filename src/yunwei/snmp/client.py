"""The SNMP client: one UDP socket for all devices. (First commit: the shape others build on.)"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from yunwei.snmp.errors import SnmpError
from yunwei.snmp.usm import V3, EngineState, V2c
from yunwei.snmp.values import Value


@dataclass(slots=True)
class Columns:
    """What a multi-column read gave; all dicts are keyed by the column OID as it was asked for.

    `complete[c]` is True only where the end was proven; else `reasons[c]` says why not. `uneven` names tables whose
    (proven) columns have different row counts. `error` is what broke the read off, if anything.
    """

    rows: dict[str, dict[str, Value]]
    complete: dict[str, bool]
    reasons: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    uneven: dict[str, dict[str, int]] = field(default_factory=dict)
    error: SnmpError | None = None

    @property
    def whole(self) -> bool:
        """True when the end of every column was proven."""
        return all(self.complete.values())


class Session:
    """One device and credential; made by `SnmpClient.session`."""

    engine: EngineState | None  # v3: set by discovery; read it after a sweep, hand it in at the next
    engine_id: bytes | None  # v3: the device's engine id (identity); None before first contact and under v2c
    requests: int  # counters over the session's life
    bytes_in: int
    bytes_out: int

    async def get(self, oids: Iterable[str]) -> dict[str, Value]:
        """GET; keyed by the OID as asked; noSuchObject/noSuchInstance come as values. Splits by itself on tooBig."""
        raise NotImplementedError

    async def columns(self, oids: Iterable[str], max_repetitions: int = 25, *, max_rows: int = 100_000) -> Columns:
        """Columns read together with GETBULK (GETNEXT when bulk=False). Raises only if nothing came at all."""
        raise NotImplementedError

    async def walk(self, prefix: str, max_repetitions: int = 25, *, max_rows: int = 100_000) -> Columns:
        """All below one prefix: `columns` with one column."""
        raise NotImplementedError


class SnmpClient:
    """`async with SnmpClient() as client:` - see module docstring."""

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def session(
        self,
        address: str,
        port: int,
        credential: V2c | V3,
        *,
        timeout: float = 2.0,
        retries: int = 1,
        bulk: bool = True,
        engine: EngineState | None = None,
    ) -> Session:
        """A session with one device; `address` is a literal IPv4 or IPv6 address. Opens nothing, sends nothing."""
        raise NotImplementedError
