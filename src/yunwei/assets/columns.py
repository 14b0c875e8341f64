"""The columns of the inventory table, and what may stand in each. A row of text becomes a row of values or problems."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from django.utils.translation import gettext as _

from yunwei.assets import guard
from yunwei.assets.sheets import Row


class Problem(msgspec.Struct, frozen=True):
    """Why a row cannot be taken: where it is, what stands there, what is wrong, what to do."""

    row: int
    column: str
    value: str
    why: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its field, the heading people see, other headings that are understood, the longest value."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    limit: int = 80


#: in the order of the export; `title` and `aliases` are file format, not messages, and are not translated
COLUMNS = (
    Column("code", "资产编号", ("资产编码", "asset"), 60),
    Column("name", "资产名称", ("名称",), 120),
    Column("kind", "类型", ("资产类型",)),
    Column("category", "类别", ("设备类别",), 32),
    Column("zone", "区域编号", ("网络区域", "区域"), 32),
    Column("zone_name", "区域名称", (), 80),
    Column("place", "机房编号", ("机房", "位置编号"), 32),
    Column("place_name", "机房名称", (), 80),
    Column("place_address", "机房地址", (), 200),
    Column("owner", "部门编号", ("责任部门", "部门"), 32),
    Column("owner_name", "部门名称", (), 120),
    Column("system", "系统编号", ("信息系统",), 40),
    Column("system_name", "系统名称", (), 120),
    Column("system_owner", "系统部门编号", ("系统所属部门",), 32),
    Column("mlps_level", "等保级别", ("等级保护", "mlps")),
    Column("vendor", "厂商", ("品牌",), 60),
    Column("model", "型号", (), 80),
    Column("serial", "序列号", ("SN",), 80),
    Column("position", "位置", ("机柜位置", "U位"), 60),
    Column("tags", "标签", (), 200),
    Column("protocol", "协议", ("采集协议",)),
    Column("address", "管理地址", ("地址", "IP", "IP地址"), 64),
    Column("port", "端口", ()),
    Column("credential", "凭据", ("凭据名称",), 60),
    Column("vendor_file", "厂商文件", (), 40),
    Column("profile", "采集方式", ()),
)
BY_NAME = {column.name: column for column in COLUMNS}
TITLES = {c.name: c.title for c in COLUMNS}
ENDPOINT = ("address", "port", "credential", "vendor_file", "profile")
ASSET = (
    "name",
    "kind",
    "category",
    "zone",
    "place",
    "owner",
    "system",
    "vendor",
    "model",
    "serial",
    "position",
    "tags",
)
REFERENCES = ("zone", "place", "owner", "system")
#: columns that say something of what another column names
DETAILS = {
    "zone": ("zone_name",),
    "place": ("place_name", "place_address"),
    "owner": ("owner_name",),
    "system": ("system_name", "system_owner", "mlps_level"),
}
KINDS = {
    "设备": "device",
    "主机": "host",
    "服务器": "host",
    "虚拟机": "vm",
    "device": "device",
    "host": "host",
    "vm": "vm",
}
KIND_TITLES = {"device": "设备", "host": "主机", "vm": "虚拟机"}
PORTS = {"snmp": 161, "redfish": 443, "ssh": 22, "local": 0}
PROFILES = ("", "rollup", "deep")
_LEVELS = {"一级": 1, "二级": 2, "三级": 3, "四级": 4, "五级": 5}
#: letters, digits and Chinese signs; a code is written in plans, run ids and the ledger
_CODE = re.compile(r"[0-9A-Za-z\u4e00-\u9fff](?:[0-9A-Za-z\u4e00-\u9fff._:/()#-]*)")
_FILE = re.compile(r"[a-z0-9][a-z0-9_-]*")
RESERVED = "control-"  # names of the positive controls in a run


@dataclass(slots=True)
class Entry:
    """A checked row: `values` holds the columns that the table has; a bad one has problems and is never applied."""

    row: int
    values: dict[str, str]
    problems: list[Problem] = field(default_factory=list)

    def bad(self, column: str, why: str, what_to_do: str) -> None:
        """Note a problem of this row."""
        value = self.values.get(column, "")[:60]
        self.problems.append(Problem(self.row, TITLES.get(column, column), value, why, what_to_do))


def heading(row: Row) -> tuple[dict[int, str], list[Problem]]:
    """Which cell of the heading is which field, and what is wrong with the heading."""
    known = {_fold(alias): c.name for c in COLUMNS for alias in (c.name, c.title, *c.aliases)}
    found: dict[int, str] = {}
    problems: list[Problem] = []
    for i, cell in enumerate(row.cells):
        name = known.get(_fold(cell))
        if not cell:
            continue
        if name is None:
            hint = _("改正或删除该列；可用的列：") + "、".join(TITLES.values())
            problems.append(Problem(row.number, cell[:40], cell[:40], _("不认识的列"), hint))
        elif name in found.values():
            problems.append(Problem(row.number, cell[:40], cell[:40], _("列重复"), _("只保留一列")))
        else:
            found[i] = name
    problems += [
        Problem(row.number, TITLES[name], "", _("缺少必需的列"), _("补上该列"))
        for name in ("code", "name", "kind", "zone")
        if name not in found.values()
    ]
    return found, problems


def _fold(text: str) -> str:
    """A heading without what people vary: width, case, spaces, the star of a required column."""
    return re.sub(r"[\s*＊_]", "", unicodedata.normalize("NFKC", text)).lower()


def entry(row: Row, columns: Mapping[int, str]) -> Entry:
    """Check one row by itself: what it says, not what others say."""
    values = {name: row.cells[i] if i < len(row.cells) else "" for i, name in columns.items()}
    result = Entry(row.number, values)
    for i, why in row.broken:
        if i in columns or any(cell for cell in row.cells[i : i + 1]):
            result.bad(columns.get(i, _("第 {n} 列").format(n=i + 1)), why, _("粘贴为数值后重新导入"))
    if len(row.cells) > 0 and any(cell for i, cell in enumerate(row.cells) if i not in columns):
        result.bad(_("（无列名）"), _("单元格没有列名"), _("补上列名或清空该列"))
    for name, value in values.items():
        limit = BY_NAME[name].limit
        if len(value) > limit:
            result.bad(name, _("超过 {n} 个字").format(n=limit), _("缩短"))
    for check in _CHECKS:
        check(result)
    return result


def _codes(e: Entry) -> None:
    v = e.values
    if level := v.get("mlps_level", ""):
        v["mlps_level"] = str(_LEVELS.get(level.removeprefix("第"), level))
        if v["mlps_level"] not in {"1", "2", "3", "4", "5"}:
            e.bad("mlps_level", _("等保级别是 1 到 5"), _("改为 1 到 5，没有定级则留空"))
    for name in ("code", *REFERENCES, "system_owner"):
        value = v.get(name, "")
        if value and (not _CODE.fullmatch(value) or value.lower().startswith(RESERVED)):
            e.bad(name, _("编号只能用字母、数字、汉字和 ._:/()#-，以字母、数字或汉字开头"), _("换一个编号"))
    if not v.get("code") and not any(v.get(name) for name in REFERENCES):
        e.bad("code", _("没有编号"), _("填资产编号；只登记区域、机房、部门或系统的行填它们的编号"))
    for name, details in DETAILS.items():
        given = [detail for detail in details if v.get(detail)]
        if given and not v.get(name):
            e.bad(name, _("有“{title}”而没有编号").format(title=TITLES[given[0]]), _("填编号"))


def _asset(e: Entry) -> None:
    v = e.values
    if not v.get("code"):
        extra = [name for name in (*ASSET, "protocol", *ENDPOINT) if name not in REFERENCES and v.get(name)]
        if extra:
            e.bad(extra[0], _("没有资产编号的行只能登记区域、机房、部门和系统"), _("填资产编号，或清空该格"))
        return
    kind = v.get("kind", "")
    if kind:
        if kind.lower() not in KINDS:
            e.bad("kind", _("不认识的类型"), "、".join(KIND_TITLES.values()))
        v["kind"] = KINDS.get(kind.lower(), "")
    if v.get("tags"):
        v["tags"] = " ".join(sorted({word for word in re.split(r"[\s,，、;；]+", v["tags"]) if word}))


def _endpoint(e: Entry) -> None:
    v = e.values
    protocol = v["protocol"] = v.get("protocol", "").lower()
    if not protocol:
        given = [name for name in ENDPOINT if v.get(name)]
        if given and v.get("code"):
            e.bad("protocol", _("有采集参数而没有协议"), "、".join(PORTS))
        return
    if protocol not in PORTS:
        e.bad("protocol", _("不认识的协议"), "、".join(PORTS))
        return
    reason = guard.refusal(protocol, v.get("address", ""))
    if reason:
        e.bad("address", reason, _("填设备的管理地址"))
    port = v.get("port") or str(PORTS[protocol])
    if not re.fullmatch(r"[0-9]{1,5}", port) or not (protocol == "local" or 1 <= int(port) <= 65535):
        e.bad("port", _("端口是 1 到 65535"), _("改正，或留空用默认端口"))
    else:
        v["port"] = str(int(port))
    if v.get("vendor_file") and not _FILE.fullmatch(v["vendor_file"]):
        e.bad("vendor_file", _("厂商文件名只用小写字母、数字、- 和 _"), _("留空则自动匹配"))
    if v.get("profile", "") not in PROFILES:
        e.bad("profile", _("不认识的采集方式"), "rollup、deep")


_CHECKS: Sequence[Callable[[Entry], None]] = (_codes, _asset, _endpoint)
