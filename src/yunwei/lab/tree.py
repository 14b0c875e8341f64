"""A Redfish tree as the farm serves it: bodies encoded once and shared, with small differences per device on top."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

import orjson

from yunwei.kernel.i18n import _
from yunwei.lab import redfish_faults
from yunwei.lab.errors import LabError
from yunwei.lab.find import SampleFile
from yunwei.lab.overlay import CONTENT, RedfishEdit, apply_pointer
from yunwei.lab.spec import derive

CHINA = timezone(timedelta(hours=8))
SERIAL_KEYS = frozenset({"SerialNumber", "ServiceTag"})
STEP = 7_368_787  # a prime: steps of it meet every serial number (alphabets of 10 and 26) before one comes twice
CHANGED = 500_000
PLACES = 8
ALPHABET_OF = {char: alphabet for alphabet in (digits, ascii_uppercase, ascii_lowercase) for char in alphabet}
MAC_KEYS = frozenset({"MACAddress", "PermanentMACAddress"})
#: sensor arrays and resources whose reading may wander, with the key of the reading
READINGS = ("ReadingCelsius", "Reading", "ReadingVolts", "PowerConsumedWatts")
THRESHOLD = re.compile(r"^(Lower|Upper)Threshold")
_WORTH_A_LOOK = re.compile(rb'"(SerialNumber|SKU|UUID|ServiceTag|HostName|MACAddress|PermanentMACAddress)"')


def clean(uri: str) -> str:
    """A URI path as the key of a tree: no trailing slash, no query, no fragment."""
    return uri.partition("?")[0].partition("#")[0].rstrip("/") or "/"


class Tree:
    """One sample; `variant` gives what a set of content faults changes in it."""

    def __init__(self, sample: SampleFile) -> None:
        self.sample = sample
        self.sidecar = sample.sidecar()
        try:
            raw = orjson.loads(sample.path.read_bytes())
            self.bodies = {clean(uri): orjson.dumps(body) for uri, body in raw.items() if isinstance(body, dict)}
        except (orjson.JSONDecodeError, AttributeError) as error:
            raise LabError(_("样本不是 URI 到正文的 JSON 对象"), where=str(sample.path)) from error
        self.personal = frozenset(uri for uri, body in self.bodies.items() if _WORTH_A_LOOK.search(body))
        self.clocks = frozenset(uri for uri, body in self.bodies.items() if b'"DateTime"' in body)
        self.sensors = frozenset(
            uri for uri, body in self.bodies.items() if re.search(rb"#(Thermal|Power|Sensor)\.", body)
        )
        root = orjson.loads(self.bodies.get("/redfish/v1", b"{}"))
        #: where this model keeps its sessions (iDRAC 8: /redfish/v1/Sessions); "/" = nothing is said
        self.sessions: str = clean(((root.get("Links") or {}).get("Sessions") or {}).get("@odata.id") or "")
        self.expand: dict[str, Any] = (root.get("ProtocolFeaturesSupported") or {}).get("ExpandQuery") or {}
        self._variants: dict[frozenset[str], dict[str, bytes | None]] = {}

    def variant(self, faults: Iterable[str]) -> dict[str, bytes | None]:
        """URI → changed body (None: the resource is gone) under these faults; shared by all devices that have them.

        Raises LabError when the sample cannot show a fault.
        """
        content = frozenset(fault for fault in faults if fault in CONTENT)
        if content not in self._variants:
            self._variants[content] = self._build(sorted(content)) if content else {}
        return self._variants[content]

    def _build(self, faults: list[str]) -> dict[str, bytes | None]:
        tree = {uri: orjson.loads(body) for uri, body in self.bodies.items()}
        changed: set[str] = set()
        for fault in faults:
            recipe = self.sidecar.faults.get(fault)
            if recipe and recipe.redfish:
                changed |= {self._edit(tree, edit) for edit in recipe.redfish}
            else:
                changed |= redfish_faults.apply(fault, tree)
        return {uri: orjson.dumps(tree[uri]) if uri in tree else None for uri in changed}

    def _edit(self, tree: dict[str, Any], edit: RedfishEdit) -> str:
        uri = clean(edit.uri)
        if uri not in tree:
            raise LabError(_("样本里没有这个 URI"), where=f"{self.sample.name}: {edit.uri}")
        if not edit.pointer:
            if edit.remove:
                del tree[uri]
            else:
                tree[uri] = edit.value
        else:
            apply_pointer(tree[uri], edit)
        return uri


class Personal:
    """What tells this device from others of its sample: serial numbers, UUIDs, MAC addresses, its name.

    `index` 0 is the sample itself; up to half a million copies, and each of them again after `identity_changed`,
    have serial numbers of their own without collision (where a serial has six digits or letters at least).
    """

    def __init__(self, seed: str, sample: str, copy: int, generation: int) -> None:
        self._seed = seed
        self._sample = sample
        self.index = copy + generation * CHANGED

    def text(self, original: str) -> str:
        """A serial number of the same shape: its last eight digits and letters are counted on by a large step."""
        out = list(original)
        carry = self.index * STEP
        for i in [i for i, char in enumerate(out) if char in ALPHABET_OF][: -PLACES - 1 : -1]:
            alphabet = ALPHABET_OF[out[i]]
            carry, place = divmod(alphabet.index(out[i]) + carry, len(alphabet))
            out[i] = alphabet[place]
        return "".join(out)

    def name(self, original: str) -> str:
        """A name with the copy's number behind it."""
        return f"{original}-{self.index}" if original and self.index else original

    def mac(self, original: bytes) -> bytes:
        """A MAC address of the same maker; neighbouring addresses stay neighbours (the last byte stays)."""
        middle = (int.from_bytes(original[3:5]) + self.index * STEP) % 65536
        return original[:3] + middle.to_bytes(2) + original[5:]

    def json(self, value: Any) -> Any:
        """A body with every identifying field replaced."""
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if not isinstance(value, dict):
            return value
        out = {key: self._field(key, item) for key, item in value.items()}
        if isinstance(value.get("SKU"), str) and not value.get(
            "SerialNumber"
        ):  # Dell's service tag where it stands alone
            out["SKU"] = self.text(value["SKU"])
        return out

    def _field(self, key: str, value: Any) -> Any:
        if not isinstance(value, str) or not value:
            return self.json(value)
        if key in SERIAL_KEYS:
            return self.text(value)
        if key == "HostName":
            return self.name(value)
        if key == "UUID":
            hexed = derive(self._seed, self._sample, self.index, "uuid", value, size=16).hex()
            return "-".join((hexed[:8], hexed[8:12], hexed[12:16], hexed[16:20], hexed[20:]))
        if key in MAC_KEYS and re.fullmatch(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}", value):
            return self.mac(bytes.fromhex(value.replace(":", "").replace("-", ""))).hex(value[2])
        return value


