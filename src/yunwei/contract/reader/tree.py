"""Paragraphs become the clause tree with stable ids.

Ids follow the printed number (4.1.3, 5.2.1a, 7.2.9(1)). What has no number gets a synthetic one under its clause:
12¶1 for one of several paragraphs, 10-lead before a list, 3-tail after it; PRE and SIG are the two ends. Where a
numbering starts again (a second part, an annex) the ids carry the group's name: annex1/2.3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from yunwei.contract.reader import marks
from yunwei.contract.reader.join import LONELY_DATE, Paragraph, heading_like
from yunwei.contract.reader.marks import Mark
from yunwei.contract.reader.model import Clause, Role, Stray, Style
from yunwei.kernel.i18n import _

MAX_DEPTH = 12
_GROUPS = {Style.ANNEX: 0, Style.PART: 0, Style.CHAPTER: 1, Style.SECTION: 2}
_GROUP_NAMES = {Style.ANNEX: "annex", Style.PART: "part", Style.CHAPTER: "ch", Style.SECTION: "sec"}
_LISTS = {Style.PAREN, Style.HALF_PAREN, Style.CIRCLE, Style.CHINESE_PAREN}
_SIGNATURES = re.compile(
    r"[（(]?\s?(?:以下|下文|此页以下)\s?无正文|签约各方|签署页|"
    r"(?:甲方|乙方|采购人|供应商|买方|卖方|委托方|受托方|发包人|承包人)\s?(?:[（(][^）)]{1,20}[）)]\s?)?[（(][^）)]{0,8}[章字][^）)]{0,4}[）)]"
)
_BACK_REFERENCE = re.compile("上述|以上|前述|前款|前项")


@dataclass(slots=True)
class _Node:
    """A clause while the tree grows. `items` holds paragraphs (line, text) and children in text order."""

    id: str
    style: Style
    line: int
    number: str = ""
    first: str = ""
    path: tuple[int, ...] = ()
    ordinal: int = 0  # of a group: 第二章 is 2
    prefix: str = ""  # put before ids of articles inside this group
    items: list[tuple[int, str] | _Node] = field(default_factory=list)
    last: dict[Style, int] = field(default_factory=dict)  # the newest number per style among the children

    @property
    def kids(self) -> list[_Node]:
        return [item for item in self.items if isinstance(item, _Node)]

    @property
    def is_group(self) -> bool:
        return self.style in _GROUPS


class _Builder:
    """Places one paragraph after the other; the stack is the open branch, the root at its foot."""

    def __init__(self, headings: set[int], followed: set[int]) -> None:
        self.root = _Node("", Style.NONE, 0)
        self.pre = _Node("PRE", Style.NONE, 1)
        self.sig: _Node | None = None
        self.stack = [self.root]
        self.used: dict[str, int] = {}
        self.headings = headings  # lines whose bare number is a heading ("1 总则", as 1.1 follows)
        self.followed = followed  # lines "3、…" that 3.1 follows
        self.strays: list[Stray] = []
        self.notes: list[str] = []
        self.in_signature = False

    def add(self, paragraph: Paragraph) -> None:
        text = paragraph.text
        mark = marks.bare(text) if paragraph.line in self.headings else marks.find(text)
        if mark and mark.style in _GROUPS:
            self._open_group(mark, paragraph.line)
        elif self._signing(text):
            assert self.sig is not None  # noqa: S101 - made by _signing
            self.sig.items.append((paragraph.line, text))
        elif not (mark and self._open(mark, paragraph.line)):
            self._paragraph(text, paragraph.line)

    def _signing(self, text: str) -> bool:
        if not self.in_signature and len(self.stack) > 1 and len(text) <= 80 and _SIGNATURES.match(text):
            self.in_signature = True
            self.sig = self.sig or _Node("SIG", Style.NONE, 0)
        return self.in_signature

    def _paragraph(self, text: str, line: int) -> None:
        top = self.stack[-1]
        if top is self.root:
            self.pre.items.append((line, text))
            return
        if LONELY_DATE.fullmatch(text):
            self.strays.append(Stray(line, text, _("孤立的日期，不是条款")))
            return
        if len(self.stack) > 2 and self._ends_list(top, self.stack[-2], text):
            self.stack.pop()
        self.stack[-1].items.append((line, text))

    @staticmethod
    def _ends_list(top: _Node, parent: _Node, text: str) -> bool:
        """After "…；…；…。" an unnumbered paragraph speaks of the whole list again."""
        if top.items or not top.first.endswith("。") or parent.is_group:
            return False
        before = next((item for item in islice(reversed(parent.items), 1, 8) if isinstance(item, _Node)), None)
        if before is None:
            return False
        return before.first.endswith(("；", ";")) or _BACK_REFERENCE.match(text) is not None

    def _open_group(self, mark: Mark, line: int) -> None:
        rank = _GROUPS[mark.style]
        while len(self.stack) > 1 and not (self.stack[-1].is_group and _GROUPS[self.stack[-1].style] < rank):
            self.stack.pop()
        self.in_signature = False
        parent = self.stack[-1]
        base = f"{_GROUP_NAMES[mark.style]}{mark.n or ''}"
        node = self._push(parent, f"{parent.id}.{base}" if parent.id else base, mark, line)
        node.prefix = f"{node.id}/" if mark.style is Style.ANNEX else parent.prefix
        node.path, node.ordinal = (), mark.n

    def _open(self, mark: Mark, line: int) -> bool:
        """Open a clause; False when the number fits nowhere, so that the line is text."""
        if mark.style is Style.DOTTED:
            return self._open_dotted(mark, line)
        if mark.style is Style.ARTICLE:
            self._pop_to_article_level()
            self._article(mark, line)
            return True
        depth = next((i for i in range(len(self.stack) - 1, 0, -1) if self.stack[i].style is mark.style), 0)
        if self._is_article(mark, depth, line):
            self._pop_to_group()
            self._article(mark, line)
            return True
        if depth:
            del self.stack[depth:]
        if len(self.stack) > MAX_DEPTH:
            return False
        parent = self.stack[-1]
        self._expect(parent, mark, line)
        self._push(parent, self._child_id(parent, mark), mark, line)
        return True

    def _is_article(self, mark: Mark, depth: int, line: int) -> bool:
        """Is this number one of the text's own top level? 一、 and 1. can be either articles or items of one."""
        if mark.style not in {Style.CHINESE, Style.ARABIC}:
            return False
        base = next((i for i in range(len(self.stack) - 1, -1, -1) if i == 0 or self.stack[i].is_group), 0)
        if depth == base + 1 or len(self.stack) == base + 1:
            # the level is open already, or nothing is; "1." after article 7 of 一、 style is a list inside it
            return True
        article = self.stack[base + 1]
        if article.style is mark.style or mark.style is Style.CHINESE:
            return article.style is not Style.ARTICLE
        # "8、" between 七、 and 九、: the next article in other digits, unless a list 1、 … 7、 is open; and even then
        # when 8.1 follows, and no item of that list had such numbers of its own
        next_article = mark.n != 1 and mark.n == article.path[0] + 1
        plain = depth > 0 and Style.DOTTED not in self.stack[depth].last
        return next_article and (not depth or (line in self.followed and plain))

    def _pop_to_group(self) -> None:
        while len(self.stack) > 1 and not self.stack[-1].is_group:
            self.stack.pop()

    def _pop_to_article_level(self) -> None:
        depth = next((i for i in range(1, len(self.stack)) if self.stack[i].style is Style.ARTICLE), 0)
        if depth:
            del self.stack[depth:]
            return
        # 一、总则 / 第一条: here 一、 is a heading above the articles
        while len(self.stack) > 1 and not (self.stack[-1].is_group or self.stack[-1].style is Style.CHINESE):
            self.stack.pop()

    def _article(self, mark: Mark, line: int) -> None:
        group = self.stack[-1]
        ident = f"{group.prefix}{mark.n}"
        if ident in self.used and group.is_group and not group.prefix:
            group.prefix = f"{group.id}/"  # the numbering starts again in this group
            ident = f"{group.prefix}{mark.n}"
        if mark.style is not Style.ARTICLE or group.last.get(Style.ARTICLE):
            self._expect(group, mark._replace(style=Style.ARTICLE), line)
        group.last[Style.ARTICLE] = mark.n
        self._push(group, ident, mark, line)

    def _open_dotted(self, mark: Mark, line: int) -> bool:
        """1.2.3 belongs under the open clause whose own numbers are its beginning; the best fit wins."""
        best: int | None = None
        for i in range(len(self.stack) - 1, 0, -1):
            node = self.stack[i]
            if not node.path or node.path != mark.path[: len(node.path)] or len(node.path) >= len(mark.path):
                continue
            after = node.last.get(Style.DOTTED, 0)
            step = mark.path[len(node.path)] - after
            if len(mark.path) > len(node.path) + 1:
                step = 1 if step >= 0 else step  # 2.1.1 under 2, where 2.1 itself is missing
            if step == 1:
                best = i
                break
            if 1 < step <= 20:
                best = i
        if best is None:
            return self._orphan(mark, line)
        del self.stack[best + 1 :]
        if len(self.stack) > MAX_DEPTH:
            return False
        parent = self.stack[-1]
        tail = mark.path[len(parent.path) :]
        direct = mark._replace(path=tail[:1], style=Style.DOTTED)
        if len(tail) == 1:
            self._expect(parent, direct, line)
        parent.last[Style.DOTTED] = tail[0]
        node = self._push(parent, f"{parent.id}.{'.'.join(map(str, tail))}", mark, line)
        node.path = mark.path
        return True

    def _orphan(self, mark: Mark, line: int) -> bool:
        """2.1 with no open clause 2: part of 第二章, or the next article, which has no heading of its own."""
        base = max(i for i, node in enumerate(self.stack) if i == 0 or node.is_group)
        group = self.stack[base]
        if len(mark.path) == 2 and mark.path[0] == group.ordinal and Style.ARTICLE not in group.last:
            self._pop_to_group()
            self._expect(group, mark, line)
            self._push(group, f"{group.prefix}{mark.path[0]}.{mark.path[1]}", mark, line)
            return True
        if mark.path[0] != group.last.get(Style.ARTICLE, 0) + 1 or mark.path[1] != 1:
            return False
        self._pop_to_group()
        self._article(Mark(Style.ARABIC, mark.path[:1], "", ""), line)
        return self._open_dotted(mark, line)

    def _expect(self, parent: _Node, mark: Mark, line: int) -> None:
        """Note a gap in the numbering; a list that starts again at 1 is none."""
        before = parent.last.get(mark.style, 0)
        if mark.n not in {1, before + 1}:
            text = _("第 {line} 行：编号 {number} 不接上一个编号 {before}")
            self.notes.append(text.format(line=line, number=mark.printed or mark.n, before=before or _("（无）")))
        parent.last[mark.style] = mark.n

    @staticmethod
    def _child_id(parent: _Node, mark: Mark) -> str:
        if mark.style is Style.LETTER:
            return f"{parent.id}{chr(96 + mark.n)}"
        return f"{parent.id}({mark.n})" if mark.style in _LISTS else f"{parent.id}.{mark.n}"

    def _push(self, parent: _Node, ident: str, mark: Mark, line: int) -> _Node:
        seen = self.used.get(ident, 0)
        self.used[ident] = seen + 1
        unique = f"{ident}#{seen + 1}" if seen else ident
        node = _Node(unique, mark.style, line, mark.printed, mark.rest, mark.path, prefix=parent.prefix)
        parent.items.append(node)
        self.stack.append(node)
        return node


