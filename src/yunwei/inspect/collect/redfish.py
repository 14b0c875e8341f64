"""Redfish: which resources of a BMC are read, and in which order.

rollup (daily): the three collections, every system, chassis and manager, and their Thermal and Power (or the newer
ThermalSubsystem, PowerSubsystem, Sensors). deep (weekly, and whenever the rollup is not all right): processors,
memory, storage, drives, interfaces, firmware and log too. Systems/1 is never assumed, `$expand` is used only where the
service root advertises it, a 404 inside a tree is normal, fragments are never requested (notes: hardware §1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from yunwei.inspect.collect.base import Look, Trouble
from yunwei.inspect.collect.redfish_http import SESSIONS, Bmc
from yunwei.inspect.observation import EVALUATED, FAULTS, DeviceResult
from yunwei.inspect.vendor import Reading, VendorFile, apply_redfish
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

JSON = Any
ROOT = "/redfish/v1"
#: resources of one BMC, whatever it links to; the largest honest tree known has 1,368 of which deep reads under 400
MAX_RESOURCES = 600
#: members taken from one collection (a log may have 100,000)
MAX_MEMBERS = 128
#: seconds of the budget's end in which nothing more is asked for
LAST_S = 0.2
#: steps from the service root; a deep plan needs eight
MAX_DEPTH = 12

Links = tuple[str, ...]
#: what hangs below a resource, by the profile; the first of alternatives that is there is read ("a|b")
BELOW_SYSTEM: Links = ("Processors", "Memory", "Storage|SimpleStorage", "EthernetInterfaces", "LogServices")
BELOW_CHASSIS_ROLLUP: Links = ("Thermal|ThermalSubsystem", "Power|PowerSubsystem")
BELOW_CHASSIS_DEEP: Links = ("ThermalSubsystem", "PowerSubsystem", "Drives", "NetworkAdapters", "PCIeDevices")
BELOW_MANAGER: Links = ("LogServices", "EthernetInterfaces")
#: what is followed inside, wherever it stands, when it is reached
INSIDE: Links = (
    "Fans", "PowerSupplies", "Batteries", "ThermalMetrics", "Drives", "Volumes", "Controllers", "Entries", "Metrics",
)  # fmt: skip
#: collections whose members are read one by one (a log's entries stand in the collection itself)
WHOLE = frozenset({"Entries"})


class Tree:
    """The resources read so far, by URI, and those that broke off."""

    def __init__(self, bmc: Bmc, look: Look) -> None:
        self.bmc = bmc
        self.look = look
        self.bodies: dict[str, dict[str, JSON]] = {}
        self.partial: list[str] = []
        self.missing: set[str] = set()
        self.expand = ""
        self._asked: set[str] = set()

    async def read(self, uri: str, *, expand: bool = False) -> dict[str, JSON] | None:  # noqa: PLR0911
        """One resource; None where there is none. What is neither there nor a clean 404 is noted as partial."""
        uri = clean(uri)
        if not uri or uri in self.bodies:
            return self.bodies.get(uri)
        if uri in self._asked or uri in self.missing:
            return None
        if len(self._asked) >= MAX_RESOURCES:
            self.partial.append("too many resources")
            return None
        self._asked.add(uri)
        if self.look.left() < LAST_S:
            self.partial.append(uri)
            return None
        answer = await self.bmc.get(uri + self.expand if expand and self.expand else uri)
        if expand and self.expand and answer.status >= 400:
            answer = await self.bmc.get(uri)
        if answer.status == 401:
            raise Trouble(Reason.AUTH, _("BMC 中途不再接受会话"))
        if answer.status in (404, 405, 410, 501):
            self.missing.add(uri)
            return None
        if answer.status != 200 or answer.body is None:
            self.partial.append(uri)
            return None
        self.bodies[uri] = answer.body
        self._take_expanded(answer.body)
        return answer.body

    def _take_expanded(self, body: dict[str, JSON]) -> None:
        """Members that came whole inside their collection are resources of their own."""
        for member in members(body):
            uri = clean(member.get("@odata.id"))
            if uri and len(member) > 2 and len(self.bodies) < 4 * MAX_RESOURCES:
                self.bodies.setdefault(uri, member)

    async def all(self, uris: Iterable[str], *, expand: bool = False) -> list[tuple[str, dict[str, JSON]]]:
        """Several resources, two at a time (the connections' limit); only those that are there."""
        wanted = [u for u in dict.fromkeys(clean(uri) for uri in uris) if u]
        if len(wanted) == 1:  # the rule in a rollup: no task is needed to wait for one
            body = await self.read(wanted[0], expand=expand)
            return [] if body is None else [(wanted[0], body)]
        found = await asyncio.gather(*(self.read(uri, expand=expand) for uri in wanted))
        return [(uri, body) for uri, body in zip(wanted, found, strict=True) if body is not None]

    async def collection(self, uri: str) -> list[tuple[str, dict[str, JSON]]]:
        """A collection and its members; the following pages of a long one are read until MAX_MEMBERS."""
        body = await self.read(uri, expand=True)
        links: list[str] = []
        for _page in range(8):
            if body is None:
                break
            links += [clean(member.get("@odata.id")) for member in members(body)]
            following = body.get("Members@odata.nextLink")
            if not isinstance(following, str):
                break
            if len(links) >= MAX_MEMBERS:
                self.partial.append(f"{uri}: more than {MAX_MEMBERS} members")
                break
            body = await self.read(following)
        else:  # pages were left unread: what hangs there was not seen, and blind is not clean
            self.partial.append(f"{uri}: pages without end")
        return await self.all(links[:MAX_MEMBERS])


def clean(uri: object) -> str:
    """A URI that may be requested: inside the service, without a fragment and a trailing slash; "" for all others."""
    if not isinstance(uri, str):
        return ""
    path = uri.partition("#")[0]
    if path != uri and not path:
        return ""
    if not path.startswith("/redfish/") or len(path) > 512 or any(c in path for c in " \r\n\t\\") or "/../" in path:
        return ""
    return path.rstrip("/")


def members(body: dict[str, JSON]) -> list[dict[str, JSON]]:
    """The members of a collection that are objects."""
    found = body.get("Members")
    return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []


def link(body: dict[str, JSON], names: str) -> str:
    """The URI behind the first of "a|b" that is a link."""
    for name in names.split("|"):
        target = body.get(name)
        if isinstance(target, dict) and (uri := clean(target.get("@odata.id"))):
            return uri
    return ""


async def collect(look: Look) -> DeviceResult:
    """Look at one BMC: log in once, rollup, go deep when asked or when the rollup is not all right, log out."""
    async with Bmc(look) as bmc:
        await _leftover(look)
        tree = Tree(bmc, look)
        root = await _root(tree)
        await bmc.login(look.credential(), _sessions_uri(root))
        reading: Reading | None = None
        problem: Reason | None = None
        detail = ""
        try:
            async with asyncio.timeout(look.left()):
                vendor, tops = await _rollup(tree, root)
                reading = judged(look, vendor, tree)
                if look.target.profile == "deep" or not all_right(reading):
                    reading = None  # more is read: judged anew below, also when that breaks off
                    await _deep(tree, root, tops)
        except TimeoutError:
            problem, detail = Reason.BUDGET, _("BMC 的时间预算已用完")
        except Trouble as error:
            problem, detail = error.reason, error.message
        if reading is None:
            reading = judged(look, match(look, tree, root), tree)
    if problem is None and tree.partial:
        problem = Reason.BUDGET if look.left() < LAST_S else Reason.PARTIAL
        detail = _("{n} 个资源没有读完").format(n=len(set(tree.partial)))
    return look.result(reading, problem=problem, detail=detail or reading.detail, partial=tree.partial[:50])


async def _leftover(look: Look) -> None:
    """Delete the session that an interrupted sweep left at this BMC, before a new one is opened."""
    from yunwei.inspect.collect.redfish_http import delete_session
    from yunwei.kernel.errors import YunweiError

    if not look.target.session:
        return
    try:
        left = look.tools.opener.open(look.target.session)
    except YunweiError:
        return  # sealed to a collector that is gone: the BMC ends the session by itself
    look.trace.count("leftover_deleted", int(await delete_session(left)))


async def _root(tree: Tree) -> dict[str, JSON]:
    """The service root, which needs no login."""
    root = await tree.bmc.get(ROOT + "/")
    if root.status in (301, 302, 307, 308):
        root = await tree.bmc.get(ROOT)
    if root.status == 200 and root.body is None:
        raise Trouble(Reason.GARBAGE, _("服务根不是 UTF-8 的 JSON 对象"))
    if root.status != 200 or root.body is None:
        raise Trouble(Reason.GARBAGE, _("地址上没有 Redfish 服务（HTTP {status}）").format(status=root.status))
    tree.bodies[ROOT] = root.body
    features = root.body.get("ProtocolFeaturesSupported")
    query = features.get("ExpandQuery") if isinstance(features, dict) else None
    if isinstance(query, dict) and (query.get("NoLinks") is True or query.get("ExpandAll") is True):
        sign = "." if query.get("NoLinks") is True else "*"
        tree.expand = f"?$expand={sign}($levels=1)" if query.get("Levels") is True else f"?$expand={sign}"
    return root.body


def _sessions_uri(root: dict[str, JSON]) -> str:
    links = root.get("Links")
    return (link(links, "Sessions") if isinstance(links, dict) else "") or SESSIONS


Tops = dict[str, list[tuple[str, dict[str, JSON]]]]


async def _rollup(tree: Tree, root: dict[str, JSON]) -> tuple[VendorFile, Tops]:
    tops: Tops = {}
    for name in ("Systems", "Chassis", "Managers"):
        uri = link(root, name)
        tops[name] = await tree.collection(uri) if uri else []
    if not any(tops.values()):
        if tree.look.left() < LAST_S:  # what was not asked for is not missing
            raise TimeoutError
        raise Trouble(Reason.PARTIAL, _("服务根下没有系统、机箱和管理器"))
    vendor = match(tree.look, tree, root)
    if not vendor.quirks.expand:
        tree.expand = ""
    await _follow(tree, tops["Chassis"], BELOW_CHASSIS_ROLLUP)
    subsystems = [uri for _u, body in tops["Chassis"] if not link(body, "Thermal") and (uri := link(body, "Sensors"))]
    for uri in subsystems:
        await tree.collection(uri)
    await tree.all(_extras(vendor, tops))
    return vendor, tops


async def _deep(tree: Tree, root: dict[str, JSON], tops: Tops) -> None:
    tree.look.trace.count("deep")
    tree.bmc.widen()
    await _follow(tree, tops["Systems"], BELOW_SYSTEM)
    await _follow(tree, tops["Chassis"], BELOW_CHASSIS_DEEP)
    await _follow(tree, tops["Managers"], BELOW_MANAGER)
    for uri, body in list(tree.bodies.items()):
        if "/Storage/" in uri:  # old BMCs list the drives of a controller instead of a collection
            drives = body.get("Drives")
            if isinstance(drives, list):
                await tree.all(clean(d.get("@odata.id")) for d in drives if isinstance(d, dict))
    service = await tree.read(link(root, "UpdateService"))
    if service and (inventory := link(service, "FirmwareInventory")):
        await tree.collection(inventory)


async def _follow(tree: Tree, tops: list[tuple[str, dict[str, JSON]]], below: Links, depth: int = 0) -> None:
    """Read what hangs below some resources by the names given, then what `INSIDE` names below that."""
    if depth >= MAX_DEPTH:
        return
    wanted = {uri: name for _top, body in tops for name in below if (uri := link(body, name))}
    found: list[tuple[str, dict[str, JSON]]] = []
    for uri, name in wanted.items():
        body = await tree.read(uri, expand=True)
        if body is None:
            continue
        if "Members" not in body:
            found.append((uri, body))
        elif name not in WHOLE:
            found += await tree.collection(uri)
    if found:
        await _follow(tree, found, INSIDE, depth + 1)


def _extras(vendor: VendorFile, tops: Tops) -> list[str]:
    """Further resources of the vendor file; {system}, {chassis}, {manager} stand for each URI."""
    out: list[str] = []
    names = {"{system}": "Systems", "{chassis}": "Chassis", "{manager}": "Managers"}
    for extra in vendor.extras:
        mark = next((m for m in names if m in extra), "")
        out += [extra.replace(mark, uri) for uri, _body in tops[names[mark]]] if mark else [extra]
    return out


def match(look: Look, tree: Tree, root: dict[str, JSON]) -> VendorFile:
    """The vendor file of the target, or the one that fits root, systems and managers."""
    systems = [b for u, b in tree.bodies.items() if u.startswith(f"{ROOT}/Systems/") and u.count("/") == 4]
    managers = [b for u, b in tree.bodies.items() if u.startswith(f"{ROOT}/Managers/") and u.count("/") == 4]
    return look.vendor(lambda: look.tools.catalogue.match_redfish(root, systems, managers))


def judged(look: Look, vendor: VendorFile, tree: Tree) -> Reading:
    """The reading of the tree as it stands."""
    return apply_redfish(vendor, tree.bodies, look.target, look.terms)


def all_right(reading: Reading) -> bool:
    """Whether the rollup leaves nothing to look deeper for."""
    states = {o.state for o in reading.observations}
    return bool(states & EVALUATED) and not states & FAULTS and reading.problem is None
