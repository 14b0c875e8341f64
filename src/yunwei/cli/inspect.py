"""`yunwei inspect` looks at one device; `yunwei collector` runs jobs that came as files. Neither needs a database."""

from __future__ import annotations

import getpass
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from yunwei.cli import common
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.gm.sm2 import PrivateKey
    from yunwei.inspect.observation import DeviceResult

JSON = Any
Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
collector = typer.Typer(no_args_is_help=True)
PORTS = {"snmp": 161, "redfish": 443, "ssh": 22, "local": 0}
#: what is asked for at the terminal; the second of each pair is not shown
FIELDS = {"snmp": (("community", True),), "redfish": (("user", False), ("password", True)),
          "ssh": (("user", False), ("password", True))}  # fmt: skip


def inspect(
    address: Annotated[str, typer.Argument(help="地址[:端口]；IPv6 写作 [地址]:端口 (ADDRESS[:PORT])")],
    protocol: Annotated[str, typer.Option(help="snmp | redfish | ssh | local")],
    credential: Annotated[
        str, typer.Option(help="env:变量 | file:路径（JSON）| name:实例中的凭据 | -（标准输入 JSON）| ask")
    ] = "ask",
    vendor: Annotated[str, typer.Option(help="厂商文件，缺省自动识别 (vendor file)")] = "",
    deep: Annotated[bool, typer.Option(help="Redfish 深度巡检 (deep profile)")] = False,
    budget: Annotated[float, typer.Option(help="时间预算，秒 (seconds)")] = 60.0,
    as_json: Json = False,
) -> None:
    """Look at one device and print its observations, each with the OID, URI or check that it came from.

    The credential never stands on the command line, where every process of the machine can read it.
    """
    from yunwei.gm import sm2
    from yunwei.inspect.collect.job import Keyring, run_job
    from yunwei.inspect.observation import Job, Target

    if protocol not in PORTS:
        raise YunweiError(_("没有这种协议"), where=protocol, hint="snmp | redfish | ssh | local")
    host, port = split(address, PORTS[protocol])
    ring = Keyring(sm2.generate())
    sealed = "" if protocol == "local" else ring.seal(secret(credential, protocol))
    target = Target(address, protocol, host, port, sealed, vendor, "deep" if deep else "rollup")
    job = Job("cli", "cli", "cli", datetime.now(UTC), [target], {}, budget, budget + 10)
    (result,) = run_job(job, ring).devices
    _show(result, as_json=as_json)
    raise typer.Exit(exit_code(result))


def split(address: str, default: int) -> tuple[str, int]:
    """ADDRESS[:PORT]; raises YunweiError for a port that is none."""
    host, port = address, ""
    if address.startswith("["):
        host, _bracket, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    elif address.count(":") == 1:
        host, _colon, port = address.partition(":")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise YunweiError(_("端口不是 1 到 65535 的数字"), where=address)
    return host, int(port) if port else default


def secret(told: str, protocol: str) -> dict[str, str]:
    """The credential from where the option says. Raises YunweiError without showing any of it."""
    kind, _colon, rest = told.partition(":")
    if told == "ask":
        return _ask(protocol)
    if told == "-":
        return _parsed(sys.stdin.readline(), "-")
    if kind == "env":
        return _parsed(os.environ.get(rest, ""), told)
    if kind == "file":
        try:
            return _parsed(Path(rest).read_text("utf-8"), told)
        except OSError as error:
            raise YunweiError(_("凭据文件读不出"), where=rest, hint=error.strerror or "") from None
    if kind == "name":
        common.open_instance()
        from yunwei.assets import credentials
        from yunwei.assets.models import Credential

        row = Credential.objects.filter(name=rest).first()
        if row is None:
            raise YunweiError(_("实例里没有这个凭据"), where=rest)
        return dict(credentials.open_(row))
    raise YunweiError(_("凭据不能写在命令行上"), hint="env:… | file:… | name:… | - | ask")


def _ask(protocol: str) -> dict[str, str]:
    if not sys.stdin.isatty():
        raise YunweiError(_("没有终端可以询问凭据"), hint="--credential env:… | file:… | name:… | -")
    return {name: getpass.getpass(f"{name}: ") if hidden else input(f"{name}: ") for name, hidden in FIELDS[protocol]}


