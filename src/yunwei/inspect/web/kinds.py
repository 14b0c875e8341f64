"""What is read from a device, in words: quantities, and the families that they are shown in."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

#: observation.Observation.kind and the kinds of the parts list
KINDS = {
    "temperature": gettext_lazy("温度"),
    "humidity": gettext_lazy("湿度"),
    "fan_speed": gettext_lazy("风扇转速"),
    "voltage": gettext_lazy("电压"),
    "current": gettext_lazy("电流"),
    "power": gettext_lazy("功率"),
    "frequency": gettext_lazy("频率"),
    "charge": gettext_lazy("电量"),
    "runtime": gettext_lazy("后备时间"),
    "load": gettext_lazy("负载"),
    "cpu": gettext_lazy("处理器"),
    "memory": gettext_lazy("内存"),
    "storage": gettext_lazy("存储空间"),
    "inode": gettext_lazy("索引节点"),
    "wear": gettext_lazy("磨损"),
    "state": gettext_lazy("状态"),
    "rollup": gettext_lazy("汇总状态"),
    "port": gettext_lazy("端口"),
    "speed": gettext_lazy("速率"),
    "errors": gettext_lazy("错误计数"),
    "optical": gettext_lazy("光功率"),
    "clock": gettext_lazy("时钟"),
    "uptime": gettext_lazy("运行时间"),
    "count": gettext_lazy("计数"),
    "log": gettext_lazy("日志"),
    "service": gettext_lazy("服务"),
    "reboot": gettext_lazy("重启"),
    "part_missing": gettext_lazy("部件缺失"),
    "part_serial": gettext_lazy("部件序列号"),
    "firmware": gettext_lazy("固件"),
}
PARTS = {
    "cpu": gettext_lazy("处理器"),
    "memory": gettext_lazy("内存"),
    "disk": gettext_lazy("硬盘"),
    "psu": gettext_lazy("电源"),
    "fan": gettext_lazy("风扇"),
    "nic": gettext_lazy("网卡"),
    "controller": gettext_lazy("控制器"),
    "board": gettext_lazy("板卡"),
    "module": gettext_lazy("模块"),
    "firmware": gettext_lazy("固件"),
    "chassis": gettext_lazy("机箱"),
}
#: in the order shown; what no family names is in the last
FAMILIES: tuple[tuple[Any, frozenset[str]], ...] = (
    (gettext_lazy("环境与供电"), frozenset(["temperature", "humidity", "fan_speed", "voltage", "current", "power", "frequency", "charge", "runtime"])),
    (gettext_lazy("计算与存储"), frozenset(["load", "cpu", "memory", "storage", "inode", "wear"])),
    (gettext_lazy("端口与链路"), frozenset(["port", "speed", "errors", "optical"])),
    (gettext_lazy("状态与服务"), frozenset()),
)  # fmt: skip


def kind(code: str) -> str:
    """A quantity in words."""
    return str(KINDS.get(code, code))


def part(code: str) -> str:
    """A kind of part in words."""
    return str(PARTS.get(code, code))


def size(told: str) -> str:
    """How large a part is, as people write it; the readers say "65536 MiB", bare bytes or "16 核". Nothing known is ""."""
    if told.isdecimal():  # bytes of a disk, which is sold by powers of ten
        return _round(int(told), 1000, ("B", "kB", "MB", "GB", "TB", "PB")) if int(told) else ""
    if found := re.fullmatch(r"(\d+) MiB", told):
        return _round(int(found[1]) << 20, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))
    if found := re.fullmatch(r"(\d+) 核", told):
        return _("{n} 核").format(n=found[1])
    if found := re.fullmatch(r"(\d+) × (\d+) 线程", told):
        return _("{n} × {m} 线程").format(n=found[1], m=found[2])
    return told if told[:1].isdecimal() else ""


def _round(n: float, base: int, units: tuple[str, ...]) -> str:
    step = 0
    while n >= base and step < len(units) - 1:
        n, step = n / base, step + 1
    return f"{n:.0f} {units[step]}" if n >= 100 else f"{n:.3g} {units[step]}"


def family(code: str) -> int:
    """Which family a kind is shown in."""
    return next((i for i, (_title, kinds) in enumerate(FAMILIES) if code in kinds), len(FAMILIES) - 1)
