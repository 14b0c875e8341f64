"""The artifact store: whole or not at all, once per content, gone when redacted."""

from __future__ import annotations

import resource
import signal
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.db import transaction

from yunwei.gm import sm3
from yunwei.ledger import artifacts, bundle, services
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact, Intake

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path, instance_folder):
    """A store of this test alone, with the key of the session."""
    import shutil

    shutil.copytree(instance_folder / "keys", tmp_path / "instance" / "keys")
    settings.INSTANCE = tmp_path / "instance"


@contextmanager
def full_disk():
    """A real refusal by the kernel: no file of this process may grow beyond 4096 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def files() -> list[str]:
    return [p.name for p in artifacts.folder().rglob("*") if p.is_file()]


def redact(artifact: Artifact) -> Intake:
    with transaction.atomic():
        return services.redact(artifact, "含个人信息", at=NOW, actor="a_manager")


def test_content_is_kept_by_its_hash_and_committed_to_with_a_salt():
    one = services.store(b"reply", "text/plain")
    assert files() == [sm3.hexdigest(b"reply")]
    assert one.commitment == sm3.hexdigest(bytes(one.salt) + b"reply")
    assert len(one.salt) == 32
    assert artifacts.read(one) == b"reply"


def test_the_same_content_is_kept_once():
    assert services.store(b"reply", "text/plain") == services.store(b"reply", "text/plain")
    assert Artifact.objects.count() == 1
    assert services.store(b"other", "text/plain").salt != services.store(b"reply", "text/plain").salt


def test_a_damaged_file_is_made_whole_by_storing_again():
    one = services.store(b"reply", "text/plain")
    artifacts.path_of(one.content_hash).write_bytes(b"re")
    with pytest.raises(LedgerError, match="被改动"):
        artifacts.read(one)
    assert artifacts.read(services.store(b"reply", "text/plain")) == b"reply"
    artifacts.path_of(one.content_hash).unlink()
    with pytest.raises(LedgerError, match="缺失"):
        artifacts.read(one)


def test_a_full_disk_is_a_clear_error_and_leaves_nothing():
    with full_disk(), pytest.raises(LedgerError, match="证据文件写入失败"):
        services.store(b"x" * 100_000, "text/plain")
    assert files() == []
    assert Artifact.objects.count() == 0


def test_a_full_disk_leaves_no_half_bundle(tmp_path):
    for i in range(200):
        with transaction.atomic():
            services.record("test.claim", "x", {"noise": sm3.hexdigest(bytes([i])) * 4}, at=NOW, actor="t")
    services.sequence(NOW)
    with full_disk(), pytest.raises(LedgerError, match="证据包写入失败"):
        bundle.write(1, None, tmp_path / "out" / "b.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_redaction_that_rolls_back_keeps_the_file():
    one = services.store(b"reply", "text/plain")
    with transaction.atomic():
        services.redact(one, "含个人信息", at=NOW, actor="a_manager")
        transaction.set_rollback(True)
    assert artifacts.read(Artifact.objects.get(pk=one.pk)) == b"reply"


def test_a_redaction_is_finished_after_a_crash():
    one = services.store(b"reply", "text/plain")
    redact(one)  # on_commit does not run inside a test's transaction: as if the process died right after the commit
    assert files() == [one.content_hash]
    assert services.finish_redactions() == 1
    assert services.finish_redactions() == 0
    assert files() == []
    row = Artifact.objects.get(pk=one.pk)
    assert (row.content_hash, bytes(row.salt)) == ("", b"")
    with pytest.raises(LedgerError, match="依法删除"):
        artifacts.read(row)


def test_a_redaction_needs_a_reason_and_happens_once():
    one = services.store(b"reply", "text/plain")
    with transaction.atomic(), pytest.raises(LedgerError, match="理由"):
        services.redact(one, "  ", at=NOW, actor="a_manager")
    redact(one)
    with pytest.raises(LedgerError, match="已经删除过"):
        redact(one)
    assert Intake.objects.filter(kind="ledger.redacted", subject=one.commitment).count() == 1


def test_the_same_content_may_come_again_after_a_redaction():
    old = services.store(b"reply", "text/plain")
    redact(old)
    new = services.store(b"reply", "text/plain")
    assert new.commitment != old.commitment
    services.finish_redactions()
    assert artifacts.read(new) == b"reply"