def _parsed(text: str, where: str) -> dict[str, str]:
    """A JSON object of texts; the error shows nothing of it."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise YunweiError(_("凭据不是 JSON 对象"), where=where, hint='{"community": "…"}')
    return {str(k): str(v) for k, v in content.items()}


def exit_code(result: DeviceResult) -> int:
    """0 right, 1 a fault or another device, 2 our credential or protocol is wrong, 3 not or not wholly reached."""
    from yunwei.inspect.judging import is_control
    from yunwei.inspect.observation import FAULTS
    from yunwei.kernel.verdict import Reason

    if any(o.state in FAULTS and not is_control(o) for o in result.observations):
        return common.FINDING
    if result.problem is None:
        return common.OK
    if result.problem in (Reason.AUTH, Reason.NOT_SUPPORTED):
        return common.USAGE
    return common.FINDING if result.problem is Reason.IDENTITY_CHANGED else common.UNREACHABLE


def _show(result: DeviceResult, *, as_json: bool) -> None:
    if as_json:
        common.print_json(result)
        return
    from rich.markup import escape  # a device's own texts are never markup

    marks = {"ok": "green", "warning": "yellow", "critical": "red"}
    rows = [
        (*map(escape, (o.component, o.kind, o.name, _figure(o.value), o.unit, o.raw)),
         f"[{marks.get(o.state, 'dim')}]{o.state}[/]", escape(o.source))
        for o in result.observations
    ]  # fmt: skip
    titles = (_("部件"), _("种类"), _("名称"), _("数值"), _("单位"), _("原始状态"), _("状态"), _("来源"))
    common.table(f"{result.asset}  {result.vendor}", titles, rows)
    if result.identity:
        common.out.print("  ".join(f"{k}={v}" for k, v in result.identity.items()), style="dim", markup=False)
    if result.problem:
        common.err.print(f"✗ {result.problem}：{result.detail}", style="red", markup=False)


def _figure(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


# --- collectors elsewhere


@collector.command("init", help="建立采集端目录与密钥，输出要交给平台的公钥指纹。")
def init(
    home: Annotated[Path, typer.Argument(help="采集端目录 (folder of the collector)")],
    platform: Annotated[Path, typer.Option(help="平台公钥 platform.pub (the platform's public key)")],
    as_json: Json = False,
) -> None:
    """Make a collector's folder and key; prints the public key to hand over to the platform."""
    from yunwei.gm import sm2
    from yunwei.inspect.collect.job import JobError

    public = sm2.PublicKey.from_pem(_bytes(platform))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = home / "collector.pem"
    if key.exists():
        raise JobError(_("采集端密钥已经存在，不会覆盖"), where=str(key))
    private = sm2.generate()
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
        f.write(private.to_pem())
    (home / "platform.pub").write_bytes(public.to_pem())
    (home / "collector.pub").write_bytes(private.public.to_pem())
    common.summary({"collector": private.public.fingerprint, "platform": public.fingerprint}, as_json=as_json)


@collector.command("run", help="执行一个任务文件，写出要带回的签名结果；不需要实例和数据库。全部无应答时退出码为 3。")
def run(
    job_file: Annotated[Path, typer.Argument(help="任务文件 (job file)")],
    out: Annotated[Path, typer.Option(help="结果文件 (result file)")],
    home: Annotated[Path, typer.Option(help="采集端目录 (folder of the collector)", envvar="YUNWEI_COLLECTOR")],
    as_json: Json = False,
) -> None:
    """Do the job of a file and write its signed result to bring back. Needs neither instance nor database."""
    from yunwei.gm import sm2
    from yunwei.inspect.collect.job import Keyring, read_job, run_job, write_result

    private = _private(home)
    job = read_job(_bytes(job_file), [sm2.PublicKey.from_pem(_bytes(home / "platform.pub"))])
    with common.progress(quiet=as_json) as bar:
        task = bar.add_task(_("巡检"), total=len(job.targets))
        result = run_job(
            job, Keyring(private), lambda done, _total: bar.update(task, completed=done),
            collector=private.public.fingerprint[:12], state=home / "state",
        )  # fmt: skip
    new = out.with_name(f".{out.name}.new")
    new.write_bytes(write_result(result, private))
    new.replace(out)
    reached = sum(d.problem is None for d in result.devices)
    common.summary({"job": job.id, "run": job.run_id, "targets": len(job.targets), "whole": reached, "out": str(out)},
                   as_json=as_json)  # fmt: skip
    if result.devices and not reached:
        raise typer.Exit(common.UNREACHABLE)


def _private(home: Path) -> PrivateKey:
    from yunwei.gm import sm2

    return sm2.PrivateKey.from_pem(_bytes(home / "collector.pem"))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise YunweiError(_("文件读不出"), where=str(path), hint=error.strerror or "") from None


@collector.command("key", help="写出平台公钥，带到别处的采集端。")
def key(
    out: Annotated[Path, typer.Option(help="写到 (write to)")] = Path("platform.pub"), as_json: Json = False
) -> None:
    """Write the platform's public key, to be carried to a collector elsewhere."""
    common.open_instance()
    from yunwei.inspect import keys

    out.write_bytes(keys.platform().public.to_pem())
    common.summary({"platform": keys.platform().public.fingerprint, "out": str(out)}, as_json=as_json)


@collector.command("trust", help="此后该区域的任务以文件交给这个采集端，只认它的签名。")
def trust(
    zone: Annotated[str, typer.Argument(help="区域代码 (zone)")],
    public: Annotated[Path, typer.Argument(help="采集端公钥 collector.pub")],
    as_json: Json = False,
) -> None:
    """From now on the zone's jobs go to that collector by file, and only its signature counts."""
    common.open_instance()
    from yunwei.inspect import keys

    fingerprint = keys.trust(zone, _bytes(public), now=common.now())
    common.summary({"zone": zone, "collector": fingerprint}, as_json=as_json)


@collector.command("take", help="收入带回的结果；核对签名、运行与任务。")
def take(result: Annotated[Path, typer.Argument(help="带回的结果文件 (result file)")], as_json: Json = False) -> None:
    """Take in a result that was brought back; its signature, run and job are checked."""
    common.open_instance()
    from yunwei.inspect import services

    taken = services.bring(_bytes(result), now=common.now())
    common.summary({"taken": taken}, as_json=as_json)
