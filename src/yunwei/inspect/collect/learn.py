"""Record what a device says, whole: the sample from which a vendor file is written and tested."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from yunwei.inspect.collect.base import Look, Tools, Trouble
from yunwei.inspect.collect.redfish import clean
from yunwei.inspect.collect.redfish_http import Bmc
from yunwei.inspect.collect.snmp import credential as snmp_login
from yunwei.inspect.collect.snmp import reason_of
from yunwei.inspect.observation import Target
from yunwei.inspect.vendor import shipped
from yunwei.inspect.vendor.reading import SnmpValue
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.snmp.client import SnmpClient
from yunwei.snmp.errors import SnmpError

#: system, interfaces, bridge, host, entity, sensors, UPS; then everything that the vendor calls his own; FCMGMT
SUBTREES = ("1.3.6.1.2.1", "1.3.6.1.4.1", "1.3.6.1.3.94")
MAX_VARBINDS = 200_000
MAX_RESOURCES = 1500
#: what is large and says nothing of health, or is not ours to record
_LEFT_OUT = re.compile(
    r"/(Sessions|Accounts|Roles|JsonSchemas|JSONSchemas|Registries|Certificates|Schemas|Tasks|Jobs|Subscriptions"
    r"|Actions|Attributes|MetricReports|Entries|BootOptions|SecureBoot|VirtualMedia)(/|$)|\$metadata|/odata$"
)
Said = Callable[[str, int], None]


async def snmp(
    address: str, port: int, credential: Mapping[str, str], budget_s: float, say: Said
) -> tuple[dict[str, SnmpValue], list[str]]:
    """Walk an agent. Returns the varbinds and what could not be finished (subtree and why). Raises Trouble."""
    found: dict[str, SnmpValue] = {}
    unfinished: list[str] = []
    async with SnmpClient() as client:
        session = client.session(address, port, snmp_login(credential), timeout=4.0, retries=2)
        try:
            async with asyncio.timeout(budget_s):
                found.update(await session.get(["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0"]))
                for subtree in SUBTREES:
                    walked = await session.walk(subtree, max_rows=MAX_VARBINDS)
                    for base, rows in walked.rows.items():
                        found.update({f"{base}.{index}": value for index, value in rows.items()})
                    unfinished += [f"{base}: {why}" for base, why in walked.reasons.items()]
                    say(subtree, len(found))
        except TimeoutError:
            unfinished.append("budget")
        except SnmpError as error:
            if not found:
                raise Trouble(reason_of(error), error.message) from None
            unfinished.append(error.message)
    return {oid: value for oid, value in found.items() if value[1] is not None}, unfinished


class _NoOpener:
    """A recording seals nothing: its one session is deleted before it ends."""

    def open(self, sealed: str) -> dict[str, Any]:
        raise YunweiError(sealed)

    def seal(self, content: Mapping[str, Any]) -> str:
        return str(len(content))


async def redfish(
    address: str, port: int, credential: Mapping[str, str], budget_s: float, say: Said
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Read every resource that links lead to, two at a time. Raises Trouble when there is no service or no login."""
    look = Look(
        Target("learn", "redfish", address, port), {}, asyncio.get_running_loop().time() + budget_s,
        Tools(shipped(), _NoOpener(), lambda: datetime.now(UTC)), datetime.now(UTC),
    )  # fmt: skip
    tree: dict[str, dict[str, Any]] = {}
    unfinished: list[str] = []
    async with Bmc(look) as bmc:
        await bmc.login(credential)
        waiting = deque(["/redfish/v1"])
        asked = set(waiting)
        while waiting and len(tree) < MAX_RESOURCES and look.left() > 0.5:
            pair = [waiting.popleft() for _ in range(min(2, len(waiting)))]
            for uri, answer in zip(pair, await asyncio.gather(*(bmc.get(uri) for uri in pair)), strict=True):
                if answer.status != 200 or answer.body is None:
                    if answer.status not in (404, 405, 410, 501):
                        unfinished.append(f"{uri}: HTTP {answer.status}")
                    continue
                tree[uri] = answer.body
                for link in _links(answer.body):
                    if link not in asked and not _LEFT_OUT.search(link):
                        asked.add(link)
                        waiting.append(link)
            say(pair[0], len(tree))
        if waiting:
            unfinished.append(f"{len(waiting)} resources")
    if not tree:
        raise YunweiError(_("没有读到任何资源"), where=address)
    return tree, unfinished


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        uri = clean(value.get("@odata.id"))
        if uri:
            yield uri
        for inner in value.values():
            yield from _links(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _links(inner)
