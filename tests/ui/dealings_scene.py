"""People, consents, notices and a covered slot, by the services: something behind every page of the dealings."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from yunwei.accounts import staff
from yunwei.accounts.models import Account
from yunwei.duties import consents, notices, onsite
from yunwei.duties.papers import File
from yunwei.duties.sources import calendar

FILE = File("a.pdf", b"%PDF")
HOUR = timedelta(hours=1)


def play(people: dict[str, Account], now: datetime) -> dict[str, str]:
    """Rows of every kind, and what stands in the parts of their addresses."""
    vendor, client = people["b_manager"], people["a_manager"]
    for code in ("P-1", "P-2"):
        staff.enter(code, "演示人员", "工程师", key_person=True, file=FILE, by=vendor, now=now - HOUR)
        staff.certify(code, "x", expires=now.date(), file=FILE, by=vendor, now=now - HOUR)
    staff.confirm("P-1", accept=True, by=client, now=now - HOUR)
    staff.enter_body("ORG-1", "演示机构", "crypto", file=FILE, by=vendor, now=now - HOUR)
    asked = consents.ask(
        "G2", subject="P-1>P-2", what="x", starts=now, ends=now + 9 * HOUR, by=vendor, now=now - HOUR, file=FILE
    )
    consents.answer(asked.pk, grant=True, by=client, now=now - HOUR / 2, reason="x", file=FILE)
    consents.record_act("G2", subject="P-1>P-2", what="x", at=now, by=client, now=now, file=FILE)
    consents.record_act("R2", subject="T-1", what="x", at=now, by=client, now=now)
    sent = notices.send(
        "address", way="hand", title="x", text="x", by=client, sent_at=now - HOUR, now=now, file=FILE, new_address="x"
    )
    notices.deliver(sent.pk, outcome="signed", at=now, by=client, now=now, file=FILE)
    notices.reply(sent.pk, received=False, by=vendor, now=now, text="x")
    day = now.astimezone(ZoneInfo("Asia/Shanghai")).date()
    while not calendar().is_working(day):
        day += timedelta(days=1)
    entry = onsite.assign(day, "am", "P-1", by=vendor, now=now)
    if entry.day <= now.astimezone(ZoneInfo("Asia/Shanghai")).date():
        onsite.found_empty(entry.pk, by=client, now=now, reason="x")
    return {"consent_id": str(asked.pk), "notice_id": str(sent.pk)}
