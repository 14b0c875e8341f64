"""What waits for whom: proofs and claims that the other side has to answer, and who of the accounts may."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract.schema import Obligation
from yunwei.duties.models import Claim, ClaimState, ManualProof, Occurrence
from yunwei.duties.proofs import OFFICERS, PARTIES
from yunwei.ledger.models import Entry

BOTH = ("A", "B")


def side_of(account: object) -> str:
    """The side an account acts for: A or B; "" for who takes no part in the business (officers, checkers)."""
    if not isinstance(account, Account) or account.role in OFFICERS or account.party not in PARTIES:
        return ""
    return str(account.party)


def answering_proof(proof: ManualProof, owes: str, confirmed_by: str) -> str:
    """The sides that may answer a proof, as `proofs.answer_proof` decides: the receiver, never who stated it."""
    return "".join(s for s in BOTH if s in (confirmed_by or "AB") and s not in (proof.stated_by.party, owes))


def answering_claim(claim: Claim, owes: str) -> str:
    """The sides that may answer a claim, as `proofs.answer_claim` decides: the other one."""
    return "".join(s for s in BOTH if s not in (claim.claimed_by.party, owes))


@dataclass(slots=True)
class Waiting:
    """Proofs and claims without an answer, by who has to give it; and what is disputed."""

    proofs: list[ManualProof] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    disputes: list[Claim] = field(default_factory=list)
    by: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BOTH, 0))


def waiting(obligations: Mapping[str, Obligation], only: Q | None = None) -> Waiting:
    """What waits for an answer or is disputed, of all occurrences or of some; two statements."""
    proofs: QuerySet[ManualProof] = ManualProof.objects.filter(confirmed__isnull=True)
    claims: QuerySet[Claim] = Claim.objects.filter(state__in=(ClaimState.CLAIMED, ClaimState.DISPUTED))
    if only is not None:
        proofs, claims = proofs.filter(only), claims.filter(only)
    found = Waiting(
        proofs=list(proofs.select_related("occurrence", "stated_by__organisation").order_by("stated_at", "id"))
    )
    for claim in claims.select_related("occurrence", "claimed_by__organisation", "answered_by").order_by("id"):
        if claim.state == ClaimState.CLAIMED:
            found.claims.append(claim)
        elif claim.occurrence.state != "exempt":
            found.disputes.append(claim)
    for proof in found.proofs:
        duty = obligations.get(proof.occurrence.obligation)
        _count(found.by, answering_proof(proof, proof.occurrence.owes, duty.confirmed_by if duty else ""))
    for claim in found.claims:
        _count(found.by, answering_claim(claim, claim.occurrence.owes))
    return found


def _count(by: dict[str, int], sides: Iterable[str]) -> None:
    for side in sides:
        by[side] += 1


def may_state(account: object, row: Occurrence) -> bool:
    """Whether this account's side owes the occurrence, so that it may prove or claim."""
    side = side_of(account)
    return bool(side) and side in row.owes and PartyOf(side) in PARTIES


def filed(parts: Iterable[ManualProof | Claim]) -> dict[str, int]:
    """The number of the record that a file came with, by its commitment: who has to answer opens it there. `evidence` of a
    part is its newest record, the answer. At most one statement."""
    keys = {part.occurrence.key for part in parts if part.artifact}
    if not keys:
        return {}
    came = Entry.objects.filter(
        intake__subject__in=keys, intake__kind__in=("duties.proof.stated", "duties.claim.made")
    ).values_list("seq", "intake__body")
    return {one["commitment"]: seq for seq, body in came for one in json.loads(bytes(body)).get("artifacts", ())}
