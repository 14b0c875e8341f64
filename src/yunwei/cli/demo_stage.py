"""What every demo stands on: the demo instance, its people, the farm and the real hosts behind its inventory."""

from __future__ import annotations

import fcntl
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.lab import district, real
from yunwei.lab.process import FarmProcess
from yunwei.server import instance
from yunwei.server import serve as server
from yunwei.server.controls import Register

#: known to everybody who can read this file: the demo listens on loopback only
PASSWORD = "yunwei-demo-2026"  # noqa: S105
#: username, shown name, role, organisation
Who = tuple[str, str, str, str]
PEOPLE: tuple[Who, ...] = (
    ("b_engineer", "演示·值班工程师", "b_engineer", "B"),
    ("b_manager", "演示·乙方项目经理", "b_manager", "B"),
    ("a_manager", "演示·甲方项目负责人", "a_manager", "A"),
    ("tenant", "演示·需求单位用户", "tenant", "edu"),
    ("auditor", "演示·审计管理员", "auditor", "A"),
    ("sysadmin", "演示·系统管理员", "sysadmin", "B"),
    ("secadmin", "演示·安全管理员", "secadmin", "A"),
)


class DemoError(YunweiError):
    """The demo could not be played."""


def contract_folder() -> Path:
    """The contract that the demo runs."""
    # a checkout, else what was installed: the folder in which the program's environment lies (recipe install-offline)
    places = [Path(__file__).resolve().parents[3], Path(sys.prefix).resolve().parent]
    found = [place / "contracts" / "qingpu-2026" for place in places]
    there = next((folder for folder in found if folder.is_dir()), None)
    if there is None:
        raise DemoError(_("找不到演示合同"), where=str(found[0]), hint=_("在源码目录里运行 make demo"))
    return there


def contract_day(real_now: datetime) -> datetime:
    """Now, or the same time on the last day of the contract once its term is over (or on the first before it)."""
    from yunwei.contract.folder import load
    from yunwei.contract.period import duty_span

    contract = load(contract_folder()).contract
    span, zone = duty_span(contract), ZoneInfo(contract.timezone)
    local = real_now.astimezone(zone)
    day = min(max(local.date(), span.start), span.end)
    return real_now if day == local.date() else datetime.combine(day, local.timetz()).astimezone(UTC)


@dataclass
class Stage:
    """What runs while the demo plays, ended together."""

    children: server.Children = field(default_factory=server.Children)
    controls: server.Controls = field(default_factory=server.Controls)
    farm: FarmProcess | None = None
    hosts: list[dict[str, str]] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self, items: Sequence[district.Equipment], *, hosts: bool = True) -> FarmProcess:
        """Start the farm of this equipment, the positive controls and, where they are installed, real sshd and snmpd."""
        self.farm = FarmProcess(district.farm(items)).start()
        self.controls.start()
        if hosts and real.installed("sshd"):
            self.stack.enter_context(sshd := real.Sshd(seed=district.SEED))
            self.hosts.append({"n": "1", "address": district.SSH_HOST, "port": str(sshd.port), **sshd.credential()})
        if hosts and real.installed("snmpd"):
            agent = real.Snmpd(address=district.SNMPD_HOST, community="lab-snmpd")
            self.stack.enter_context(agent)
            self.hosts.append({"n": "9", "address": district.SNMPD_HOST, "port": str(agent.port), **agent.credential()})
        return self.farm

    def stop(self) -> None:
        """End everything that was started."""
        self.children.stop()
        self.controls.stop()
        if self.farm is not None:
            self.farm.stop()
        self.stack.close()


def clear(folder: Path) -> None:
    """Remove a demo instance that does not run; anything else is left and told."""
    if not folder.exists():
        return
    require_demo(folder)
    shutil.rmtree(folder)


def require_demo(folder: Path) -> None:
    """Raise DemoError unless the folder is a demo instance that nobody runs."""
    if not (folder / instance.SETTINGS).exists() or not _is_demo(folder):
        raise DemoError(_("这个目录不是演示实例，不会覆盖"), where=str(folder), hint="--folder")
    if _is_running(folder):
        raise DemoError(_("这个演示正在运行"), where=str(folder), hint=_("先用 Ctrl-C 结束它，或以 --folder 另选目录"))


def _is_demo(folder: Path) -> bool:
    import tomllib

    return bool(tomllib.loads((folder / instance.SETTINGS).read_text(encoding="utf-8")).get("demo"))


def _is_running(folder: Path) -> bool:
    """Whether a worker holds the instance: its folder must not be taken away from under it."""
    try:
        with (folder / "data" / "worker.lock").open("rb") as f:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def create(folder: Path, *, port: int, now: datetime | None, people: Sequence[Who] = PEOPLE) -> None:
    """Make the demo's instance; `now` makes its clock stand off from the machine's."""
    instance.create(
        folder,
        instance.Blueprint(
            contract=contract_folder(),
            organisations=[*_parties(), *district.ORGANISATIONS],
            people=[instance.Person(name, shown, role, org, PASSWORD) for name, shown, role, org in people],
            port=port or free_port(),
            demo=True,
            now=now,
        ),
    )


def _parties() -> list[tuple[str, str, str]]:
    """The two parties, from the contract itself."""
    from yunwei.contract.folder import load

    return [(party.role, party.name, party.role) for party in load(contract_folder()).contract.parties]


def free_port() -> int:
    """A port of loopback that nobody has."""
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def register(stage: Stage, items: Sequence[district.Equipment], now: datetime, *, own: bool = True) -> None:
    """The district's credentials, inventory and controls, by the same services that a site uses; doing it again follows the
    ports that the equipment has today. `own`: the platform's own machine is looked at too."""
    from yunwei.assets import tables

    if stage.farm is None:
        raise DemoError(_("实验设备没有启动"))
    told = {(e["protocol"], e["name"]): e for e in stage.farm.endpoints}
    rows = []
    for item in items:
        endpoint = told[item.model.protocol, item.code]
        rows.append(district.row(item, endpoint["port"], _credential(endpoint["credential"], now)))
    rows += [district.self_row()] if own else []
    for host in stage.hosts:
        content = {k: v for k, v in host.items() if k not in {"n", "address", "port"}}
        protocol = "ssh" if host["kind"] == "ssh" else "snmp"
        name = _credential(content, now, "" if protocol == "ssh" else "lab-snmpd")
        rows.append(district.host_row(int(host["n"]), protocol, host["address"], int(host["port"]), name))
    report = tables.import_table(district.csv(rows), "district.csv", actor="b_engineer", now=now)
    if report.problems:
        first = report.problems[0]
        raise DemoError(first.why, where=f"district.csv:{first.row} {first.column}", hint=first.what_to_do)
    Register(stage.controls.told())(now)


def _credential(content: dict[str, str], now: datetime, name: str = "") -> str:
    """Store a login of the lab under a name, the farm's under its kind; returns the name."""
    from yunwei.assets import credentials

    name = name or f"lab-{content['kind']}"
    credentials.put(name, content["kind"], content, now=now, actor="b_engineer")
    return name
