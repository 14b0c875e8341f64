"""审计: who came in, who may what, who looked at what, what was approved and what was removed; and whether the rows
that the pages show follow from the ledger.

Open to 审计管理员, to 测评与监理, and to the client's leader and manager, who see everything of their contract. The system
and the security officer do not read the trail of their own acts (GB/T 22239 8.1.5, notes/standards.md §10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from yunwei.accounts.models import Role
from yunwei.ledger import audit, reading, services
from yunwei.ledger.models import Intake, Waiting
from yunwei.ledger.web.evidence import account_of, address, claims, read_bodies, since, taken_away, until, what
from yunwei.ui import cells, words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page
from yunwei.ui.listing import Column, Filter, Listing, Shown, show
from yunwei.ui.pages import CHECKERS

MAY = CHECKERS | {Role.A_LEADER, Role.A_MANAGER}
AUDITED = "ledger.audited"
#: records that are played through while a browser waits (some seconds); more is for the command
COMPARE_MAX = 10_000
#: differences shown; the command tells all
DIFFERENCES = 100

#: what an auditor reads, by what it is about. tests/ui/test_proof_pages.py holds it to the kinds that the code records
GROUPS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "logins": (
        gettext_lazy("登录与锁定"),
        (
            "accounts.login", "accounts.login.burst", "accounts.logout", "accounts.locked", "accounts.unlocked",
            "accounts.session.ended",
        ),
    ),
    "rights": (
        gettext_lazy("账号与权限"),
        (
            "accounts.account.created", "accounts.account.activated", "accounts.account.slept", "accounts.account.role",
            "accounts.password.changed", "accounts.password.given", "accounts.password.reset", "accounts.totp.codes", "accounts.totp.enrolled",
            "accounts.totp.recovery", "accounts.totp.removed", "accounts.token.made", "accounts.token.revoked",
            "inspect.collector.trusted",
        ),
    ),
    "people": (
        gettext_lazy("人员与第三方"),
        (
            "accounts.staff.entered", "accounts.staff.certified", "accounts.staff.confirmed", "accounts.staff.refused",
            "accounts.staff.demanded", "accounts.staff.replaced", "accounts.staff.left", "accounts.body.entered",
            "accounts.body.engaged", "accounts.body.ended",
        ),
    ),
    "reading": (
        gettext_lazy("查看与导出"),
        ("ledger.read", "ledger.exported", "ledger.handover", "ledger.audited", "inspect.job.exported"),
    ),
    "answers": (
        gettext_lazy("审定与答复"),
        (
            "contract.plan.proposed", "contract.plan.approved", "contract.plan.refused", "assets.identity.confirmed",
            "assets.identity.refused", "inspect.part.accepted", "duties.proof.confirmed", "duties.proof.refused",
            "duties.claim.accepted", "duties.claim.disputed",
        ),
    ),
    "removed": (gettext_lazy("删除"), ("ledger.redacted",)),
    "settings": (
        gettext_lazy("设置与凭据"),
        (
            "instance.created", "assets.credential.set", "assets.credential.rotated", "assets.import", "duties.calendar.imported", "duties.contract.read",
            "ledger.clock.back", "ledger.clock.recovered", "ledger.claim.gone", "ledger.restored", "ledger.restored.acknowledged", "ledger.restored.refused",
            "instance.backed_up", "instance.restored", "instance.upgraded", "instance.moved",
        ),
    ),
}  # fmt: skip
KINDS = tuple(kind for _title, kinds in GROUPS.values() for kind in kinds)


def _group(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    found = GROUPS.get(text)
    return rows.filter(kind__in=found[1]) if found else rows.none()


def _about(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Reads and exports of what this account stands in."""
    return rows.filter(pk__in=reading.looks_at(text).order_by().values("pk"))


def _groups() -> Sequence[tuple[str, Any]]:
    return [(key, title) for key, (title, _kinds) in GROUPS.items()]


def _whom(row: Any) -> Any:
    names = row.told.about
    if not names:
        return cells.NOTHING
    more = _("等 {n} 人").format(n=len(names)) if len(names) > 3 else ""
    return cells.name(" ".join(names[:3]), note=more)


