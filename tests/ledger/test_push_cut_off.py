"""A push that is cut off between its file and its row, or that another worker overtakes: the client's witness must not take the
next head for a cut history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.kit import NOW, claim, run

from yunwei.ledger import heads, keys, services
from yunwei.ledger.models import HeadPush

pytestmark = pytest.mark.django_db


class PowerCutError(BaseException):
    """The process is gone at this point: nothing catches it."""


@pytest.fixture
def address(settings, tmp_path) -> Path:
    settings.YUNWEI = {"ledger": {"push": [str(tmp_path / "client")]}}
    return tmp_path / "client"


def push(i: int) -> None:
    claim(i, NOW + timedelta(minutes=i))
    heads.push(NOW + timedelta(minutes=i))


def witness(tmp_path: Path, *paths: Path) -> tuple[int, list[str]]:
    code, said = run("witness", "add", *paths, "--store", tmp_path / "store", "--key-fingerprint", keys.fingerprint())
    return code, [f["code"] for f in said["findings"]]


def test_the_next_head_goes_on_from_one_whose_row_was_never_finished(
    tmp_path: Path, address: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(1)
    real = heads.write_head

    def cut(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(heads, "write_head", cut)
        with pytest.raises(PowerCutError):
            push(2)
    push(3)
    assert len(list(address.iterdir())) == 3
    assert list(HeadPush.objects.order_by("pk").values_list("ok", "problem")) == [
        (True, ""),
        (False, heads.BEGUN),
        (True, ""),
    ]
    assert witness(tmp_path, address) == (0, [])


def test_the_next_head_goes_on_from_one_that_stands_there_though_its_push_failed(
    tmp_path: Path, address: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(1)

    def fails(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(heads, "sync_folder", fails)
        push(2)
    failed = HeadPush.objects.latest("pk")
    assert not failed.ok
    assert "Input/output error" in failed.problem
    push(3)
    assert witness(tmp_path, address) == (0, [])


def test_a_push_that_left_no_file_is_not_gone_on_from(address: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(1)

    def fails(*_names: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(heads.os, "link", fails)
        push(2)
    assert heads._linked(str(address), heads.last_push(str(address))) == [HeadPush.objects.earliest("pk").head]


@pytest.mark.parametrize("point", ["before its row", "after its row", "before its file", "after its file"])
def test_a_worker_that_another_one_overtakes_leaves_no_gap(
    tmp_path: Path, address: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Found by killing workers on PostgreSQL, where each has a thread that pushes heads."""
    push(1)
    overtaking: list[int] = []

    def overtake() -> None:
        if not overtaking:
            overtaking.append(1)
            push(3)

    def around(call: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            if first:
                overtake()
            made = call(*args, **named)
            if not first:
                overtake()
            return made

        return called

    with monkeypatch.context() as patched:
        if point == "before its row":
            patched.setattr(heads, "_push_one", around(heads._push_one, first=True))
        elif point == "after its row":
            patched.setattr(HeadPush.objects, "create", around(HeadPush.objects.create, first=False))
        else:
            patched.setattr(heads, "write_head", around(heads.write_head, first=point == "before its file"))
        push(2)
    assert overtaking
    push(4)
    assert witness(tmp_path, address) == (0, [])
    last = HeadPush.objects.latest("pk")
    assert (last.ok, last.head_id) == (True, 4)


def test_a_head_goes_on_from_what_another_worker_has_brought_meanwhile(tmp_path: Path, address: Path) -> None:
    push(1)
    known = heads.last_push(str(address))
    push(2)
    claim(3, NOW + timedelta(minutes=3))
    services.sequence(NOW + timedelta(minutes=3))
    newest = services.head()
    assert newest is not None
    heads._push_one(str(address), newest, known, NOW + timedelta(minutes=3))
    assert witness(tmp_path, address) == (0, [])


@pytest.mark.parametrize("point", ["before its row", "after its row", "before its file", "after its file"])
def test_a_head_that_is_pushed_during_the_handover_goes_on_from_the_first_one(
    tmp_path: Path, address: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    push(1)
    claim(2, NOW + timedelta(minutes=2))
    pushed: list[int] = []

    def meanwhile(call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            if not pushed and point.startswith("before"):
                pushed.append(1)
                push(3)
            made = call(*args, **named)
            if not pushed:
                pushed.append(1)
                push(3)
            return made

        return called

    with monkeypatch.context() as patched:
        if point.endswith("row"):
            patched.setattr(HeadPush.objects, "create", meanwhile(HeadPush.objects.create))
        else:
            patched.setattr(heads, "write_head", meanwhile(heads.write_head))
        heads.handover(tmp_path / "kit", NOW + timedelta(minutes=2), "b_manager")
    push(4)
    assert witness(tmp_path, tmp_path / "kit" / "first-head.json", address) == (0, [])
