"""Who the parties are, who signed and when, and which places were left open."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yunwei.contract.reader import marks
from yunwei.contract.reader.facts import Located, dates
from yunwei.contract.reader.join import FIELD
from yunwei.contract.reader.model import Blank, Clause, Party, Signature

A_WORDS = "甲方|采购人|采购单位|招标人|发包人|委托方|委托人|买方|需方|业主"
B_WORDS = "乙方|成交供应商|中标供应商|供应商|中标人|成交人|服务商|承包人|受托方|受托人|卖方|供方|服务提供方|服务方"
X_WORDS = "丙方|采购代理机构|招标代理机构|代理机构|监理单位"
_PARTY = re.compile(
    rf"(?P<label>{A_WORDS}|{B_WORDS}|{X_WORDS})(?:名称|全称)?\s{{0,4}}(?:[（(](?P<alias>[^）)：:]{{1,16}})[）)])?(?:名称)?\s{{0,4}}[：:]\s{{0,8}}(?P<name>.*)"
)
_SECTION = re.compile(rf"({X_WORDS}|{A_WORDS}|{B_WORDS})(?:信息|单位)?")
_FIELDS = (
    ("address", r"(?:注册|通讯|联系|办公)?地\s*址|住\s*所"),
    ("postcode", r"邮政编[码号]|邮\s*编"),
    ("phone", r"(?:联系)?电\s*话|联系方式|手\s*机"),
    ("fax", r"传\s*真"),
    ("contact", r"(?:项目)?联\s*系\s*人"),
    ("representative", r"法定代表人(?:或[^：:]{1,10})?|授权代表|负责人"),
    ("bank", r"开户银行|开户行"),
    ("account", r"(?:银行)?[账帐]\s*号"),
    ("credit_code", r"统一社会信用代码|税\s*号|纳税人识别号"),
    ("email", r"电子邮[箱件]"),
)
_FIELD_LABEL = re.compile("|".join(f"(?P<{key}>{form})" for key, form in _FIELDS))
_ORGANISATION = re.compile(r"[^：:，。]{4,40}(?:公司|中心|局|委员会|院|学校|大学|厂|所|集团|政府|办公室|处|部|医院)")
_ROLE_IN_SIGNATURE = re.compile(rf"(?P<a>{A_WORDS})|(?P<b>{B_WORDS})|(?P<x>{X_WORDS})")
_SIGNER = re.compile(
    r"(?:法定代表人|授权[代委][表托]?[人]?|委托代理人|代表|签字人|负责人)[^：:]{0,20}[：:]\s{0,8}(?P<name>.*)"
)
_EMPTY_LABEL = re.compile(r"([^：:，。；]{2,24})[：:][\s_]{0,20}")
_NO_BLANK = re.compile("各方|双方|如下|下列|以下|条款|盖\\s*章|公章|签章控件")
_BLANKS = (
    ("date", re.compile(r"[\s_]{0,20}年[\s_]{1,20}月[\s_]{1,20}日|(?:_{2,20}|(?<=[：:自至]))\s{0,4}年月日")),
    ("underline", re.compile(r"_{2,}")),
    ("colon", re.compile(r"[：:]\s{0,4}[。；;]")),
    (
        "placeholder",
        re.compile(
            r"需列明|待填写|待填|待补充|待定|×{2,}|[Xx]{3,}|[【\[]\s{0,10}[】\]]|"
            r"【[^】]{0,16}(?:编号|全称|日期|期限|费用|方式|金额|名称|地址|电话|比例)】|[（(]\s{2,20}[）)]"
        ),
    ),
)
_COLUMNS = re.compile(r"\s{3,}")


def role_of(words: str) -> str:
    """A, B or X for a word that names a party, "" for any other; 甲方 and 乙方 outrank what stands beside them."""
    if "甲方" in words or "乙方" in words:
        return "A" if "甲方" in words else "B"
    match = re.search(X_WORDS, words)
    if match:
        return "X"
    b_match = re.search(B_WORDS, words)
    return ("B" if b_match else "A") if b_match or re.search(A_WORDS, words) else ""


def parties(places: Sequence[Located], clauses: Sequence[Clause]) -> list[Party]:
    """The parties in the text's order, each once per role and name, with the fields that stand below its name."""
    by_id = {clause.id: clause.title for clause in clauses}
    titles = {clause.id: clause.title or by_id.get(clause.parent, "") for clause in clauses}
    found: list[Party] = []
    open_for = -1  # lines left in which fields still belong to the newest party
    for i, place in enumerate(places):
        if place.clause == "SIG":
            break
        named = _named(places, i, titles.get(place.clause, ""))
        if named is not None:
            found.append(named)
            open_for = 16
            rest = place.text
        elif open_for > 0 and found:
            open_for -= 1
            rest = place.text
        else:
            continue
        if len(rest) <= 200:
            found[-1].fields.update({k: v for k, v in _fields(rest).items() if k not in found[-1].fields})
    unique: dict[tuple[str, str], Party] = {}
    for party in found:
        unique.setdefault((party.role, party.name), party)
    return list(unique.values())


