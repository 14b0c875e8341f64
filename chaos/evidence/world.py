"""The two sides: the operator's copy of an instance, which every attack finds whole again, and what the client holds."""

from __future__ import annotations

import functools
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from yunwei.ledger import verify

#: where bundles are written thousands of times: memory, where there is such a folder
FAST = next((p for p in ("/dev/shm",) if Path(p).is_dir()), None)  # noqa: S108 - private folders are made in it


@dataclass
class Told:
    """How often something was changed, and the changes that nobody named."""

    attack: str
    count: int = 0
    failures: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)

    def add(self, where: str, named: Sequence[str]) -> None:
        """Note one change and what it was called; a change without a name is a failure."""
        self.count += 1
        if not named:
            self.failures.append(f"{where}: nobody names it")
            return
        self.codes[named[0]] = self.codes.get(named[0], 0) + 1


@contextmanager
def remembered_signatures() -> Iterator[None]:
    """verify.py with a memory for keys and for signatures it has already verified: the same bytes, the same answer.

    One verification takes 10 ms in plain Python, and of a thousand bundles nearly all heads are the same.
    """
    key_of, plain = functools.lru_cache(verify.key_of), verify.Key.verify

    @functools.lru_cache(maxsize=4096)
    def verified(key: verify.Key, text: bytes, signature: bytes) -> bool:
        return plain(key, text, signature)

    def known(point: Any, fingerprint: str) -> verify.Key:
        return key_of(point, fingerprint) if isinstance(point, str) else verify.key_of(point, fingerprint)

    with mock.patch.object(verify, "key_of", known), mock.patch.object(verify.Key, "verify", verified):
        yield


class Client:
    """甲方: the fingerprint and the heads it was given over time, in a witness's store, and its own copy of verify.py."""

    def __init__(self, store: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = store, fingerprint

    def take(self, *heads: Path) -> list[str]:
        """What `witness add` says of these files: the codes of its findings."""
        store, codes = verify.Store(str(self.folder)), []
        fingerprint = store.fingerprint(self.fingerprint)
        for path in verify.oldest_first(verify.files_of(list(map(str, heads)))):
            try:
                store.add(path, fingerprint)
            except verify.Bad as bad:
                codes.append(bad.code)
        return codes

    def check(self, bundle: Path) -> tuple[list[str], dict[str, Any]]:
        """What `witness check` says of a bundle: the codes of its findings, and its facts."""
        held = verify.Store(str(self.folder)).heads
        findings, facts = verify.check_bundle(str(bundle), self.fingerprint, held, verify.MAX_BYTES)
        return [f"{bad.code}@{bad.seq}" if bad.seq else bad.code for bad in findings], facts

    def names(self, bundle: Path) -> list[str]:
        """The findings, and the note that the client holds heads of more records than the bundle has."""
        codes, facts = self.check(bundle)
        return [*codes, *(["behind"] if facts.get("behind") else [])]


class World:
    """A copy of an instance on which Django stands. `fresh` makes it whole; `now` goes on an hour with each call of it."""

    def __init__(self, folder: Path, dice: random.Random, now: datetime) -> None:
        from yunwei.ledger import keys

        self.folder, self.dice, self.start, self.now = folder, dice, now, now
        self.scratch = Path(tempfile.mkdtemp(prefix="yunwei-chaos-", dir=FAST))
        self.master = self.scratch / "master"
        self.client = Client(self.scratch / "store", keys.fingerprint())
        self._keep()

    def _keep(self) -> None:
        """The client takes in what was pushed; the instance as it is becomes the one to return to."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        said = self.client.take(*self.pushed())
        if said:
            raise RuntimeError(f"the instance was not whole to begin with: {said}")
        shutil.copytree(self.folder / "data", self.master / "data")
        shutil.copytree(self.folder / "heads", self.master / "heads")

    def pushed(self) -> list[Path]:
        """The head files that lie at the client's address."""
        return sorted((self.folder / "heads").glob("head-*.json"))

    def fresh(self) -> None:
        """Everything as it was, but for the client, who forgets nothing; an hour later."""
        from django.db import connection

        connection.close()
        for name in ("data", "heads"):
            shutil.rmtree(self.folder / name)
            shutil.copytree(self.master / name, self.folder / name)
        shutil.rmtree(self.scratch / "store")
        self.client.take(*self.pushed())
        self.now = self.start + timedelta(hours=1)

    def write(self, first: int = 1, last: int | None = None, name: str = "b.zip") -> Path:
        """A bundle of what is there, without the record that an export leaves."""
        from yunwei.ledger import bundle

        bundle.write(first, last, self.scratch / name)
        return self.scratch / name

    def names(self, first: int = 1, last: int | None = None) -> list[str]:
        """What the client finds in such a bundle; an instance that cannot write one any more has named it too."""
        from yunwei.ledger.errors import LedgerError

        try:
            return self.client.names(self.write(first, last))
        except LedgerError:
            return ["no-export"]

    def size(self) -> int:
        """Records in the log."""
        from yunwei.ledger import services

        newest = services.head()
        return newest.size if newest else 0

    def close(self) -> None:
        """Remove what was made."""
        shutil.rmtree(self.scratch, ignore_errors=True)
