"""`/events`: what is told, to whom, when, and when it ends; a real web process before the tests' database."""

from __future__ import annotations

import http.client
import itertools
import signal
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction

from tests.server import live_kit
from tests.server.live_kit import Web
from yunwei.accounts.models import Role
from yunwei.ledger import services as ledger
from yunwei.runs import services as runs
from yunwei.runs.models import Run, RunState

pytestmark = [pytest.mark.component, pytest.mark.django_db(transaction=True)]
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
TICKET = "T-20261126-0001"
#: the look-back of a new stream tells what an earlier test did: each has a mark of its own
MARKS = itertools.count()


@pytest.fixture
def engineer() -> str:
    return live_kit.cookie(live_kit.account("engineer", Role.B_ENGINEER, "B"))


@pytest.fixture(scope="module")
def served(tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[Web]:
    with django_db_blocker.unblock():
        folder = tmp_path_factory.mktemp("served") / "web"
    with live_kit.web(folder, beat_s=1.0) as running:
        yield running


@pytest.fixture
def site(served: Web, engineer: str) -> Iterator[Web]:
    """The module's web process, after it has seen this test's database: every test begins with an empty one."""
    stream = served.listen(engineer)
    assert stream.answer.status == 200, served.log()
    mark = f"sync{next(MARKS)}"
    for _ in range(int(live_kit.SOON_S)):
        change(f"{mark}.ready", "database")
        numbered()
        if any(mark in (stream.next() or ("", {}))[1].get("topics", ()) for _event in range(3)):
            break
    else:
        raise AssertionError(served.log())
    served.forget()
    yield served
    served.forget()


def change(kind: str = "desk.ticket.moved", subject: str = TICKET) -> None:
    """A change as a service commits it, in this process, which is not the one that keeps the streams."""
    with transaction.atomic():
        ledger.record(kind, subject, {}, at=NOW, actor="engineer")


def numbered() -> None:
    """What the worker does five times a second."""
    ledger.sequence(NOW)


def test_a_commit_in_another_process_arrives_as_topics_and_as_nothing_else(site, engineer):
    stream = site.listen(engineer)
    assert stream.answer.status == 200
    assert stream.answer.getheader("content-type") == "text/event-stream; charset=utf-8"
    assert stream.answer.getheader("x-accel-buffering") == "no"
    assert "no-cache" in (stream.answer.getheader("cache-control") or "")
    assert stream.next() == ("hello", {"beat": 1.0, "ids": True})
    change()
    numbered()
    assert {"desk", f"desk:{TICKET}", "ledger"} <= stream.until(f"desk:{TICKET}")
    assert b"engineer" not in stream.raw, "no actor, no content"


def test_a_change_without_a_sequencer_is_told_and_told_again_with_its_number(site, engineer):
    stream = site.listen(engineer)
    change()
    stream.until(f"desk:{TICKET}")
    numbered()
    assert f"desk:{TICKET}" in stream.until("ledger")


def test_nothing_is_told_of_what_was_rolled_back(site, engineer):
    stream = site.listen(engineer)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ledger.record("desk.ticket.moved", "T-never", {}, at=NOW, actor="engineer")
        raise ZeroDivisionError
    change("assets.import", "a-list")
    numbered()
    stream.until("assets:a-list")
    change("duties.event.recorded", "event:99")
    stream.until("duties:event:99")
    assert b"T-never" not in stream.raw


def test_progress_of_a_run_is_told_although_the_ledger_has_no_row_of_it(site, engineer):
    Run.objects.create(id="look:x:1", procedure="x", scope={}, terms={}, cause={}, submitted_at=NOW)
    stream = site.listen(engineer)
    stream.next()
    Run.objects.update(state=RunState.RUNNING, total=10)
    stream.until("runs:look:x:1")
    runs.advance("look:x:1", 3)
    assert "runs" in stream.until("runs:look:x:1")


def test_who_listens_a_moment_later_is_told_what_just_happened(site, engineer):
    first = site.listen(engineer)
    change()
    numbered()
    first.until("desk")
    second = site.listen(engineer)
    assert f"desk:{TICKET}" in second.until("desk")


def test_many_changes_of_one_room_are_one_topic(site, engineer):
    stream = site.listen(engineer)
    with transaction.atomic():
        for i in range(60):
            ledger.record("duties.occurrence.kept", f"o-{i}", {}, at=NOW, actor="system:duties")
    numbered()
    assert {"duties", "duties:*", "ledger"} <= stream.until("duties:*")
    assert b"o-59" not in stream.raw


@pytest.mark.parametrize(("role", "party"), [(Role.TENANT, "T1"), (Role.SYSADMIN, "B"), (Role.SECADMIN, "A")])
def test_who_may_not_know_of_each_thing_is_told_rooms_only(site, role, party):
    stream = site.listen(live_kit.cookie(live_kit.account("other", role, party)))
    assert stream.next() == ("hello", {"beat": 1.0, "ids": False})
    change()
    numbered()
    assert not [topic for topic in stream.until("desk") if ":" in topic]
    assert TICKET.encode() not in stream.raw


def test_names_of_accounts_are_told_to_nobody(site, engineer):
    stream = site.listen(engineer)
    change("accounts.password.changed", "somebody")
    numbered()
    stream.until("accounts")
    assert b"somebody" not in stream.raw


def test_a_beat_comes_when_nothing_happens(site, engineer):
    stream = site.listen(engineer)
    said = [stream.next() for _ in range(6)]  # hello, perhaps what was changed just before, and then the beat
    assert said[-2:] == [("beat", {}), ("beat", {})]


def test_without_a_session_there_is_no_stream(site, engineer):
    for session in ("", "sessionid=forged"):
        stream = site.listen(session)
        assert stream.answer.status == 401
        assert b"event:" not in stream.answer.read()


def test_a_session_that_ends_ends_its_stream_and_no_other(site, engineer):
    stream = site.listen(engineer)
    other = site.listen(live_kit.cookie(live_kit.account("stays", Role.A_MANAGER, "A")))
    stream.next()
    SessionStore(engineer.partition("sessionid=")[2].partition(";")[0]).delete()
    assert stream.rest()[-1] == "end"
    change()
    numbered()
    other.until("desk")


def test_an_account_that_is_shut_is_told_nothing_more(site):
    shut = live_kit.account("shut", Role.B_ENGINEER, "B")
    stream = site.listen(live_kit.cookie(shut))
    stream.next()
    shut.is_active = False
    shut.save()
    with transaction.atomic():
        change("accounts.account.shut", "shut")
        change(subject="T-after")
    numbered()
    assert stream.rest()[-1] == "end"
    assert b"T-after" not in stream.raw


def test_forty_streams_a_cap_and_a_stop(tmp_path):
    """One account does not take every place, who comes after the cap is refused cleanly and let in when another leaves,
    forty hear the same, and all end with the process."""
    with live_kit.web(tmp_path / "web", beat_s=15.0, events=40) as site:
        sessions = [live_kit.cookie(live_kit.account(f"p{i}", Role.B_ENGINEER, "B")) for i in range(5)]
        streams = [site.listen(sessions[0]) for _ in range(8)]
        assert site.listen(sessions[0]).answer.status == 503, "one account"
        streams += [site.listen(session) for session in sessions[1:] for _ in range(8)]
        assert all(s.next() == ("hello", {"beat": 15.0, "ids": True}) for s in streams)
        late = live_kit.cookie(live_kit.account("late", Role.A_MANAGER, "A"))
        refused = site.listen(late)
        assert refused.answer.status == 503
        assert refused.answer.getheader("retry-after") == "30"
        assert site.get("/static/yw/yw.js").status == 200, "pages go on"
        streams.pop().close()
        live_kit.wait(lambda: site.listen(late).answer.status == 200, "a free place")
        change()
        numbered()
        for stream in streams:
            stream.until(f"desk:{TICKET}")
        site.process.send_signal(signal.SIGTERM)
        site.process.wait(12)  # asked are 3 s; here the machine may be loaded, and waiting for pages alone is 2 s
        assert all(s.next() is None for s in streams)


def test_other_methods_are_refused(site, engineer):
    talk = http.client.HTTPConnection("127.0.0.1", site.port, timeout=live_kit.SOON_S)
    talk.request("POST", "/events", body=b"x", headers={"Cookie": engineer})
    assert talk.getresponse().status == 405
    talk.close()