def set_clock(body: Any, now: float) -> None:
    """Put the present time into `DateTime` and its offset, as the manager of a BMC shows it."""
    if isinstance(body, dict) and isinstance(body.get("DateTime"), str):
        body["DateTime"] = datetime.fromtimestamp(now, UTC).astimezone(CHINA).isoformat(timespec="seconds")
        if "DateTimeLocalOffset" in body:
            body["DateTimeLocalOffset"] = "+08:00"


def jitter(body: Any, wave: Callable[[str], float]) -> None:
    """Let sensor readings wander by about 1 % where that crosses none of their own thresholds.

    `wave(name)` gives a number in -1..1 that changes slowly.
    """
    items = [body] if isinstance(body, dict) else []
    for key in ("Temperatures", "Fans", "Voltages", "PowerControl"):
        items += [item for item in (body.get(key) or []) if isinstance(item, dict)] if isinstance(body, dict) else []
    for item in items:
        for key in READINGS:
            old = item.get(key)
            if isinstance(old, bool) or not isinstance(old, int | float) or not old:
                continue
            step = abs(old) * 0.01 if isinstance(old, float) else max(abs(old) * 0.01, 1)
            new = type(old)(round(old + wave(str(item.get("Name", key))) * step, 3))
            limits = [value for name, value in item.items() if THRESHOLD.match(name) and isinstance(value, int | float)]
            if not any(min(old, new) <= limit <= max(old, new) for limit in limits):
                item[key] = new
