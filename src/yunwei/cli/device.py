"""`yunwei device`: record what a device says, replay a recording, list the vendor files. No database is needed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from yunwei.cli import common
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

app = typer.Typer(no_args_is_help=True)
PORTS = {"snmp": 161, "redfish": 443}
#: (address, port, credential, budget in seconds, told of progress) -> (entries, what could not be finished)
Recorder = Callable[
    [str, int, dict[str, str], float, Callable[[str, int], None]], Coroutine[Any, Any, tuple[dict[str, Any], list[str]]]
]
SUFFIX = {"snmp": ".snmprec", "redfish": ".tree.json"}


@app.command(help="录下一台设备对自身的全部说明，不含登录用的口令；--scrub 去掉名称、地址、序列号。")
def learn(
    address: Annotated[str, typer.Argument(help="地址[:端口] (ADDRESS[:PORT])")],
    protocol: Annotated[str, typer.Option(help="snmp | redfish")],
    out: Annotated[Path, typer.Option(help="样本文件：*.snmprec 或 *.tree.json (sample file)")],
    credential: Annotated[
        str, typer.Option(help="env:变量 | file:路径（JSON）| name:实例中的凭据 | -（标准输入 JSON）| ask")
    ] = "ask",
    scrub: Annotated[
        bool, typer.Option("--scrub", help="去掉名称、地址、序列号，以便交给别人 (for giving away)")
    ] = False,
    budget: Annotated[float, typer.Option(help="时间预算，秒 (seconds)")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """Record a device: everything it says of itself, without the words we log in with.

    Serial numbers, names and addresses stay in unless --scrub is given; look through a recording before you give it away.
    """
    from yunwei.cli.inspect import secret, split
    from yunwei.inspect.collect import learn as recording
    from yunwei.inspect.collect.base import Trouble

    if protocol not in PORTS:
        raise YunweiError(_("没有这种协议"), where=protocol, hint="snmp | redfish")
    if not out.name.endswith(SUFFIX[protocol]):
        raise YunweiError(_("样本文件名不合协议"), where=str(out), hint=f"*{SUFFIX[protocol]}")
    host, port = split(address, PORTS[protocol])
    login = secret(credential, protocol)
    with common.progress(quiet=as_json) as bar:
        task = bar.add_task(_("读取 {address}").format(address=address), total=None)

        def say(_where: str, done: int) -> None:
            bar.update(task, completed=done)

        ask: Recorder = recording.snmp if protocol == "snmp" else recording.redfish
        try:
            found, unfinished = asyncio.run(ask(host, port, login, budget, say))
        except Trouble as error:
            common.err.print(f"✗ {address}: {error.message}", style="red", markup=False)
            raise typer.Exit(common.UNREACHABLE) from None
    text, vendor = _text(protocol, found, list(login.values()), names=scrub)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    told = {"file": str(out), "vendor": vendor, "entries": len(found), "unfinished": unfinished}
    if as_json:
        common.print_json(told)
    else:
        common.out.print(_("{file}：{entries} 项，厂商文件 {vendor}").format(**told), markup=False)
        for why in unfinished:
            common.err.print(_("没有读完：{why}").format(why=why), style="yellow", markup=False)
    raise typer.Exit(common.UNREACHABLE if unfinished else common.OK)


def _text(protocol: str, found: dict[str, Any], secrets: list[str], *, names: bool) -> tuple[str, str]:
    """The recording as text without secrets, and the vendor file that fits it."""
    from yunwei.inspect.vendor import replay, sample, scrub

    if protocol == "redfish":
        tree = scrub.scrub_tree(found, names=names)
        return json.dumps(tree, ensure_ascii=False, indent=1) + "\n", replay.of_redfish(found).vendor.name
    vendor = replay.of_snmp(found).vendor
    values = scrub.without_secrets(found, secrets)
    return sample.write_snmprec(scrub.scrub_snmp(values, vendor) if names else values), vendor.name


@app.command("test", help="用厂商文件重放一份样本，列出每个观测及其来源；--expect 有出入时退出码为 1。")
def replay_sample(
    file: Annotated[
        Path, typer.Argument(help="样本：*.snmprec、*.tree.json、*.checks.json (sample)", exists=True, dir_okay=False)
    ],
    vendor: Annotated[str, typer.Option(help="厂商文件名或 *.yaml，缺省自动识别 (vendor file)")] = "",
    expect: Annotated[Path | None, typer.Option(help="与预期文件比较 (compare with an expected file)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """Replay a recording through its vendor file and print every observation with the place it came from.

    --vendor may name a file on disk that is still being written. With --expect, exit code 1 when anything differs.
    """
    from yunwei.inspect.vendor import replay

    name, catalogue = _catalogue(vendor)
    found = replay.replay(file, vendor=name, catalogue=catalogue)
    text = replay.expected_text(found.reading)
    if as_json:
        common.print_json({"vendor": found.vendor.name, "proof": found.vendor.proof, **json.loads(text)})
    else:
        _show(found)
    if expect is not None:
        differences = _differences(json.loads(expect.read_text(encoding="utf-8")), json.loads(text))
        for line in differences:
            common.err.print(line, markup=False, soft_wrap=True)
        raise typer.Exit(common.FINDING if differences else common.OK)


def _catalogue(vendor: str) -> tuple[str, Any]:
    """The vendor's name and the catalogue; a path adds that folder's files to the product's own."""
    from yunwei.inspect.vendor import catalogue

    if not vendor.endswith(".yaml"):
        return vendor, None
    path = Path(vendor).resolve()
    if not path.is_file():
        raise YunweiError(_("没有这个文件"), where=vendor)
    folders = catalogue.folders()
    return path.stem, catalogue.load(folders if path.parent in folders else [*folders, path.parent])


