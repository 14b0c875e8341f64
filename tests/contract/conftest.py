"""A copy of a contract folder that a test may spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
Spoil = Callable[..., Path]


@pytest.fixture
def spoil(tmp_path: Path) -> Spoil:
    """`spoil(file, old, new)` copies the Qingpu folder with one text changed; `old` must stand there exactly once
    or the change would not be the one the test means."""

    def make(file: str, old: str, new: str, contract: str = "qingpu-2026") -> Path:
        folder = tmp_path / "c"
        if not folder.exists():
            shutil.copytree(CONTRACTS / contract, folder)
        text = (folder / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")
        return folder

    return make
