"""What `init` leaves on the disk is nobody else's to read or to write, whatever umask it was run with."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

CONTRACT = Path(__file__).resolve().parents[2] / "contracts" / "qingpu-2026"


def test_umask_000_opens_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    code = "import os, sys; os.umask(0); from yunwei.cli.main import main; main()"
    command = ["init", folder, "--contract", CONTRACT, "--client", "甲", "--vendor", "乙", "--password-stdin", "--json"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, command)], input="first-password\n", text=True, capture_output=True,
        env=environment, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    modes = {p.relative_to(folder).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in [folder, *folder.rglob("*")]}
    assert {modes["keys"], modes["data"]} == {0o700}
    outside = {name: mode for name, mode in modes.items() if not name.startswith(("data/", "keys/"))}
    assert {name for name, mode in outside.items() if mode & 0o022} == set()
    assert modes["yunwei.toml"] == 0o600
    assert {modes[name] for name in modes if name.startswith("keys/")} == {0o600}
