"""`yunwei evidence`: export, heads, the one handover, redaction, and the client's verifier as the client runs it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from yunwei.cli.common import FINDING, OK, now, open_instance, out, print_json, sign_in, summary, table, telling
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.ledger.sheet import Parties

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="只输出一个 JSON 对象 (one JSON object)")]
Actor = Annotated[
    str, typer.Option("--actor", help="经办账号，须以其口令证明 (account that acts, proved by its password)")
]
SOFTWARE = "system:cli"


@app.command(help="最新的签名头，以及逾期未送达的地址（有则退出码为 1）。")
def head(as_json: AsJson = False) -> None:
    """The newest signed head, and the addresses that are overdue (exit 1 when one is)."""
    open_instance()
    from yunwei.ledger import heads, keys, services

    newest, late = services.head(), heads.overdue(now())
    facts: dict[str, Any] = {"fingerprint": keys.fingerprint(), "head": None}
    if newest is not None:
        facts["head"] = {
            "number": newest.number,
            "size": newest.size,
            "root": bytes(newest.root).hex(),
            "at": services.stamp(newest.at),
        }
    facts["overdue"] = [{"address": o.address, "since": services.stamp(o.since), "problem": o.problem} for o in late]
    summary(facts, as_json=as_json)
    raise typer.Exit(FINDING if late else OK)


@app.command(help="立即编号、签名，并把签名头送到甲方的地址（有一处未送达则退出码为 1）。")
def push(as_json: AsJson = False) -> None:
    """Sequence, sign, and bring the client's addresses up to date now (exit 1 when one did not take the head)."""
    open_instance()
    from yunwei.ledger import heads

    tries = heads.push(now())
    rows = [{"address": p.address, "head": p.head_id, "ok": p.ok, "problem": p.problem} for p in tries]
    if as_json:
        print_json({"pushed": rows})
    else:
        for row in rows:
            out.print(f"{'✓' if row['ok'] else '✗'} {row['address']}  {row['problem']}")
        if not rows:
            out.print(_("各地址已是最新"))
    raise typer.Exit(OK if all(p.ok for p in tries) else FINDING)


@app.command(help="一次性移交给甲方的：verify.py 与 verify.html、密钥指纹、第一个签名头，及双方盖章的移交单。")
def handover(
    folder: Annotated[Path, typer.Argument(help="新目录或空目录 (an empty folder)")],
    actor: Actor = SOFTWARE,
    as_json: AsJson = False,
) -> None:
    """What the client gets once: both verifiers, the key's fingerprint, the first head, the sheet both sides stamp."""
    open_instance()
    from yunwei.ledger import heads

    summary(heads.handover(folder, now(), _proved(actor), _parties()), as_json=as_json)


def _parties() -> Parties:
    """Who hands over to whom under which contract; blanks to fill in by hand where the contract folder does not load."""
    from yunwei.contract.errors import ContractError
    from yunwei.duties import sources
    from yunwei.ledger.sheet import Parties

    try:
        contract = sources.folder().contract
    except (ContractError, OSError):
        return Parties()
    names = {party.role: party.name for party in contract.parties}
    return Parties(contract.number, contract.title, names.get("A", ""), names.get("B", ""))


@app.command(help="写出一段记录的证据包；导出本身先记入台账。")
def export(
    to_file: Annotated[Path, typer.Option("--out", help="证据包文件 (bundle file)")],
    start: Annotated[str, typer.Option("--from", help="记录号，或日期 2026-11-01 (number or date)")] = "1",
    end: Annotated[str, typer.Option("--to", help="记录号，或日期（含当日）；缺省到最新 (number or date)")] = "",
    actor: Actor = SOFTWARE,
    as_json: AsJson = False,
) -> None:
    """Write a bundle of records; the export itself becomes a record first."""
    open_instance()
    from yunwei.ledger import bundle

    first, last = _range(start, end)
    account = _proved(actor)
    with telling(_("写出证据包"), quiet=as_json) as tell:
        facts = bundle.export(first, last, to_file, now=now(), actor=account, tell=tell)
    summary(facts, as_json=as_json)
    raise typer.Exit(FINDING if facts["warnings"] else OK)


def _proved(actor: str) -> str:
    """The name that a record of ours carries: an account's only when its password proved it."""
    return actor if actor == SOFTWARE else str(sign_in(actor).username)


def _range(start: str, end: str) -> tuple[int, int | None]:
    """Numbers as they are; dates by the moment the records were numbered, the last day included."""
    from yunwei.ledger import bundle

    if start.isdigit() and (not end or end.isdigit()):
        return int(start), int(end) if end else None
    tomorrow = now() + timedelta(days=1)
    since = datetime.fromtimestamp(0, UTC) if start.isdigit() else _day(start)
    until = tomorrow if not end or end.isdigit() else _day(end) + timedelta(days=1)
    first, last = bundle.range_of(since, until)
    first = int(start) if start.isdigit() else first
    return first, int(end) if end.isdigit() else last if end else None


def _day(text: str) -> datetime:
    from django.conf import settings

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(_("请写记录号，或 2026-11-01 这样的日期")) from None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(settings.TIME_ZONE))