def build(paragraphs: Sequence[Paragraph]) -> tuple[list[Clause], list[Stray], list[str]]:
    """The clauses in text order, the lines that are no clause's, and what was odd about the numbering."""
    builder = _Builder(*_headings(paragraphs))
    for paragraph in paragraphs:
        builder.add(paragraph)
    clauses: list[Clause] = []
    if builder.pre.items:
        clauses.append(_block(builder.pre, Role.PREAMBLE))
    for node in builder.root.kids:
        _flatten(node, "", clauses)
    if builder.sig is not None:
        clauses.append(_block(builder.sig, Role.SIGNATURE))
    return clauses, builder.strays, builder.notes


def _headings(paragraphs: Sequence[Paragraph]) -> tuple[set[int], set[int]]:
    """Lines that the very next number, N.1, proves to be headings: bare ones ("1 总则"), and those with "N、"."""
    bare: set[int] = set()
    followed: set[int] = set()
    following: Mark | None = None
    for paragraph in reversed(paragraphs):
        mark = marks.find(paragraph.pieces[0])
        text = paragraph.text if mark is None and len(paragraph.pieces) == 1 else ""
        heading = mark or (marks.bare(text) if heading_like(text) else None)
        if (
            heading
            and heading.style is Style.ARABIC
            and following
            and following.style is Style.DOTTED
            and following.path == (heading.n, 1)
        ):
            (followed if mark else bare).add(paragraph.line)
        following = mark or following
    return bare, followed


