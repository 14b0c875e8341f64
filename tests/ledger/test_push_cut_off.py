"""A push that is cut off between its file and its row: the client's witness must not take the next head for a cut history."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.ledger.kit import NOW, claim, run

from yunwei.ledger import heads, keys
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