def _all(request: HttpRequest) -> QuerySet[Any]:
    """All records of these kinds. Without a narrower filter they are a good part of all records: the newest are found
    by walking back, not by collecting and sorting every one of forty kinds, so the kind is compared as text here.
    """
    if any(request.GET.get(narrow) for narrow in ("group", "about", "actor")):
        return claims(kind__in=KINDS)
    rows = claims().annotate(word=Cast("kind", TextField())).filter(word__in=KINDS)
    rows.size, rows.plain = Intake.objects.filter(kind__in=KINDS).count, len(rows.query.where.children)
    return rows


LISTING = Listing(
    name="audit",
    rows=_all,
    columns=(
        Column("at", gettext_lazy("时间"), lambda e: e.at, lambda e: cells.stamp(e.at), "lead"),
        Column("kind", gettext_lazy("事项"), lambda e: words.event(e.kind), what),
        Column("actor", gettext_lazy("经办"), lambda e: e.actor, lambda e: cells.name(e.actor)),
        Column("subject", gettext_lazy("对象"), lambda e: e.subject, lambda e: cells.name(e.subject), "wide"),
        Column("about", gettext_lazy("被查看的人"), lambda e: " ".join(e.told.about), _whom, sparse=True),
        Column("seq", gettext_lazy("证据"), lambda e: e.seq, lambda e: cells.proof(e.seq, waiting=True)),
    ),
    order=("-id",),
    filters=(
        Filter("group", gettext_lazy("类别"), _group, _groups),
        Filter("actor", gettext_lazy("经办"), lambda rows, text: rows.filter(actor=text)),
        Filter("about", gettext_lazy("被查看的人"), _about),
        Filter("from", gettext_lazy("编号日自"), since, hint="2026-11-01"),
        Filter("to", gettext_lazy("编号日至"), until, hint="2026-11-30"),
    ),
    link=address,
    attach=read_bodies,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """The last comparison of rows and ledger: when, over how many records, how many rows say something else."""

    intake: Intake
    records: int
    differences: int


def last_compared() -> Compared | None:
    """One statement."""
    found = Intake.objects.filter(kind=AUDITED).order_by("-id").first()
    if found is None:
        return None
    data = reading.told(found)
    return Compared(found, int(data.get("records", 0)), int(data.get("differences", 0)))


def sentence(shown: Shown, compared: Compared | None) -> list[tuple[str, str]]:
    """How much there is to read, and what the last comparison said."""
    values: dict[str, tuple[object, str]] = {"n": (shown.total, "plain")}
    if compared is None:
        return words.pieces(_("{n} 条审计记录；页面与台账还没有对过账"), values)
    if compared.differences:
        values["bad"] = (compared.differences, "bad")
        return words.pieces(_("{n} 条审计记录；最近一次对账有 {bad} 处与台账不符"), values)
    return words.pieces(_("{n} 条审计记录；最近一次对账，页面与台账一致"), values)


def trail(request: HttpRequest) -> HttpResponseBase:
    """The page, or the list as a file."""
    compared = last_compared()
    return show(
        request,
        LISTING,
        lambda shown: sentence(shown, compared),
        template="ledger/audit.jinja",
        context={"compared": compared, "most": COMPARE_MAX},
        exported=taken_away(LISTING),
    )


@require_POST
def compare(request: HttpRequest) -> HttpResponse:
    """Play all records through and name the rows that say something else; the result is a record."""
    newest = services.head()  # a row's id is no count: a database gives ids away that a rollback does not take back
    records = (newest.size if newest else 0) + Waiting.objects.count()
    context: dict[str, Any] = {"records": records, "most": COMPARE_MAX, "found": None, "more": 0}
    if records <= COMPARE_MAX:
        found = audit.audit()
        now = now_of_instance()
        data = {"records": records, "differences": len(found)}
        with transaction.atomic():
            services.record(AUDITED, "ledger", data, at=now, actor=account_of(request).username)
        context |= {"found": found[:DIFFERENCES], "more": max(len(found) - DIFFERENCES, 0), "all": len(found)}
        title = _("{n} 处与台账不符").format(n=len(found)) if found else _("页面与台账一致")
    else:
        title = _("记录太多，请用命令对账")
    template = "ledger/differences.jinja" if request.headers.get("HX-Request") else "ledger/compared.jinja"
    return page(request, template, context, here="audit", title=title)