def _show(found: Any) -> None:
    """A table for people; a device's own texts are never markup."""
    from rich.markup import escape

    marks = {"ok": "green", "warning": "yellow", "critical": "red"}
    rows = []
    for o in found.reading.observations:
        style = marks.get(o.state, "dim")
        value = "" if o.value is None else (f"{o.value:.6g}" if isinstance(o.value, float) else str(o.value))
        cells = (o.component, o.kind, o.name, f"{value} {o.unit}".strip(), o.raw, o.limit, o.source)
        rows.append((f"[{style}]{o.state}[/]", *(escape(cell) for cell in cells)))
    proof = {"synthetic": _("仅合成样本"), "capture": _("真实设备录样"), "device": _("真实设备")}[found.vendor.proof]
    title = f"{found.vendor.name} · {found.vendor.title} · {proof}"
    common.table(title, (_("状态"), _("部件"), _("量"), _("名称"), _("值"), _("设备原词"), _("限值"), _("来源")), rows)
    for part in found.reading.parts:
        gone = "" if part.present else _("（不在位）")
        words = " ".join(w for w in (part.model, part.serial, part.firmware, part.size) if w)
        common.out.print(f"{part.component}{gone} {words}", markup=False, highlight=False)
    if found.reading.problem:
        common.out.print(f"{found.reading.problem}: {found.reading.detail}", style="yellow", markup=False)


def _differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What is missing (-) and what is new (+), one line each."""
    out = []
    for group in ("observations", "parts"):
        theirs = {json.dumps(x, ensure_ascii=False, sort_keys=True) for x in expected.get(group, [])}
        ours = {json.dumps(x, ensure_ascii=False, sort_keys=True) for x in found.get(group, [])}
        out += [f"- {line}" for line in sorted(theirs - ours)] + [f"+ {line}" for line in sorted(ours - theirs)]
    if expected.get("identity") != found.get("identity"):
        out.append(f"identity: {expected.get('identity')} -> {found.get('identity')}")
    return out


@app.command(help="列出厂商文件：适用于哪些设备，凭什么证明。")
def vendors(as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False) -> None:
    """List the vendor files: for which devices, and on what each was proved."""
    from yunwei.inspect.vendor import shipped

    files = sorted(shipped().files.values(), key=lambda f: f.name)
    if as_json:
        common.print_json([{"name": f.name, "title": f.title, "proof": f.proof, "kinds": f.kinds} for f in files])
        return
    common.table("", (_("名称"), _("设备"), _("证明")), [(f.name, f.title, f.proof) for f in files])
