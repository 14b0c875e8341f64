"""What the owner of the key can do to the history as a whole: cut it, write it anew and sign it, swap, pretend a redaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chaos.evidence.world import Told, World


def resign(sizes: list[tuple[int, Any]]) -> None:
    """Sign the log as it lies there anew, with a head of each of these sizes and times, and derive the tree anew."""
    from yunwei.ledger import proofs, services, tree
    from yunwei.ledger.models import Entry, Head, HeadPush

    HeadPush.objects.all().delete()
    Head.objects.all().delete()
    peaks: list[bytes] = []
    last, done = None, 0
    entries = list(Entry.objects.order_by("seq").select_related("intake"))
    for size, at in sizes:
        for entry in entries[done:size]:
            leaf = tree.leaf_hash(bytes(entry.intake.body))
            Entry.objects.filter(seq=entry.seq).update(leaf=leaf)
            tree.add(peaks, entry.seq - 1, leaf)
        last, done = services._sign(last, size, peaks, at), size  # noqa: SLF001 - the attacker has the key
    proofs.rebuild()


def rewrite_everything(changed: int, *, old: bytes = b'"value":', new: bytes = b'"value":9') -> None:
    """The operator changes a record and, holding the key, signs the whole history anew, with the same sizes and times."""
    from yunwei.ledger.models import Entry, Head, Intake

    intake = Entry.objects.get(seq=changed).intake
    Intake.objects.filter(pk=intake.pk).update(body=bytes(intake.body).replace(old, new))
    pushes = _pushes()
    resign(list(Head.objects.order_by("number").values_list("size", "at")))
    _push_again(pushes)


def _pushes() -> list[dict[str, Any]]:
    from yunwei.ledger.models import HeadPush

    return [dict(row) for row in HeadPush.objects.order_by("id").values("address", "head_id", "at", "ok", "problem")]


def _push_again(pushes: list[dict[str, Any]]) -> None:
    """The attacker remembers where heads were pushed, so that exports bring the proofs that an honest one would."""
    from yunwei.ledger.models import Head, HeadPush

    there = set(Head.objects.values_list("number", flat=True))
    HeadPush.objects.bulk_create(HeadPush(**p) for p in pushes if p["head_id"] in there)


def cut(count: int) -> bool:
    """Remove the newest records and the heads over them; True when an old head ends exactly there."""
    from django.db import connection

    from yunwei.ledger import proofs, services

    newest = services.head()
    keep = (newest.size if newest else 0) - count
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys=OFF")
        for statement in (
            "DELETE FROM ledger_headpush WHERE head_id IN (SELECT number FROM ledger_head WHERE size > %s)",
            "DELETE FROM ledger_head WHERE size > %s",
            "DELETE FROM ledger_mention WHERE intake_id IN (SELECT intake_id FROM ledger_entry WHERE seq > %s)",
            "DELETE FROM ledger_intake WHERE id IN (SELECT intake_id FROM ledger_entry WHERE seq > %s)",
            "DELETE FROM ledger_entry WHERE seq > %s",
        ):
            cursor.execute(statement, [keep])
        cursor.execute("DELETE FROM ledger_intake WHERE id IN (SELECT intake_id FROM ledger_waiting)")
        cursor.execute("DELETE FROM ledger_waiting")
    proofs.rebuild()
    left = services.head()
    return left is not None and left.size == keep


def grow(world: World, count: int = 2) -> None:
    """Life goes on: records are taken in, numbered, and their head is pushed to the client's address."""
    from django.db import transaction

    from yunwei.ledger import heads, services

    world.now += timedelta(minutes=90)
    for i in range(count):
        with transaction.atomic():
            services.record("chaos.later", f"later:{i}", {"value": i}, at=world.now, actor="tester")
    heads.push(world.now)


def of_cuts(world: World, *, cuts: int) -> Told:
    """The newest k records are gone. Each k is looked at as it is, signed anew, and after life went on."""
    from yunwei.ledger import heads, services
    from yunwei.ledger.errors import LedgerError

    told, size = Told("the newest k records cut"), world.size()
    most = size - 1
    for k in sorted({1, 2, most, *(world.dice.randint(1, most) for _n in range(cuts))}):
        world.fresh()
        at_a_head = cut(k)
        told.add(f"{k} cut, as it is", world.names())
        if not at_a_head:
            last = services.head()
            entries = _sizes(size - k)
            resign([*entries, (size - k, last.at if last else world.start)])
            told.add(f"{k} cut, a head signed for the rest", world.names())
        grow(world)
        told.add(f"{k} cut, and life went on: the bundle", world.names())
        told.add(
            f"{k} cut, and life went on: the head that comes next", world.client.take(*world.pushed()) or _silence()
        )
    world.fresh()
    try:  # the honest case stands beside: nothing is called a cut that was none
        grow(world)
        said = [*world.client.take(*world.pushed()), *world.names(), *(o.problem for o in heads.overdue(world.now))]
    except LedgerError as error:
        said = [str(error)]
    told.failures += [f"a history that only grew is called {name}" for name in said]
    return told


def _silence() -> list[str]:
    """No head came: the client's address stays silent, which `--max-age-hours` and the page call overdue."""
    from yunwei.ledger.models import HeadPush

    last = HeadPush.objects.order_by("-id").first()
    return ["no-head"] if last is not None and not last.ok else []


