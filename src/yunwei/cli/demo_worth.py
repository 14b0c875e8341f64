"""What the demo's two parties do about the worth of the work: monthly sheets, appeals, surprise tests, closed blanks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from yunwei.accounts.models import Account
from yunwei.assessment import payments, sheets, surprise
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Sheet, SheetState, Surprise
from yunwei.contract import closings
from yunwei.contract.closing import PRICE, RUBRIC
from yunwei.contract.models import Closing
from yunwei.contract.schema import PriceStep
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.models import TriggerEvent
from yunwei.gm import sm3
from yunwei.kernel.errors import YunweiError
from yunwei.lab.weather import moment

if TYPE_CHECKING:
    from yunwei.cli.demo_people import People

JSON = Any
#: on the third of the next month 甲方 scores; months in which 乙方 appeals, and whether 甲方 grants it
SCORED_ON = 3
APPEALS = {"2026-05": True, "2026-09": False}


def months(people: People, now: datetime) -> None:
    """Score what has ended, appeal, answer, freeze and sign: each at the end of a working day."""
    today = people.local(now).date()
    a, b = people.who("a_manager"), people.who("b_manager")
    known = {row.month: row for row in Sheet.objects.all()}
    for month in sheets.months(sources.folder()):
        row = known.get(month.name)
        if row is None:
            due = month.last < today and today - month.last >= timedelta(days=SCORED_ON)
            if due and sheets.computed(month.name).counted:
                people.tried("score", sheets.score, month.name, by=a, now=now)
        elif row.state == SheetState.SCORED:
            _until_frozen(people, row, a, b, now)
        elif row.signed is None:
            fine = APPEALS.get(row.month) is not False
            text = "演示：认可" if fine else "演示：申诉所列一项不认可"
            people.tried("sign", sheets.answer, row.month, sign=fine, text=text, by=b, now=now)


def _until_frozen(people: People, row: Sheet, a: Account, b: Account, now: datetime) -> None:
    waiting = row.appeals.filter(decided_at__isnull=True).first()
    if waiting is not None:
        grant = APPEALS.get(row.month, False)
        reason = "演示：核对台账与现场记录，属实" if grant else "演示：所附记录为事后补写，不予采信"
        people.tried("decide", sheets.decide, waiting.pk, grant=grant, reason=reason, by=a, now=now)
    elif row.month in APPEALS and not row.appeals.exists() and now <= row.appeal_until:
        line = next((one["key"] for one in row.body["lines"] if one["what"] == "missed"), None)
        if line is not None:
            said = "演示：当日工作已完成，记录漏交，现补上"
            file = duties.File("证明.txt", f"{said}\n（演示文件）\n".encode(), "text/plain; charset=utf-8")
            people.tried("appeal", sheets.appeal, row.month, line, statement=said, file=file, by=b, now=now)
    elif now > row.appeal_until:
        try:
            sheets.freeze(row.month, by=a, now=now)
        except YunweiError:  # something new costs points: it is scored again first, so that it can be appealed
            people.tried("score", sheets.score, row.month, by=a, now=now)


#: what the demo's parties agree on in the end: full price from 95 points, else the score's share (a published curve)
CURVE = (PriceStep(Decimal(95), per_cent=Decimal(100)), PriceStep(Decimal(0), over=Decimal(100)))


def lay_down(by: Account, data: Mapping[str, str], now: datetime) -> None:
    """Lay a document down that closes an open item, with the answer that the item asks for; once."""
    if Closing.objects.filter(item=data["item"]).exists():
        return
    content = f"{data['title']}（演示文件）".encode()
    paper = closings.Paper(data["title"], data["rank"], now.date(), f"{data['title']}.txt", content)
    folder = sources.folder()
    function = closings.item_of(folder, data["item"]).blocks
    closings.propose(
        folder, data["item"], paper, by=by, now=now, reading=data.get("reading", ""),
        price=CURVE if function == PRICE else (), rubric=folder.rubric if function == RUBRIC else None,
    )  # fmt: skip


def settle(by: Account, item: str, now: datetime) -> None:
    """The other side confirms what was laid down for an item."""
    row = Closing.objects.filter(item=item, confirmed__isnull=True).first()
    if row is not None:
        closings.decide(row.pk, confirm=True, by=by, now=now, folder=sources.folder(), directory=sources.contract_dir())


def confirm_price(by: Account, now: datetime) -> None:
    """The price that follows from the year's score and the agreed curve is confirmed with its figure; once.

    Raises AssessmentError while something is missing, and says what.
    """
    if TriggerEvent.objects.filter(kind="price_confirmed").exists():
        return
    stand = payments.statement()
    if stand.price is None:
        raise AssessmentError("；".join(one.what for one in stand.missing))
    note = f"演示：年度得分 {stand.score}，确认最终价款"
    file = duties.File("价款确认书.txt", f"{note}\n（演示文件）\n".encode(), "text/plain; charset=utf-8")
    amount = {"amount": str(stand.price)}
    duties.record_event("price_confirmed", at=now, by=by, now=now, file=file, subject=amount, note=note)


def commit(by: Account, seed: str, data: Mapping[str, JSON], now: datetime) -> None:
    """The hash of a surprise test, which the client made elsewhere."""
    commitment = sm3.hexdigest(_words(seed, data).encode())
    if not Surprise.objects.filter(commitment=commitment).exists():
        surprise.commit(commitment, by=by, now=now)


def reveal(by: Account, seed: str, data: Mapping[str, JSON], now: datetime) -> None:
    """The words of a surprise test."""
    text = _words(seed, data)
    row = Surprise.objects.filter(commitment=sm3.hexdigest(text.encode()), revealed_at__isnull=True).first()
    if row is not None:
        surprise.reveal(row.pk, text, by=by, now=now)


def _words(seed: str, data: Mapping[str, JSON]) -> str:
    month, day, hours = data["pulled"]
    nonce = hashlib.blake2b(f"{seed}:{data['code']}".encode(), digest_size=16).hexdigest()
    at = moment(date(2026, month, day), hours)
    return surprise.words(str(data["code"]), str(data["component"]), at, "演示：拔出一路电源", nonce)
