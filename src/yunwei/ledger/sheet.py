"""The one page that both sides stamp when the client is given its verifiers: what was handed over, and by what numbers it
is known again. Plain HTML for A4, no script; who the parties are is told by the caller, because this room knows no contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from yunwei.gm import sm3

#: Files whose SHA-256 is told too: any Windows can compute that (certutil), none can compute SM3.
TOOLS = ("verify.py", "verify.html")


@dataclass(frozen=True, slots=True)
class Parties:
    """What the contract says of itself; what is empty is left to be filled in by hand."""

    number: str = ""
    title: str = ""
    client: str = ""
    vendor: str = ""


@dataclass(frozen=True, slots=True)
class FirstHead:
    """The head that was handed over."""

    number: int
    size: int
    root: str
    at: datetime


def fours(text: str) -> str:
    """A long hexadecimal number as people compare it: in groups of four."""
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def page(
    folder: Path, *, parties: Parties, fingerprint: str, head: FirstHead, instance: str, now: datetime, demo: bool
) -> str:
    """The sheet about the files that lie in `folder`; hashes are of what lies there. Raises OSError when one is missing."""
    language = (translation.get_language() or "zh").lower()
    title = _("证据核验材料移交单")
    facts = (
        (_("甲方"), _told(parties.client)),
        (_("乙方"), _told(parties.vendor)),
        (_("合同编号"), _told(parties.number)),
        (_("移交时间"), escape(_local(now))),
        (_("实例"), escape(instance)),
    )
    first = (
        (_("编号"), str(head.number)),
        (_("记录数"), str(head.size)),
        (_("签名时间"), escape(_local(head.at))),
        (_("树根"), f'<span class="hex">{fours(head.root)}</span>'),
    )
    mark = f'<p class="demo">{escape(_("演示实例的移交单，仅供演示"))}</p>' if demo else ""
    return f"""<!doctype html>
