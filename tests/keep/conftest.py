"""One embedded instance for all tests of this folder; each takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.keep.kit import copied, make
from yunwei.server.keep import sealed


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("keep"))


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backups that this process makes open quickly; those of the commands are as they are."""
    monkeypatch.setattr(sealed, "ITERATIONS", 1000)
