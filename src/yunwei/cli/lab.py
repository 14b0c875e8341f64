"""`yunwei lab`: the device farm and its switch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import yaml

from yunwei.cli.common import out, print_json, table
from yunwei.kernel.i18n import _

app = typer.Typer(no_args_is_help=True)


@app.command()
def farm(
    captures: Annotated[
        Path | None, typer.Option(help="样本文件夹（*.snmprec、*.tree.json）；不给则用自带样本")
    ] = None,
    count: Annotated[int, typer.Option(help="设备台数，循环使用样本；0 为每个样本一台", min=0)] = 0,
    only: Annotated[list[str] | None, typer.Option(help="只用这些样本（可重复）")] = None,
    first: Annotated[str, typer.Option(help="第一个地址")] = "127.1.0.1",
    overlays: Annotated[Path | None, typer.Option(help="故障叠加（YAML 或 JSON 列表）")] = None,
    snmp_port: Annotated[int, typer.Option(help="SNMP 端口，0 为任一空闲端口")] = 0,
    redfish_port: Annotated[int, typer.Option(help="Redfish 端口，0 为任一空闲端口")] = 0,
    control_port: Annotated[int, typer.Option(help="控制端口，0 为任一空闲端口")] = 0,
    seed: Annotated[str, typer.Option(help="种子：决定证书、引擎号、序列号和凭据")] = "yunwei-lab",
    snmp: Annotated[str, typer.Option(help="SNMP 版本：2c、3 或 both")] = "both",
    jitter: Annotated[bool, typer.Option(help="传感器读数在门限内小幅波动")] = False,
) -> None:
    """启动设备农场：先逐行输出 JSON（地址、端口、协议、名称、凭据），最后一行 ready，随后应答直到被终止。"""
    from yunwei.lab.build import farm_spec
    from yunwei.lab.farm import apply_overlays
    from yunwei.lab.serve import run

    spec = farm_spec(
        captures=captures,
        count=count,
        only=only or [],
        first=first,
        seed=seed,
        snmp_port=snmp_port,
        redfish_port=redfish_port,
        control_port=control_port,
        snmp=snmp,
        jitter=jitter,
    )
    if overlays is not None:
        spec = apply_overlays(spec, _read_overlays(overlays))
    run(spec)


def _read_overlays(path: Path) -> object:
    from yunwei.lab.errors import LabError

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LabError(_("故障叠加读不懂：{error}").format(error=error), where=str(path)) from error


@app.command()
def fault(
    address: Annotated[str, typer.Argument(help="设备地址（127.x.y.z）")],
    action: Annotated[str, typer.Argument(help="set、clear 或 status")],
    name: Annotated[str, typer.Argument(help="故障名，见 yunwei lab faults")] = "",
    control: Annotated[
        str, typer.Option(help="农场 ready 行里的 control", envvar="YUNWEI_LAB_CONTROL")
    ] = "127.0.0.1:0",
    token: Annotated[str, typer.Option(help="农场 ready 行里的 token", envvar="YUNWEI_LAB_TOKEN")] = "",
    protocol: Annotated[str, typer.Option(help="只对 snmp 或 redfish")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """在运行中的农场上开关一台设备的故障。"""
    from yunwei.lab.errors import LabError
    from yunwei.lab.process import ask

    if action not in {"set", "clear", "status"} or (action != "status" and not name):
        raise LabError(_("要写明 set 或 clear 以及故障名，或 status"), where=action)
    port = control.rpartition(":")[2]
    if not port.isdigit():
        raise LabError(_("control 应为 127.0.0.1:端口"), where=control)
    reply = ask(int(port), token, do=action, address=address, fault=name, protocol=protocol)
    if as_json:
        print_json(reply["devices"])
        return
    for device in reply["devices"]:
        out.print(f"{device['protocol']}://{device['address']}  {' '.join(device['faults']) or '—'}")


@app.command()
def faults(as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False) -> None:
    """列出农场能模拟的故障。"""
    from yunwei.lab.overlay import CONTENT, FAULTS, ONLY

    rows = [
        {
            "name": name,
            "title": _(title),
            "protocol": ONLY.get(name, "snmp, redfish"),
            "kind": "content" if name in CONTENT else "conduct",
        }
        for name, title in FAULTS.items()
    ]
    if as_json:
        print_json(rows)
        return
    table("", ("故障", "含义", "协议"), [(row["name"], row["title"], row["protocol"]) for row in rows])
