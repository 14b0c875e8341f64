"""Pages of this area: the chain and its records, the audit trail, and the check by digest that needs no login."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.ledger.web import evidence, record, restored, trail, verify
from yunwei.ui.pages import OPEN, READERS, Menu, Page

LINK = "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1"
EYE = "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6"

PAGES = [
    Page("evidence", "evidence", evidence.evidence, READERS, Menu("proof", _("证据链"), LINK, 10, "e")),
    Page("evidence/bundle", "evidence-bundle", evidence.export_bundle, READERS),
    Page("evidence/restored", "evidence-restored", restored.restored, READERS),
    Page("evidence/<int:number>", "evidence-one", record.one, READERS),
    Page("evidence/<int:number>/check", "evidence-check", record.check, READERS),
    Page("evidence/<int:number>/download", "evidence-body", record.body, READERS),
    Page("evidence/<int:number>/artifact/<str:commitment>/download", "evidence-artifact", record.artifact, READERS),
    Page("evidence/<int:number>/artifact/<str:commitment>", "evidence-preview", record.preview, READERS),
    Page("verify", "verify", verify.verify, OPEN),
    Page("audit", "audit", trail.trail, trail.MAY, Menu("manage", _("审计"), EYE, 20)),
    Page("audit/compare", "audit-compare", trail.compare, trail.MAY),
]
