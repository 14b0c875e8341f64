"""What people do on a page about an occurrence: state, claim, answer, do again. The services decide and record."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.duties import services
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Claim, ManualProof, Occurrence
from yunwei.ui.pages import VENDOR

#: bytes of a file that proves something; larger ones belong on paper with their digest
MAX_FILE = 20 * 1024 * 1024


def file_of(request: HttpRequest) -> services.File | None:
    """The file that came with a form; None without one. Raises DutyError for one that is too large."""
    upload = request.FILES.get("file")
    if upload is None:
        return None
    if (upload.size or 0) > MAX_FILE:
        raise DutyError(_("文件超过 {n} MB").format(n=MAX_FILE // 1024 // 1024), where=str(upload.name))
    return services.File(str(upload.name), upload.read(), upload.content_type or "application/octet-stream")


def number_of(text: str) -> int:
    """The number of a row that a form sends; 0, which no row has, for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def act(request: HttpRequest, row: Occurrence, now: datetime) -> None:
    """Do what the form's button says, of this occurrence and no other. Raises DutyError with what is wrong."""
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    said, name = given.get("statement", ""), given.get("act", "")
    match name:
        case "state":
            services.state_proof(row.pk, statement=said, file=file_of(request), by=by, now=now)
        case "exempt":
            ground, file = given.get("ground", ""), file_of(request)
            services.claim_exemption(row.pk, ground=ground, statement=said, file=file, by=by, now=now)
        case "cause":
            cause, file = given.get("cause", ""), file_of(request)
            services.claim_cause(row.pk, cause=cause, statement=said, file=file, by=by, now=now)
        case "again":
            if by.role not in VENDOR:
                raise PermissionDenied
            services.again(row.pk, now=now, actor=by.username)
        case "proof-yes" | "proof-no" | "claim-yes" | "claim-no" | "withdraw":
            _answer(name, row, by, given.get("id", ""), given.get("answer", ""), now)
        case _:
            raise DutyError(_("没有这个操作"), where=row.key)


def _answer(name: str, row: Occurrence, by: Account, which: str, answer: str, now: datetime) -> None:
    """Answer a proof or a claim of this occurrence; what belongs to another one is not there."""
    model = Claim if name.startswith("claim") else ManualProof
    if (
        not (which.isdecimal() and len(which) < 19)
        or not model.objects.filter(pk=int(which), occurrence=row.pk).exists()
    ):
        raise DutyError(_("没有这条记录"), where=row.key)
    yes = name.endswith("-yes")
    if model is Claim:
        services.answer_claim(int(which), accept=yes, by=by, now=now, answer=answer)
    elif name == "withdraw":
        services.withdraw_proof(int(which), by=by, now=now, reason=answer)
    else:
        services.answer_proof(int(which), confirm=yes, by=by, now=now, answer=answer)
