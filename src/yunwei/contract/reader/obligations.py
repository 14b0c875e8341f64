"""Which sentences look like somebody's duty or right. A heuristic over words, for people to check, never a fact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from yunwei.contract.reader.model import Clause, Duty, Role
from yunwei.contract.reader.people import A_WORDS, B_WORDS, role_of

_BOTH = "合同各方|甲乙双方|双方当事人|双方|各方|受不可抗力影响方|受影响的?一方|任何一方|任一方"
_BIDDERS = "投标人|投标供应商|潜在供应商|响应供应商|磋商供应商|申请人"
_SUBJECT = re.compile(rf"(?P<both>{_BOTH})|(?P<x>{_BIDDERS})|(?P<b>运维服务提供方|{B_WORDS})|(?P<a>{A_WORDS})")
_CUES = (
    ("ban", r"不得|不准|严禁|禁止|不可以|均?不能(?!有效|按|履行|达|满足|得)|不允许"),
    ("right", r"(?<![所专])有权利?|享有|可(?:以|自行|在任何|要求|向|随时|根据|委托|协商)"),
    (
        "duty",
        (
            r"(?<![相响适供反效回感顺答对])应(?![急用答付收邀变届聘])|必须|须(?!知)|(?<![所急按不无])需(?![求要方列])|保证(?!金|体系|人)|承诺(?!一致|书|函)|"
            r"负责(?!人)|有?义务(?:为|及时|向|与)|提供(?:7|至少|不少于)|支付(?=中标|合同|尾款|余款|剩余)|作出书面|报送"
        ),
    ),
    ("liability", r"赔偿|承担[^，。]{0,12}责任|违约金"),
)
_CUE = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _CUES))
_SENTENCE = re.compile(r"[^。；;\n]{2,400}")  # bounded: cues and parties of one sentence are matched with each other
_DEFINES = re.compile(r"系指|是指|指的是|的定义")
_OBJECT = re.compile("[向对给与经为使致]$|(?:要求|通知|征得|获得|得到|提供|有损)$")


def duties(clauses: Sequence[Clause], kind: str) -> list[Duty]:
    """At most one duty per clause, kind and party. What a tender notice asks of bidders is no duty of a contract."""
    by_id = {clause.id: clause for clause in clauses}
    found: list[Duty] = []
    for clause in clauses:
        if clause.role in {Role.PREAMBLE, Role.SIGNATURE, Role.GROUP} or _DEFINES.search(clause.text[:60]):
            continue
        seen: set[tuple[str, str]] = set()
        who = _inherited(clause, by_id) or _only_one(clause.words)
        for sentence in _SENTENCE.finditer(clause.words):
            for duty in _in_sentence(clause.id, sentence[0], who):
                who = duty.who or who
                foreign = kind == "tender" and duty.who in {"", "X"}
                if (duty.kind, duty.who) not in seen and not foreign:
                    seen.add((duty.kind, duty.who))
                    found.append(duty)
    return found


def _in_sentence(clause: str, sentence: str, who: str) -> list[Duty]:
    result = []
    subjects = list(_SUBJECT.finditer(sentence))
    for cue in _CUE.finditer(sentence):
        named = _subject(subjects, cue, sentence)
        kind = cue.lastgroup or "duty"
        result.append(Duty(clause, kind, named or who, cue[0], sentence[:120]))
    return result


def _subject(subjects: Sequence[re.Match[str]], cue: re.Match[str], sentence: str) -> str:
    """The party that the cue speaks of: 应由乙方 names it after, else the last one named before that is no object."""
    after = re.match(r"[^，。]{0,2}由", sentence[cue.end() : cue.end() + 3])
    if after:
        behind = [s for s in subjects if s.start() >= cue.end()]
        return _role(behind[0]) if behind else ""
    before = [s for s in subjects if s.end() <= cue.start()]
    for subject in reversed(before):
        lead = sentence[max(0, subject.start() - 2) : subject.start()]
        tail = sentence[subject.end() : subject.end() + 1]
        # "向甲方", "经甲方同意" and "甲方的" name an object, a condition, an owner
        if not _OBJECT.search(lead) and tail != "的" and not sentence.startswith("开具", subject.end()):
            return _role(subject)
    return _role(before[-1]) if before and not _conditions(before[-1], sentence) else ""


def _conditions(subject: re.Match[str], sentence: str) -> bool:
    lead = sentence[max(0, subject.start() - 3) : subject.start()]
    return bool(re.search("[经向对给]$|未经$|征得$", lead))


def _role(subject: re.Match[str]) -> str:
    if subject.lastgroup == "both":
        return "AB"
    return {"x": "X", "a": "A", "b": "B"}[subject.lastgroup or "x"]


def _only_one(text: str) -> str:
    """The party of a clause that names no other."""
    roles = {_role(s) for s in _SUBJECT.finditer(text) if not _OBJECT.search(text[max(0, s.start() - 2) : s.start()])}
    return roles.pop() if len(roles) == 1 else ""


def _inherited(clause: Clause, by_id: Mapping[str, Clause]) -> str:
    """The party that the headings above name: 7.2 乙方的权利和义务."""
    above = by_id.get(clause.parent)
    for _level in range(12):
        if above is None:
            return ""
        titled = above.title or above.text[:40]
        both = "双方" in titled or ("甲方" in titled and "乙方" in titled)
        role = "" if both else role_of(titled)
        if role:
            return role
        above = by_id.get(above.parent)
    return ""