def _sizes(until: int) -> list[tuple[int, Any]]:
    from yunwei.ledger.models import Head

    return list(Head.objects.filter(size__lt=until).order_by("number").values_list("size", "at"))


def of_resigning(world: World, *, count: int) -> Told:
    """A record is changed and the whole history signed anew by the same key; the client holds an older head."""
    told, size = Told("a history changed and signed anew"), world.size()
    for seq in sorted({1, size, *(world.dice.randint(1, size) for _n in range(count))}):
        world.fresh()
        rewrite_everything(seq, old=b'"actor":"', new=b'"actor":"x')
        told.add(f"record {seq} changed: a bundle of everything", world.names())
        if size > 6:
            told.add(f"record {seq} changed: a bundle of the newest", world.names(size - 2, size))
        grow(world)
        told.add(
            f"record {seq} changed, and life went on: the head that comes next", world.client.take(*world.pushed())
        )
        told.add(f"record {seq} changed, and life went on: a bundle", world.names())
    return told


#: what is done to a record by SQL alone
REMOVALS = {
    "taken out": ("DELETE FROM ledger_entry WHERE seq = %(seq)s",),
    "without its body": (
        "DELETE FROM ledger_intake WHERE id = (SELECT intake_id FROM ledger_entry WHERE seq = %(seq)s)",
    ),
    "changed places with the next": (
        "UPDATE ledger_entry SET seq = -1 WHERE seq = %(seq)s",
        "UPDATE ledger_entry SET seq = %(seq)s WHERE seq = %(seq)s + 1",
        "UPDATE ledger_entry SET seq = %(seq)s + 1 WHERE seq = -1",
    ),
    "taken out, the rest moved up": (
        "DELETE FROM ledger_entry WHERE seq = %(seq)s",
        "UPDATE ledger_entry SET seq = -seq WHERE seq > %(seq)s",
        "UPDATE ledger_entry SET seq = -seq - 1 WHERE seq < 0",
    ),
    "the head over it taken out": (
        "DELETE FROM ledger_head WHERE number = (SELECT MIN(number) FROM ledger_head WHERE size >= %(seq)s)",
    ),
}


def of_removals(world: World, *, count: int) -> Told:
    """A record, a head, the order of two records: taken out or changed without signing anew."""
    from django.db import connection

    told, size = Told("records and heads taken out"), world.size()
    for seq in sorted(world.dice.sample(range(1, size), min(count, size - 1))):
        for what, statements in REMOVALS.items():
            world.fresh()
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA foreign_keys=OFF")
                for statement in statements:
                    cursor.execute(statement, {"seq": seq})
            told.add(f"record {seq} {what}", world.names())
    return told


def of_artifacts(world: World, *, count: int) -> Told:
    """Artifacts swapped, by their files, by their rows, and by their salts; replaced; removed."""
    from yunwei.ledger import artifacts
    from yunwei.ledger.models import Artifact

    told = Told("artifacts swapped or replaced")
    alive = list(Artifact.objects.filter(redacted_at__isnull=True).exclude(content_hash="").order_by("id"))
    for _n in range(count if len(alive) > 1 else 0):
        one, two = world.dice.sample(alive, 2)
        for name, attack in SWAPS.items():
            world.fresh()
            attack(artifacts, one, two)
            told.add(f"{name}: {one.commitment[:8]} and {two.commitment[:8]}", world.names())
    return told


def _swap_files(artifacts: Any, one: Any, two: Any) -> None:
    first, second = artifacts.path_of(one.content_hash), artifacts.path_of(two.content_hash)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def _swap(*columns: str) -> Callable[[Any, Any, Any], None]:
    def attack(_artifacts: Any, one: Any, two: Any) -> None:
        rows = type(one).objects
        first, second = ({c: getattr(row, c) for c in columns} for row in (one, two))
        if "content_hash" in columns:  # unique among the living
            rows.filter(pk=one.pk).update(content_hash="f" * 64)
        rows.filter(pk=two.pk).update(**first)
        rows.filter(pk=one.pk).update(**second)

    return attack


def _delete(one: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.execute("DELETE FROM ledger_artifact WHERE id = %s", [one.pk])


def _replace(artifacts: Any, one: Any, _two: Any) -> None:
    """The content is replaced by a better one of the same length, and the row follows it."""
    from yunwei.gm import sm3

    file = artifacts.path_of(one.content_hash)
    content = bytes(reversed(file.read_bytes()[:-1])) + b"!"
    name = sm3.digest(content).hex()
    artifacts.path_of(name).parent.mkdir(parents=True, exist_ok=True)
    artifacts.path_of(name).write_bytes(content)
    type(one).objects.filter(pk=one.pk).update(content_hash=name)


SWAPS: dict[str, Callable[[Any, Any, Any], None]] = {
    "files swapped": _swap_files,
    "rows point at each other's files": _swap("content_hash"),
    "files and salts swapped": _swap("content_hash", "salt"),
    "salts swapped": _swap("salt"),
    "content replaced": _replace,
    "file removed": lambda artifacts, one, _two: artifacts.path_of(one.content_hash).unlink(),
    "row removed": lambda _artifacts, one, _two: _delete(one),
}
