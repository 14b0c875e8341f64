"""A zone whose collector is another installation: job in the outbox, result in the inbox, or silence."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from tests.inspect.conftest import DEVICES, Site

from yunwei.gm import sm2
from yunwei.inspect import keys
from yunwei.inspect.collect.job import Keyring, read_job, run_job, write_result

pytestmark = pytest.mark.django_db


def carry(folder: Path, platform: sm2.PublicKey, private: sm2.PrivateKey) -> None:
    """What the permitted push between the zones and the collector behind it do together."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for file in (folder / "outbox").glob("*.job"):
            job = read_job(file.read_bytes(), [platform])
            data = write_result(run_job(job, Keyring(private), clock=lambda at=job.issued_at: at), private)
            new = folder / "inbox" / "new"
            new.write_bytes(data)
            new.replace(folder / "inbox" / f"{file.stem}.result")
            return
        time.sleep(0.05)


def test_a_run_waits_for_its_file_and_is_settled_by_it(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("yunwei.inspect.collecting.POLL_S", 0.05)
    site.add("sw-1", DEVICES["sw-1"])
    site.sweep()
    site.confirm()
    remote = sm2.generate()
    keys.trust("gov", remote.public.to_pem(), now=site.clock.now())
    carrier = threading.Thread(target=carry, args=(tmp_path, keys.platform().public, remote))
    carrier.start()
    run = site.sweep(terms={"total_budget_s": 30})
    carrier.join()
    assert site.verdicts(run) == {"sw-1": ("pass", "")}


def test_a_forged_file_is_set_aside_and_the_true_one_still_counts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("yunwei.inspect.collecting.POLL_S", 0.05)
    site.add("sw-1", DEVICES["sw-1"])
    site.sweep()
    site.confirm()
    remote = sm2.generate()
    keys.trust("gov", remote.public.to_pem(), now=site.clock.now())

    def forge_then_carry() -> None:
        while not list((tmp_path / "outbox").glob("*.job")):
            time.sleep(0.02)
        (name,) = (f.stem for f in (tmp_path / "outbox").glob("*.job"))
        (tmp_path / "inbox" / f"{name}.result").write_bytes(b'{"kind":"yunwei.result.v1","all":"is well"}')
        while not list((tmp_path / "inbox").glob("*.refused")):
            time.sleep(0.02)
        carry(tmp_path, platform, remote)

    platform = keys.platform().public
    carrier = threading.Thread(target=forge_then_carry)
    carrier.start()
    run = site.sweep(terms={"total_budget_s": 30})
    carrier.join()
    assert site.verdicts(run) == {"sw-1": ("pass", "")}
    assert not list((tmp_path / "outbox").iterdir())


def test_when_no_file_comes_back_the_collector_was_silent(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("yunwei.inspect.collecting.POLL_S", 0.05)
    site.add("sw-1", DEVICES["sw-1"])
    keys.trust("gov", sm2.generate().public.to_pem(), now=site.clock.now())
    run = site.sweep(terms={"total_budget_s": 0.2})
    assert site.verdicts(run) == {"sw-1": ("unproven", "collector_silent")}
    assert run.outcome["coverage"]["causes"] == {"vendor": 1}
