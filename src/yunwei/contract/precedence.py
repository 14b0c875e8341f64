"""Which of several conflicting claims counts: the rule is chosen by subject, not only by rank.

A contract's own rules (documents.yaml) say what they are for: the general order of documents ("*"), and the special
rules that override it on one subject. Nothing here knows which clause that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from yunwei.contract.check_contract import GENERAL
from yunwei.contract.errors import ContractError
from yunwei.contract.schema import PrecedenceRule
from yunwei.kernel.i18n import _


class Authority(StrEnum):
    """Who speaks in a claim, where that matters to a rule."""

    CONTRACT = "contract"  # one of the contract documents; `order` says which rank
    SUPERIOR = "superior"  # the client's superior body
    MANDATORY = "mandatory"  # a mandatory national standard: a floor
    STANDARD = "standard"  # any other national, local, industry or enterprise standard
    USUAL = "usual"  # what is usual, or what fits the purpose


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source says about the matter.

    `order` is the rank of a contract document (1 wins), 0 for a source that is none; `strictness` orders claims about
    the same measure (larger = stricter), None when they cannot be compared; `clear` False: it speaks, but vaguely.
    """

    source: str
    value: Any
    order: int = 0
    dated: date | None = None
    authority: Authority = Authority.CONTRACT
    strictness: Decimal | None = None
    clear: bool = True


@dataclass(frozen=True, slots=True)
class Resolution:
    """The outcome: `winner` governs (None = undecided, only a signed supplement can decide), `also` apply beside it."""

    winner: Claim | None
    rule: PrecedenceRule
    reason: str
    also: tuple[Claim, ...] = ()
    chain: tuple[PrecedenceRule, ...] = ()  # every rule that had a say, in order


def resolve(subject: str, claims: Sequence[Claim], rules: Sequence[PrecedenceRule]) -> Resolution:
    """Decide a conflict on `subject`. Raises ContractError without claims or without a general rule.

    The rule of the subject speaks first; where it finds nothing to say (no superior has spoken, the requirement is
    clear), the general rule decides. Subjects without a rule of their own follow the general rule.
    """
    if not claims:
        raise ContractError(_("没有可比较的说法"), where=subject)
    by_subject = {rule.subject: rule for rule in rules}
    general = by_subject.get(GENERAL)
    if general is None:
        raise ContractError(_("合同目录没有一般的解释顺序"), where=subject, hint='documents.yaml: subject: "*"')
    special = by_subject.get(subject, general)
    decided = _HOW[special.rule](special, claims) if special is not general else None
    if special.rule == "floor":
        return _floor(special, claims, resolve(_GAP, claims, rules) if _GAP in by_subject else _rank(general, claims))
    if decided is None:
        decided = _rank(general, claims)
    return replace(decided, chain=(special,) if decided.rule is special else (special, decided.rule))


_GAP = "standard"  # the subject whose rule fills gaps of a requirement


def _rank(rule: PrecedenceRule, claims: Sequence[Claim]) -> Resolution:
    """The earlier rank wins; inside a rank the later date. Undated or equal dates that disagree stay undecided."""
    ranked = [claim for claim in claims if claim.order > 0]
    if not ranked:
        return Resolution(None, rule, _("没有合同文件说到这一点"))
    top = min(claim.order for claim in ranked)
    same = [claim for claim in ranked if claim.order == top]
    if len(same) > 1 and any(claim.value != same[0].value for claim in same):
        newest = max((claim.dated for claim in same if claim.dated), default=None)
        same = [c for c in same if c.dated == newest] if all(c.dated for c in same) else same
        if any(claim.value != same[0].value for claim in same):
            return Resolution(None, rule, _("同一层级、日期相同或不明，须由双方签署补充文件"))
        return Resolution(same[0], rule, _("同一层级，日期较后者为准"))
    return Resolution(same[0], rule, _("层级在先者为准"))


def _superior(rule: PrecedenceRule, claims: Sequence[Claim]) -> Resolution | None:
    """What the client's superior requires, the newest version of it."""
    theirs = [claim for claim in claims if claim.authority is Authority.SUPERIOR]
    if not theirs:
        return None
    newest = max(theirs, key=lambda claim: claim.dated or date.min)
    return Resolution(newest, rule, _("以甲方主管单位的要求为准"))


def _strictest(rule: PrecedenceRule, claims: Sequence[Claim]) -> Resolution:
    """All apply together; of those that measure the same thing the strictest governs."""
    winner = _most(claims)
    others = tuple(claim for claim in claims if claim is not winner and claim.strictness is None)
    return Resolution(winner, rule, _("最严格者一并适用"), also=others)


def _fill_gap(rule: PrecedenceRule, claims: Sequence[Claim]) -> Resolution | None:
    """Only when no contract document is clear: the strictest standard there is, else what is usual."""
    if any(claim.authority is Authority.CONTRACT and claim.clear for claim in claims):
        return None
    standards = [claim for claim in claims if claim.authority in {Authority.MANDATORY, Authority.STANDARD}]
    if standards:
        return Resolution(_most(standards), rule, _("要求不明确，取现有标准中最严格者"))
    usual = [claim for claim in claims if claim.authority is Authority.USUAL]
    if usual:
        return Resolution(usual[0], rule, _("没有标准，按通常标准或合同目的"))
    return None


def _floor(rule: PrecedenceRule, claims: Sequence[Claim], base: Resolution) -> Resolution:
    """What counts otherwise, but never below a mandatory national standard."""
    mandatory = [claim for claim in claims if claim.authority is Authority.MANDATORY and claim.strictness is not None]
    floor = max(mandatory, key=_strictness, default=None)
    chain = (rule, *(base.chain or (base.rule,)))
    if floor is None or base.winner is floor:
        return replace(base, chain=chain)
    if base.winner is not None and base.winner.strictness is None:
        return Resolution(None, rule, _("无法比较是否低于国家强制性标准，须由双方认定"), chain=chain)
    if base.winner is None or _strictness(base.winner) < _strictness(floor):
        return Resolution(floor, rule, _("不得低于国家强制性标准"), chain=chain)
    return replace(base, chain=chain)


def _strictness(claim: Claim) -> Decimal:
    return claim.strictness if claim.strictness is not None else Decimal("-Infinity")


def _most(claims: Sequence[Claim]) -> Claim | None:
    """The strictest of the comparable claims; None when none can be compared and they disagree."""
    comparable = [claim for claim in claims if claim.strictness is not None]
    if comparable:
        return max(comparable, key=_strictness)
    return claims[0] if all(claim.value == claims[0].value for claim in claims) else None


_HOW: dict[str, Any] = {
    "rank": _rank,
    "superior": _superior,
    "strictest": _strictest,
    "fill_gap": _fill_gap,
    "floor": lambda _rule, _claims: None,  # needs what counts otherwise; see `resolve`
}