@app.command(help="依法删除一个证据文件的内容；留下墓碑与记录，其余照样可核验。")
def redact(
    commitment: Annotated[str, typer.Argument(help="证据文件的承诺值，可只写开头 (commitment, or its beginning)")],
    reason: Annotated[str, typer.Option(help="删除理由，甲方可见 (shown to the client)")],
    actor: Actor,
    basis: Annotated[str, typer.Option(help="法律依据或决定文号 (law or decision)")] = "",
    as_json: AsJson = False,
) -> None:
    """Remove an artifact's content by law; its tombstone and a record stay, and everything still verifies.

    Only 甲方 does it: what would be removed is mostly evidence about the other side's work.
    """
    open_instance()
    from django.db import transaction

    from yunwei.accounts.models import PartyOf
    from yunwei.accounts.services import AccountError
    from yunwei.ledger import services
    from yunwei.ledger.models import Artifact

    found = list(Artifact.objects.filter(commitment__startswith=commitment)[:2])
    if len(found) != 1 or len(commitment) < 8:
        raise typer.BadParameter(_("没有找到唯一的证据文件；请写承诺值的前 8 位以上"))
    account = sign_in(actor)
    if account.party != PartyOf.A:
        raise AccountError(_("证据文件由甲方决定删除"), where=actor)
    with transaction.atomic():
        intake = services.redact(found[0], reason, at=now(), actor=account.username, basis=basis)
    summary({"commitment": found[0].commitment, "record": services.acknowledge(intake.pk, now())}, as_json=as_json)


@app.command(help="页面所示的各行是否都出自台账；列出不符之处（退出码为 1）。")
def audit(as_json: AsJson = False) -> None:
    """Whether every row that pages show follows from the ledger; names those that do not (exit 1)."""
    open_instance()
    from yunwei.ledger.audit import audit as run

    found = run()
    if as_json:
        print_json({"differences": found})
    elif found:
        columns = (_("处"), _("对象"), _("项"), _("表中"), _("台账"), _("记录号"))
        rows = ((d.room, d.subject, d.field, d.row, d.said, d.number or "—") for d in found)
        table(_("与台账不符"), columns, rows)
    else:
        out.print(_("表中各项都与台账相符；台账本身是否被改动由 verify.py 与甲方留存的签名头核对"))
    raise typer.Exit(FINDING if found else OK)


@app.command(help="列出从备份恢复的记录与甲方的答复（有待确认或不认可的退出码为 1）。")
def restored(as_json: AsJson = False) -> None:
    """Each restore: what it lost, why, who says so, and the client's answer (exit 1 while one is not acknowledged)."""
    open_instance()
    from yunwei.ledger.models import Restored

    rows: list[dict[str, Any]] = [
        {
            "seq": r.seq, "at": r.at, "by": r.by, "why": r.why, "old_head": r.old_number, "lost": r.lost, "head": r.head_id,
            "agreed": r.agreed, "answered_by": r.answered_by, "answered_at": r.answered_at, "reason": r.reason,
        }
        for r in Restored.objects.order_by("seq")
    ]  # fmt: skip
    if as_json:
        print_json(rows)
    elif rows:
        word = {None: _("待甲方确认"), True: _("甲方已确认"), False: _("甲方不认可")}
        columns = (_("记录"), _("恢复于"), _("说明人"), _("原因"), _("旧签名头"), _("丢失"), _("答复"))
        told = (
            [r["seq"], r["at"], r["by"], r["why"], r["old_head"] or "—", "?" if r["lost"] is None else r["lost"], word[r["agreed"]]]
            for r in rows
        )  # fmt: skip
        table(_("恢复记录"), columns, told)
    else:
        out.print(_("这本台账没有从备份恢复过"))
    raise typer.Exit(OK if all(r["agreed"] for r in rows) else FINDING)


@app.command(help="甲方答复一条恢复记录：确认，或加 --refuse 不认可并写明理由。")
def acknowledge(
    seq: Annotated[int, typer.Argument(help="恢复记录的编号 (number of the record)")],
    by: Annotated[str, typer.Option(help="甲方负责人的账号，须以其口令证明 (account of the client)")],
    refuse: Annotated[bool, typer.Option("--refuse", help="不认可 (do not accept)")] = False,
    reason: Annotated[str, typer.Option(help="意见；不认可时必填 (why)")] = "",
    as_json: AsJson = False,
) -> None:
    """甲方 answers a restore after comparing it with the heads it holds."""
    open_instance()
    from yunwei.ledger import restored as rules
    from yunwei.ledger import services

    row = rules.answer(seq, agree=not refuse, by=sign_in(by), now=now(), reason=reason)
    number = services.acknowledge(row.answer_id or 0, now())
    summary({"seq": row.seq, "agreed": row.agreed, "record": number}, as_json=as_json)


@app.command(help="以独立的 Python 运行甲方手里的同一个 verify.py；输出与退出码都是它的。")
def verify(
    bundle: Annotated[Path, typer.Argument(help="证据包 (bundle)")],
    key_fingerprint: Annotated[str, typer.Option(help="移交时的密钥指纹；缺省为本实例的 (as handed over)")] = "",
    first_head: Annotated[Path | None, typer.Option(help="移交时的签名头 (as handed over)")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the same verify.py that the client has, in a Python of its own. Exit code and output are its own."""
    if not key_fingerprint:
        open_instance()
        from yunwei.ledger import keys

        key_fingerprint = keys.fingerprint()
    script = Path(__file__).resolve().parent.parent / "ledger" / "verify.py"
    command = [sys.executable, "-I", "-S", str(script), str(bundle), "--key-fingerprint", key_fingerprint]
    if first_head is not None:
        command += ["--first-head", str(first_head)]
    done = subprocess.run([*command, "--json"] if as_json else command, capture_output=True, check=False)
    sys.stdout.write(done.stdout.decode("utf-8", "replace"))
    sys.stderr.write(done.stderr.decode("utf-8", "replace"))
    raise typer.Exit(done.returncode)
