"""What every collector is given and gives back; the errors that end the look at one device.

A collector is one coroutine `collect(look) -> DeviceResult`. It may raise `Trouble`; everything else that it raises
is taken as garbage from the device and never reaches another device (sweep.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from yunwei.inspect.observation import DeviceResult, Observation, Part, Target
from yunwei.inspect.vendor.errors import VendorFileError
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

if TYPE_CHECKING:
    from yunwei.inspect.collect.sessions import SessionBook
    from yunwei.inspect.vendor import Catalogue, Reading, VendorFile
    from yunwei.snmp.client import SnmpClient

JSON = Any
#: characters of one text of a device; the longest honest one is a sysDescr
MAX_TEXT = 2000


class Trouble(YunweiError):  # noqa: N818 - an outcome of a look rather than an error of ours
    """The look at one device ends here, for this reason. The message is for people and holds no secret."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Opener(Protocol):
    """Opens what was sealed to this collector and seals what only this collector may read again."""

    def open(self, sealed: str) -> dict[str, JSON]:
        """The credential or session in clear; raises YunweiError when it was not sealed to us."""
        ...

    def seal(self, content: Mapping[str, JSON]) -> str:
        """Text that only this collector (or its platform) can open."""
        ...


@dataclass(slots=True)
class Tools:
    """What all looks of one sweep share."""

    catalogue: Catalogue
    opener: Opener
    clock: Callable[[], datetime]
    snmp: SnmpClient | None = None
    sessions: SessionBook | None = None
    #: the second in which the devices live: this machine's own, but where both stand off from it together
    wall: Callable[[], float] = time.time
    #: handshakes under way at once; the sweep's own when there is one
    connecting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))


@dataclass(slots=True)
class Trace:
    """What is known of a look while it goes on; survives when the look itself is cut off."""

    identity: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    session: str = ""
    vendor: str = ""

    def count(self, what: str, by: int = 1) -> None:
        """Add to a figure of the exchange."""
        self.counts[what] = self.counts.get(what, 0) + by


@dataclass(slots=True)
class Look:
    """One look at one device. `deadline` is in the event loop's time; a collector stops asking by itself then."""

    target: Target
    terms: dict[str, JSON]
    deadline: float
    tools: Tools
    started_at: datetime
    trace: Trace = field(default_factory=Trace)

    def left(self) -> float:
        """Seconds of the budget that are left, never negative."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    def credential(self) -> dict[str, JSON]:
        """The credential in clear, {} where the target needs none; raises Trouble when it cannot be opened."""
        if not self.target.credential:
            return {}
        try:
            return self.tools.opener.open(self.target.credential)
        except YunweiError as error:
            raise Trouble(Reason.AUTH, _("凭据不是密封给本采集器的，或已损坏")) from error

    def vendor(self, match: Callable[[], VendorFile]) -> VendorFile:
        """The vendor file that the target names, else the matching one; raises Trouble when the named one is missing."""
        try:
            found = self.tools.catalogue.get(self.target.vendor) if self.target.vendor else match()
        except VendorFileError as error:
            raise Trouble(Reason.NOT_SUPPORTED, error.message) from None
        self.trace.vendor = found.name
        return found

    def result(
        self,
        reading: Reading | None = None,
        *,
        problem: Reason | None = None,
        detail: str = "",
        partial: list[str] | None = None,
    ) -> DeviceResult:
        """The result of this look; the collector's problem outranks the judge's, what was seen is kept either way."""
        identity, moving = dict(self.trace.identity), {}
        if reading is not None:
            identity = {**reading.identity, **identity}
            moving = dict(reading.moving)
            if problem is None and reading.problem is not None:
                problem = reading.problem
        return DeviceResult(
            asset=self.target.asset,
            protocol=self.target.protocol,
            started_at=self.started_at,
            ended_at=self.tools.clock(),
            vendor=self.trace.vendor,
            problem=problem,
            detail=detail,
            identity={k: _text(v) for k, v in identity.items()},
            moving={k: _text(v) for k, v in moving.items()},
            observations=storable(reading.observations) if reading else [],
            parts=storable(reading.parts) if reading else [],
            partial=sorted(set(partial or ())),
            # the machine's own second, beside the injected clock: tells two looks in one moment from a frozen device
            counts={**self.trace.counts, "wall_s": int(self.tools.wall())},
            session=self.trace.session,
            control=self.target.control,
        )


Told = TypeVar("Told", Observation, Part)


def storable(told: Sequence[Told]) -> list[Told]:
    """What a device said, as JSON and every database can hold it: no NUL, whole numbers of 64 bits, texts of bounded length.

    One device's odd number or character must not make the result of all the others unwritable. Nearly always there is
    none: whole columns are looked at first.
    """
    if all(map(_fits, zip(*map(msgspec.structs.astuple, told), strict=True))):
        return list(told)
    return [_fitted(one) for one in told]


def _fits(values: Sequence[JSON]) -> bool:
    """Whether a column can be stored as it is."""
    sorts = set(map(type, values))
    if str in sorts:
        texts = values if len(sorts) == 1 else [value for value in values if value.__class__ is str]
        joined = "".join(texts)
        if "\x00" in joined or max(map(len, texts)) > MAX_TEXT:
            return False
        if not joined.isascii() and _clean(joined) != joined:
            return False
    if int in sorts:
        numbers = [value for value in values if value.__class__ is int]
        return min(numbers) >= -(2**63) and max(numbers) < 2**63
    return True


def _fitted(told: Told) -> Told:
    """One observation or part as it can be stored."""
    changed: dict[str, JSON] = {}
    for name in told.__struct_fields__:
        value = getattr(told, name)
        if type(value) is str:
            changed[name] = _text(value)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            changed[name] = float(value) if abs(value) < 1 << 1000 else None
    return msgspec.structs.replace(told, **changed)


def _text(value: str) -> str:
    """A text without NUL and lone surrogates, cut to a bound."""
    return _clean(value[:MAX_TEXT])


def _clean(value: str) -> str:
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


def check_pinned(look: Look, name: str, value: str) -> None:
    """Note an identifying field; raise Trouble when another value is pinned, before any secret is sent."""
    look.trace.identity[name] = value
    pinned = look.target.pinned.get(name, "")
    if pinned and pinned != value:
        raise Trouble(
            Reason.IDENTITY_CHANGED, _("{name} 与已锁定的身份不符：现为 {value}").format(name=name, value=value)
        )