def _named(places: Sequence[Located], i: int, title: str) -> Party | None:
    text = places[i].text
    mark = marks.find(text)
    words = re.sub(r"^([甲乙丙买卖])\s{1,4}方", r"\1方", mark.rest if mark else text)
    match = _PARTY.match(words)
    if match is None:
        section = _SECTION.match(title)
        name = re.match(r"(?:单位)?名\s{0,6}称\s{0,4}[：:]\s{0,8}(.{2,80})", words) if section else None
        if section is None or name is None:
            return None
        return Party(role_of(section[0]), section[0], name[1].strip(), places[i].line)
    name_text = re.sub(r"^【[^】]*】$", "", _COLUMNS.split(match["name"].strip(" _"))[0])
    if not name_text and i + 1 < len(places) and _ORGANISATION.fullmatch(places[i + 1].text):
        name_text = places[i + 1].text
    if len(name_text) > 80 or "，" in name_text or "。" in name_text:
        return None  # "甲方：应当……" is a clause, not a name
    role = role_of(match["alias"] or "") or role_of(match["label"])
    return Party(role, match["label"], name_text, places[i].line)


def _fields(text: str) -> dict[str, str]:
    """Fields of one line, which may hold several (电话：… 传真：…)."""
    found: dict[str, str] = {}
    labels = [m for m in _FIELD_LABEL.finditer(text) if re.match(r"[^：:]{0,8}[：:]", text[m.end() : m.end() + 10])]
    for i, label in enumerate(labels):
        end = labels[i + 1].start() if i + 1 < len(labels) else len(text)
        value = re.sub(r"^[^：:]{0,8}[：:]", "", text[label.end() : end]).strip(" _")
        found.setdefault(label.lastgroup or "", value)
    return found


def signatures(places: Sequence[Located]) -> list[Signature]:
    """One signature per party of the signature block; two parties side by side are told apart by column."""
    order: list[str] = []
    lines: dict[str, int] = {}
    signers: dict[str, str] = {}
    days: dict[str, Signature] = {}
    current: list[str] = []
    for place in places:
        if place.clause != "SIG":
            continue
        columns = _COLUMNS.split(place.text)
        roles = [role_of(m[0]) for c in columns if (m := _ROLE_IN_SIGNATURE.match(c)) and len(c) <= 80]
        if roles:
            current = roles
            for role in roles:
                if role not in lines:
                    order.append(role)
                    lines[role] = place.line
        for i, column in enumerate(columns if current else []):
            role = current[min(i, len(current) - 1)]
            signer = _SIGNER.search(column)
            if signer and signer["name"].strip(" _") and not dates(signer["name"]):
                signers.setdefault(role, signer["name"].strip(" _"))
            if found := dates(column):
                days.setdefault(role, Signature(role, place.line, date=found[0]))
    return [
        Signature(role, lines[role], signers.get(role, ""), days[role].date if role in days else None) for role in order
    ]


def blanks(places: Sequence[Located]) -> list[Blank]:
    """Every place left open, in text order."""
    found: list[Blank] = []
    for i, place in enumerate(places):
        text = place.text
        for kind, form in _BLANKS:
            for match in form.finditer(text):
                near = place.text[max(0, match.start() - 16) : match.end() + 8].strip()
                found.append(Blank(place.clause, place.line, kind, near))
            text = form.sub(lambda m: "\0" * len(m[0]), text)
        if place.clause in {"PRE", "SIG"} or FIELD.match(place.text):
            found.extend(_empty_labels(places, i, text))
    return found


def _empty_labels(places: Sequence[Located], i: int, unseen: str) -> list[Blank]:
    """Labels with nothing behind them; `unseen` is the text with the blanks already found masked."""
    place = places[i]
    result = []
    columns = [c for c in _COLUMNS.split(unseen) if c]
    for column in columns:
        label = _EMPTY_LABEL.fullmatch(column)
        if label is None or "_" in column or _NO_BLANK.search(label[1].replace("（签章）", "")):
            continue
        following = places[i + 1] if i + 1 < len(places) else None
        answered = (
            len(columns) == 1
            and following is not None
            and following.clause == place.clause
            and not re.search("[：:]", following.text)
            and not dates(following.text)
            and len(following.text) <= 60
        )
        if not answered:
            result.append(Blank(place.clause, place.line, "label", column))
    return result