<html lang="{"en" if language.startswith("en") else "zh-CN"}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><span class="seal">云维</span><h1>{escape(title)}</h1></header>{mark}
<dl class="facts">{_pairs([(_("合同名称"), _told(parties.title))])}</dl>
<dl class="facts">{_pairs(facts)}</dl>
<h2>{escape(_("密钥指纹（公钥的 SM3）"))}</h2>
<p class="hex big">{fours(fingerprint[:32])}<br>{fours(fingerprint[32:])}</p>
<h2>{escape(_("第一个签名头"))}</h2>
<dl class="facts">{_pairs(first)}</dl>
<h2>{escape(_("移交的文件"))}</h2>
<table><thead><tr><th>{escape(_("文件"))}</th><th>{escape(_("字节"))}</th><th>{escape(_("哈希"))}</th></tr></thead>
<tbody>{"".join(_file(path) for path in sorted(folder.iterdir()))}</tbody></table>
<p class="how">{escape(_how())}</p>
<p class="how">{escape(_confirmed())}</p>
<div class="stamps">{_stamp(_("甲方（盖章）"), parties.client)}{_stamp(_("乙方（盖章）"), parties.vendor)}</div>
</body>
</html>
"""


def _how() -> str:
    """How anybody checks the numbers of this sheet."""
    return _(
        "核对方法：把 verify.py 拖进 verify.html，页面报出它的 SM3；Windows 上用 certutil -hashfile 文件名 SHA256 核对 SHA-256；"
        "Linux 上用 openssl dgst -sm3 文件名。"
    )


def _confirmed() -> str:
    """What both sides put their stamps under; nothing that the contract does not say is promised here."""
    return _(
        "双方当面核对了上列哈希、密钥指纹与第一个签名头，与移交的文件一致。只移交一次；本单一式两份，双方各执一份，不改变合同的约定。"
    )


def _told(text: str) -> str:
    return escape(text) if text else '<span class="blank"></span>'


def _local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S} (UTC{timezone.localtime(at):%z})"


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)


def _file(path: Path) -> str:
    data = path.read_bytes()
    hashes = [("SM3", sm3.hexdigest(data))]
    if path.name in TOOLS:
        hashes.append(("SHA-256", hashlib.sha256(data).hexdigest()))
    lines = "".join(f'<div><small>{name}</small> <span class="hex">{value}</span></div>' for name, value in hashes)
    return f'<tr><td>{escape(path.name)}</td><td class="num">{len(data)}</td><td>{lines}</td></tr>'


def _stamp(title: str, party: str) -> str:
    lines = "".join(f'<p>{escape(name)}<span class="blank"></span></p>' for name in (_("签字"), _("日期")))
    return f'<section><b>{escape(title)}</b><p class="name">{_told(party)}</p>{lines}</section>'


STYLE = """
@page { size: A4; margin: 13mm 15mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 180mm; padding: 8mm 0; color: #17212b; background: #fff;
  font: 10.5pt/1.5 "Noto Sans SC", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
header { display: flex; align-items: center; gap: 4mm; border-bottom: 1.5pt solid #17212b; padding-bottom: 3mm; }
.seal { background: #b5342a; color: #fff; font: 700 11pt/1 "Noto Serif SC", SimSun, serif; padding: 6pt 5pt; border-radius: 3pt;
  letter-spacing: 1pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
h1 { margin: 0; font-size: 17pt; letter-spacing: 1pt; } h2 { margin: 5mm 0 1.5mm; font-size: 11pt; }
.demo { color: #b5342a; margin: 2mm 0 0; font-weight: 600; }
.facts { display: grid; grid-template-columns: 1fr 1fr; gap: 1mm 8mm; margin: 3mm 0 0; } .facts + .facts { margin-top: 1mm; }
.facts div { display: grid; grid-template-columns: 20mm minmax(0, 1fr); gap: 2mm; } h2 + .facts { margin-top: 0; }
.facts div:last-child:nth-child(1), h2 + .facts div:last-child { grid-column: 1 / 3; } dt { color: #57626b; } dd { margin: 0; overflow-wrap: anywhere; }
.hex { font-family: Consolas, "DejaVu Sans Mono", monospace; font-size: 8.5pt; overflow-wrap: anywhere; }
.big { font-size: 13.5pt; line-height: 1.7; margin: 0; padding: 2mm 4mm; border: 1pt solid #17212b; border-radius: 2mm; text-align: center; }
table { width: 100%; border-collapse: collapse; font-size: 9.5pt; } th { text-align: left; font-weight: 500; color: #57626b; }
th, td { border-bottom: .5pt solid #c5cccb; padding: 1mm 3mm 1mm 0; vertical-align: top; white-space: nowrap; }
td:last-child { white-space: normal; font-size: 8.5pt; } td .hex { font-size: 7.6pt; } td small { display: inline-block; width: 13mm; color: #57626b; }
.num { text-align: right; font-variant-numeric: tabular-nums; } th:nth-child(2) { text-align: right; }
.how { margin: 2.5mm 0 0; font-size: 9.5pt; } .blank { display: inline-block; min-width: 40mm; border-bottom: .5pt solid #17212b; height: 1em; }
.stamps { display: grid; grid-template-columns: 1fr 1fr; gap: 6mm; margin-top: 5mm; break-inside: avoid; }
.stamps section { border: .75pt solid #17212b; border-radius: 2mm; padding: 3mm 4mm; min-height: 56mm; display: flex; flex-direction: column; }
.stamps p { margin: 2mm 0 0; } .stamps .name { margin-bottom: auto; } .stamps .blank { margin-left: 3mm; }
@media (max-width: 720px) { body { padding: 14px; } .facts { grid-template-columns: 1fr; } .facts div:last-child:last-child { grid-column: auto; }
  .big { font-size: 9pt; padding: 2mm; } table, tbody, tr, td { display: block; } thead { display: none; } .num { text-align: left; } .stamps { grid-template-columns: 1fr; } }
@media print { body { padding: 0; max-width: none; } }
"""
