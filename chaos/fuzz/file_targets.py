"""Files that people hand in: contract texts (.txt, .docx), inventory tables (.csv, .xlsx), evidence bundles and heads."""

from __future__ import annotations

import atexit
import io
import json
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from chaos.fuzz import bundles, mutate
from chaos.fuzz.engine import Target
from yunwei.assets import columns, sheets
from yunwei.contract import reader
from yunwei.kernel.errors import YunweiError
from yunwei.lab import district
from yunwei.ledger import verify

PLACE = Path(tempfile.mkdtemp(prefix="yunwei-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108
atexit.register(shutil.rmtree, PLACE, ignore_errors=True)

CONTRACT = """枫林区电子政务云运行维护服务合同
合同编号：FL-2026-018
甲方：枫林区数据局
乙方：长风网络有限公司
鉴于甲方委托乙方提供云平台运行维护服务，双方订立本合同。
第一条 服务内容
1.1 乙方应每日巡检全部设备，发现故障后 30 分钟内响应，4 小时内恢复。
1.2 乙方应于每月 5 个工作日内提交月度报告。
（一）硬件巡检；
（二）安全扫描，每季度不少于一次。
第二条 合同价款
2.1 合同总价为人民币 2,091,800.00 元（大写：贰佰零玖万壹仟捌佰元整）。
2.2 合同签订后 10 个工作日内支付 30%，验收合格后支付 60%，其余 10% 于质保期满后支付。
三、违约责任
乙方逾期的，每日按合同总价的千分之三支付违约金，累计不超过合同总价的百分之十。
四、附则
本合同自双方签字盖章之日起生效，服务期自 2026 年 3 月 1 日至 2027 年 2 月 28 日。
甲方（盖章）：____________    乙方（盖章）：____________
日期：____年__月__日    日期：____年__月__日
第 1 页 共 3 页
"""


def contract_text(dice: random.Random) -> bytes:
    """A contract's text, spoilt by words and lines, in some encoding, or by its bytes."""
    made = mutate.text(dice, CONTRACT)
    data = made.encode(dice.choice(("utf-8", "utf-8", "gb18030", "utf-16", "utf-8-sig")), "replace")
    return mutate.data(dice, data) if dice.random() < 0.3 else data


def read_contract(made: bytes) -> None:
    """As an upload is read."""
    reader.read_bytes(made, "合同.txt")


@cache
def word() -> dict[str, bytes]:
    """The same contract as a Word document, part by part."""
    import docx

    document = docx.Document()
    for line in CONTRACT.splitlines():
        document.add_paragraph(line, style="List Number" if line[:1] == "（" else None)
    document.add_table(2, 2).cell(0, 0).text = "甲方：枫林区数据局"
    out = io.BytesIO()
    document.save(out)
    return mutate.members(out.getvalue())


def word_file(dice: random.Random) -> bytes:
    """A Word document with a spoilt part, or a spoilt zip around it."""
    return book_of(dice, word(), ("word/document.xml", "word/numbering.xml", "word/styles.xml", "[Content_Types].xml"))


def book_of(dice: random.Random, parts: dict[str, bytes], names: tuple[str, ...]) -> bytes:
    """A zip of XML parts of which one or two are spoilt, or which is spoilt itself."""
    files = dict(parts)
    for name in dice.sample(names, dice.choice((0, 1, 1, 2))):
        text = files.get(name, b"").decode("utf-8", "replace")
        match dice.randrange(4):
            case 0:
                files[name] = mutate.data(dice, files.get(name, b""))
            case 1:
                files[name] = text.replace(
                    'w:val="1"', f'w:val="{dice.choice(("-1", "x", "9" * 300, "", "²"))}"'
                ).encode()
            case 2:
                files[name] = _wrapped(dice, text).encode()
            case _:
                files.pop(name, None)
    whole = mutate.zipped(dice, files)
    return mutate.data(dice, whole) if dice.random() < 0.25 else whole


def _wrapped(dice: random.Random, text: str) -> str:
    """An element of the part doubled many times, or nested deep."""
    open_at = text.find("<w:p>") if "<w:p>" in text else text.find("<row")
    end = text.find("</w:p>", open_at) + 6 if "<w:p>" in text else text.find("</row>", open_at) + 6
    if open_at < 0 or end < open_at:
        return text
    part = text[open_at:end]
    if dice.random() < 0.5:
        return text[:open_at] + part * dice.choice((2, 500)) + text[end:]
    depth = dice.choice((50, 300, 3000))
    return text[:open_at] + "<w:sdt><w:sdtContent>" * depth + part + "</w:sdtContent></w:sdt>" * depth + text[end:]


def read_word(made: bytes) -> None:
    """As an upload is read."""
    reader.read_bytes(made, "合同.docx")


# --- inventory tables


@cache
def table() -> str:
    """The demo's inventory as CSV."""
    return district.csv([district.row(item, 161, "lab") for item in district.equipment()[::6]]).decode()


def csv_file(dice: random.Random) -> bytes:
    """The table spoilt by cells and lines, in some encoding, or by its bytes."""
    cells = (
        *mutate.WORDS,
        ",",
        ",,,,,,,",
        "127.0.0.1",
        "999",
        "-1",
        "switch",
        "未知",
        "2.1.1.1",
        "::1",
        "http://x",
        "²",
        "0x10",
        "1e5",
    )
    made = mutate.text(dice, table(), cells)
    if dice.random() < 0.2:
        made = made.replace(",", dice.choice(("\t", ";", "，")))
    data = made.encode(dice.choice(("utf-8", "utf-8-sig", "gb18030", "utf-16")), "replace")
    return mutate.data(dice, data) if dice.random() < 0.3 else data


@cache
def book() -> dict[str, bytes]:
    """The table as a workbook, part by part."""
    return mutate.members(sheets.write_xlsx([line.split(",") for line in table().splitlines()], "资产"))


def book_file(dice: random.Random) -> bytes:
    """A workbook with a spoilt part, or a spoilt zip around it."""
    return book_of(
        dice, book(), ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml")
    )


def read_table(made: bytes) -> None:
    """As an import reads it, up to the database: rows, heading, every cell of every row."""
    name = "资产.xlsx" if made[:2] == b"PK" else "资产.csv"
    rows = sheets.read(made, name)
    found, problems = columns.heading(rows[0])
    if not problems:
        for row in rows[1:]:
            columns.entry(row, found)


# --- bundles


def bundle_file(dice: random.Random) -> bytes:
    """A bundle with spoilt rows, or a spoilt zip around it."""
    files = dict(bundles.files())
    for name in dice.sample(sorted(files), dice.choice((0, 1, 1, 1, 2))):
        match dice.randrange(4):
            case 0:
                files[name] = mutate.data(dice, files[name], list(files.values()))
            case 1 if name.endswith(".jsonl"):
                lines = [json.loads(line) for line in files[name].splitlines()]
                files[name] = b"\n".join(mutate.dumped(dice, mutate.tree(dice, line, 0.05)) for line in lines)
            case 2 if name.endswith(".json"):
                files[name] = mutate.dumped(dice, mutate.tree(dice, json.loads(files[name]), 0.05))
            case 3 if dice.random() < 0.3:
                files[name] = mutate.deep(dice)
            case _:
                files.pop(name)
    whole = mutate.zipped(dice, files)
    return mutate.data(dice, whole) if dice.random() < 0.4 else whole


def read_bundle(made: bytes) -> None:
    """As the client checks one, with a head of its own; nothing is raised, everything is a finding."""
    path = PLACE / "b.zip"
    path.write_bytes(made)
    with mock.patch.object(verify, "key_of", bundles.key_of):
        held = verify.read_head(str(bundles.head_file(PLACE)))
        findings, facts = verify.check_bundle(str(path), bundles.fingerprint(), [held], 64 << 20)
        json.dumps([[f.facts() for f in findings], facts])


def head_file(dice: random.Random) -> bytes:
    """A head file, spoilt."""
    sample = bundles.head_file(PLACE).read_bytes()
    if dice.random() < 0.5:
        return mutate.data(dice, sample)
    return mutate.dumped(dice, mutate.tree(dice, json.loads(sample), 0.1)) if dice.random() < 0.9 else mutate.deep(dice)


def read_head(made: bytes) -> Any:
    """As the witness takes one in, next to the one it has."""
    path, store = PLACE / "head-x.json", PLACE / "store"
    path.write_bytes(made)
    with (
        mock.patch.object(verify, "key_of", bundles.key_of),
        mock.patch.object(verify.Store, "write"),
    ):  # it stays as it is
        kept = verify.Store(str(store))
        kept.fingerprint(bundles.fingerprint())
        kept.add(str(bundles.head_file(PLACE)), bundles.fingerprint())
        return kept.add(str(path), bundles.fingerprint())


TARGETS = (
    Target("contract-text", contract_text, read_contract, (YunweiError,)),
    Target("contract-word", word_file, read_word, (YunweiError,), batch=20),
    Target("inventory-csv", csv_file, read_table, (YunweiError,)),
    Target("inventory-xlsx", book_file, read_table, (YunweiError,), batch=20),
    Target("bundle", bundle_file, read_bundle, (), batch=20),
    Target("head", head_file, read_head, (verify.Bad,)),
)