def _block(node: _Node, role: Role) -> Clause:
    lines = [item for item in node.items if not isinstance(item, _Node)]
    return Clause(node.id, role, Style.NONE, "", lines[0][0], text="\n".join(text for _line, text in lines))


def _flatten(node: _Node, parent: str, out: list[Clause]) -> None:
    """One node and all below it; depth is bounded by MAX_DEPTH and the groups."""
    is_title = heading_like(node.first)
    title, text = (node.first, "") if is_title else ("", node.first)
    kids_at = [i for i, item in enumerate(node.items) if isinstance(item, _Node)]
    first_kid = kids_at[0] if kids_at else len(node.items)
    before = [item for item in node.items[:first_kid] if not isinstance(item, _Node)]
    synthetic: list[Clause] = []
    if before and (text or (len(before) == 1 and not kids_at)):
        text = "\n".join([text, *(words for _line, words in before)]).strip()
    elif before:
        synthetic = _paragraphs(node, before, leads=bool(kids_at))
    role = Role.GROUP if node.is_group else Role.CLAUSE
    out.append(Clause(node.id, role, node.style, parent, node.line, node.number, title, text))
    out.extend(synthetic)
    tails = 0
    for item in node.items[first_kid:]:
        if isinstance(item, _Node):
            _flatten(item, node.id, out)
        else:
            tails += 1
            ident = f"{node.id}-tail{tails if tails > 1 else ''}"
            out.append(Clause(ident, Role.TAIL, Style.NONE, node.id, item[0], text=item[1]))


def _paragraphs(node: _Node, before: list[tuple[int, str]], *, leads: bool) -> list[Clause]:
    if leads and len(before) == 1:
        line, text = before[0]
        return [Clause(f"{node.id}-lead", Role.LEAD, Style.NONE, node.id, line, text=text)]
    result = []
    for i, (line, text) in enumerate(before, start=1):
        last = leads and i == len(before) and text.endswith(("：", ":"))
        role = Role.LEAD if last else Role.PARAGRAPH
        result.append(Clause(f"{node.id}¶{i}", role, Style.NONE, node.id, line, text=text))
    return result
